"""A sequence in, a value out: one of the sequence, or one at every step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from elman.data.tables.content import BadRows
from elman.data.trajectories import trajectories
from elman.data.trajectories.roles import Columns
from elman.data.trajectories.trajectories import LARGEST, Trajectories, Trajectory
from elman.errors import UserError
from elman.estimators.estimator import Estimator
from elman.estimators.sequences import Values, arrays_of, rows_of
from elman.tasks.regress.data import Encoded, Floats
from elman.tasks.regress.model import Regressor
from elman.tasks.regress.reading import encoded, in_memory
from elman.tasks.regress.scores import errors, tell

Told: TypeAlias = NDArray[np.float64] | list[NDArray[np.float64]]


@final
@dataclass(eq=False)
class SequenceRegressor(Estimator):
    """A sequence in, a value or a vector out: `elman train regress` without files.

    Parameters are those of the command; None is chosen from the data. `validation` is the share of
    X that is held back to find the best weights: 0 learns from all of X, and keeps the last.
    `every_step` says whether y holds a value for every step; with None that is seen from y, and an
    array y [N, O] beside sequences of O steps is taken for steps. `linear` begins from the best
    linear answer, of which the network learns what is left; with None where that gains something.
    `members` networks are averaged. `random_state` is a seed; with None every fit draws another.

    After `fit`: `every_step_`; `n_iter_`, epochs; `model_`, the network.
    """

    cell: str | Sequence[str] = "gru"
    hidden_size: int | Sequence[int] = 64
    num_layers: int | None = None
    bidirectional: bool | Sequence[bool] = False
    pooling: Literal["last", "mean", "max", "attention"] = "last"
    dropout: float | None = None
    every_step: bool | None = None
    initial_state: Literal["zero", "learned"] = "zero"
    loss: Literal["mse", "mae", "huber"] = "mse"
    feedback: bool = False
    feedback_noise: float = 0.0
    linear: bool | None = None
    members: int = 1
    cut: int | None = None
    epochs: int = 50
    batch_size: int | None = None
    learning_rate: float | None = None
    l2: float = 0.0
    device: str = "auto"
    validation: float = 0.0
    random_state: int | np.random.RandomState | None = None

    _estimator_type: ClassVar[Literal["regressor"]] = "regressor"

    def fit(self, X: Iterable[Any], y: Iterable[Any]) -> SequenceRegressor:
        """Learn from sequences X, arrays [T] or [T, I], with their values y.

        y holds a number or a vector [O] for each sequence, or an array [T] or [T, O] with a value
        at each of its steps. UserError: what is not finite, or does not fit one another.
        """
        sequences, targets = arrays_of(rows_of(X)), _targets(y)
        self.every_step_ = self.every_step
        if self.every_step_ is None:
            self.every_step_ = _at_steps(sequences, targets)
        self._alone = targets[0].ndim == int(self.every_step_)  # one target, without an axis
        items = self._items(sequences, targets)
        columns = Columns((), "none", ("x",), ("y",), (), (), every_step=self.every_step_)
        bad = BadRows(skip=False, advice="mend it")
        items = trajectories.fitting(items, every_step=self.every_step_, bad=bad)
        job = self._train(
            "regress",
            lambda own: in_memory(
                "X", Trajectories(items, columns), None, own, self.validation, bad
            ),
        )
        self._encoder, self._options, self._device = job.dataset.encoder, job.options, job.device
        return self

    def predict(self, X: Iterable[Any]) -> Told:
        """A value for each sequence, [N] or [N, O]; or a list of arrays [T] or [T, O], as y was."""
        self._check_fitted()
        sequences = arrays_of(rows_of(X))
        items = [Trajectory("", f"X[{k}]", x, _NONE, _NONE, _NONE) for k, x in enumerate(sequences)]
        inputs = encoded(self._encoder, items, targets=False)
        told = [self._encoder.y.back(values) for values in self._tell(inputs)]
        if self._alone:
            told = [values[..., 0] for values in told]
        return told if self.every_step_ else np.stack(told)

    def score(self, X: Iterable[Any], y: Iterable[Any]) -> float:
        """R2 over all values; of several targets the mean of theirs. 1 at best, 0 for the mean."""
        self._check_fitted()
        items = self._items(arrays_of(rows_of(X)), _targets(y))
        bad = BadRows(skip=False, advice="mend it")
        items = trajectories.fitting(items, every_step=bool(self.every_step_), bad=bad)
        inputs = encoded(self._encoder, items)
        told = self._tell(inputs)
        return float(errors(told, [item.y for item in inputs], self._encoder.y).r2.mean())

    def _items(self, sequences: list[Values], targets: list[Values]) -> list[Trajectory]:
        """Sequences with their values. UserError: not as many, or not such values."""
        if len(targets) != len(sequences):
            raise UserError(f"{len(sequences):,} sequences in X, and {len(targets):,} in y")
        axes = int(bool(self.every_step_)) + (0 if self._alone else 1)
        for k, value in enumerate(targets):
            if value.ndim != axes:
                kind = "every step" if self.every_step_ else "the sequence"
                raise UserError(f"y[{k}] of shape {value.shape}: needs {axes} axes, for {kind}")
        return [
            Trajectory("", f"X[{k}]", x, value, _NONE, _NONE)
            for k, (x, value) in enumerate(zip(sequences, targets, strict=True))
        ]

    def _tell(self, inputs: list[Encoded]) -> list[Floats]:
        assert isinstance(self.model_, Regressor)
        return tell(self.model_, inputs, self._options, self._device)


_NONE: Values = np.zeros(0)


def _targets(y: Iterable[Any]) -> list[Values]:
    """Numbers, or arrays [O], [T] or [T, O], as float64. UserError: others, or not finite."""
    found = []
    for k, row in enumerate(rows_of(y, "y")):
        try:
            value = np.asarray(row, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise UserError(f"y[{k}]: no numbers ({error})") from None
        if value.ndim > 2 or not value.size or not (np.abs(value) <= LARGEST).all():
            raise UserError(f"y[{k}] of shape {value.shape}: needs finite numbers")
        found.append(value)
    return found


def _at_steps(sequences: list[Values], targets: list[Values]) -> bool:
    """Whether each y has as many entries as its sequence has steps."""
    pairs = zip(sequences, targets, strict=False)
    return all(value.ndim > 0 and len(value) == len(x) for x, value in pairs)
