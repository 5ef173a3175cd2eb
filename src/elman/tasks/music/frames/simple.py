"""Simple distributions over frames, counted rather than trained: what a network has to beat.

Frames are bool [N, P], or of voices int64 [N, V] with -1 for silence. Each is exact: the
probabilities of all frames sum to one, those that were never seen among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from elman.tasks.kneser_ney import KneserNey, best_kind
from elman.tasks.music.frames.data import SILENT, Ints, Steps

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
P = TypeVar("P")

ADDED = 2.0  # observations of what all pitches are like, added to those of each
SHARES = np.concatenate([[0.002, 0.005], np.arange(0.01, 1.0, 0.01), [0.995, 0.998]])
HELD = 10  # one piece of so many chooses the shares of a mixture
COPIES = (0.0, 0.02, 0.1, 0.3, 0.5, 0.7)  # shares that are tried, of `Again`
ANEW = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
LEAST = 1e-300  # of a probability, so that it has a logarithm
CONTEXTS = 3  # of none, one, and more frames, by which a mixture's share is chosen
HIGHEST_ORDER = 5


def before_of(steps: Steps) -> Steps:
    """The frame before each of a piece's steps; silence before the first."""
    return _after_silence(steps, 1)[:-1]


def _after_silence(steps: Steps, count: int) -> Steps:
    """Steps, and before them so many in which nothing sounds."""
    silence = np.full_like(steps[:1], False if steps.dtype == np.bool_ else SILENT)
    return np.concatenate([silence.repeat(count, 0), steps])


@dataclass(frozen=True)
class Alone:
    """Each note, or voice, by itself, whatever stood before it."""

    log_p: Floats  # [P, 2] of notes that do not sound and that do; [V, P + 1], silence the last

    @classmethod
    def of(cls, pieces: Sequence[Steps], pitches: int) -> Alone:
        steps = np.concatenate(pieces)
        return cls(np.log(_frequencies(steps, np.ones(len(steps), bool), pitches)))

    def nats(self, steps: Steps) -> Floats:
        """[N]."""
        found: Floats = -_gathered(self.log_p, steps)
        return found

    def likeliest(self, steps: Steps) -> Steps:
        """The same frame for each of so many steps."""
        best = self.log_p.argmax(1)
        if steps.dtype == np.bool_:
            return np.tile(best == 1, (len(steps), 1))
        return np.tile(np.where(best == self.log_p.shape[1] - 1, SILENT, best), (len(steps), 1))


@dataclass(frozen=True)
class FrameBefore:
    """The frame before once more, with a share; else each note by whether it sounded before, and
    each voice on its pitch or on another one by how often that occurs."""

    same: float
    again: Floats  # [P, 2, 2] of notes: that did not sound, did; do not, do. [V, P + 1] of voices
    stays: Floats  # [V], of voices

    @classmethod
    def of(cls, pieces: Sequence[Steps], pitches: int) -> FrameBefore:
        steps = np.concatenate(pieces)
        before = np.concatenate([before_of(piece) for piece in pieces])
        every = np.ones(len(steps), bool)
        if steps.dtype == np.bool_:
            again = np.stack(
                [_conditional(steps, before == sounded) for sounded in (False, True)], 1
            )
            stays = np.zeros(0)
        else:
            again = _frequencies(steps, every, pitches)
            stays = ((steps == before).sum(0) + 1) / (len(steps) + 2)
        rest = cls(0.0, again, stays)
        other, same = np.exp(-rest.nats(steps, before)), (steps == before).all(1)
        fits = [np.log(s * same + (1 - s) * other).sum() for s in SHARES]
        return cls(float(SHARES[int(np.argmax(fits))]), again, stays)

    def nats(self, steps: Steps, before: Steps) -> Floats:
        """[N]."""
        if steps.dtype == np.bool_:
            pitch = np.arange(steps.shape[1])
            log_p = np.log(self.again[pitch, before.astype(int), steps.astype(int)]).sum(1)
        else:
            drawn = np.exp(_each(np.log(self.again), steps))
            log_p = np.log(self.stays * (steps == before) + (1 - self.stays) * drawn).sum(1)
        again = (steps == before).all(1)
        found: Floats = -np.log(self.same * again + (1 - self.same) * np.exp(log_p))
        return found


