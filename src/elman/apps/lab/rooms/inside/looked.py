"""What a run's network did while it read: arrays of states and gates, and questions about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from elman.errors import UserError
from elman.inspection.sections import saliency
from elman.inspection.subject import Subject
from elman.inspection.subjects import of_run, of_text
from elman.inspection.traced import trace_in
from elman.probe import contexts, gradients, nearest, trace
from elman.probe.opened import Call, Pass
from elman.probe.trace import Backward, Step
from elman.run.trained import Run

Floats = NDArray[np.float32]
AROUND = 24  # steps that are shown on either side of a place
BACK = 24  # last steps of a sequence whose gradients are reckoned by the equations
SECONDS = 15.0  # for gradients by lag
ROUNDED = 6  # decimals of a distance
PLACES = 8  # that are told of what is like a stretch, and of a unit


@dataclass(frozen=True)
class Extract:
    """A stretch of a sequence, with the steps around it as text, and a number that says how near
    or how high it is."""

    sequence: int
    start: int
    stop: int
    before: str
    text: str
    after: str
    number: float


@dataclass(frozen=True)
class Answered:
    """What each step adds to an answer; `asked` in words; `first` is the number of the first of
    the steps, from 1."""

    asked: str
    first: int
    steps: list[str]
    shares: list[float]
    trusted: str  # how far the shares can be


@dataclass(frozen=True)
class Unfolded:
    """A layer over a sequence by its equations, forward, and backward over the last steps."""

    labels: dict[int, str]  # by the step's number from 1
    steps: list[Step]
    backward: Backward
    first: int  # how many steps come before those that `backward` knows
    units: int
    agrees: str


class Looked:
    """Several sequences, read once. Whoever asks holds the lock of the model."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.passes: list[Pass] = subject.passes
        self.layers = [subject.called(seen) for seen in self.passes]
        self.values = lru_cache(maxsize=2)(self._values)

    def names(self, layer: int) -> Sequence[str]:
        """States first, then gates and all else that the cell notes."""
        return self.passes[layer].names

    def sequences(self, layer: int) -> int:
        """How many a layer reads: one that spells reads words, one above it sentences."""
        return len(self.passes[layer].rows.lengths)

    def length(self, layer: int, sequence: int) -> int:
        return int(self.passes[layer].rows.lengths[sequence])

    def steps(self, layer: int, sequence: int) -> list[str]:
        """What each step reads; its number where that is not known."""
        words = self.subject.steps_of(self._call(layer))
        count = self.length(layer, sequence)
        return [str(t + 1) for t in range(count)] if words is None else words[sequence]

    def _call(self, layer: int) -> Call:
        path = self.passes[layer].path
        return next(call for call in self.subject.calls if call.path == path)

    def picture(self, layer: int, name: str, sequence: int) -> Floats:
        """[T, U] of one sequence."""
        return self.values(layer, name)[: self.length(layer, sequence), sequence]

    def _values(self, layer: int, name: str) -> Floats:
        return np.asarray(self.passes[layer].values(name).float().cpu().numpy(), np.float32)

    def like(
        self, layer: int, name: str, sequence: int, start: int, stop: int
    ) -> tuple[list[int], list[Extract]]:
        """Units that are high all through a stretch, and where else they are high together.

        For a single step it is the places whose states have the least angle to its own, of no
        chosen units. UserError: no unit is high throughout.
        """
        values, there = self.values(layer, name), self.passes[layer].rows.alive.numpy()
        if stop - start == 1:
            near = nearest.nearest(values, start, sequence, there=there, count=PLACES)
            found = [
                # Below that float32 has rounded, also to less than nothing.
                (one.sequence, one.step, one.step + 1, max(0.0, round(one.distance, ROUNDED)))
                for one in near
            ]
            return [], [self._extract(layer, *one) for one in found]
        level = nearest.half_way(values, there)
        chosen = nearest.select(values, sequence, start, stop, level, there=there)
        if not chosen:
            told = f"no unit is high from step {start + 1} to step {stop}; take fewer steps"
            raise UserError(told)
        matches = nearest.match(values, sequence, start, stop, level, there=there, count=PLACES)
        return chosen, [
            self._extract(layer, m.sequence, m.start, m.stop, m.shared / len(chosen))
            for m in matches
        ]  # fmt: skip

    def contexts(self, layer: int, name: str, unit: int, *, lowest: bool) -> list[Extract]:
        """Where a unit is highest, or lowest."""
        words = [self.steps(layer, b) for b in range(self.sequences(layer))]
        own = self.values(layer, name)[:, :, unit]
        places = contexts.contexts(own, words, count=PLACES, before=AROUND, lowest=lowest)
        return [
            self._extract(layer, place.sequence, place.step, place.step + 1, place.value)
            for place in places
        ]

    @property
    def by_step(self) -> bool:
        """Whether there is an answer after each step, rather than one of a whole sequence."""
        return saliency.answers_by_step(self.subject)

    def answer(self, layer: int, sequence: int, step: int) -> Answered:
        """What an answer depends on, by what the module of a layer reads: see `saliency.at_step`.

        UserError: a module that reads its steps in several calls.
        """
        call = self._call(layer)
        question, found, shares = saliency.at_step(self.subject, sequence, step, call)
        first, rows = question.first + 1, question.steps
        words = None if rows is None else rows[0 if len(rows) == 1 else sequence]
        shown = [str(first + t) for t in range(len(shares))] if words is None else words
        return Answered(question.what, first, shown, shares.tolist(), found.told())

    def lags(self) -> list[tuple[str, list[float]]]:
        """For each layer what is left of gradients so many steps back, as a share."""
        flows = gradients.gradients(
            self.subject.model, self.subject.loss, paths=self.subject.paths, seconds=SECONDS
        )
        found = []
        for flow in flows:
            shares = flow.share_by_lag().values
            known = shares[np.isfinite(shares)].tolist()
            if len(known) > 1:
                found.append((self.subject.called(flow.seen), known))
        return found

    def unfold(self, layer: int, sequence: int) -> Unfolded:
        """UserError: the layer is more than its cell's equations, or the sequence too long."""
        made = trace_in(self.subject, layer, sequence)
        steps = trace.run(made.setup)
        found = trace.backward(trace.ending(made.setup, BACK))
        return Unfolded(
            dict(made.labels), steps, found, max(0, len(steps) - BACK),
            self.passes[layer].hidden_size,
            made.agrees(trace.values(steps, made.setup.cell.states[0]), None),
        )  # fmt: skip

    def _extract(self, layer: int, sequence: int, start: int, stop: int, number: float) -> Extract:
        words, look = self.steps(layer, sequence), self.subject.look
        letters = look is not None and look.unit == "character"
        between = "" if letters else " "
        parts = (
            words[max(0, start - AROUND) : start],
            words[start:stop],
            words[stop : stop + AROUND],
        )
        before, text, after = (between.join(part) for part in parts)
        return Extract(sequence, start, stop, before, text, after, number)


def look(run: Run, text: str = "", seed: int = 0) -> Looked:
    """Sequences of the run's own validation part, or a text that is given here.

    UserError: a text that the task cannot read; data that have changed or are gone.
    """
    found = Looked(of_text(run, text) if text.strip() else of_run(run, seed=seed))
    _ = found.subject.layers
    return found
