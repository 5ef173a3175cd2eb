"""A sequence in, a class out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from elman.data.examples import Examples
from elman.data.tables.content import BadRows
from elman.errors import UserError
from elman.estimators.estimator import Estimator
from elman.estimators.sequences import arrays_of, rows_of, texts_of
from elman.tasks.classify.scoring import probabilities
from elman.tasks.classify.task import TASK


@final
@dataclass(eq=False)
class SequenceClassifier(Estimator):
    """A sequence in, a class out: `elman train classify` without files.

    Parameters are those of the command; None is chosen from the data. `validation` is the share of
    X that is held back to find the best weights: 0 learns from all of X, and keeps the last.
    `random_state` is a seed; with None every fit draws another.

    After `fit`: `classes_` [C], sorted; `n_iter_`, epochs; `model_`, the networks.
    """

    cell: str | Sequence[str] = "lstm"
    hidden_size: int | Sequence[int] = 128
    num_layers: int | None = None
    bidirectional: bool | Sequence[bool] = False
    pooling: Literal["last", "mean", "max", "attention"] | None = None
    dropout: float | None = None
    level: Literal["characters", "bytes", "words", "bpe"] | None = None
    vocabulary: int | None = None
    lowercase: bool = False
    longest: int = 2_000
    embedding: int | None = None
    token_dropout: float | None = None
    bag: Literal["none", "tokens", "pairs"] | None = None
    members: int = 1
    class_weights: bool = False
    label_smoothing: float = 0.0
    epochs: int = 20
    batch_size: int | None = None
    learning_rate: float | None = None
    l2: float = 0.0
    device: str = "auto"
    validation: float = 0.0
    random_state: int | np.random.RandomState | None = None

    _estimator_type: ClassVar[Literal["classifier"]] = "classifier"

    def fit(self, X: Iterable[Any], y: Iterable[Any]) -> SequenceClassifier:
        """Learn from sequences X, texts or arrays of numbers [T] or [T, I], with their classes y.

        UserError: a sequence that is none, X and y of unequal length, less than two classes.
        """
        sequences, labels = _sequences(X), np.asarray(y)
        if labels.ndim != 1 or len(labels) != len(sequences):
            raise UserError(f"{len(sequences):,} sequences in X, and y of shape {labels.shape}")
        self.classes_ = np.unique(labels)
        texts = isinstance(sequences[0], str)
        examples = Examples(
            texts=sequences if texts else [],
            vectors=[] if texts else sequences,
            labels=[str(label) for label in labels],
            where=[f"X[{k}]" for k in range(len(sequences))],
        )
        bad = BadRows(skip=False, advice="give more of it, or validation=0")
        job = self._train(
            "classify", lambda own: TASK.dataset("X", examples, None, own, self.validation, bad)
        )
        dataset = job.dataset
        self._encoder, self._device = dataset.encoder, job.device
        self._order = [dataset.classes.index(str(label)) for label in self.classes_]
        return self

    def predict_proba(self, X: Iterable[Any]) -> NDArray[np.float64]:
        """The probability of each of `classes_`, [N, C]."""
        self._check_fitted()
        inputs = []
        for k, sequence in enumerate(_sequences(X)):
            try:
                inputs.append(self._encoder.encode(sequence))
            except ValueError as error:
                raise UserError(f"X[{k}]: {error}") from None
        return probabilities(self.model_, inputs, self._device)[:, self._order]

    def predict(self, X: Iterable[Any]) -> NDArray[Any]:
        """The most probable class of each sequence, [N]."""
        best = self.predict_proba(X).argmax(1)
        found: NDArray[Any] = self.classes_[best]
        return found

    def score(self, X: Iterable[Any], y: Iterable[Any]) -> float:
        """The share of sequences whose class is found."""
        return float((self.predict(X) == np.asarray(y)).mean())


def _sequences(X: Iterable[Any]) -> list[Any]:
    """Texts, or float32 arrays [T, I]. UserError: none, empty ones, or both kinds."""
    rows = rows_of(X)
    if any(isinstance(row, str) for row in rows):
        return texts_of(rows)
    return [array.astype(np.float32) for array in arrays_of(rows, "neither a text nor numbers")]
