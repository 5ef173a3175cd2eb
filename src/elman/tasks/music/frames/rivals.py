"""What a network has to beat, scored on the same steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elman.tasks.music.frames.data import SILENT, FrameData, Score, Steps
from elman.tasks.music.frames.scores import Told, scored
from elman.tasks.music.frames.simple import Alone, FrameGrams, before_of
from elman.tasks.music.options import MusicOptions
from elman.tasks.rivals import Rival

COUNTED = 300_000  # steps that n-grams learn from
FRAME_BEFORE = "the frame before"
FREQUENCIES = "how often each note sounds"


def rivals(dataset: FrameData, options: MusicOptions, training: FrameData) -> list[Rival]:
    """N-grams first: where the frame before is better on the training part, they are that."""
    pitches, in_voices = dataset.reading.pitches, options.head == "voices"
    train = _counted(training.train, options.counted or COUNTED)
    known = [_steps(score, pitches, in_voices) for score in train]
    asked, _ = scored(dataset, options)
    pieces = [_steps(score, pitches, in_voices) for score in asked]
    grams = FrameGrams.of(known, pitches)
    alone = Alone.of(known, pitches)
    own = [grams.foretell(piece) for piece in pieces]
    return [
        _rival(
            f"Kneser-Ney over frames, order {grams.order}", pieces,
            [one.nats for one in own], [one.likeliest for one in own],
        ),
        _rival(
            FRAME_BEFORE, pieces, [grams.before.nats(p, before_of(p)) for p in pieces],
            [before_of(p) for p in pieces],
        ),
        _rival(
            FREQUENCIES, pieces, [alone.nats(p) for p in pieces],
            [alone.likeliest(p) for p in pieces], guess=True,
        ),
    ]  # fmt: skip


def _counted(scores: Sequence[Score], most: int) -> Sequence[Score]:
    steps = np.cumsum([len(score) for score in scores])
    return scores[: max(1, int((steps <= most).sum()))]


def _steps(score: Score, pitches: int, in_voices: bool) -> Steps:
    return score.steps if in_voices else score.roll(pitches)


def _rival(
    name: str, pieces: Sequence[Steps], nats: Sequence[np.ndarray], told: Sequence[Steps],
    *, guess: bool = False,
) -> Rival:  # fmt: skip
    sums = np.zeros((len(pieces), 5))
    for row, true, cost, likeliest in zip(sums, pieces, nats, told, strict=True):
        row[:2] = cost.sum(), len(true)
        row[2:] = _hits(likeliest, true)
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
