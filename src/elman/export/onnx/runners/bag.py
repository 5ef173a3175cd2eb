"""Naive Bayes of the tokens that a text holds, which answers beside a network."""

from __future__ import annotations

from typing import Any

import numpy as np

from elman.export.onnx.runners.network import Array


class Bag:
    """s_c = log P(c) + gain * the sum of the log count ratios of what a text holds: its tokens a
    and, where `pairs` are counted, its neighbours a * symbols + b. Token 0 is in none."""

    def __init__(self, record: dict[str, Any], symbols: int) -> None:
        self._symbols, self._pairs = symbols, record["kind"] == "pairs"
        self._keys = np.array(record["keys"], np.int64)
        counts, texts = np.array(record["counts"]), np.array(record["texts"])
        if record["several"]:  # the last column counts all texts
            there, absent = counts[:, :-1] + 1.0, counts[:, -1:] - counts[:, :-1] + 1.0
            ratios = np.log(there / there.sum(0)) - np.log(absent / absent.sum(0))
            self._prior = np.log((texts[:-1] + 1.0) / (texts[-1] - texts[:-1] + 1.0))
        else:
            more = counts + 1.0
            ratios = np.log(more / more.sum(0))
            ratios = ratios - ratios.mean(-1, keepdims=True)
            prior = np.log(texts / texts.sum())
            self._prior = prior - prior.mean()
        self._ratios = record["gain"] * ratios

    def scores(self, ids: Array) -> Array:
        """Of the tokens of a text [T] the scores of the classes [C]."""
        found = ids[ids > 0]
        if self._pairs:
            both = (ids[:-1] > 0) & (ids[1:] > 0)
            found = np.concatenate([found, (ids[:-1] * self._symbols + ids[1:])[both]])
        there = np.isin(self._keys, found)  # each counts once
        return np.asarray(self._ratios[there].sum(0) + self._prior)