class Foretold(NamedTuple):
    """Of each step what it costs, and the frame that was held for the likeliest."""

    nats: Floats
    likeliest: Steps


@dataclass(frozen=True)
class FrameGrams:
    """Kneser-Ney n-grams over whole frames, mixed with `FrameBefore`, which also tells frames that
    were never seen. The share of the n-grams is chosen by how many frames of the context are known.
    """

    ids: dict[bytes, int]
    known: list[Steps]  # each frame that was seen, by its id
    grams: KneserNey
    before: FrameBefore
    shares: tuple[float, ...]  # [CONTEXTS]

    @classmethod
    def of(cls, pieces: Sequence[Steps], pitches: int) -> FrameGrams:
        """The shares are those that are best on every tenth piece, the rest being learnt from."""
        shares = (0.5,) * CONTEXTS
        if len(pieces) > 1:
            held, rest = _held(pieces)
            learnt = cls.counted(rest, pitches, shares)
            parts = [np.concatenate(one) for one in zip(*map(learnt._parts, held), strict=True)]
            shares = _best_shares(*parts[:3])
        return cls.counted(pieces, pitches, shares)

    @classmethod
    def counted(
        cls, pieces: Sequence[Steps], pitches: int, shares: tuple[float, ...]
    ) -> FrameGrams:
        ids: dict[bytes, int] = {}
        known: list[Steps] = []
        text = [0]  # between pieces
        for piece in pieces:
            for frame in piece:
                if (key := frame.tobytes()) not in ids:
                    ids[key] = len(ids) + 1
                    known.append(frame)
                text.append(ids[key])
            text.append(0)
        told = np.array(text)
        order, kind = best_kind(told, len(ids) + 1, HIGHEST_ORDER) if len(told) > 20 else (2, 1)
        grams = KneserNey(told, len(ids) + 1, order, discounts=kind)
        return cls(ids, known, grams, FrameBefore.of(pieces, pitches), shares)

    @property
    def order(self) -> int:
        return self.grams.order

    def foretell(self, steps: Steps) -> Foretold:
        """What each step of a piece costs, and the likeliest frame there."""
        grams, other, level, best = self._parts(steps)
        share = np.array(self.shares)[level]
        nats = -np.log(share * grams + (1 - share) * other)
        frames = np.array([self.known[k - 1] for k in best.tolist()])
        return Foretold(nats, np.where((share >= 0.5)[:, None], frames, before_of(steps)))

    def _parts(self, steps: Steps) -> tuple[Floats, Floats, Ints, Ints]:
        """Of each step: its probability by the n-grams, 0 where it was never seen, and by the frame
        before; how much of the context is known; and the n-grams' likeliest frame."""
        grams, level, best = (
            np.zeros(len(steps)),
            np.zeros(len(steps), int),
            np.zeros(len(steps), int),
        )
        place = self.grams.start(np.zeros(1, np.int64))
        for t, frame in enumerate(steps):
            p = self.grams.distribution(place)
            number = self.ids.get(frame.tobytes(), -1)
            if number > 0:
                grams[t] = p[number] / (1 - p[0])  # a piece does not end here
            best[t] = 1 + int(p[1:].argmax())
            level[t] = min(self.grams.matched(place), CONTEXTS - 1)
            place = self.grams.advance(place, number)
        return grams, np.exp(-self.before.nats(steps, before_of(steps))), level, best


def _held(pieces: Sequence[P]) -> tuple[list[P], list[P]]:
    """Every tenth of some pieces, or the last of fewer, and the others."""
    own = {*range(HELD - 1, len(pieces), HELD)} or {len(pieces) - 1}
    held = [pieces[k] for k in sorted(own)]
    return held, [piece for k, piece in enumerate(pieces) if k not in own]


class Placed(NamedTuple):
    """The steps of a piece, and of each how many steps before it what may come again stood."""

    steps: Steps
    lags: Ints  # [T, L]

    def earlier(self) -> Steps:
        """The frames that stood there, [T, L, …]; silence before the first step."""
        reach = int(self.lags.max(initial=0))
        line = _after_silence(self.steps, reach)
        found: Steps = line[reach + np.arange(len(self.steps))[:, None] - self.lags]
        return found


