"""Runs side by side on the page: curves on one axis, options that differ, scores, samples."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import run, ui

from elman.apps.lab import frame
from elman.apps.lab.page import Page
from elman.apps.lab.pieces.curves import Curves, Line
from elman.apps.lab.pieces.explained import explained
from elman.apps.lab.rooms.comparing.shoot_out import grid
from elman.apps.lab.rooms.comparing.side_by_side import Looked, differing, look, scores
from elman.errors import ElmanError
from elman.wording import readable

# Colours that people with any kind of colour vision tell apart, after Okabe and Ito (2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MOST = len(COLOURS)  # runs
EVERY = 5.0  # seconds between two looks


class Beside:
    """The part of the room of one tab."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.looked: list[Looked] = []
        self._curves: Curves | None = None
        self._refused = set[str]()  # lines that were shown
        names = [path.name for path in page.workspace.runs()]
        say = page.say
        frame.heading(say("comparing.beside"))
        if not names:
            ui.label(say("frame.no_runs"))
            ui.link(say("frame.to_start"), page.address("start"))
            return
        first = page.run.name if page.run is not None and page.run.name in names else names[0]
        self._chosen = ui.select(
            names, value=[first], multiple=True, label=say("comparing.runs", most=MOST),
            on_change=self.show,
        )  # fmt: skip
        self._chosen.props("outlined use-chips").classes("w-full")
        self._place = ui.column().classes("w-full")
        page.every(EVERY, self.follow)

    async def _look(self) -> list[Looked]:
        paths = [self.page.workspace.run(name) for name in self._chosen.value[:MOST]]
        found: list[Looked] = []
        for path in paths:
            try:
                one = None if path is None else await run.io_bound(look, path)
            except ElmanError as error:
                if str(error) not in self._refused:  # it is looked at again and again
                    self._refused.add(str(error))
                    self.page.tell(error)
                continue
            if one is not None:
                found.append(one)
        return found

    async def follow(self) -> None:
        """Curves go on while runs train; all else is shown anew where a run has ended."""
        found = await self._look()
        if found == self.looked or self.page.client.is_deleted:
            return
        known = [(one.name, one.options, one.verdict) for one in self.looked]
        if self._curves is not None and known == [(o.name, o.options, o.verdict) for o in found]:
            self.looked = found
            self._draw()
        else:
            await self.show()

    async def show(self) -> None:
        """Everything of the runs that are chosen."""
        self.looked = await self._look()
        if self.page.client.is_deleted:
            return
        self._place.clear()
        self._curves = None
        with self._place:
            if self.looked:
                self._show(self.looked)

    def _show(self, runs: Sequence[Looked]) -> None:
        say, names = self.page.say, [one.name for one in runs]
        if len({one.task for one in runs}) > 1:
            ui.label(say("comparing.other_tasks")).props('role="note"')
        with explained(say, "comparing.curves"):
            lines = [
                Line(say(f"comparing.{part}", name=one.name), colour, dashed=part == "training")
                for one, colour in zip(runs, COLOURS, strict=False)
                for part in ("validation", "training")
            ]
            self._curves = Curves(lines, say("comparing.steps"), say("comparing.loss"))
            self._draw()
        frame.heading(say("comparing.scores"))
        ui.label(say("comparing.scores_what")).classes("lab-what")
        heads = [say("comparing.run"), *scores(runs), say("comparing.rival"), say("comparing.told")]
        rows = [
            [one.name, *(_score(values[k]) for values in scores(runs).values()), *_rival(one)]
            for k, one in enumerate(runs)
        ]
        grid(heads, rows, say("comparing.scores"), printed={len(heads) - 2, len(heads) - 1})
        frame.heading(say("comparing.options"))
        different = differing(runs)
        if different:
            grid(
                [say("comparing.option"), *names],
                [[name, *values] for name, values in different.items()],
                say("comparing.options"),
            )
        else:
            ui.label(say("comparing.same_options" if len(runs) > 1 else "comparing.choose_more"))
        sampled = [one for one in runs if one.sample]
        if sampled:
            frame.heading(say("comparing.samples"))
            with ui.element("div").classes("lab-fields"):
                for one in sampled:
                    with ui.element("div"):
                        frame.heading(one.name, 3)
                        ui.label(one.sample[:1_500]).classes("lab-text lab-mono")

    def _draw(self) -> None:
        assert self._curves is not None
        points = [part for one in self.looked for part in (one.validation, one.training)]
        say = self.page.say
        words = "; ".join(
            say("comparing.words", name=one.name, loss=f"{one.validation[-1][1]:.4g}")
            for one in self.looked
            if one.validation
        )
        self._curves.show(points, words or say("comparing.curves"))


def _score(value: float | None) -> str:
    return "–" if value is None else readable(value)


def _rival(one: Looked) -> tuple[str, str]:
    """The rival that the training part chose with its first score, and what the verdict is."""
    verdict = one.verdict
    if verdict.first not in verdict.baseline:
        return "–", "–"
    return f"{verdict.name}: {readable(verdict.baseline[verdict.first])}", verdict.told
