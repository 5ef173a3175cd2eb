"""Forecast with the model beside this file; NumPy and ONNX Runtime are all that it needs.

    echo '{"values": [1.2, 1.4, …], "series": "north"}' | python model.py --json

`values` are the newest of a series, the last one last, as many as the model reads or more; without
--json a line holds them alone, apart by blanks. Where it reads them, give `known` [N + H][F] of
each step and of those ahead, `past` [N][P] and `static` [K]. From Python:
`Forecaster(open_model()).forecast(values)` is [H, Q].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from elman.export.onnx.runners.folder import Model, open_model
from elman.export.onnx.runners.lines import answer_lines, written
from elman.export.onnx.runners.network import Array, Network
from elman.export.onnx.runners.simple import simple_forecast

CHANGED = (0.25, 4.0)  # times the usual unrest, by which intervals are wider


class Forecaster:
    """Networks whose median is mixed with a simple forecast, with calibrated intervals about it."""

    def __init__(self, model: Model) -> None:
        told = model.surroundings
        self._told, self._how, self._fitted = told, told["settings"], told["fitted"]
        self._members = [model[name] for name in told["members"]]
        self._bands: dict[str, Any] | None = told["bands"]
        if self._bands is not None and not self._bands["calibrated"]:
            self._bands = None
        self.quantiles: list[float] = told["quantiles"]
        if self._bands is not None:
            self.quantiles = self._bands["told"]
        self.horizon: int = self._how["horizon"]

    def forecast(
        self, values: Sequence[float], series: str = "", known: Any = (), past: Any = (),
        static: Sequence[str] = (),
    ) -> Array:  # fmt: skip
        """The steps ahead [H, Q], in the units of the values: `quantiles` of each, or one number.

        A `series` of another name than those trained on is a new one. ValueError: too few values.
        """
        y = np.asarray(values, np.float64)
        wanted = self._how["look_back"] + self._season
        if len(y) < wanted:
            raise ValueError(f"{len(y)} values, where the model needs {wanted}")
        z = np.log(y) if self._how["log"] else y
        read = z[self._season :] - z[: len(z) - self._season] if self._season else z
        names = self._fitted["names"]
        which = names.index(series) if series in names else len(names)
        level, spread = self._scale(read, which)
        window = (read[-self._how["look_back"] :] - level) / spread
        inputs = self._inputs(window, which, known, past, static)
        made = np.median(np.stack([self._member(one, inputs) for one in self._members]), 0)
        beside, share = None, self._told["shares"][which]
        if share < 1:
            beside = simple_forecast(self._told["beside"], y, self._how["season"], self.horizon)
            made = self._mixed(np.sort(made, 1), beside, share, y[-1], z, level, spread)
        if self._bands is not None:
            made = around(self._bands, made, which, unrest(window), bool(self._told["quantiles"]))
        told = self._base(z)[:, None] + level + spread * made.astype(np.float64)
        told = np.exp(told) if self._how["log"] else told
        middle = self.quantiles.index(0.5) if self.quantiles else 0
        if self._bands is not None:  # no lower end passes what no value lay below
            floor = np.minimum(self._bands["least"], told[:, middle, None])
            told[:, :middle] = np.maximum(told[:, :middle], floor)
        if beside is not None and share == 0:  # then it is the forecast, to the digit
            told[:, :middle] = np.minimum(told[:, :middle], beside[:, None])
            told[:, middle + 1 :] = np.maximum(told[:, middle + 1 :], beside[:, None])
            told[:, middle] = beside
        return np.sort(told, 1)

    def answer(self, question: dict[str, Any]) -> list[dict[str, float]]:
        """Of `values`, `series`, `known`, `past` and `static` each step's forecast by name."""
        names = ("values", "series", "known", "past", "static")
        made = self.forecast(**{name: question[name] for name in names if name in question})
        middle = self.quantiles.index(0.5) if self.quantiles else 0
        answers = []
        for row in made:
            cells = {"forecast": seven(row[middle])}
            cells |= {f"q{q:g}": seven(v) for q, v in zip(self.quantiles, row, strict=False)
                      if self._told["quantiles"] or q != 0.5}  # fmt: skip
            answers.append(cells)
        return answers

    @property
    def _season(self) -> int:
        """The lag whose value is taken away from each, 0 for none."""
        return int(self._how["season"]) if self._how["seasonal"] else 0

    def _base(self, z: Array) -> Array:
        """The last season, repeated ahead, [H]; zeros where it is not taken away."""
        if not self._season:
            return np.zeros(self.horizon)
        return np.asarray(z[len(z) + np.arange(self.horizon) % self._season - self._season])

    def _scale(self, read: Array, which: int) -> tuple[float, float]:
        """The level and spread of a window: the series' own, or that of the window itself."""
        means, spreads = self._fitted["values"]
        if which < len(means):
            level, spread = means[which], spreads[which]
        else:
            level, spread = read.mean(), read.std()
            spread = spread if spread > 1e-12 * max(1.0, abs(level)) else 1.0
        window = read[-self._how["look_back"] :]
        if self._how["scaling"] == "last":
            level = window[-1]
        elif self._how["scaling"] == "window":
            level, spread = window.mean(), max(window.std(), 0.01 * spread)
        return float(level), float(spread)

    def _mixed(
        self, made: Array, beside: Array, share: float, last: float, z: Array, level: float,
        spread: float,
    ) -> Array:  # fmt: skip
        """All quantiles moved alike, so that the middle goes towards the simple forecast."""
        if self._how["log"]:  # what is not above 0 counts as a hundredth of the last value
            beside = np.log(np.maximum(beside, 0.01 * last))
        scaled = (beside - self._base(z) - level) / spread
        of = self._told["quantiles"]
        apart = scaled[:, None] - made[:, [list(of).index(0.5) if of else 0]]
        return np.asarray(made + (1 - share) * apart)

    def _inputs(
        self, window: Array, which: int, known: Any, past: Any, static: Sequence[str]
    ) -> dict[str, Array]:
        """All that a network may read of one series."""
        L, H = self._how["look_back"], self.horizon
        columns = [window[:, None]]
        if len(self._fitted["past"][0]):
            columns.append(self._scaled("past", past)[-L:])
        values = np.concatenate(columns, 1)
        rows = np.zeros((L + H, 0))
        if len(self._fitted["known"][0]):
            rows = self._scaled("known", known)[-(L + H) :]
        numbers, seen = [], []
        for cell, words in zip(static, self._fitted["words"], strict=True):
            if words:
                seen += [float(cell == word) for word in words]
            else:
                numbers.append(float(cell))
        if numbers:
            numbers = self._scaled("static", [numbers])[0].tolist()
        return {
            "values": values.astype(np.float32)[None], "rows": rows.astype(np.float32)[None],
            "static": np.array([[*numbers, *seen]], np.float32), "which": np.array([which]),
        }  # fmt: skip

    def _scaled(self, what: str, values: Any) -> Array:
        mean, spread = (np.array(part) for part in self._fitted[what])
        return np.asarray((np.asarray(values, np.float64).reshape(-1, len(mean)) - mean) / spread)

    def _member(self, network: Network, inputs: dict[str, Array]) -> Array:
        """What one network forecasts, scaled, [H, Q]."""
        kind = self._told["network"]
        rows, values, L = inputs["rows"], inputs["values"], self._how["look_back"]
        if kind == "recursive":
            return self._step_by_step(network, inputs)
        given = {**inputs, "known": rows[:, :L], "ahead": rows[:, L:]}
        if kind == "segments":
            W = self._told["segment"]
            both = np.concatenate([values, given["known"]], 2)
            given["values"] = both.reshape(1, L // W, -1)
            given["ahead"] = given["ahead"].reshape(1, -1)
        outputs, _ = network.run({name: given[name] for name in network.inputs})
        return np.asarray(outputs["made"][0])

    def _step_by_step(self, network: Network, inputs: dict[str, Array]) -> Array:
        """Each step from the forecast of the one before; what is known is of the step after."""
        made, states, value = [], None, inputs["values"]
        for step in range(self.horizon):
            end = self._how["look_back"] + 1 + step
            given = {**inputs, "values": value, "known": inputs["rows"][:, 1:end]}
            given["known"] = given["known"][:, -value.shape[1] :]
            outputs, states = network.run({n: given[n] for n in network.inputs}, states)
            value = outputs["made"][:, -1:]
            made.append(value[0, 0])
        return np.stack(made)


def unrest(window: Array) -> float:
    """How much the scaled values of a window change from one to the next."""
    return float(np.abs(np.diff(np.float32(window))).mean()) if len(window) > 1 else 1.0


def around(
    bands: dict[str, Any], made: Array, which: int, restless: float, has_quantiles: bool
) -> Array:
    """Scaled forecasts [H, Q] with the ends of their intervals moved out, or put there."""
    found = made.astype(np.float64)
    if not has_quantiles:
        found = np.repeat(found, len(bands["told"]), 1)
    sizes, usual = np.array(bands["size"]), np.array(bands["unrest"])
    size, calm = (
        (sizes[which], usual[which]) if which < len(sizes) else (sizes.mean(), usual.mean())
    )
    more = np.clip(restless / max(calm, 1e-12), *CHANGED)
    size = size * (bands["sure"] * more + 1 - bands["sure"])
    moved = np.array(bands["moved"])  # [H, K, 2]
    for k, (low, high) in enumerate(bands["ends"]):
        found[:, low] -= size * moved[:, k, 0]
        found[:, high] += size * moved[:, k, 1]
    return found


def seven(value: float) -> float:
    """To seven digits, as many as a network has."""
    return float(f"{float(value):.7g}")


def main() -> None:
    forecaster = Forecaster(open_model())
    answer_lines(
        "Forecast series, one a line.", forecaster.answer,
        lambda line: {"values": [float(value) for value in line.split()]}, written,
    )  # fmt: skip


if __name__ == "__main__":
    main()
