"""The curves of a run: loss, score beside what is to be beaten, and what it is like inside."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from elman.apps.lab.page import Page
from elman.apps.lab.pieces.curves import BLUE, GREY, ORANGE, Curves, Line, Point
from elman.apps.lab.pieces.explained import explained
from elman.apps.lab.rooms.training.history import History
from elman.run.folder import RunFolder
from elman.wording import readable


class Charts:
    """Three charts, drawn anew only where something came."""

    def __init__(self, page: Page, folder: RunFolder, seen: History) -> None:
        self._say, self._folder, self._seen = page.say, folder, seen
        self._rivals: list[tuple[str, dict[str, float]]] = []
        say = page.say
        minutes = say("training.axis_minutes")
        with ui.element("div").classes("lab-two"):
            with explained(say, "training.loss"):
                lines = [
                    Line(say("training.line_train"), GREY),
                    Line(say("training.line_validation"), BLUE),
                ]
                self._loss = Curves(lines, minutes, say("training.axis_loss"))
            with explained(say, "training.scores") as self._scored:
                lines = [
                    Line(say("training.line_model"), BLUE),
                    Line(say("training.line_rival"), ORANGE, dashed=True),
                ]
                self._score = Curves(lines, minutes, say("training.axis_score"))
                self._beside = ui.label().classes("lab-help")
            with explained(say, "training.inside") as self._within:
                lines = [
                    Line(say("training.line_saturation"), ORANGE),
                    Line(say("training.line_reach"), BLUE, right=True),
                ]
                axes = say("training.axis_saturation"), say("training.axis_reach")
                self._inside = Curves(lines, minutes, *axes)
            with explained(say, "training.pace"):
                lines = [
                    Line(say("training.line_speed"), BLUE),
                    Line(say("training.line_rate"), GREY, right=True),
                ]
                axes = say("training.axis_speed"), say("training.axis_rate")
                self._pace = Curves(lines, minutes, *axes)
        self._drawn = False

    def show(self, runs: bool, grown: bool) -> None:
        """What is known now."""
        if self._drawn and not grown:
            return
        self._drawn, seen, say = True, self._seen, self._say
        self._rivals = self._rivals or self._folder.rivals()
        self._loss.show(
            [seen.train, seen.validation],
            say("training.loss_words", train=_last(seen.train), validation=_last(seen.validation)),
        )
        self._scored.set_visibility(bool(seen.score))
        rival, level = self._to_beat()
        self._beside.set_text(
            say("training.rival", name=rival, score=readable(level)) if rival else ""
        )
        ends = [(x, level) for x, _ in (seen.score[:1] + seen.score[-1:])] if rival else []
        name = seen.score_name.replace("_", " ")
        words = say("training.scores_words", name=name, score=_last(seen.score), rival=rival or "–")
        self._score.show([seen.score, ends], words)
        self._within.set_visibility(bool(seen.saturation or seen.reach))
        self._inside.show(
            [seen.saturation, seen.reach],
            say("training.inside_words", share=_last(seen.saturation), steps=_last(seen.reach)),
        )
        self._pace.show(
            [seen.speed, seen.rate],
            say("training.pace_words", speed=_last(seen.speed), rate=_last(seen.rate)),
        )

    def _to_beat(self) -> tuple[str, float]:
        """The first of the simple things to beat that has the score, and it."""
        name = self._seen.score_name
        return next(((n, s[name]) for n, s in self._rivals if name in s), ("", 0.0))


def _last(series: Sequence[Point]) -> str:
    return readable(series[-1][1]) if series else "–"
