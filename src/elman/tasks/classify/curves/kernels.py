"""Fixed convolutions of a sequence of numbers, each told by how often it is high: MiniRocket.

Nothing is learnt by gradient: 84 filters of nine steps, stretched by powers of two, read a sequence
and its steps' differences; a feature is the share of the steps at which a filter is above a level
that it had in training sequences (Dempster, Schmidt and Webb 2021, arXiv:2012.08791; both readings
after Tan et al. 2022, arXiv:2102.00457). A linear model on them answers beside the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.data.batching import padded
from elman.tasks.classify.curves import ridge

WIDTH = 9
HIGH = list(combinations(range(WIDTH), 3))  # where a filter is 2; elsewhere it is -1
GOLDEN = (5**0.5 + 1) / 2
LOOKED_AT = 16  # sequences whose levels a filter is held against
COUNTED = 2_000  # steps of which a level is the quantile
STRETCHES = 10  # at most so many
LEARNT = 1_500  # sequences that the linear model learns from at most
LEARNT_STEPS = 500_000  # their steps together
AT_ONCE = 1 << 22  # values of filters at once


@dataclass(frozen=True)
class Shape:
    """How many of what: all that is needed to make room for a `Kernels`."""

    inputs: int  # I
    stretches: tuple[int, ...]  # steps from one of the nine to the next
    levels: int  # of each filter at each stretch

    @property
    def features(self) -> int:
        return 2 * len(self.stretches) * len(HIGH) * self.levels

    def to_json(self) -> dict[str, Any]:
        return {
            "inputs": self.inputs, "stretches": list(self.stretches), "levels": self.levels
        }  # fmt: skip


def shape_of(inputs: int, steps: int, features: int) -> Shape:
    """About so many features, for sequences of about so many steps."""
    most = max(0, int(np.log2(max(1, (steps - 1) / (WIDTH - 1)))))
    stretches = tuple(2**k for k in range(min(most + 1, STRETCHES)))
    return Shape(inputs, stretches, max(1, round(features / (2 * len(stretches) * len(HIGH)))))


def shape_from_json(data: Mapping[str, Any], inputs: int) -> Shape:
    """The shape of these plain values. ValueError, TypeError or KeyError where it is damaged."""
    stretches, levels = tuple(map(int, data["stretches"])), int(data["levels"])
    if int(data["inputs"]) != inputs or not 1 <= levels <= 10_000:
        raise ValueError("fixed convolutions of sizes that do not fit")
    if not 1 <= len(stretches) <= STRETCHES or not 1 <= min(stretches) <= max(stretches) <= 65_536:
        raise ValueError("fixed convolutions of a stretch that is none")
    return Shape(inputs, stretches, levels)


class Kernels(nn.Module):
    """Sequences → features [B, F], each in [0, 1]. Empty until `fit`; what it holds then is kept
    with the weights, and none of it is trained."""

    filters: Tensor  # [2, D, 84, I, 9]
    levels: Tensor  # [2, D, 84, L]

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        sides = (2, len(shape.stretches), len(HIGH))
        self.register_buffer("filters", torch.zeros(*sides, shape.inputs, WIDTH))
        self.register_buffer("levels", torch.zeros(*sides, shape.levels))

    def fit(self, sequences: Sequence[NDArray[Any]], draw: np.random.Generator) -> None:
        """Draw which inputs each filter reads, and take its levels from training sequences."""
        weights = torch.full((len(HIGH), WIDTH), -1.0)
        for k, places in enumerate(HIGH):
            weights[k, list(places)] = 2.0
        size, most = self.filters.shape[:3], min(self.shape.inputs, WIDTH)
        count = np.floor(2 ** draw.uniform(0, np.log2(most + 1), size=size)).astype(np.int64)
        order = draw.random((*size, self.shape.inputs)).argsort(-1).argsort(-1)
        read = torch.from_numpy(order < count[..., None]).float()  # [2, D, 84, I]
        self.filters.copy_(read[..., None] * weights[:, None])
        chosen = draw.permutation(len(sequences))[:LOOKED_AT]
        x, lengths = padded([sequences[k] for k in chosen])
        shares = torch.arange(1, self.shape.levels + 1) * GOLDEN % 1
        for at, high, alive in self._filtered(x, lengths):
            found = high.transpose(0, 1)[:, alive]  # [84, steps of all]
            if found.shape[1]:  # sequences of one step have no differences
                found = found[:, :: max(1, found.shape[1] // COUNTED)]
                self.levels[at] = torch.quantile(found, shares, dim=1).T

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """`x` float32 [B, T, I], `lengths` [B] on the CPU → float32 [B, F]."""
        each = max(1, AT_ONCE // (len(HIGH) * x.shape[1]))
        parts = [self._some(x[k : k + each], lengths[k : k + each]) for k in range(0, len(x), each)]
        return torch.cat(parts)

    def _some(self, x: Tensor, lengths: Tensor) -> Tensor:
        features = []
        for at, high, alive in self._filtered(x, lengths):
            count = alive.sum(1).clamp(min=1)[:, None]
            high = high.masked_fill(~alive[:, None], -torch.inf)
            above = torch.empty_like(high)  # 0 and 1: numbers are summed up faster than bits
            for level in self.levels[at].unbind(1):
                torch.gt(high, level[:, None], out=above)
                features.append(above.sum(2) / count)
        return torch.cat(features, 1)

    def _filtered(self, x: Tensor, lengths: Tensor) -> Any:
        """Of each reading and stretch its place, the filters' values [B, 84, T], and which of the
        steps are no padding [B, T]."""
        steps = torch.arange(x.shape[1])
        alive = (steps < lengths[:, None]).to(x.device)
        x = x.masked_fill(~alive[..., None], 0).transpose(1, 2)  # [B, I, T]
        later = F.pad(x[:, :, 1:] - x[:, :, :-1], (0, 1))
        moved = (steps < lengths[:, None] - 1).to(x.device)  # one difference fewer than steps
        later = later * moved[:, None]
        for side, (values, there) in enumerate(((x, alive), (later, moved))):
            for k, stretch in enumerate(self.shape.stretches):
                reach = stretch * (WIDTH // 2)
                yield (
                    (side, k),
                    F.conv1d(values, self.filters[side, k], padding=reach, dilation=stretch),
                    there,
                )


def features_of(kernels: Kernels, sequences: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Those of sequences, [N, F]."""
    parts = [kernels(*padded(sequences[k : k + 64])) for k in range(0, len(sequences), 64)]
    return torch.cat(parts).double().numpy()


