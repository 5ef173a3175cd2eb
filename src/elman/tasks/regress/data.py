"""Sequences with values as a network reads them: scaled by what the training part is like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elman.data.batching import padded
from elman.data.tables.content import BadRows
from elman.data.trajectories.roles import Columns
from elman.data.trajectories.trajectories import Trajectories, Trajectory, target_names
from elman.errors import UserError
from elman.options import make
from elman.tasks.regress.options import RegressOptions

Values = NDArray[np.float64]
Floats = NDArray[np.float32]
STILL = 1e-12  # of the largest value: a deviation below counts as none


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of each of K columns; a column that never changes has 1."""

    mean: Values  # [K]
    deviation: Values

    @classmethod
    def of(cls, rows: Values) -> Scale:
        """That of rows [N, K]."""
        if not rows.size:
            return cls(np.zeros(rows.shape[1]), np.ones(rows.shape[1]))
        mean, deviation = rows.mean(0), rows.std(0)
        still = deviation <= STILL * np.abs(rows).max(0)
        return cls(mean, np.where(still, 1.0, deviation))

    def scaled(self, values: Values) -> Floats:
        return ((values - self.mean) / self.deviation).astype(np.float32)

    def back(self, scaled: NDArray[Any]) -> Values:
        """In the data's units."""
        values: Values = scaled.astype(np.float64) * self.deviation + self.mean
        return values


class Encoded(NamedTuple):
    """One sequence: inputs and values scaled; what is known at its start in the data's units."""

    x: Floats  # [T, I]
    y: Floats  # [T, O], or [O]; empty where it is not known
    state: Floats  # [S]
    static: Floats  # [K]


@dataclass(frozen=True)
class Encoder:
    """From a trajectory to what the network reads, and back."""

    x: Scale
    y: Scale
    state: Scale
    static: Scale
    every_step: bool

    @classmethod
    def of(cls, items: Sequence[Trajectory], *, every_step: bool) -> Encoder:
        """One that fits these sequences, those for training."""
        ys = [item.y if every_step else item.y[None] for item in items]
        return cls(
            Scale.of(np.concatenate([item.x for item in items])),
            Scale.of(np.concatenate(ys)),
            Scale.of(np.stack([item.state for item in items])),
            Scale.of(np.stack([item.static for item in items])),
            every_step,
        )

    def encode(self, item: Trajectory, *, targets: bool = True) -> Encoded:
        """ValueError: another number of inputs, targets or states than the model has."""
        for what in ("x", "y", "state", "static") if targets else ("x", "state", "static"):
            own, known = getattr(item, what).shape[-1], len(getattr(self, what).mean)
            if own != known:
                told = {"x": "inputs", "y": "targets", "state": "states"}.get(what, "static values")
                raise ValueError(f"{own} {told}, where the model has {known}")
        return Encoded(
            self.x.scaled(item.x),
            self.y.scaled(item.y) if targets else np.zeros(0, np.float32),
            item.state.astype(np.float32),
            item.static.astype(np.float32),
        )

    def to_json(self) -> dict[str, Any]:
        scales = {name: getattr(self, name) for name in ("x", "y", "state", "static")}
        plain = {
            name: {"mean": scale.mean.tolist(), "deviation": scale.deviation.tolist()}
            for name, scale in scales.items()
        }
        return {**plain, "every_step": self.every_step}


def encoder_from_json(data: Mapping[str, Any]) -> Encoder:
    """The encoder that gave this `to_json`. UserError where it is damaged."""
    try:
        scales = []
        for name in ("x", "y", "state", "static"):
            mean = np.array(data[name]["mean"], dtype=np.float64)
            deviation = np.array(data[name]["deviation"], dtype=np.float64)
            fits = mean.ndim == 1 and mean.shape == deviation.shape
            if not fits or not np.isfinite([*mean, *deviation]).all() or (deviation <= 0).any():
                raise ValueError(f"{name} is scaled by no numbers that fit")
            scales.append(Scale(mean, deviation))
        return Encoder(scales[0], scales[1], scales[2], scales[3], bool(data["every_step"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"preprocessing.json: damaged ({error})") from None


@dataclass(frozen=True)
class Measured:
    """A data set: training and validation part, each encoded, and how that was done."""

    name: str
    train: Trajectories
    check: Trajectories
    inputs: list[Encoded]  # of training, then those of validation
    encoder: Encoder
    bad: BadRows

    @property
    def columns(self) -> Columns:
        """What the columns of the data are for."""
        return self.train.columns

    @property
    def trained(self) -> int:
        """How many of the inputs are for training; the others are for validation."""
        return len(self.train)

    @property
    def held(self) -> list[Encoded]:
        """The inputs for validation."""
        return self.inputs[self.trained :]

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.array([len(item.x) for item in self.inputs], dtype=np.int64)

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of what is told."""
        return target_names(self.columns, len(self.encoder.y.mean))

    def preprocessing(self) -> dict[str, Any]:
        # As JSON gives it back: lists, no tuples.
        columns = asdict(self.columns)
        return {
            "columns": {k: list(v) if isinstance(v, tuple) else v for k, v in columns.items()},
            "reading": self.train.reading.to_json(),
            "encoder": self.encoder.to_json(),
            "sha256": [self.train.digest(), self.check.digest()],
        }


def measured(
    name: str, train: Trajectories, check: Trajectories, encoder: Encoder, bad: BadRows
) -> Measured:
    """A data set with all its sequences encoded. UserError: one that does not fit the encoder."""
    inputs = []
    for item in (*train.items, *check.items):
        try:
            inputs.append(encoder.encode(item))
        except ValueError as error:
            raise UserError(f"{item.where}: {error}") from None
    return Measured(name, train, check, inputs, encoder, bad)


def columns_from_json(data: Any) -> Columns:
    """The columns that a trained model reads. UserError where they are damaged."""
    if not isinstance(data, dict):
        raise UserError("preprocessing.json: damaged (no columns in it)")
    where = "preprocessing.json"
    columns = make(Columns, {k: v for k, v in data.items() if v is not None}, where=where)
    for name in ("sequence_column", "input_columns", "target"):  # never guessed from other data
        if getattr(columns, name) is None:
            raise UserError(f"{where}: damaged (no {name} in it)")
    return columns


class Batch(NamedTuple):
    """Padded sequences, and which error is made small."""

    x: Tensor  # [B, T, I]
    lengths: Tensor  # [B]
    known: Tensor  # [B, S], at the start
    y: Tensor  # [B, T, O] or [B, O]
    loss: str

    def with_past(self) -> Tensor:
        """The inputs beside the true targets of the step before, [B, T, I + O]; before the first
        step stands their mean, 0."""
        past = torch.zeros_like(self.y)
        past[:, 1:] = self.y[:, :-1]
        return torch.cat([self.x, past], -1)


def batch_of(items: Sequence[Encoded], options: RegressOptions) -> Batch:
    """These sequences side by side; `known` is the static part where the start is encoded."""
    x, lengths = padded([item.x for item in items])
    encoded = options.initial_state == "encoded"
    known = np.stack([item.static if encoded else item.state for item in items])
    if items[0].y.ndim == 2:
        y, _ = padded([item.y for item in items])
    else:
        y = torch.from_numpy(np.stack([item.y for item in items]))
    return Batch(x, lengths, torch.from_numpy(known), y, options.loss)
