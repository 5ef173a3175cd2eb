"""A linear model on fixed convolutions (MiniRocket, arXiv:2012.08791), beside a network."""

from __future__ import annotations

from typing import Any

import numpy as np

from elman.export.onnx.runners.network import Array


class Kernels:
    """Each filter reads a sequence and its differences; a feature is the share of the steps at
    which it is above a level."""

    def __init__(self, record: dict[str, Any]) -> None:
        self._stretches: list[int] = record["stretches"]
        self._filters, self._levels, self._weights, self._shift = (
            np.array(record[name], np.float32) for name in ("filters", "levels", "weights", "shift")
        )

    def scores(self, x: Array) -> Array:
        """Of a sequence [T, I] the scores of the classes [C]."""
        return np.asarray(self._features(x) @ self._weights + self._shift)

    def _features(self, x: Array) -> Array:
        later = np.concatenate([x[1:] - x[:-1], np.zeros_like(x[:1])])
        found = []
        for side, (values, steps) in enumerate(((x, len(x)), (later, len(x) - 1))):
            for k, stretch in enumerate(self._stretches):
                high = self._filtered(values, side, k, stretch)[:, :steps]  # [84, T]
                for level in self._levels[side, k].T:
                    found.append((high > level[:, None]).sum(1) / max(steps, 1))
        return np.concatenate(found).astype(np.float32)

    def _filtered(self, x: Array, side: int, k: int, stretch: int) -> Array:
        filters = self._filters[side, k]  # [84, I, 9]
        width = filters.shape[-1]
        reach = stretch * (width // 2)
        wide = np.pad(x.T, ((0, 0), (reach, reach)))  # [I, T + 2 * reach]
        seen = [wide[:, j * stretch : j * stretch + len(x)] for j in range(width)]
        windows = np.stack(seen, 1).reshape(-1, len(x))  # [I * 9, T]
        return np.asarray(filters.reshape(len(filters), -1) @ windows)
