"""A sequence in, a class out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from elman.data.labelled.examples import Examples
from elman.data.labelled.roles import LabelRoles
from elman.data.labelled.several import Several
from elman.data.tables.content import BadRows
from elman.errors import UserError
from elman.estimators.estimator import Estimator
from elman.estimators.sequences import arrays_of, rows_of, texts_of
from elman.estimators.targets import read_targets
from elman.tasks.classify import reading
from elman.tasks.classify.model import Classifier
from elman.tasks.classify.scores import probabilities


@final
@dataclass(eq=False)
class SequenceClassifier(Estimator):
    """A sequence in, a class out: `elman train classify` without files.

    Parameters are those of the command; None is chosen from the data. `validation` is the share of
    X that is held back to find the best weights, or few sequences are dealt into `folds` instead: 0
    learns from all of X, and keeps the last. `random_state` is a seed; with None every fit draws
    another.

    Several labels at once have a probability each, and are told from a threshold that is chosen on
    the share held back, else from a half.

    After `fit`: `classes_` [C], sorted, or as y has columns; `n_iter_`, epochs; `model_`, the
    networks.
    """

    cell: str | Sequence[str] = "lstm"
    hidden_size: int | Sequence[int] | None = None
    num_layers: int | None = None
    bidirectional: bool | Sequence[bool] | None = None
    convolutions: int | Sequence[int] | None = None
    pooling: Literal["last", "mean", "max", "attention"] | None = None
    dropout: float | None = None
    level: Literal["characters", "bytes", "words", "bpe"] | None = None
    vocabulary: int | None = None
    lowercase: bool = False
    longest: int = 2_000
    embedding: int | None = None
    token_dropout: float | None = None
    bag: Literal["none", "tokens", "pairs", "ngrams"] | None = None
    scaling: Literal["channel", "sequence"] | None = None
    kernels: int | None = None
    members: int | None = None
    class_weights: bool = False
    label_smoothing: float | None = None
    epochs: int = 20
    batch_size: int | None = None
    learning_rate: float | None = None
    l2: float = 0.0
    device: str = "auto"
    validation: float = 0.0
    folds: int | None = None
    random_state: int | np.random.RandomState | None = None

    _estimator_type: ClassVar[Literal["classifier"]] = "classifier"

    def fit(self, X: Iterable[Any], y: Iterable[Any]) -> SequenceClassifier:
        """Learn from sequences X, texts or arrays of numbers [T] or [T, I], with their classes y.

        y is a class for each, or several labels at once: a list, tuple or set of them for each, or
        0 and 1 as [N, C], an array, a frame or lists. UserError: a sequence that is none, X and y
        of unequal length, a class that is missing, less than two classes.
        """
        sequences, told = _sequences(X), read_targets(y)
        if len(told.each) != len(sequences):
            raise UserError(f"{len(sequences):,} sequences in X, and y of shape {told.shape}")
        self.classes_, self._targets = told.classes, told
        names = [str(label) for label in told.classes]
        texts = isinstance(sequences[0], str)
        several = Several("columns") if told.several else None
        sets = [tuple(names[k] for k in labels) for labels in told.each]
        examples = Examples(
            texts=sequences if texts else [],
            vectors=[] if texts else sequences,
            labels=[",".join(labels) for labels in sets],
            sets=sets if told.several else [],
            where=[f"X[{k}]" for k in range(len(sequences))],
            roles=LabelRoles(label_columns=tuple(names) if told.several else None, several=several),
        )
        bad = BadRows(skip=False, advice="give more of it, or validation=0")
        job = self._train(
            "classify", lambda own: reading.dataset("X", examples, None, own, self.validation, bad)
        )
        dataset = job.dataset
        self._encoder, self._device = dataset.encoder, job.device
        self._order = [dataset.classes.index(name) for name in names]
        return self

    def predict_proba(self, X: Iterable[Any]) -> NDArray[np.float64]:
        """The probability of each of `classes_`, [N, C]; of several labels at once, of each."""
        self._check_fitted()
        sequences, inputs = _sequences(X), []
        for k, sequence in enumerate(sequences):
            try:
                inputs.append(self._encoder.encode(sequence))
            except ValueError as error:
                raise UserError(f"X[{k}]: {error}") from None
        found = probabilities(self._network, inputs, self._device, texts=sequences)
        return found[:, self._order]

    def predict(self, X: Iterable[Any]) -> Any:
        """The most probable class of each sequence, [N]; several labels at once as y had them."""
        chances = self.predict_proba(X)
        if self._targets.several:
            return self._targets.written(self._network.answers(chances))
        found: NDArray[Any] = self.classes_[chances.argmax(1)]
        return found

    def score(self, X: Iterable[Any], y: Iterable[Any]) -> float:
        """The share of sequences whose class, or whose labels all, are found."""
        self._check_fitted()
        if not self._targets.several:
            return float((self.predict(X) == np.asarray(y)).mean())
        said = self._network.answers(self.predict_proba(X))
        told = self._targets.again(y)
        if len(told) != len(said):
            raise UserError(f"{len(said):,} sequences in X, and {len(told):,} in y")
        return float((said == told).all(1).mean())

    @property
    def _network(self) -> Classifier:
        assert isinstance(self.model_, Classifier)
        return self.model_


def _sequences(X: Iterable[Any]) -> list[Any]:
    """Texts, or float32 arrays [T, I]. UserError: none, empty ones, or both kinds."""
    rows = rows_of(X)
    if any(isinstance(row, str) for row in rows):
        return texts_of(rows)
    return [array.astype(np.float32) for array in arrays_of(rows, "neither a text nor numbers")]
