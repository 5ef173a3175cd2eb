"""What a tagger says of sentences, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from elman.data.batching import Buckets
from elman.tasks.tag.data import Encoded, Ints

AT_ONCE = 64  # sentences
TOKENS_AT_ONCE = 1 << 16  # padding included


class Answer(NamedTuple):
    """What the model says of each token of a sentence."""

    best: Ints  # [T], numbers of labels
    confidence: NDArray[np.float64]  # [T], in [0, 1]
    nats: NDArray[np.float64]  # [T], of the true labels; empty where they are not given


def answered(
    model: nn.Module, encoded: Encoded, chosen: Sequence[int], device: str,
    targets: Sequence[Ints] | None = None,
) -> list[Answer]:  # fmt: skip
    """The answers for these sentences, in their order."""
    lengths = np.array([len(encoded.tokens[k]) for k in chosen], dtype=np.int64)
    most = max(1, TOKENS_AT_ONCE // int(lengths.max(initial=1)))
    batches = Buckets(lengths, min(AT_ONCE, most), seed=None)
    result: dict[int, Answer] = {}
    with torch.no_grad():
        for k in range(len(batches)):
            places = batches[k]
            scores = model(encoded.inputs(chosen[place] for place in places).to(device))
            chances = torch.log_softmax(scores.double(), -1).cpu().numpy()  # [N, C]
            best = chances.argmax(1)
            sure = np.exp(chances[np.arange(len(best)), best])
            nats = np.empty(0)
            if targets is not None:
                own = np.concatenate([targets[chosen[place]] for place in places])
                nats = -chances[np.arange(len(own)), own]
            ends = np.cumsum(lengths[places])
            for place, end in zip(places, ends, strict=True):
                its = slice(end - lengths[place], end)
                result[int(place)] = Answer(best[its], sure[its], nats[its])
    return [result[place] for place in range(len(chosen))]
