"""How much of what a loss says at a step reaches the states before it."""

from __future__ import annotations

from nicegui import ui

from elman.apps.lab.pieces.curves import BLUE, GREY, ORANGE, Curves, Line
from elman.apps.lab.pieces.explained import explained
from elman.apps.lab.rooms.inside.view import View

COLOURS = (BLUE, ORANGE, "#009e73", "#cc79a7", "#b89c00", GREY)  # after Okabe and Ito
LEAST = 1e-8  # share below which nothing is drawn


def build(view: View) -> None:
    say = view.page.say
    with explained(say, "inside.lags"):
        ask = ui.button(say("inside.lags_ask")).props("no-caps")
        place = ui.element("div").props('role="status"')

    async def measure() -> None:
        ask.props("loading")
        found = await view.ask(view.looked.lags)
        ask.props(remove="loading")
        if found is None:
            return
        place.clear()
        with place:
            if not found:
                ui.label(say("inside.no_lags"))
                return
            shown = found[: len(COLOURS)]
            lines = [Line(name, colour) for (name, _), colour in zip(shown, COLOURS, strict=False)]
            curves = Curves(lines, say("inside.lag"), say("inside.left"), log=True)
            told = "; ".join(
                say("inside.lag_says", layer=name, share=f"{shares[-1]:.2g}", steps=len(shares) - 1)
                for name, shares in shown
            )
            curves.show(
                [[(k, max(LEAST, s)) for k, s in enumerate(shares)] for _, shares in shown], told
            )
            ui.label(told)

    ask.on_click(measure)
