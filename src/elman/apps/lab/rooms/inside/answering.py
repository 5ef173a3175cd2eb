"""What one answer depends on: the steps that were read, each with what it adds."""

from __future__ import annotations

from nicegui import ui

from elman.apps.lab import frame
from elman.apps.lab.rooms.inside.looked import Answered
from elman.apps.lab.rooms.inside.view import View

FOR, AGAINST = "217, 110, 20", "43, 120, 185"  # orange and blue, which all eyes tell apart
TOLD = 5  # steps that are named in words


def build(view: View) -> None:
    say = view.page.say
    frame.heading(say("inside.answer"))
    by_step = view.looked.by_step
    what = say("inside.answer_what") if by_step else say("inside.answer_what_whole")
    ui.label(what).classes("lab-what")
    where = ui.label("")
    ask = ui.button(say("inside.answer_ask")).props("no-caps")
    place = ui.element("div").classes("lab-room-part").props('role="status"')

    async def answer() -> None:
        ask.props("loading")
        found = await view.ask(view.looked.answer, view.layer, view.sequence, view.step)
        ask.props(remove="loading")
        if found is not None:
            place.clear()
            with place:
                _show(view, found)

    def stands() -> None:
        if not by_step:
            where.set_text(say("inside.stands_whole", sequence=view.sequence + 1))
            return
        step = view.looked.steps(view.layer, view.sequence)[view.step]
        where.set_text(
            say("inside.stands", sequence=view.sequence + 1, step=view.step + 1, read=step)
        )

    ask.on_click(answer)
    view.on_change(stands)


def _show(view: View, found: Answered) -> None:
    """Every step on its colour, what adds most in words."""
    say = view.page.say
    ui.label(say("inside.asked", what=found.asked))
    largest = max(map(abs, found.shares), default=0.0) or 1.0
    with ui.element("div").classes("lab-mono lab-steps"):
        for step, share in zip(found.steps, found.shares, strict=True):
            label = ui.label(step).classes("lab-step")
            colour = FOR if share > 0 else AGAINST
            label.style(f"background: rgba({colour}, {0.75 * abs(share) / largest:.2f})")
            with label:
                ui.tooltip(f"{share:+.4f}")
    order = sorted(range(len(found.shares)), key=lambda k: -abs(found.shares[k]))[:TOLD]
    named = [(found.steps[k], found.shares[k], found.first + k) for k in order]
    most = ", ".join(f"“{step}” {share:+.3f} ({number})" for step, share, number in named)
    ui.label(say("inside.most", most=most))
    ui.label(found.trusted).classes("lab-faint").props('lang="en"')
