"""The task `forecast`: read the past of series, forecast what comes next."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.data.doctor import Page
from elman.data.tables.content import BadRows
from elman.data.tables.writer import Writer
from elman.data.time_series.series import Collection, places_to
from elman.errors import UserError
from elman.tasks.forecast import esrnn, naive, pictures, reading
from elman.tasks.forecast import model as networks
from elman.tasks.forecast import plan as plans
from elman.tasks.forecast import rivals as simple
from elman.tasks.forecast.choice import choose, told
from elman.tasks.forecast.conformal import levels
from elman.tasks.forecast.members import each_of, make
from elman.tasks.forecast.mixture import calibrate
from elman.tasks.forecast.mixture import forecasts as forecasts
from elman.tasks.forecast.mixture import widths_of as widths_of
from elman.tasks.forecast.model import Network
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.panel import Batch, Panel
from elman.tasks.forecast.scores import by_step, coverage, mape_by_step, point, scores_of
from elman.tasks.forecast.trial import Allowance, Way
from elman.tasks.pace import expectation
from elman.tasks.rivals import Rival
from elman.tasks.task import Budget, Carry, Epoch, Plan, Task, Validation
from elman.wording import counted

TRIED = 0.25  # share of the time in which ways to forecast are tried
ENOUGH = 600  # updates
UNUSED = 3  # passes of a network that has no share in the forecast


@dataclass(frozen=True)
class Batches:
    """The training batches of one epoch: windows in random order."""

    dataset: Panel
    order: NDArray[np.int64]
    batch_size: int

    def __len__(self) -> int:
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, k: int) -> Batch:
        if not 0 <= k < len(self):
            raise IndexError(k)
        chosen = self.order[k * self.batch_size : (k + 1) * self.batch_size]
        return self.dataset.batch(self.dataset.train[chosen])


@final
class Forecast(Task[ForecastOptions, Panel, Batch]):
    """The validation part is the last in time; forecasts of it start wherever they fit.

    A test part, where one is named, follows it; the final scores of a run are of that part.
    """

    name = "forecast"
    built_in = ("name:sunspots",)
    calibration = "bands."

    def read(self, data: Sequence[str], options: ForecastOptions, validation: float) -> Panel:
        return reading.read(data, options, validation)

    def unseen(self, data: Sequence[str], preprocessing: Mapping[str, Any], bad: BadRows) -> Panel:
        return reading.unseen(data, preprocessing, bad, ahead=False)

    def held_out(self, dataset: Panel) -> Panel | None:
        return None if dataset.test is None else replace(dataset, check=dataset.test)

    def preprocessing(self, dataset: Panel) -> dict[str, Any]:
        return dataset.preprocessing()

    def examine(self, dataset: Panel) -> Page:
        return page(dataset)

    def plan(
        self, dataset: Panel, options: ForecastOptions, budget: Budget
    ) -> Plan[ForecastOptions]:
        began = time.perf_counter()
        ways = plans.ways(dataset, options, budget.batch_size, budget.learning_rate)
        beside = options.beside or simple.chosen(dataset)
        chosen = choose(
            dataset, ways, options.share, beside, allowance(dataset, ways[0], budget), budget.device
        )
        way = chosen.way
        settled = replace(way.options, beside=beside, share=chosen.share)
        there = reading.otherwise(dataset, settled)
        count = min(len(there.train), settled.windows or len(there.train))
        if settled.smoothing:
            count = len(self.epoch(there, settled, 1, 0, 0))
        passes = plans.passes(count, way.batch_size, settled) if settled.share else UNUSED
        past = len(there.collection.options.past_columns)
        model = make(settled, there.settings, widths_of(there.fitted, past))
        epoch = self.epoch(there, settled, way.batch_size, 0, 0)
        if budget.seconds is not None:
            budget = replace(budget, seconds=budget.seconds - (time.perf_counter() - began))
        expected = expectation(self, model, epoch, budget, passes)
        why = f"{plans.shown(way)}, {counted(count, 'window')}: {expected}; {told(chosen, there)}"
        return Plan(settled, way.batch_size, way.learning_rate, why, passes, there)

    def build(self, preprocessing: Mapping[str, Any], options: ForecastOptions) -> Network:
        for name in ("hidden_size", "dropout", "weight_drop", "identity"):
            if getattr(options, name) is None:
                raise UserError(f"options.toml: damaged (no {name} in it)")
        how, settings, fitted = reading.settled(preprocessing)
        return make(options, settings, widths_of(fitted, len(how.options.past_columns)))

    def epoch(
        self, dataset: Panel, options: ForecastOptions, batch_size: int, seed: int, epoch: int
    ) -> Epoch[Batch]:
        random = np.random.default_rng((seed, epoch))
        if options.smoothing:
            return Batches(
                dataset, esrnn.drawn(dataset.train, dataset.settings.look_back, random), batch_size
            )
        order = random.permutation(len(dataset.train))
        return Batches(dataset, order[: options.windows], batch_size)

    def loss(
        self, model: nn.Module, batch: Batch, carry: Carry, device: str
    ) -> tuple[Tensor, int, Carry]:
        assert isinstance(model, Network)
        there = Batch(*(part.to(device) for part in batch))
        each = each_of(model)
        found = [networks.loss(one, there, *one.answers(there)) for one in each]
        return torch.stack([total for total, _ in found]).mean(), found[0][1], None

    def validate(
        self, model: nn.Module, dataset: Panel, options: ForecastOptions, device: str
    ) -> Validation:
        windows = dataset.check
        made, loss = forecasts(model, dataset, windows, device)
        scores = scores_of(dataset, windows, made, options.quantiles)
        if isinstance(model, Network) and model.bands is not None and model.bands.calibrated:
            scores |= coverage(dataset, windows, made, options.quantiles)
        counted_by = simple.tally(dataset, windows, point(made, options.quantiles))
        return Validation(loss, scores, tally=counted_by)

    def rivals(self, dataset: Panel, options: ForecastOptions, training: Panel) -> list[Rival]:
        return simple.rivals(dataset, options.quantiles, training)

    def losses_apart(self, options: ForecastOptions) -> str:
        if options.steps_ahead == "direct":
            return ""
        return "in training the network reads true values, in validation its own"

    def sample(
        self, model: nn.Module, dataset: Panel, options: ForecastOptions, length: int, seed: int,
        device: str,
    ) -> str:  # fmt: skip
        return ""

    def remarks(
        self, model: nn.Module, dataset: Panel, options: ForecastOptions, device: str, sample: str,
        folder: Path,
    ) -> list[str]:  # fmt: skip
        scored = self.held_out(dataset) or dataset
        windows = scored.check
        if not len(windows):
            return []
        made, _ = forecasts(model, scored, windows, device)
        middle = point(made, options.quantiles)
        errors = {"network": by_step(scored, windows, middle)}
        for name, one in naive.suited(scored).items():
            errors[name.replace("-", " ")] = by_step(scored, windows, one.make(scored, windows))
        part = "test" if scored is not dataset else "validation"
        lines = [
            f"Forecasts from {counted(len(windows), 'origin')} in the {part} part. MASE by steps "
            "ahead:", "",
            *pictures.step_table(errors, mape_by_step(scored, windows, middle)), "",
        ]  # fmt: skip
        if pictures.draw(scored, windows, made, options.quantiles, errors, folder):
            lines += ["![forecasts, and error by steps ahead](forecast.png)", ""]
        held = coverage(scored, windows, made, options.quantiles)
        for score, inside in held.items():
            wanted, count = score.removeprefix("coverage_"), windows.shape[0] * made.shape[1]
            lines.append(
                f"- The {wanted} % interval held {inside:.1%} of {counted(count, 'value')}, of "
                f"{counted(len(np.unique(windows[:, 0])), 'series')}; {calibrated_by(dataset)}."
            )
        if pictures.draw_intervals(scored, windows, made, options.quantiles, folder):
            lines += ["", "![how much the intervals held](intervals.png)", ""]
        return lines

    def calibrate(
        self, model: nn.Module, dataset: Panel, options: ForecastOptions, device: str
    ) -> None:
        calibrate(model, dataset, device)

    def predict(
        self, model: nn.Module, preprocessing: Mapping[str, Any], options: ForecastOptions,
        device: str, data: Sequence[str], out: TextIO, bad: BadRows,
    ) -> None:  # fmt: skip
        there = reading.unseen(data, preprocessing, bad, ahead=True)
        made, _ = forecasts(model, there, there.check, device)
        rows = answers(there.collection, made, options.quantiles)
        writer = Writer(out, there.collection.form, tuple(rows[0]), header=True)
        for row in rows:
            writer.write(row)


TASK = Forecast()


def allowance(dataset: Panel, first: Way, budget: Budget) -> Allowance:
    """How long the ways may be tried: a quarter of the time, or, of a run in epochs, about as many
    updates as it has, or a quarter of them where they are many."""
    if budget.epochs is None:
        assert budget.seconds is not None
        return Allowance(TRIED * budget.seconds, None)
    count = min(len(dataset.train), first.options.windows or len(dataset.train))
    steps = budget.epochs * -(-count // first.batch_size)
    return Allowance(None, min(steps, max(ENOUGH, int(TRIED * steps))))


def answers(
    found: Collection, made: NDArray[np.float64], quantiles: Sequence[float]
) -> list[dict[str, Any]]:
    """A row for each forecast [S, H, Q] of what follows these series: id, time, forecast, and its
    quantiles, as columns q0.1, …, or the ends of an interval of 80 %."""
    rows = []
    for one, steps in zip(found.series, made, strict=True):
        ids = dict(zip(found.id_columns, one.ids, strict=True))
        places = places_to(one, found.grid, len(one) + len(steps))[len(one) :]
        for place, values in zip(places.tolist(), steps, strict=True):
            row: dict[str, Any] = {
                **ids, **found.time_cells(place),
                "forecast": _rounded(float(point(values[None, None], quantiles)[0, 0])),
            }  # fmt: skip
            told = (_rounded(float(value)) for value in values)
            names = [f"q{q:g}" for q in levels(quantiles)]
            if len(values) > 1:
                row |= dict(zip(names, told, strict=True))
            if not quantiles:
                row.pop("q0.5", None)  # that is the forecast
            rows.append(row)
    return rows


def calibrated_by(dataset: Panel) -> str:
    """What the intervals are calibrated by, in words."""
    if not len(dataset.check):
        return "calibrated by what was trained on: it may be too narrow"
    if dataset.test is None:
        return "the intervals of each half of this part are calibrated by the other half"
    return "calibrated by the validation part"


def page(dataset: Panel) -> Page:
    """What the data doctor says of series."""
    found, how = dataset.collection, dataset.settings
    warnings, facts = [*found.warnings], [*found.facts]
    if dataset.bad.count:
        first = "; ".join(dataset.bad.first[:3])
        warnings.append(
            f"{counted(dataset.bad.count, 'row or series', 'rows or series')} left out, such as "
            f"{first}"
        )
    series = found.series
    values = sum(len(one) for one in series)
    if found.filled:
        (warnings if found.filled > 0.05 * values else facts).append(found.gaps)
    still = [one.name for one in series if not np.ptp(one.y)]
    if still:
        warnings.append(f"series that never change: {_some(still)}")
    contents: dict[bytes, str] = {}
    twins = [o.name for o in series if contents.setdefault(o.y.tobytes(), o.name) != o.name]
    if twins:
        warnings.append(f"series that repeat others: {_some(twins)}")
    lengths = sorted(len(one) for one in series)
    if lengths[0] < lengths[-1]:
        middle = lengths[len(lengths) // 2]
        facts.append(f"lengths: {lengths[0]:,} to {lengths[-1]:,}, half up to {middle:,}")
    low = min(float(one.y.min()) for one in series)
    if low == 0:
        facts.append("some values are 0: MAPE leaves them out")
    if dataset.scales.spread.max() > 100 * dataset.scales.spread.min():
        facts.append("some series vary over 100 times as much as others: MAE and RMSE see those")
    if found.options.future_columns:
        reach = min(len(one.places) - len(one) for one in series)
        names = ", ".join(found.options.future_columns)
        facts.append(f"{names}: known for {counted(reach, 'step')} after the last value")
    if found.grid is not None:
        first, last = series[0].places[0], series[0].places[len(series[0]) - 1]
        span = f"{found.grid.text(int(first))} to {found.grid.text(int(last))}"
        facts.append(f'"{series[0].name}" goes from {span}')
    facts.append(
        f"season {how.season}, horizon {how.horizon}"
        + (f"; read of the times: {', '.join(how.calendar)}" if how.calendar else "")
    )
    test = "" if dataset.test is None else f", {len(dataset.test):,} for testing"
    headline = (
        f"{dataset.name}: {len(series):,} series, {counted(values, 'value')}; "
        f"{counted(len(dataset.train), 'window')} for training, {len(dataset.check):,} for "
        f"validation{test}"
    )
    return Page(headline, tuple(warnings), tuple(facts))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")


def _rounded(value: float) -> float:
    """Seven digits, as many as a network has."""
    return float(f"{value:.7g}")
