"""A piece as it is composed, event by event.

What is made does not depend on where it is stopped: an end is no token, but is where the next one
would lead beyond what was asked for. That one is not read, and notes that sound there end there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from elman.data.symbolic.piece import Note, Piece, Tempo, Track
from elman.decode import Sampling
from elman.errors import UserError
from elman.tasks.music.composing.options import Composing
from elman.tasks.music.composing.place import Place
from elman.tasks.music.events.grammar import Grammar, Stand
from elman.tasks.music.events.lines import line_of
from elman.tasks.music.events.playing import Here, Player
from elman.tasks.music.events.tokens import Tokenizer

TRIES = 50  # ways through a bar until one completes no run of bars that stood before
APART = 0x9E3779B97F4A7C15  # between the seeds of different ways
LAST_BARS = 2  # that are tried in several ways for an ending


@dataclass(frozen=True)
class End:
    """How far a piece goes: to a step, to the end of so many bars, or by so many events; one of
    them is told."""

    step: int | None = None
    bars: int | None = None
    events: int | None = None


@dataclass
class Draft:
    """What is written so far: the model after the tokens `ids`, and where they lead. `way` is the
    number of the way that is tried, of which the choices depend."""

    here: Here
    ids: list[int]
    at: Stand
    way: int = 0

    def copy(self) -> Draft:
        return Draft(self.here, self.ids.copy(), self.at.copy(), self.way)

    def become(self, other: Draft) -> None:
        self.here, self.ids, self.at, self.way = other.here, other.ids, other.at, other.way


@dataclass
class EventComposition:
    """A piece that goes on from `draft` up to `end`. `known` is what a `Place` knows."""

    player: Player
    tokenizer: Tokenizer
    grammar: Grammar
    asked: Composing
    seed: int
    end: End
    draft: Draft
    known: dict[str, Any]
    told: list[str]

    def __post_init__(self) -> None:
        self._safe = self._whole(self.draft)

    @property
    def place(self) -> Place:
        here, ids, count, way = self._safe
        known = self.known | ({"way": way} if way else {})
        return Place(here.state, here.logits, torch.tensor(ids[:count], dtype=torch.int64), known)

    @property
    def piece(self) -> Piece:
        _, ids, count, _ = self._safe
        ids = ids[:count]
        at = Grammar(self.tokenizer).walked(ids)
        until = int(self.known.get("until", at.step))
        made = self.tokenizer.decode(ids + self.grammar.closing(at, until), f"seed {self.seed}")
        made = replace(made, tempos=(Tempo(0, float(self.known["tempo"])),))
        return ended(made, until) if "until" in self.known else made

    def __iter__(self) -> Iterator[str]:
        self.known.pop("until", None)
        last = self._last_bars()
        yield from self._write(self.draft, End(bars=last) if last is not None else self.end)
        if last is not None:
            yield from self._ended()
        if self.end.events is None:
            self.known["until"] = self._until()

    def _whole(self, draft: Draft) -> tuple[Here, list[int], int, int]:
        """Where no event is half told: the model, its tokens, how many of them, and the way."""
        return draft.here, draft.ids, len(draft.ids), draft.way

    def _until(self) -> int:
        """The step at which the piece ends."""
        at = self.draft.at
        return at.bar_start + at.bar_steps if self.end.step is None else self.end.step

    def _write(
        self, draft: Draft, end: End, *, first: int = 0, quiet: bool = False
    ) -> Iterator[str]:
        """Writes on, and gives the lines of the bars as they are whole. A new bar is tried in the
        way `first`, then in others."""
        lines = _Lines(self.tokenizer, draft.at)
        repeats = _Repeats(self.asked.rules.no_repeat, draft.at)
        begun, tries = draft.copy() if repeats.length else draft, 0
        left = left_then = end.events
        while left is None or left > 0:
            token, here = self._choose(draft)
            kind = self.tokenizer.tokens[token].kind
            if kind == "Bar" and draft.at.bars:
                if repeats.again(draft.at):
                    draft.become(self._other_way(begun, first, tries := tries + 1))
                    left = left_then
                    continue
                tries = 0
                yield from lines.whole(draft.at)
            if _beyond(draft.at, kind, self.tokenizer.tokens[token].value, end):
                break
            if kind == "Bar":
                repeats.add(draft.at)
            self.grammar.move(draft.at, token)
            draft.ids.append(token)
            draft.here = here
            if kind == "Bar" and repeats.length:
                draft.way = first
                begun, left_then = draft.copy(), left
            if draft.at.settled:
                left = None if left is None else left - 1
                if not quiet:
                    self._safe = self._whole(draft)
            if kind == "TimeShift":
                yield from lines.whole(draft.at)
        yield from lines.rest(draft.at)

    def _choose(self, draft: Draft) -> tuple[int, Here]:
        allowed = self.grammar.allowed(draft.at)
        allowed[self.tokenizer.end] = False
        asked, seed = self.asked, (self.seed + draft.way * APART) % 2**63
        # The likeliest bar is always the same one.
        temperature = asked.temperature or float(draft.way > 0)
        sampling = Sampling(temperature, asked.top_k, asked.top_p)
        return self.player.choose(draft.here, allowed, sampling, seed)

    def _other_way(self, begun: Draft, first: int, tries: int) -> Draft:
        if tries >= TRIES:
            raise UserError(
                f"--keep no repeat {self.asked.rules.no_repeat} bars: after bar "
                f"{len(begun.at.bars)} the model found nothing else in {TRIES} ways; give a higher "
                "--temperature, or more bars"
            )
        fresh = begun.copy()
        fresh.way = first + tries
        return fresh

    # ---- An ending

    def _last_bars(self) -> int | None:
        """With --ending: after how many bars the last ones begin."""
        if not self.asked.ending:
            return None
        assert self.end.bars is not None  # the composer saw to it
        return max(self.end.bars - LAST_BARS, len(self.draft.at.bars))

    def _ended(self) -> Iterator[str]:
        """The last bars, of several ways the one after which the model finds an end likeliest."""
        best: tuple[float, Draft, list[str]] | None = None
        for k in range(self.asked.ending_tries):
            tried = self.draft.copy()
            way = k * (TRIES + 1)
            tried.way += way  # the first goes on as a piece without an ending
            lines = list(self._write(tried, self.end, first=way, quiet=True))
            likely = float(tried.here.logits.log_softmax(-1)[self.tokenizer.end])
            if best is None or likely > best[0]:
                best = (likely, tried, lines)
        assert best is not None
        self.draft = best[1]
        self.told.append("ends where the model finds an end likeliest, whatever chord sounds there")
        self._safe = self._whole(self.draft)
        yield from best[2]


def _beyond(at: Stand, kind: str, value: int, end: End) -> bool:
    """Whether a token leads to the end, or beyond it."""
    if end.bars is not None:
        return kind == "Bar" and len(at.bars) >= end.bars
    if end.step is None:
        return False
    leads = {
        "Bar": at.bar_start + at.bar_steps,
        "Position": at.bar_start + value,
        "TimeShift": at.step + value,
    }
    return kind in leads and leads[kind] >= end.step


def ended(piece: Piece, until: int) -> Piece:
    """The piece, ended at the tick `until`, and with it all notes that sound there."""
    tracks = tuple(
        replace(
            track,
            notes=tuple(
                Note(n.start, min(n.end, until) - n.start, n.pitch, n.velocity)
                for n in track.notes
                if n.start < until
            ),
        )
        for track in piece.tracks
    )
    metres = tuple(m for m in piece.metres if m.tick < until) or piece.metres[:1]
    filled: tuple[Track, ...] = tuple(track for track in tracks if track.notes)
    return replace(piece, tracks=filled, length=until, metres=metres)


class _Repeats:
    """The bars of a piece; no run of `length` of them occurs twice. 0 allows all."""

    def __init__(self, length: int, at: Stand) -> None:
        self.length = length
        self._bars: list[tuple[object, ...]] = []
        self._runs: set[tuple[object, ...]] = set()
        if length:
            for k in range(len(at.bars) - 1):
                self._add(_signature(at, k))

    def again(self, at: Stand) -> bool:
        """Whether the newest bar, which is whole, completes a run that stood before."""
        if not self.length or len(self._bars) < self.length - 1:
            return False
        return self._run(_signature(at, len(at.bars) - 1)) in self._runs

    def add(self, at: Stand) -> None:
        """The newest bar is whole."""
        if self.length and at.bars:
            self._add(_signature(at, len(at.bars) - 1))

    def _run(self, newest: tuple[object, ...]) -> tuple[object, ...]:
        before = self._bars[len(self._bars) - self.length + 1 :] if self.length > 1 else []
        return (*before, newest)

    def _add(self, newest: tuple[object, ...]) -> None:
        if len(self._bars) >= self.length - 1:
            self._runs.add(self._run(newest))
        self._bars.append(newest)


def _signature(at: Stand, k: int) -> tuple[object, ...]:
    """What the k-th bar holds."""
    start, metre = at.bars[k]
    stop = at.bars[k + 1].start if k + 1 < len(at.bars) else start + at.bar_steps
    own = [
        (n.start - start, n.instrument, n.pitch, n.end - n.start)
        for n in at.notes
        if start <= n.start < stop
    ]
    return (metre, *own)


class _Lines:
    """The lines of a piece, bar by bar, from where it stands on."""

    def __init__(self, tokenizer: Tokenizer, at: Stand) -> None:
        self._settings = tokenizer.settings
        self._told = len(at.begun)  # notes
        self._bar = max(self._count(at) - 1, 0)  # the next one to be told
        self._first = self._bar if at.begun or at.bars else -1  # begun before: told if it goes on

    def whole(self, at: Stand) -> Iterator[str]:
        """Those of the bars that have ended."""
        barred = self._settings.barred
        yield from self._until(at, len(at.bars) if barred else self._count(at) - 1)

    def rest(self, at: Stand) -> Iterator[str]:
        yield from self._until(at, self._count(at))

    def _count(self, at: Stand) -> int:
        """Bars that have begun."""
        if self._settings.barred:
            return len(at.bars)
        return at.step // self._settings.bar_steps(self._settings.metres[0]) + 1

    def _until(self, at: Stand, stop: int) -> Iterator[str]:
        s = self._settings
        while self._bar < stop:
            k = self._bar
            metre = at.bars[k].metre if s.barred else s.metres[0]
            start = at.bars[k].start if s.barred else k * s.bar_steps(metre)
            end = start + s.bar_steps(metre)
            own = [one for one in at.begun[self._told :] if one[0] < end]
            self._bar += 1
            self._told += len(own)
            if own or k != self._first:
                yield line_of(k + 1, metre, start, s.grid, own)
