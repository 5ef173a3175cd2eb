"""What a translator has to beat: what was translated before, copies of the source, one answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from elman import metrics
from elman.metrics import Scores
from elman.tasks.rivals import Rival, chosen_first
from elman.tasks.translate.data import Paired
from elman.tasks.translate.options import TranslateOptions
from elman.tasks.translate.scores import Scored, scored
from elman.tasks.translate.similar import MOST_TOKENS, Index

Ints = NDArray[np.int64]
ORDER = 3  # of the n-grams of tokens by which sources are compared
MOST_KNOWN = 150_000  # pairs for training among which the most similar is looked for
HELD_BACK = 4  # one of so many pairs for training, by which it is chosen which rival stands first
MOST_ASKED = 300  # of them at most
SIMILAR = "the translation of the most similar source"
SOURCE = "the source itself"
FREQUENT = "the most frequent target"


def rivals(dataset: Paired, options: TranslateOptions, training: Paired) -> list[Rival]:
    """Which stands first is chosen on pairs for training, held back from the others."""
    n = training.trained
    every = -(-n // MOST_KNOWN)
    known = range(0, n, every)
    name = SIMILAR if every == 1 else f"{SIMILAR} of {len(known):,} known ones"
    order = ORDER if training.encoder.source.size < MOST_TOKENS else 1
    index = Index([training.sources[k][:-1] for k in known], order)
    often = Counter(training.train.targets).most_common(1)[0][0]

    def answered(whose: Paired, asked: Sequence[int], without: Sequence[int]) -> dict[str, Scored]:
        nearest = index.nearest([whose.sources[k][:-1] for k in asked], without)
        said = {
            name: [training.train.targets[known[k]] for k in nearest],
            SOURCE: [whose.source(k) for k in asked],
            FREQUENT: [often] * len(asked),
        }
        true = [whose.truth(k) for k in asked]
        return {
            who: scored(texts, true, lowercase=options.lowercase) for who, texts in said.items()
        }

    held = range(0, n, max(HELD_BACK, -(-n // MOST_ASKED)))
    tried = answered(training, held, _kin(training, held, known))
    chosen = _best({who: one.scores for who, one in tried.items()})
    nats = unigram_nats(
        training.targets[:n], dataset.targets[dataset.trained :], training.encoder.target.size + 1
    )
    own = {"nats": nats, "perplexity": metrics.perplexity(nats)}
    found = answered(dataset, range(dataset.trained, len(dataset.sources)), ())
    return chosen_first(
        [Rival(who, one.scores | own, one.tally) for who, one in found.items()], chosen
    )


def _kin(training: Paired, held: Sequence[int], known: Sequence[int]) -> list[int]:
    """The places of what is `known` that share a side with one that is `held`."""
    train = training.train
    ours, theirs = ({side[k] for k in held} for side in (train.sources, train.targets))
    return [
        place for place, k in enumerate(known)
        if train.sources[k] in ours or train.targets[k] in theirs
    ]  # fmt: skip


def _best(scores: Mapping[str, Scores]) -> str:
    """Whose first score is the best; that of the first of equals."""
    first = next(iter(next(iter(scores.values()))))
    best = next(iter(scores))
    for name, found in scores.items():
        if metrics.better(first, found[first], scores[best][first]):
            best = name
    return best


def unigram_nats(known: Sequence[Ints], asked: Sequence[Ints], symbols: int) -> float:
    """The mean nats of a token, by how often each comes in the known sentences, plus one."""
    counts = np.bincount(np.concatenate(known), minlength=symbols) + 1.0
    return float(-np.log(counts / counts.sum())[np.concatenate(asked)].mean())
