"""Frames composed step by step: within rules, from a prompt or a kept place, to an ending."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elman.data.symbolic.grid import Frames, Grid, to_frames, to_piece
from elman.data.symbolic.piece import Metre, Piece, Tempo
from elman.decode import Sampling
from elman.errors import UserError
from elman.tasks.music.composing import ending, held
from elman.tasks.music.composing.choosing import Chance, choose
from elman.tasks.music.composing.harmonise.given import given
from elman.tasks.music.composing.harmonise.harmonised import Harmonised
from elman.tasks.music.composing.limits import Limits
from elman.tasks.music.composing.lines import line_of
from elman.tasks.music.composing.measure import Measure
from elman.tasks.music.composing.network import Network, silent
from elman.tasks.music.composing.onto import as_voices, in_voices, rolled
from elman.tasks.music.composing.options import DEFAULT_BARS, Composing
from elman.tasks.music.composing.past import Past, frozen
from elman.tasks.music.composing.place import Place
from elman.tasks.music.composing.prompt import read_piece

TEMPO = 100.0  # quarters a minute, where nothing tells one
LONGEST = 1_000_000  # steps of a piece


@dataclass
class FrameComposer:
    """A model of frames on a grid of so many steps a quarter, whose bars are by default `usual`,
    and whose notes sound at most `longest` steps; 0 if that is not known."""

    network: Network
    per_quarter: int
    usual: Measure
    told: list[str] = field(default_factory=list)
    longest: int = 0

    def begin(self) -> Place:
        context, state = self.network.begin(1, self.usual)
        return Place(state, context[0], silent(self.network.head, 0))

    def read(self, prompt: Piece, after: Place | None = None) -> Place:
        after = after or self.begin()
        prompt = as_voices(prompt, self.network.head.voices)
        frames = to_frames(prompt, Grid(self.per_quarter))
        self.told += frames.lost.lines()
        steps, told = self.notes(frames)
        self.told += told
        if not len(steps):
            return after
        if len(steps) + len(after.history) > LONGEST:
            raise UserError(f"--prompt: {len(steps):,} steps, more than {LONGEST:,}")
        known = dict(after.known)
        if not len(after.history):
            known |= self._facts(prompt)
        elif prompt.tempos:
            known |= {"tempo": prompt.tempos[-1].quarters_per_minute}
        measure = self.measure(known)
        context, state = after.scores, after.state
        if not len(after.history):
            _, state = self.network.begin(1, measure)
        contexts, state = self.network.read(steps[:, None], len(after.history), measure, state)
        context = contexts[-1, 0]
        return Place(state, context, torch.cat([after.history, steps]), known)

    def notes(self, frames: Frames) -> tuple[Tensor, list[str]]:
        """Frames as the head has them, and what is lost of them: lines for the user."""
        head, lowest = self.network.head, self.network.lowest
        return (in_voices if head.voices else rolled)(frames, head, lowest)

    def _facts(self, prompt: Piece) -> dict[str, Any]:
        """What a piece that begins with the prompt goes on with."""
        known: dict[str, Any] = {}
        if prompt.tempos:
            known["tempo"] = prompt.tempos[-1].quarters_per_minute
        if not prompt.metres:
            return known
        tick, beats, unit = prompt.metres[-1]
        begin = (tick if tick > 0 else prompt.pickup) * self.per_quarter / prompt.division
        try:
            measure = Measure(self.per_quarter, beats, unit)
        except UserError as error:
            self.told.append(f"{error}; goes on in {self.usual.beats}/{self.usual.unit}")
            return known
        if len(prompt.metres) > 1:
            self.told.append(
                f"{prompt.name}: its metre changes; goes on in the last, {beats}/{unit}"
            )
        return known | {"beats": beats, "unit": unit, "pickup": round(begin) % measure.bar}

    def measure(self, known: Mapping[str, Any], asked: Composing | None = None) -> Measure:
        """The bars in which a piece goes on of which that much is known. UserError: damaged, or
        the metre that is asked for does not lie on the grid."""
        beats, unit = known.get("beats", self.usual.beats), known.get("unit", self.usual.unit)
        if asked is not None and asked.rules.metre is not None:
            beats, unit = asked.rules.metre
        measure = Measure(self.per_quarter, beats, unit)
        return replace(measure, pickup=known.get("pickup", 0) % measure.bar)

    def check(self, place: Place) -> None:
        head, history = self.network.head, place.history
        kept = [s for layer in place.state for s in layer if s.dtype == history.dtype]
        for frames in (history, *kept) if head.voices else ():
            if not bool(((frames >= -1) & (frames < head.pitches)).all()):
                raise UserError("damaged (pitches that the model does not know)")
        if len(history) > LONGEST:
            raise UserError(f"damaged ({len(history):,} steps)")
        ranges = {"beats": (1, 255), "unit": (1, 1024), "pickup": (0, LONGEST)}
        for name, (low, high) in ranges.items():
            value = place.known.get(name, low)
            if not isinstance(value, int) or not low <= value <= high:
                raise UserError(f"damaged ({name})")
        tempo = place.known.get("tempo", TEMPO)
        if not isinstance(tempo, int | float) or not 1 <= tempo <= 10_000:
            raise UserError("damaged (tempo)")
        self.measure(place.known)

    def compose(self, asked: Composing, after: Place, seed: int) -> FrameComposition | Harmonised:
        if asked.given is not None:
            return self._harmonised(asked, asked.given, after, seed)
        measure = self.measure(after.known, asked)
        if not len(after.history):  # the metre may be another one than the model's usual
            context, state = self.network.begin(1, measure)
            after = replace(after, scores=context[0], state=state)
        known = dict(after.known) | {"beats": measure.beats, "unit": measure.unit}
        known |= {"pickup": measure.pickup, "tempo": self._tempo(after, asked)}
        begin = len(after.history)
        end = begin + self._steps(asked, measure, begin, float(known["tempo"]))
        head = self.network.head
        limits = Limits.of(
            asked.rules, measure, head, self.network.lowest, longest=self.longest
        )  # fmt: skip
        limits.check(begin, end, held.of(after.history, head.pitches))
        return FrameComposition(self, asked, seed, limits, end, replace(after, known=known))

    def _harmonised(self, asked: Composing, path: Path, after: Place, seed: int) -> Harmonised:
        if len(after.history):
            raise UserError("--given: begins a piece; leave out --prompt and --state")
        if asked.rules.no_repeat and asked.method == "gibbs":
            raise UserError("--keep no repeat: --method gibbs cannot keep it; --method beam can")
        piece, told = read_piece(path)
        self.told += told
        known = self._facts(piece)
        measure = self.measure(known, asked)
        head, lowest = self.network.head, self.network.lowest
        names, grid = asked.given_voices, Grid(self.per_quarter)
        found = given(piece, names, grid, head, lowest, asked.rules)
        self.told += found.told
        limits = Limits.of(
            asked.rules, measure, head, lowest, found.notes, found.top, self.longest
        )  # fmt: skip
        limits.check(0, len(found.notes), held.of(after.history, head.pitches))
        tempo = float(asked.tempo or known.get("tempo", TEMPO))
        known |= {"beats": measure.beats, "unit": measure.unit, "pickup": measure.pickup}
        return Harmonised(self, asked, seed, limits, len(found.notes), known | {"tempo": tempo})

    def _tempo(self, after: Place, asked: Composing) -> float:
        return float(asked.tempo or after.known.get("tempo", TEMPO))

    def _steps(self, asked: Composing, measure: Measure, begin: int, tempo: float) -> int:
        if asked.steps is not None:
            return asked.steps
        if asked.seconds is not None:
            return round(asked.seconds * tempo / 60 * self.per_quarter)
        bars = DEFAULT_BARS if asked.bars is None else asked.bars
        return measure.steps_of_bars(begin, bars)

    def piece(self, frames: Tensor, known: Mapping[str, Any], name: str) -> Piece:
        """Frames [T, …] as a piece; equal notes in neighbouring frames are one."""
        lowest = self.network.lowest
        if self.network.head.voices:
            sung = torch.where(frames >= 0, frames + lowest, -1).numpy().astype(np.int16)
            made = to_piece(Frames(name, None, sung), Grid(self.per_quarter))
        else:
            roll = np.zeros((len(frames), 128), bool)
            roll[:, lowest : lowest + self.network.head.pitches] = frames.numpy()
            made = to_piece(Frames(name, roll, None), Grid(self.per_quarter))
        measure = self.measure(known)
        return replace(
            made,
            tempos=(Tempo(0, float(known.get("tempo", TEMPO))),),
            metres=(Metre(0, measure.beats, measure.unit),),
            pickup=min(measure.pickup, made.length),
        )


@dataclass
class FrameComposition:
    """A piece that goes on from `place` up to the step `end`."""

    composer: FrameComposer
    asked: Composing
    seed: int
    limits: Limits
    end: int
    place: Place
    _held: Tensor = field(init=False, repr=False)

    @property
    def told(self) -> list[str]:
        return self.composer.told

    @property
    def piece(self) -> Piece:
        return self.composer.piece(self.place.history, self.place.known, f"seed {self.seed}")

    def __iter__(self) -> Iterator[str]:
        begin, network = len(self.place.history), self.composer.network
        past = self.limits.past(map(frozen, self.place.history))
        self._held = held.of(self.place.history, network.head.pitches)
        last = ending.steps(self.limits.measure, self.end - begin) if self.asked.ending else 0
        while len(self.place.history) < self.end - last:
            yield self._add(self._frame(past), past)
        if last:
            frames = ending.choose(
                network, self.place, self.limits, self.asked, self.sampling, self.seed, self.end,
                past, self.key(), self._held,
            )  # fmt: skip
            for frame in frames:
                yield self._add(frame, past)

    @property
    def sampling(self) -> Sampling:
        asked = self.asked
        return Sampling(asked.temperature, asked.top_k, asked.top_p, seed=self.seed)

    def key(self) -> str:
        """The key in which the piece ends: the one asked for, or that of the notes so far."""
        from elman.data.symbolic.theory import keys

        if self.asked.rules.key:
            return self.asked.rules.key
        found = keys.of_pieces([self.piece])
        name = found.name if found is not None else "C major"
        self.composer.told.append(f"ends in {name}, the key of the notes before")
        return name

    def _frame(self, past: Past) -> Tensor:
        step = len(self.place.history)
        frame = choose(
            self.composer.network.head, self.place.scores, self.limits.ways(step, self._held),
            self.limits.rules.most, past.barred(), self.sampling, Chance(self.seed, step),
        )  # fmt: skip
        if frame is None:
            raise UserError(self.limits.stuck(step))
        return frame

    def _add(self, frame: Tensor, past: Past) -> str:
        place, step = self.place, len(self.place.history)
        context, state = self.composer.network.read(
            frame[None, None], step, self.limits.measure, place.state
        )
        past.add(frozen(frame))
        self._held = held.after(self._held, frame)
        history = torch.cat([place.history, frame[None]])
        self.place = replace(place, state=state, scores=context[0, 0], history=history)
        return line_of(frame, self.composer.network.lowest)
