"""What people read of a forecaster: the data doctor's page, and how its forecasts went."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import nn

from elman.data.doctor import Page
from elman.tasks.forecast import pictures
from elman.tasks.forecast.data import Panel
from elman.tasks.forecast.mixing.mixture import forecasts
from elman.tasks.forecast.networks.network import Network
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.reading import held_out
from elman.tasks.forecast.scores import by_step, coverage, mape_by_step, point
from elman.tasks.forecast.simple import naive
from elman.wording import counted, listed

LISTED = 8  # series in a line


def examine(dataset: Panel) -> Page:
    """What the data doctor says of series."""
    found, how = dataset.collection, dataset.settings
    warnings = [*found.warnings, *dataset.bad.told("row or series", "rows or series")]
    facts = [*found.facts]
    series = found.series
    values = sum(len(one) for one in series)
    if found.filled:
        (warnings if found.filled > 0.05 * values else facts).append(found.gaps)
    still = [one.name for one in series if not np.ptp(one.y)]
    if still:
        warnings.append(f"series that never change: {listed(still, LISTED)}")
    contents: dict[bytes, str] = {}
    twins = [o.name for o in series if contents.setdefault(o.y.tobytes(), o.name) != o.name]
    if twins:
        warnings.append(f"series that repeat others: {listed(twins, LISTED)}")
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


def remarks(
    model: nn.Module, dataset: Panel, options: ForecastOptions, device: str, sample: str,
    folder: Path,
) -> list[str]:  # fmt: skip
    """Errors by steps ahead, and how much the intervals held."""
    scored = held_out(dataset) or dataset
    windows = scored.check
    if not len(windows):
        return []
    made, _ = forecasts(model, scored, windows, device)
    middle = point(made, options.quantiles)
    errors = {"network": by_step(scored, windows, middle)}
    for name, one in naive.suited(scored).items():
        errors[name.replace("-", " ")] = by_step(scored, windows, one.make(scored, windows))
    lines = shared(model, tested=scored is not dataset)
    part = "test" if scored is not dataset else "validation"
    lines += [
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


def shared(model: nn.Module, *, tested: bool) -> list[str]:
    """Which share of each series' forecast is the network's, where it is not the planned one;
    `tested` whether a test part is scored."""
    if not isinstance(model, Network) or model.mixing is None or not model.mixing.differ:
        return []
    scored = "The test part is scored by these."
    if not tested:
        scored = "That part itself is scored by shares from the training part alone."
    own = np.sort(model.mixing.own[0].cpu().numpy())
    low, middle, high = (own[round(q * (len(own) - 1))] for q in (0.1, 0.5, 0.9))
    new, by = float(model.mixing.new[0]), "by the end of the training part and the validation part"
    if own[0] == own[-1]:
        return [f"The network's share in every forecast is {new:.0%}, {by}. {scored}", ""]
    return [
        f"The network has a share of its own in the forecast of each series, {by}: in the middle "
        f"{middle:.0%}, in four of five {low:.0%} to {high:.0%}; of a new series {new:.0%}. "
        f"{scored}", "",
    ]  # fmt: skip


def calibrated_by(dataset: Panel) -> str:
    """What the intervals are calibrated by, in words."""
    if not len(dataset.check):
        return "calibrated by what was trained on: it may be too narrow"
    if dataset.test is None:
        return "the intervals of each half of this part are calibrated by the other half"
    return "calibrated by the validation part"
