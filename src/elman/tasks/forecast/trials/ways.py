"""The ways to forecast that are tried, each settled: sizes by the data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from elman.errors import UserError
from elman.tasks.forecast.data import Panel
from elman.tasks.forecast.networks import seasons
from elman.tasks.forecast.options import COUNTED, ForecastOptions
from elman.tasks.forecast.trials.trial import Way
from elman.tasks.settling import settle

MANY_SERIES = 20  # from which on smoothing and network are trained as one
MANY = 2000  # windows from which on one network is enough


def ways(
    panel: Panel, options: ForecastOptions, batch_size: int | None, learning_rate: float | None
) -> list[Way]:
    """The ways to forecast that what the user left open allows, the likeliest first, settled."""
    found: list[Way] = []
    for told, changes in _changes(panel, options):
        try:
            own = settled(panel, replace(options, **changes))
        except UserError:
            if not found:  # of what the user asked for
                raise
            continue
        rate = learning_rate or (3e-3 if own.smoothing else 2e-3)
        if own not in [way.options for way in found]:
            found.append(Way(told, own, batch_size or _batch_size(panel, own), rate))
    return found


def _changes(panel: Panel, options: ForecastOptions) -> list[tuple[str, dict[str, Any]]]:
    """What each way sets of that which was left open."""
    how, season, H = panel.settings, panel.settings.season, panel.settings.horizon
    room = min(_training(panel)) - H
    counts = options.distribution in COUNTED
    log = options.log is None and not counts and _grows(panel)
    seasonal = season > 1 and options.seasonal is None and not counts and room > 5 * season
    open_segment = (
        options.segment is None
        and options.steps_ahead == "direct"
        and not any(options.bidirectional)
    )
    plain: dict[str, Any] = {"look_back": how.look_back}
    logs = {"log": True} if log else {}
    listed: list[tuple[str, dict[str, Any]]] = []
    smoothed = options.smoothing or seasons.usual(season, room)
    reads = options.look_back or seasons.window(smoothed, H, room)
    smooths = {"smoothing": smoothed, "look_back": reads, "seasonal": False, "segment": 0}
    smooth_way = ("exponential smoothing", logs | smooths)
    if options.smoothing:
        return [smooth_way]
    plain["smoothing"] = ()
    may_smooth = (
        options.smoothing is None and open_segment and not options.seasonal
        and options.loss != "smape"
    )  # fmt: skip
    many = len(panel.lengths) >= MANY_SERIES
    if may_smooth and many:
        listed.append(smooth_way)
    if log:
        listed.append(("logarithms", plain | logs))
    listed.append(("values", plain))
    if seasonal:
        series = {"seasonal": True} | ({"scaling": "series"} if options.scaling is None else {})
        listed.append(("differences from the season before", plain | logs | series))
    if open_segment:
        wanted = 7 * season if season > 1 else 4 * H
        long = options.look_back or _multiple(wanted, season, room // 2)
        size = _segment(long, season, H)
        if size > 1:
            window = {"scaling": "window"} if options.scaling is None else {}
            told = f"segments of {size}"
            listed.append((told, logs | window | {"look_back": long, "segment": size}))
    if options.scaling is None:
        listed.append(("scaled by the window", plain | logs | {"scaling": "window"}))
        listed.append(("scaled by the series", plain | logs | {"scaling": "series"}))
    if options.look_back is None and 2 * how.look_back <= room // 2:
        listed.append(("a longer look-back", logs | {"look_back": 2 * how.look_back}))
    if may_smooth and not many:
        listed.append(smooth_way)
    return listed


def _multiple(wanted: int, season: int, room: int) -> int:
    """At most so many values, of whole seasons where one fits."""
    count = max(1, min(wanted, room))
    return max(1, count // season) * season if season <= count else count


def _segment(look_back: int, season: int, horizon: int) -> int:
    """How many values a step reads at once: a part of a season, about a quarter of what is ahead;
    1 where none divides the look-back."""
    fits = [n for n in range(2, min(48, season, look_back) + 1) if look_back % n == 0]
    wanted = max(2, min(season, horizon))
    return min(fits, key=lambda n: abs(n - wanted), default=1)


def _training(panel: Panel) -> list[int]:
    """How many values of each series lie in the training part."""
    ends = np.zeros(len(panel.lengths), dtype=np.int64)
    np.maximum.at(ends, panel.train[:, 0], panel.train[:, 1] + panel.settings.horizon)
    return [int(end) for end in ends if end]


def _grows(panel: Panel) -> bool:
    """Whether values are so far above 0 that logarithms can be taken of those to come, too."""
    series = [one.y for one in panel.collection.series]
    if min(float(y.min()) for y in series) <= 0:
        return False
    far = [float(y.min()) > 0.1 * float(np.median(y)) for y in series]
    return sum(far) >= 0.9 * len(far)


def settled(panel: Panel, options: ForecastOptions) -> ForecastOptions:
    """The options with sizes and all that was read of the data."""
    how = panel.settings
    several = len(panel.lengths) > 1
    segment = options.segment or 0
    hidden = options.hidden_size or ((128,) if segment else (32,) if options.smoothing else (64,))
    identity = options.identity
    if identity is None:
        identity = hidden[0] // 2 if segment and several else 0
    if segment and identity >= hidden[0]:
        raise UserError(f"--identity {identity}: needs less than --hidden-size {hidden[0]}")
    count = len(panel.train)
    return settle(
        replace(options, hidden_size=hidden, calendar=how.calendar or ("none",)),
        dropout=0.2 if options.smoothing else 0.1,
        weight_drop=0.0,
        horizon=how.horizon,
        look_back=how.look_back,
        season=how.season,
        scaling="last",
        log=False,
        seasonal=False,
        segment=0,
        smoothing=(),
        identity=identity,
        members=3 if count < MANY or options.smoothing else 1,
    )


def _batch_size(panel: Panel, options: ForecastOptions) -> int:
    count = min(len(panel.train), options.windows or len(panel.train))
    return 32 if options.smoothing else int(np.clip(count // 20, 8, 256))
