"""Series as a network reads them: windows, scales, what is known ahead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elman.data.tables.content import BadRows
from elman.data.time_series.series import Collection
from elman.errors import UserError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Settings:
    """What a model must know of how its data was read; numbers that were guessed are settled."""

    horizon: int
    look_back: int
    season: int
    calendar: tuple[str, ...]
    log: bool
    scaling: Literal["series", "window", "last"]
    seasonal: bool
    stride: int | None = None

    @property
    def reads(self) -> int:
        """How many values a forecast needs before it."""
        return self.look_back + (self.season if self.seasonal else 0)

    @property
    def needs(self) -> str:
        """What a window is made of, for messages."""
        season = f", season {self.season}" if self.seasonal else ""
        return f"look-back {self.look_back}{season} and horizon {self.horizon}"

    def transformed(self, y: Floats) -> tuple[Floats, Floats]:
        """Values or their logarithms, z, and what the network reads: z, or with `seasonal` its
        difference from the season before, NaN in the first season."""
        z = np.log(y) if self.log else y
        if not self.seasonal:
            return z, z
        before = np.concatenate([np.full(min(self.season, len(z)), np.nan), z[: -self.season]])
        return z, z - before


@dataclass(frozen=True)
class Scale:
    """Mean and deviation of each column, to be taken away and divided by."""

    mean: Floats  # [C]
    spread: Floats  # [C]

    @classmethod
    def of(cls, rows: Floats) -> Scale:
        if not len(rows):
            return cls(np.zeros(rows.shape[1]), np.ones(rows.shape[1]))
        spread = rows.std(0)
        return cls(rows.mean(0), np.where(spread > 1e-9, spread, 1.0))

    def __call__(self, rows: Floats) -> NDArray[np.float32]:
        if rows.shape[-1] != len(self.mean):  # of a stranger's file
            raise UserError(f"preprocessing.json: damaged (scales for {len(self.mean)} columns)")
        return ((rows - self.mean) / self.spread).astype(np.float32)

    def to_json(self) -> list[list[float]]:
        return [self.mean.tolist(), self.spread.tolist()]


@dataclass(frozen=True)
class Fitted:
    """What was taken from the training part, and is kept with a model."""

    names: tuple[str, ...]  # of the series, in order
    values: Scale  # one column a series; in logarithms where they are taken
    known: Scale
    past: Scale
    static: Scale  # of those that are numbers
    words: tuple[tuple[str, ...], ...]  # of each static column what it may say; () for a number

    def to_json(self) -> dict[str, Any]:
        scales = {name: getattr(self, name).to_json() for name in SCALES}
        return {"names": list(self.names), "words": [list(w) for w in self.words], **scales}


SCALES = ("values", "known", "past", "static")


def fitted_from_json(data: Mapping[str, Any]) -> Fitted:
    """What gave this `to_json`. UserError where it is damaged."""
    try:
        scales = {}
        for name in SCALES:
            mean, spread = (np.array(part, dtype=np.float64) for part in data[name])
            if mean.ndim != 1 or mean.shape != spread.shape or not (spread > 0).all():
                raise ValueError(f"{name} does not fit")
            scales[name] = Scale(mean, spread)
        names = tuple(str(name) for name in data["names"])
        if len(names) != len(scales["values"].mean):
            raise ValueError("values does not fit")
        words = tuple(tuple(str(w) for w in column) for column in data["words"])
        return Fitted(names, scales["values"], scales["known"], scales["past"],
                      scales["static"], words)  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"preprocessing.json: damaged ({error})") from None


class Inputs(NamedTuple):
    """What a network reads: B windows of L values, and H steps ahead."""

    values: Tensor  # [B, L, 1 + P], scaled: the value, and past covariates
    known: Tensor  # [B, L + H, F]: the calendar and what else is known ahead
    static: Tensor  # [B, K]
    which: Tensor  # [B]: the number of the series, -1 of one that was not trained on


class Batch(NamedTuple):
    """Windows with what follows them. A value is base + level + spread * its scaled one."""

    values: Tensor
    known: Tensor
    static: Tensor
    which: Tensor
    target: Tensor  # [B, H], scaled
    base: Tensor  # [B, L + H]: the season before, or 0; float64, as the values are
    level: Tensor  # [B], float64
    spread: Tensor  # [B], float64

    @property
    def inputs(self) -> Inputs:
        return Inputs(self.values, self.known, self.static, self.which)


@dataclass(frozen=True)
class Panel:
    """A data set. All series lie in flat arrays, each followed by H rows for the future."""

    name: str
    collection: Collection
    settings: Settings
    fitted: Fitted
    raw: Floats  # values as they were given; NaN after the last one of a series
    z: Floats  # the same, or their logarithms
    y: Floats  # what is read of them: `Settings.transformed`
    starts: Ints  # [S], where each series begins
    lengths: Ints  # [S]
    known: NDArray[np.float32]
    past: NDArray[np.float32]
    static: NDArray[np.float32]  # [S, K]
    which: Ints  # [S]
    scales: Scale  # of these series, which may be others than the fitted ones
    train: Ints  # [W, 2]: series, and index of the first value to forecast
    check: Ints  # the same, of the part that is scored
    test: Ints | None = None  # of a part kept from every choice
    bad: BadRows = field(default_factory=lambda: BadRows(False))
    ends: tuple[int, ...] = ()  # of each series, where a test part begins
    share: float = 0.0  # of each series that is kept for validation
    # Simple forecasts, which are asked for again and again.
    memo: dict[bytes, Any] = field(default_factory=dict, repr=False, compare=False)

    def preprocessing(self) -> dict[str, Any]:
        return {
            "reading": self.collection.reading.to_json(),
            "settings": plain(asdict(self.settings)),
            "fitted": self.fitted.to_json(),
            "sha256": self.collection.digest(),
        }

    def batch(self, windows: Ints) -> Batch:
        """The windows with these series and origins."""
        how = self.settings
        number, origin = windows[:, 0], windows[:, 1]
        rows = (self.starts[number] + origin)[:, None]
        before, ahead = rows + np.arange(-how.look_back, 0), rows + np.arange(how.horizon)
        past, base = self.y[before], np.zeros((len(windows), how.look_back + how.horizon))
        if how.seasonal:
            base[:, : how.look_back] = self.z[before - how.season]
            # Ahead of the present the last season known is repeated.
            repeated = np.arange(how.horizon) % how.season - how.season
            base[:, how.look_back :] = self.z[rows + repeated]
        spread = self.scales.spread[number]
        if how.scaling == "series":
            level = self.scales.mean[number]
        elif how.scaling == "last":
            level = past[:, -1]
        else:
            level = past.mean(1)
            # A window that hardly moves would be blown up to the size of the others.
            spread = np.maximum(past.std(1), 0.01 * spread)
        x = (past - level[:, None]) / spread[:, None]
        target = (self.z[ahead] - base[:, how.look_back :] - level[:, None]) / spread[:, None]
        values = np.concatenate([x[..., None].astype(np.float32), self.past[before]], -1)
        parts = (values, self.known[np.concatenate([before, ahead], 1)], self.static[number],
                 self.which[number], target.astype(np.float32), base, level, spread)  # fmt: skip
        return Batch(*map(torch.from_numpy, parts))

    def values(self, windows: Ints) -> Floats:
        """What came after each origin, as it was given, [N, H]."""
        rows = (self.starts[windows[:, 0]] + windows[:, 1])[:, None]
        found: Floats = self.raw[rows + np.arange(self.settings.horizon)]
        return found

    def history(self, number: int, origin: int) -> Floats:
        """The values of a series before an origin, as they were given."""
        start = self.starts[number]
        return self.raw[start : start + origin]

    def unscaled(self, forecast: Floats, batch: Batch) -> Floats:
        """Scaled forecasts [B, H, Q] in the units of the data."""
        level, spread = batch.level.numpy()[:, None, None], batch.spread.numpy()[:, None, None]
        base = batch.base.numpy()[:, self.settings.look_back :, None]
        values: Floats = base + level + spread * forecast
        return np.exp(values) if self.settings.log else values

    def scaled(self, values: Floats, windows: Ints, batch: Batch) -> Floats:
        """Values [B, H] in the units of the data as a network forecasts them. Where logarithms are
        read, those that are not above 0 count as a hundredth of the last value."""
        if self.settings.log:
            last = self.raw[self.starts[windows[:, 0]] + windows[:, 1] - 1]
            values = np.log(np.maximum(values, 0.01 * last[:, None]))
        rest = values - batch.base.numpy()[:, self.settings.look_back :]
        found: Floats = (rest - batch.level.numpy()[:, None]) / batch.spread.numpy()[:, None]
        return found


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON would give it back."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items() if v is not None}
