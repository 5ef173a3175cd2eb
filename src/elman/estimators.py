"""Models with scikit-learn's habits, on arrays and lists instead of files.

>>> model = SequenceClassifier(epochs=5).fit(["a fine film", "dull"], ["pos", "neg"])
>>> model.predict(["fine", "a dull film"]).shape
(2,)

scikit-learn is not needed; where it is installed, they work in its pipelines and searches.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from elman.data.examples import Examples
from elman.data.table import BadRows
from elman.errors import UserError, unknown_name
from elman.run import prepare
from elman.run.clock import Clock
from elman.run.options import parse
from elman.run.train import train
from elman.tasks.classify.task import TASK, probabilities

if TYPE_CHECKING:
    from sklearn.utils import Tags


@dataclass(eq=False)
class SequenceClassifier:
    """A sequence in, a class out: `elman train classify` without files.

    Parameters are those of the command; None is chosen from the data. `validation` is the share of
    X that is held back to find the best weights: 0 learns from all of X, and keeps the last.
    `random_state` is a seed; with None every fit draws another.

    After `fit`: `classes_` [C], sorted; `n_iter_`, epochs; `model_`, the network.
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
    class_weights: bool = False
    label_smoothing: float = 0.0
    epochs: int = 20
    batch_size: int | None = None
    learning_rate: float | None = None
    l2: float = 0.0
    device: str = "auto"
    validation: float = 0.0
    random_state: int | np.random.RandomState | None = None

    _estimator_type: ClassVar[str] = "classifier"

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
        with tempfile.TemporaryDirectory(prefix="elman-") as folder:
            run = Path(folder, "run")
            chosen = {k: v for k, v in self.get_params().items() if v is not None}
            chosen |= {"run": run, "seed": self._seed(), "sample": 0}
            chosen.pop("random_state", None)
            own, how = parse("classify", chosen)
            bad = BadRows(skip=False, advice="give more of it, or validation=0")
            dataset = TASK.dataset("X", examples, None, own, self.validation, bad)
            job = prepare.new(
                "classify", ["X"], own, how, Clock(None), lambda line: None, dataset=dataset
            )
            for _ in train(job):
                pass
            self.model_ = prepare.load_model(prepare.trained(run), job.device)
        self.n_iter_ = self.epochs
        self._encoder, self._device = dataset.encoder, job.device
        self._order = [dataset.classes.index(str(label)) for label in self.classes_]
        return self

    def predict_proba(self, X: Iterable[Any]) -> NDArray[np.float64]:
        """The probability of each of `classes_`, [N, C]."""
        if not hasattr(self, "model_"):
            raise UserError("this SequenceClassifier has learnt nothing yet: fit it first")
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

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def set_params(self, **params: Any) -> SequenceClassifier:
        """Change parameters. UserError for one that there is not."""
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise unknown_name("parameter", name, known)
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Tags:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            transformer_tags=None,
            classifier_tags=ClassifierTags(),
            regressor_tags=None,
            input_tags=InputTags(three_d_array=True, string=True),
        )

    def _seed(self) -> int:
        if isinstance(self.random_state, np.random.RandomState):
            return int(self.random_state.randint(2**31))
        if self.random_state is None:
            return int(np.random.default_rng().integers(2**31))
        return int(self.random_state)


def _sequences(X: Iterable[Any]) -> list[Any]:
    """Texts, or float32 arrays [T, I]. UserError: none, empty ones, or both kinds."""
    rows = list(X.to_numpy() if hasattr(X, "to_numpy") else X)
    if not rows or len({isinstance(row, str) for row in rows}) > 1:
        raise UserError("X holds no sequences" if not rows else "X holds texts and arrays")
    if isinstance(rows[0], str):
        texts = [str(row).strip() for row in rows]
        if "" in texts:
            raise UserError(f"X[{texts.index('')}] is empty")
        return texts
    arrays = []
    for k, row in enumerate(rows):
        try:
            with np.errstate(over="ignore"):
                array = np.asarray(row, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise UserError(f"X[{k}]: neither a text nor numbers ({error})") from None
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or not array.size or not np.isfinite(array).all():
            raise UserError(f"X[{k}] of shape {array.shape}: needs finite numbers [T] or [T, I]")
        arrays.append(array)
    return arrays
