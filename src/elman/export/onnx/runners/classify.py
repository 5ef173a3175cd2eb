"""Classify with the model beside this file; NumPy and ONNX Runtime are all that it needs.

    echo "What a film!" | python model.py

A line is a text, and its answer is JSON. With --json a line is a string or, for a model that reads
numbers, a list of steps: [[0.1, 2], [0.3, 1]]. From Python:
`Classifier(open_model()).probabilities(["What a film!"])` is [N, C].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from elman.export.onnx.runners.bag import Bag
from elman.export.onnx.runners.folder import Model, open_model
from elman.export.onnx.runners.grams import Grams
from elman.export.onnx.runners.kernels import Kernels
from elman.export.onnx.runners.lines import answer_lines, written
from elman.export.onnx.runners.network import Array
from elman.export.onnx.runners.padding import padded
from elman.export.onnx.runners.vocabulary import Vocabulary

AT_ONCE = 64  # sequences
FLAT = 1e-6  # deviation of a column that says nothing


class Classifier:
    """Networks, and beside them, where there is one, a simpler model that answers together with
    them: `mix` is the networks' share."""

    def __init__(self, model: Model) -> None:
        self._network, told = model["model"], model.surroundings
        self.classes: list[str] = told["classes"]
        self.several: dict[str, Any] | None = told["several"]
        self.threshold: float = told["threshold"] or 0.0
        self._encoder, self._mix = told["encoder"], told["mix"]
        known = self._encoder.get("vocabulary")
        self._vocabulary = None if known is None else Vocabulary(known)
        self._beside: Grams | Bag | Kernels | None = None
        record = told["beside"]
        if record is not None and record["kind"] == "ngrams":
            self._beside = Grams(record)
        elif record is not None and self._vocabulary is not None:
            self._beside = Bag(record, self._vocabulary.size)
        elif record is not None:
            self._beside = Kernels(record)

    def probabilities(self, sequences: Sequence[Any]) -> Array:
        """Texts, or numbers [T, I] or [T] → the probability of each class, or of each label."""
        parts = [self._some(sequences[k : k + AT_ONCE]) for k in range(0, len(sequences), AT_ONCE)]
        return np.concatenate(parts)

    def answer(self, sequences: Sequence[Any]) -> list[dict[str, Any]]:
        """The class of each and its probability, to six digits; or the labels that are told."""
        return [self._answer(row) for row in self.probabilities(sequences)]

    def _answer(self, row: Array) -> dict[str, Any]:
        told = row >= self.threshold if self.several else row == row.max()
        chosen = np.flatnonzero(told)
        names = [self.classes[k] for k in chosen]
        sure = [math.floor(row[k] * 1e6) / 1e6 for k in chosen]
        if self.several:
            return {"predicted": names, "probability": sure}
        return {"predicted": names[0], "probability": sure[0]}

    def _some(self, sequences: Sequence[Any]) -> Array:
        encoded = [self._encoded(sequence) for sequence in sequences]
        x, lengths = padded(encoded)
        name = "x" if self._vocabulary is None else "tokens"
        outputs, _ = self._network.run({name: x, "lengths": lengths})
        scores = outputs["scores"].astype(np.float64)
        if self._beside is not None:
            pairs = zip(sequences, encoded, strict=True)
            beside = np.stack([self._scores_beside(*pair) for pair in pairs])
            if not self.several:
                beside = beside - np.logaddexp.reduce(beside, axis=1, keepdims=True)
            scores = beside + self._mix * (scores - beside)
        if self.several:
            return np.asarray(np.exp(-np.logaddexp(0, -scores)))
        return np.asarray(np.exp(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)))

    def _encoded(self, sequence: Any) -> Array:
        how = self._encoder
        if self._vocabulary is not None:
            ids = self._vocabulary.encode(sequence)[: how["longest"]]
            return np.array(ids or [self._vocabulary.unknown or 0], np.int64)
        steps = np.asarray(sequence, np.float32)
        steps = steps.reshape(len(steps), -1)[: how["longest"]]
        if how["scaling"] == "sequence":
            whole = steps.astype(np.float64)
            spread = whole.std(0)
            whole = (whole - whole.mean(0)) / np.where(spread < FLAT, 1.0, spread)
            return np.asarray(whole, np.float32)
        mean, scale = np.array(how["mean"], np.float32), np.array(how["scale"], np.float32)
        return np.asarray((steps - mean) / scale)

    def _scores_beside(self, sequence: Any, encoded: Array) -> Array:
        if isinstance(self._beside, Grams):
            return self._beside.scores(sequence)
        assert self._beside is not None
        return self._beside.scores(encoded).astype(np.float64)


def main() -> None:
    classifier = Classifier(open_model())
    answer_lines(
        "Classify texts, one a line.", lambda sequence: classifier.answer([sequence])[0],
        lambda line: line, written,
    )  # fmt: skip


if __name__ == "__main__":
    main()
