"""What a network says of clips, many at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from elman.data.batching import Buckets
from elman.tasks.speech.data import Part, SpeechData
from elman.tasks.speech.model import recogniser
from elman.tasks.speech.training import batch

AT_ONCE = 64  # clips
SECONDS_AT_ONCE = 240.0  # padding included

Floats = NDArray[np.float64]


def said(
    model: nn.Module, dataset: SpeechData, part: Part, device: str
) -> Iterator[tuple[int, Floats]]:
    """The number of each clip of a part, in any order, and what is said of it: log probabilities of
    symbols at each step [T, V], or of classes [C]."""
    model = recogniser(model)
    lengths = dataset.lengths(part)
    longest = float(lengths.max(initial=1)) / dataset.encoder.hearing.rate
    order = Buckets(lengths, max(1, min(AT_ONCE, int(SECONDS_AT_ONCE / longest))), seed=None)
    with torch.no_grad():
        for k in range(len(order)):
            chosen = order[k].tolist()
            x = batch(dataset, part, chosen)
            scores, steps = model(x.waves.to(device), x.lengths, x.moments)
            scores = scores.cpu().double()
            if model.mode == "classify":
                yield from zip(chosen, scores.log_softmax(-1).numpy(), strict=True)
                continue
            for n, own, count in zip(chosen, scores.numpy(), steps.tolist(), strict=True):
                yield n, own[:count]
