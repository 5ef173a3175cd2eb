"""What a network over tokens of music has to beat, scored on the same tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate

import numpy as np

from elman.tasks.kneser_ney import KneserNey, best_kind
from elman.tasks.music.events.data import EventData, Tune, concatenated
from elman.tasks.music.events.scores import Floats, Told, scored
from elman.tasks.music.options import MusicOptions
from elman.tasks.rivals import Rival

COUNTED = 3_000_000  # tokens that n-grams learn from: 7 s, 200 MB
CHOSEN_BY = 500_000  # tokens, the last ones, by which order and discounts are chosen
HIGHEST_ORDER = 8
FREQUENCIES = "the frequencies of tokens"
UNIFORM = "a guess among all tokens alike"


def rivals(dataset: EventData, options: MusicOptions, training: EventData) -> list[Rival]:
    """The n-gram model first: on the training part it is never behind its own first order."""
    tunes, V = scored(dataset, options), len(dataset.tokenizer)
    known = _counted(training.train, options.counted or COUNTED)
    ids = concatenated(known)
    order, discounts = best_kind(ids[-CHOSEN_BY:], V, HIGHEST_ORDER)
    grams = KneserNey(ids, V, order, discounts=discounts)
    part = f" of {len(known):,} of {len(training.train):,} pieces"
    name = f"a Kneser-Ney {grams.order}-gram" + part * (len(known) < len(training.train))
    return [
        _rival(name, tunes, _by(grams)),
        _rival(FREQUENCIES, tunes, _by(grams.of_first_order())),
        _rival(UNIFORM, tunes, lambda tune: tune.foretold * math.log(V), guess=True),
    ]


def _counted(tunes: Sequence[Tune], most: int) -> Sequence[Tune]:
    """As many pieces as have so few tokens, drawn from all of them, always the same."""
    order = np.random.default_rng(0).permutation(len(tunes))
    tokens = accumulate(len(tunes[k]) for k in order)
    return [tunes[k] for k, until in zip(order, tokens, strict=True) if until <= most] or [
        tunes[order[0]]
    ]


def _by(grams: KneserNey) -> Callable[[Tune], float]:
    """What a piece costs n-grams, after its begin."""
    return lambda tune: -float(np.log(grams.probabilities(tune.ids[1:], tune.ids[:1])).sum())


def _rival(
    name: str, tunes: Sequence[Tune], cost: Callable[[Tune], float], *, guess: bool = False
) -> Rival:
    nats: Floats = np.array([cost(tune) for tune in tunes])
    found = Told(tunes, nats)
    return Rival(name, found.scores(), found.tally, guess)