@dataclass(frozen=True)
class Again:
    """`FrameGrams`, or the same frame once more that stood so many steps before.

    Which of these told the piece so far has the larger share: after each step each share is made
    what is known of it then, and a part of all is shared out anew (Herbster and Warmuth 1998,
    doi:10.1023/A:1007424614876).
    """

    grams: FrameGrams
    copies: float  # the share of all copies, at first and of what is shared out anew
    anew: float  # the part that is

    @classmethod
    def of(cls, pieces: Sequence[Placed], pitches: int) -> Again:
        """Both numbers are those that are best on every tenth piece, the rest being learnt from."""
        grams = FrameGrams.of([piece.steps for piece in pieces], pitches)
        held, rest = _held(pieces)
        if not rest:
            return cls(grams, COPIES[0], ANEW[0])
        learnt = FrameGrams.counted([piece.steps for piece in rest], pitches, grams.shares)
        told = [learnt.foretell(piece.steps).nats for piece in held]
        costs = {
            (copies, anew): sum(
                cls(learnt, copies, anew)._shares(piece, nats)[0].sum()
                for piece, nats in zip(held, told, strict=True)
            )
            for copies in COPIES
            for anew in ANEW
        }
        return cls(grams, *min(costs, key=costs.__getitem__))

    def foretell(self, piece: Placed, grams: Foretold) -> Foretold:
        """What each step of a piece costs, and the likeliest frame; `grams` is what those say."""
        nats, shares = self._shares(piece, grams.nats)
        told, copied = grams.likeliest.copy(), shares[:, 1:].sum(1) > 0.5
        best = shares[:, 1:].argmax(1)
        told[copied] = piece.earlier()[copied, best[copied]]
        return Foretold(nats, told)

    def _shares(self, piece: Placed, nats: Floats) -> tuple[Floats, Floats]:
        """What each step costs, and the shares of the n-grams, which cost `nats`, and of the
        copies before it, [T, 1 + L]."""
        same = (piece.earlier() == piece.steps[:, None]).all(-1)
        each = np.concatenate([np.maximum(np.exp(-nats), LEAST)[:, None], same], 1)
        first = np.full(each.shape[1], self.copies / same.shape[1])
        first[0] = 1 - self.copies
        shares, told = np.empty_like(each), np.empty(len(each))
        now = first
        for t, p in enumerate(each):
            shares[t], told[t] = now, now @ p
            now = (1 - self.anew) * now * p / told[t] + self.anew * first
        return -np.log(told), shares


def _best_shares(grams: Floats, other: Floats, level: Ints) -> tuple[float, ...]:
    """Of each level the share of the n-grams by which these steps cost least."""
    found = []
    for k in range(CONTEXTS):
        here = level == k
        costs = [-np.log(s * grams[here] + (1 - s) * other[here]).sum() for s in SHARES]
        found.append(float(SHARES[int(np.argmin(costs))]))
    return tuple(found)


def _conditional(steps: Bools, there: Bools) -> Floats:
    """[P, 2]: how often each note is silent and sounds, where `there` [N, P]."""
    sounds, of_all = (steps & there).sum(0), there.sum(0)
    mean = (sounds.sum() + 0.5) / (of_all.sum() + 1)
    p = (sounds + ADDED * mean) / (of_all + ADDED)
    return np.stack([1 - p, p], -1)


def _frequencies(steps: Steps, there: Bools, pitches: int) -> Floats:
    """[P, 2] of notes, [V, P + 1] of voices: how often each occurs."""
    if steps.dtype == np.bool_:
        return _conditional(steps, np.broadcast_to(there[:, None], steps.shape))
    told = np.where(steps == SILENT, pitches, steps)
    each = [np.bincount(voice, minlength=pitches + 1).astype(np.float64) for voice in told.T]
    found: Floats = (np.stack(each) + ADDED / (pitches + 1)) / (len(steps) + ADDED)
    return found


def _gathered(log_p: Floats, steps: Steps) -> Floats:
    """The log probability of each frame, [N], of parts that are independent."""
    found: Floats = _each(log_p, steps).sum(1)
    return found


def _each(log_p: Floats, steps: Steps) -> Floats:
    """That of each note, [N, P], or of each voice, [N, V]."""
    if steps.dtype == np.bool_:
        told = steps.astype(int)
    else:
        told = np.where(steps == SILENT, log_p.shape[1] - 1, steps)
    found: Floats = log_p[np.arange(steps.shape[1]), told]
    return found
