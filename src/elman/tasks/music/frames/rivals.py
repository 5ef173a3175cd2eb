"""What a network has to beat, scored on the same steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from elman.tasks.music.frames.data import BACK, SILENT, FrameData, Score, Steps
from elman.tasks.music.frames.scores import Told, scored
from elman.tasks.music.frames.simple import (
    Again,
    Alone,
    Foretold,
    FrameGrams,
    Placed,
    before_of,
)
from elman.tasks.music.options import MusicOptions
from elman.tasks.rivals import Rival

COUNTED = 300_000  # steps that n-grams learn from
AGAIN = "or what stood bars before"
FRAME_BEFORE = "the frame before"
FREQUENCIES = "how often each note sounds"


def rivals(dataset: FrameData, options: MusicOptions, training: FrameData) -> list[Rival]:
    """The strongest first: each holds the ones below it, with a share of its own on the training
    part. Frames of earlier bars come again where pieces tell their bars."""
    pitches, in_voices = dataset.reading.pitches, options.head == "voices"
    train = _counted(training.train, options.counted or COUNTED)
    lags = dataset.reading.lags(BACK)
    known, pieces = (
        [Placed(_steps(score, pitches, in_voices), lags[score.places]) for score in scores]
        for scores in (train, scored(dataset, options)[0])
    )
    again = Again.of(known, pitches) if dataset.reading.bars else None
    grams = FrameGrams.of([p.steps for p in known], pitches) if again is None else again.grams
    alone, steps = Alone.of([p.steps for p in known], pitches), [p.steps for p in pieces]
    name, told = f"Kneser-Ney over frames, order {grams.order}", list(map(grams.foretell, steps))
    found = list[Rival]()
    if again is not None:
        found.append(_rival(f"{name}, {AGAIN}", steps, map(again.foretell, pieces, told)))
    return [
        *found,
        _rival(name, steps, told),
        _rival(FRAME_BEFORE, steps, (
            Foretold(grams.before.nats(p, before_of(p)), before_of(p)) for p in steps
        )),
        _rival(FREQUENCIES, steps, (
            Foretold(alone.nats(p), alone.likeliest(p)) for p in steps
        ), guess=True),
    ]  # fmt: skip


def _counted(scores: Sequence[Score], most: int) -> Sequence[Score]:
    steps = np.cumsum([len(score) for score in scores])
    return scores[: max(1, int((steps <= most).sum()))]


def _steps(score: Score, pitches: int, in_voices: bool) -> Steps:
    return score.steps if in_voices else score.roll(pitches)


def _rival(
    name: str, pieces: Sequence[Steps], told: Iterable[Foretold], *, guess: bool = False
) -> Rival:
    sums = np.zeros((len(pieces), 5))
    for row, true, one in zip(sums, pieces, told, strict=True):
        row[:2] = one.nats.sum(), len(true)
        row[2:] = _hits(one.likeliest, true)
    found = Told(*sums.T)
    return Rival(name, found.scores(), found.tally, guess)


def _hits(told: Steps, true: Steps) -> tuple[int, int, int]:
    """Notes that are right, too many, and missing."""
    if true.dtype == np.bool_:
        return int((told & true).sum()), int((told & ~true).sum()), int((~told & true).sum())
    both = [{*a[a != SILENT].tolist()} for a in told], [{*b[b != SILENT].tolist()} for b in true]
    pairs = list(zip(*both, strict=True))
    return (
        sum(len(a & b) for a, b in pairs),
        sum(len(a - b) for a, b in pairs),
        sum(len(b - a) for a, b in pairs),
    )
