"""Sequences with values as a network reads them: scaled by what the training part is like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.data.tables.content import BadRows
from elman.data.trajectories.roles import Columns
from elman.data.trajectories.trajectories import Trajectories, Trajectory, target_names
from elman.errors import UserError
from elman.tasks.regress.linear import answer
from elman.tasks.regress.linear.answer import Learnt, Linear
from elman.tasks.regress.linear.recursion import Sequences

Values = NDArray[np.float64]
Floats = NDArray[np.float32]
STILL = 1e-12  # of the largest value: a deviation below counts as none
NOTHING: Floats = np.zeros((0, 0), np.float32)


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
    linear: Floats = NOTHING  # [L, T, O] or [L, O], scaled: what each of L linear answers tells
    fold: int = -1  # whose networks have not seen it, where there are folds


@dataclass(frozen=True)
class Encoder:
    """From a trajectory to what the network reads, and back.

    `linear` are answers that the network goes on from, one for each fold, each scale of `left`
    that of what it leaves over. `knows` is what else a linear answer may read: "state" or "static",
    what is known of a sequence at its start, or nothing.
    """

    x: Scale
    y: Scale
    state: Scale
    static: Scale
    every_step: bool
    knows: str = ""
    linear: tuple[Linear, ...] = ()
    left: Values = field(default_factory=lambda: np.zeros((0, 0)))  # [L, O]

    @classmethod
    def of(cls, items: Sequence[Trajectory], *, every_step: bool, knows: str = "") -> Encoder:
        """One that fits these sequences, those for training."""
        ys = [item.y if every_step else item.y[None] for item in items]
        return cls(
            Scale.of(np.concatenate([item.x for item in items])),
            Scale.of(np.concatenate(ys)),
            Scale.of(np.stack([item.state for item in items])),
            Scale.of(np.stack([item.static for item in items])),
            every_step,
            knows,
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

    def with_linear(self, items: Sequence[Encoded]) -> list[Encoded]:
        """The same sequences with what the linear answers tell of each."""
        if not self.linear or not items:
            return list(items)
        data = self.sequences(items, targets=False)
        each = [answer.told(one, data) for one in self.linear]
        told = [np.array(parts, dtype=np.float32) for parts in zip(*each, strict=True)]
        return [item._replace(linear=own) for item, own in zip(items, told, strict=True)]

    def sequences(self, items: Sequence[Encoded], *, targets: bool = True) -> Sequences:
        """As linear answers read them."""
        known = np.zeros((len(items), 0))
        if self.knows and items:
            scale: Scale = getattr(self, self.knows)
            known = np.stack([getattr(item, self.knows) for item in items]).astype(np.float64)
            known = (known - scale.mean) / scale.deviation
        y = [item.y.astype(np.float64) for item in items] if targets else []
        return Sequences([item.x.astype(np.float64) for item in items], y, known)

    def to_json(self) -> dict[str, Any]:
        scales = {name: getattr(self, name) for name in ("x", "y", "state", "static")}
        plain = {
            name: {"mean": scale.mean.tolist(), "deviation": scale.deviation.tolist()}
            for name, scale in scales.items()
        }
        return {
            **plain,
            "every_step": self.every_step,
            "knows": self.knows,
            "linear": [one.to_json() for one in self.linear],
            "left": self.left.tolist(),
        }


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
        knows, known = str(data["knows"]), {"state": scales[2], "static": scales[3]}
        if knows and knows not in known:
            raise ValueError(f"it knows {knows[:40]!r}")
        width = len(known[knows].mean) if knows else 0
        answers = tuple(answer.from_json(one) for one in data["linear"])
        for one in answers:
            answer.check(one, len(scales[0].mean), len(scales[1].mean), width)
        left = np.array(data["left"], dtype=np.float64).reshape(-1, len(scales[1].mean))
        if len(left) != len(answers) or not np.isfinite(left).all() or (left <= 0).any():
            raise ValueError("what linear answers leave over is not scaled")
        return Encoder(
            scales[0], scales[1], scales[2], scales[3], bool(data["every_step"]), knows, answers,
            left,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, IndexError) as error:
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
    folds: int = 0  # where all sequences are for both, each told by networks that have not seen it
    learnt: tuple[Learnt, ...] = ()  # linear answers to the training part, or to each fold's

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