class KernelScores(nn.Module):
    """Sequences → the scores of linear models on `Kernels`, one model for each of several parts of
    the training sequences, the last for all of them. Nothing in it is trained by gradient."""

    weights: Tensor  # [P, F, C]
    shift: Tensor  # [P, C]

    def __init__(self, shape: Shape, classes: int, parts: int) -> None:
        super().__init__()
        self.kernels = Kernels(shape)
        self.register_buffer("weights", torch.zeros(parts, shape.features, classes))
        self.register_buffer("shift", torch.zeros(parts, classes))

    def fit(
        self, sequences: Sequence[NDArray[Any]], targets: NDArray[np.int64],
        parts: Sequence[NDArray[np.int64]], seed: int = 0,
    ) -> None:  # fmt: skip
        """Solve for the training sequences, of which at most `LEARNT` are taken, and of `targets`
        as for `ridge.solve`; the same for the same ones."""
        draw = np.random.default_rng(seed)
        most = max(2, min(LEARNT, LEARNT_STEPS // max(1, sum(map(len, sequences)) // len(targets))))
        if len(targets) > most:
            taken = _spread(targets, most, draw)
            sequences, targets = [sequences[k] for k in taken], targets[taken]
            parts = [np.flatnonzero(np.isin(taken, part)) for part in parts]
        self.kernels.fit(sequences, draw)
        found = features_of(self.kernels, sequences)
        classes = self.shift.shape[1]
        for k, one in enumerate(ridge.solve(found, targets, classes, parts)):
            self.weights[k] = torch.from_numpy(one.weights)
            self.shift[k] = torch.from_numpy(one.shift)

    def forward(self, x: Tensor, lengths: Tensor, part: int = -1) -> Tensor:
        """`x` float32 [B, T, I], `lengths` [B] on the CPU → scores [B, C] of the part's model."""
        features: Tensor = self.kernels(x, lengths)
        return features @ self.weights[part] + self.shift[part]


def _spread(targets: NDArray[np.int64], most: int, draw: np.random.Generator) -> NDArray[np.int64]:
    """So many numbers of sequences, rising, of rare classes as many as of others while there are
    enough; of several labels at once, whichever."""
    order = draw.permutation(len(targets))
    if targets.ndim == 1:
        often = np.zeros(int(targets.max()) + 1, dtype=np.int64)
        turn = np.empty(len(targets), dtype=np.int64)
        for k in order:
            turn[k] = often[targets[k]]
            often[targets[k]] += 1
        order = order[np.argsort(turn[order], kind="stable")]
    return np.sort(order[:most])
