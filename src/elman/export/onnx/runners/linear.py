"""The best linear answer, which a regressor reads beside its inputs; all values are scaled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from elman.export.onnx.runners.network import Array

Told = Callable[[Array, Array], Array]


def linear_answer(record: dict[str, Any]) -> Told:
    """From a sequence [T, I] and what is known of it [S] to what is told of it, [T, O] or [O]."""
    return Recursion(record) if "order" in record else Featured(record)


class Recursion:
    """y_t = Σ A_j y_{t-j} + Σ B_k x_{t-k} + E s + c, j = 1 … p, k = -a … q, on its own values."""

    def __init__(self, record: dict[str, Any]) -> None:
        self._p, self._q, self._ahead, _ = map(int, record["order"])
        self._weights = np.array(record["weights"])
        rows = record["before"]
        self._before = np.array(rows).reshape(len(rows), -1 if rows else 1)
        self._farthest: float = record["farthest"]

    def __call__(self, x: Array, known: Array) -> Array:
        (T, inputs), outputs = x.shape, self._weights.shape[1]
        p, q, ahead = self._p, self._q, self._ahead
        past = np.zeros(p * outputs + q * inputs)
        if len(past):
            past = self._before @ np.append(known, 1)
        recent, earlier = past[: p * outputs], past[p * outputs :].reshape(q, inputs)[::-1]
        whole = np.concatenate([earlier, x, np.zeros((ahead, inputs))])
        start, width = p * outputs, (ahead + 1 + q) * inputs
        A, rest = self._weights[:start], self._weights[start + width :]
        B = self._weights[start : start + width].reshape(ahead + 1 + q, inputs, outputs)
        drive = np.tile(known @ rest[:-1] + rest[-1], (T, 1))
        for k in range(-ahead, q + 1):
            drive += whole[q - k : q - k + T] @ B[k + ahead]
        y = np.empty_like(drive)
        for t in range(T):
            y[t] = np.clip(drive[t] + recent @ A, -self._farthest, self._farthest)
            recent = np.append(y[t], recent)[: p * outputs]
        return y


class Featured:
    """A linear model of the last value, mean, deviation, least, greatest and slope of each input,
    the length, what is known at the start and, where that helps, the last steps."""

    def __init__(self, record: dict[str, Any]) -> None:
        self._last = int(record["form"][0])
        self._mean, self._deviation, self._weights, self._level = (
            np.array(record[name]) for name in ("mean", "deviation", "weights", "level")
        )

    def __call__(self, x: Array, known: Array) -> Array:
        T = len(x)
        time = np.arange(T) - (T - 1) / 2
        slope = time @ x / max(float(time @ time), 1.0)
        parts = [x[-1], x.mean(0), x.std(0), x.min(0), x.max(0), slope, np.log([T])]
        if self._last:
            parts.append(x[np.maximum(np.arange(T - self._last, T), 0)].ravel())
        features = np.concatenate([*parts, known])
        scaled = (features - self._mean) / self._deviation
        return np.asarray(scaled @ self._weights + self._level)
