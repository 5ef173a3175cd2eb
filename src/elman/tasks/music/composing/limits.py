"""What may sound in each step: the rules, and given voices, as masks for a head."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from elman.errors import UserError
from elman.tasks.music.composing.measure import Measure
from elman.tasks.music.composing.past import Frozen, Past
from elman.tasks.music.composing.rules import Rules, name_of, voice_index
from elman.tasks.music.frames.heads.head import SILENCE, Head

FREE = -2  # what a voice has that is not given


@dataclass(frozen=True)
class Way:
    """One way in which a step may be filled, as `Head.draw` takes it.

    `allowed` bool [P], of voices [V, P]; `required` bool [P], of voices int64 [V] with `SILENCE`
    where one is free.
    """

    allowed: Tensor
    required: Tensor

    @property
    def count(self) -> int:
        """How many notes are required."""
        marks = self.required if self.required.dtype == torch.bool else self.required != SILENCE
        return int(marks.sum())

    def admits(self, frame: Tensor) -> bool:
        """Whether a frame, bool [P] or int64 [V], keeps to it."""
        if frame.dtype == torch.bool:
            return not bool((frame & ~(self.allowed | self.required)).any()) and bool(
                frame[self.required].all()
            )
        sounding = (frame != SILENCE).nonzero()[:, 0]
        wanted = self.required != SILENCE
        free = sounding[~wanted[sounding]]
        return bool((frame[wanted] == self.required[wanted]).all()) and bool(
            self.allowed[free, frame[free]].all()
        )


@dataclass(frozen=True)
class Limits:
    """The rules of a piece for a head whose note 0 is the pitch `lowest`.

    `given` int64 [T, V], of rolls [T, K], are the notes of given voices from the piece's beginning
    on, `SILENCE` where they rest, and `FREE` in all other voices. Other notes sound at most `hold`
    steps; any number with 0. Where it matters how long notes have sounded, `held` tells it.
    """

    rules: Rules
    measure: Measure
    pitches: int
    voices: int
    lowest: int
    given: Tensor | None = None
    top_given: bool = False  # of rolls: the given voice is the highest one
    hold: int = 0

    @classmethod
    def of(
        cls, rules: Rules, measure: Measure, head: Head, lowest: int, given: Tensor | None = None,
        top_given: bool = False, longest: int = 0,
    ) -> Limits:  # fmt: skip
        """`longest` is what `hold` is where the rules say nothing of it."""
        hold = longest if rules.hold is None else measure.longest(rules.hold)
        return cls(rules, measure, head.pitches, head.voices, lowest, given, top_given, hold)

    def check(self, begin: int, end: int, held: Tensor) -> None:
        """UserError: what no piece can keep whose steps from `begin` up to `end` are made, before
        which notes are `held`."""
        none = "the model's music has no voices"
        if self.rules.no_parallels and not self.voices:
            raise UserError(f"--keep no parallels: {none}")
        for limit in self.rules.ranges:
            if limit.voice and not self.voices:
                raise UserError(f"--keep {limit.voice}: {none}; give a range for all: range 36-84")
            if limit.voice:
                voice_index(limit.voice, self.voices)
        for required in self.rules.required:
            step = self.measure.step(required.bar, required.beat)
            told = f"--keep: {name_of(required.pitch)} is required at bar {required.bar}"
            if not begin <= step < end:
                raise UserError(f"{told}, which is not among the bars that are made")
            note = required.pitch - self.lowest
            if not 0 <= note < self.pitches:
                raise UserError(f"{told}; the model knows {self.known}")
            if not self.ways(step, held if step == begin else torch.zeros_like(held)):
                raise UserError(f"{told}, and cannot sound there by the other rules")

    @property
    def known(self) -> str:
        """The pitches that the model knows, for messages."""
        return f"{name_of(self.lowest)} to {name_of(self.lowest + self.pitches - 1)}"

    def stuck(self, step: int) -> str:
        """What a user is told where nothing is left that may come in a step."""
        bar = (step - self.measure.pickup) // self.measure.bar + 1
        return f"--keep: bar {bar}, step {step + 1}: nothing is left that may come; loosen a rule"

    def past(self, frames: Iterable[Frozen] = ()) -> Past:
        """What the frames before forbid by the rules."""
        run = self.rules.no_repeat * self.measure.bar
        return Past(run, frames, no_parallels=self.rules.no_parallels)

    @cached_property
    def allowed(self) -> Tensor:
        """The notes that may sound by the rules alone: bool [P], of voices [V, P]."""
        pitches = range(self.lowest, self.lowest + self.pitches)
        everywhere = torch.tensor([self.rules.allows(pitch) for pitch in pitches])
        if not self.voices:
            return everywhere
        each = everywhere.repeat(self.voices, 1)
        for limit in self.rules.ranges:
            if limit.voice:
                inside = [limit.low <= pitch <= limit.high for pitch in pitches]
                each[voice_index(limit.voice, self.voices)] &= torch.tensor(inside)
        return each

    @cached_property
    def _required(self) -> dict[int, list[int]]:
        """The notes that rules want, by step."""
        found: dict[int, list[int]] = {}
        for required in self.rules.required:
            step = self.measure.step(required.bar, required.beat)
            found.setdefault(step, []).append(required.pitch - self.lowest)
        return {step: sorted(set(notes)) for step, notes in found.items()}

    def ways(self, step: int, held: Tensor | None = None) -> list[Way]:
        """The ways in which a step may be filled; none where rules and given voices exclude it."""
        return self._ways(self._may_sound(step, held), self._required.get(step, ()), step)

    def _may_sound(self, step: int, held: Tensor | None, more: int = 0) -> Tensor:
        """The notes that are allowed and may sound on into a step, and `more` steps after it, and
        as long as they then have to."""
        if not self.hold or held is None:
            return self.allowed
        return self.allowed & (held + 1 + self._to_come(step).clamp(min=more) <= self.hold)

    def _to_come(self, step: int) -> Tensor:
        """For how many of the steps after this one each note is wanted or given without a break,
        up to `hold`; [P]."""
        still, count = torch.ones(self.pitches, dtype=torch.bool), torch.zeros(self.pitches).long()
        for later in range(step + 1, step + 1 + self.hold):
            wanted = torch.zeros_like(still)
            wanted[list(self._required.get(later, ()))] = True
            if self.given is not None and not self.voices and later < len(self.given):
                wanted[self.given[later][self.given[later] >= 0]] = True
            still &= wanted
            if not bool(still.any()):
                break
            count += still
        return count

    def chord_ways(
        self, step: int, classes: frozenset[int], bass: int, held: Tensor, more: int
    ) -> list[Way]:
        """The ways in which a step and `more` after it may be filled with notes of a chord, its
        lowest one of class `bass`."""
        notes = range(self.pitches)
        allowed = self._may_sound(step, held, more) & torch.tensor(
            [(note + self.lowest) % 12 in classes for note in notes]
        )
        lowest_voice = allowed[-1] if self.voices else allowed
        found = list[Way]()
        for note in notes:
            if lowest_voice[note] and (note + self.lowest) % 12 == bass:
                above = allowed & (torch.arange(self.pitches) >= note)
                if self.voices:
                    above[-1] = torch.arange(self.pitches) == note
                for way in self._ways(above, self._required.get(step, ()), step):
                    if not self.voices:
                        way.required[note] = True
                    elif way.required[-1] in (SILENCE, note):
                        way.required[-1] = note
                    else:
                        continue
                    if self.rules.most is None or way.count <= self.rules.most:
                        found.append(way)
        return found

    def _ways(self, allowed: Tensor, wanted: Sequence[int], step: int) -> list[Way]:
        given = self.given[step] if self.given is not None else None
        found = self._in_voices if self.voices else self._in_roll
        most = self.rules.most
        ways = found(allowed.clone(), wanted, given)
        return [way for way in ways if most is None or way.count <= most]

    def _in_roll(self, allowed: Tensor, wanted: Sequence[int], given: Tensor | None) -> list[Way]:
        required = torch.zeros(self.pitches, dtype=torch.bool)
        if given is not None:
            notes = given[given >= 0]
            required[notes] = True
            if self.top_given and len(notes):
                allowed[int(notes.max()) + 1 :] = False
        if not bool((allowed | required)[list(wanted)].all()):
            return []
        required[list(wanted)] = True
        return [Way(allowed, required)]

    def _in_voices(self, allowed: Tensor, wanted: Sequence[int], given: Tensor | None) -> list[Way]:
        required = torch.full((self.voices,), SILENCE)
        free = list(range(self.voices))
        if given is not None:
            required[given >= 0] = given[given >= 0]
            allowed[given == SILENCE] = False
            free = [v for v in free if given[v] == FREE]
        missing = [note for note in wanted if note not in required.tolist()]
        found = list[Way]()
        for voices in itertools.permutations(free, len(missing)):
            pairs = list(zip(voices, missing, strict=True))
            if all(allowed[v, note] for v, note in pairs):
                told = required.clone()
                for v, note in pairs:
                    told[v] = note
                found.append(Way(allowed, told))
        return found
