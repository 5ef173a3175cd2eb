"""Series, from data to the data set: what is guessed, and what a trained model reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from elman.data.tables.content import BadRows
from elman.data.time_series import seasons, series
from elman.data.time_series.layout import SeriesReading, reading_from_json
from elman.data.time_series.options import SeriesOptions
from elman.data.time_series.series import Collection
from elman.errors import UserError
from elman.options import make, part
from elman.tasks import naming
from elman.tasks.forecast.cutting import MOST_SCORED, cut_up, panel_of, windows_of
from elman.tasks.forecast.data import Fitted, Panel, Settings, fitted_from_json
from elman.tasks.forecast.networks.seasons import window
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.task import Kept
from elman.wording import counted

SHORTEST = 16  # values of a look-back that is guessed, where the series allows it


def read(data: Sequence[str], options: ForecastOptions, share: float) -> Panel:
    """The data set, `share` of each series, its end, kept for validation; a test part, where one is
    named, follows it. Forecasts of both start wherever they fit. UserError: see the options."""
    bad = BadRows(options.skip_bad_rows)
    found = series.read(data, part(SeriesOptions, options), bad)
    return divided(naming.shown(data), found, options, share, bad)


def divided(
    name: str, found: Collection, options: ForecastOptions, share: float, bad: BadRows
) -> Panel:
    """Series in memory as a data set, with its training, validation and test part."""
    if options.until is not None:
        ends = [series.place_of(found, one, options.until, "--until") for one in found.series]
        found = series.cut(
            found, [min(max(e, 0), len(s)) for e, s in zip(ends, found.series, strict=True)]
        )
    ends = [len(one) for one in found.series]
    if options.test_data is not None:
        more = series.read([str(options.test_data)], found.options, bad, found.reading)
        found, ends = series.joined(found, more, str(options.test_data))
    elif options.test_from is not None:
        ends = [series.place_of(found, s, options.test_from, "--test-from") for s in found.series]
        if all(end >= len(one) for end, one in zip(ends, found.series, strict=True)):
            raise UserError(f"--test-from {options.test_from}: no series goes on until there")
        ends = [min(max(e, 0), len(one)) for e, one in zip(ends, found.series, strict=True)]
    settings, told = settle(found, options, ends, share)
    found = replace(found, facts=(*found.facts, *told))
    return cut_up(name, found, options, settings, ends, share, bad)


def settle(
    found: Collection, options: ForecastOptions, ends: Sequence[int], share: float
) -> tuple[Settings, tuple[str, ...]]:
    """Season, horizon and look-back, guessed where they are not given; and what was guessed.

    `ends` is how much of each series may be looked at.
    """
    grid, told = found.grid, []
    season = options.season or (grid.season if grid is not None else None)
    if season is None:
        season = seasons.season_of([s.y[:end] for s, end in zip(found.series, ends, strict=True)])
        told.append(f"season {season}, from how the values repeat themselves")
    elif options.season is None:
        told.append(f"season {season}, from the times")
    shortest = min(ends)
    horizon = options.horizon or max(1, min(season, shortest // 10))
    if options.horizon is None:
        told.append(f"horizon {horizon}")
    kept = shortest - (max(horizon, math.ceil(share * shortest)) if share else 0)
    look_back = options.look_back
    if look_back is None:
        fits = max(1, (kept - horizon - (season if options.seasonal else 0)) // 2)
        look_back = min(max(2 * season, horizon, SHORTEST), fits)
        if options.smoothing:
            look_back = window(options.smoothing, horizon, kept - horizon)
        if options.segment:
            look_back = max(1, look_back // options.segment) * options.segment
    if options.seasonal and options.steps_ahead == "recursive" and horizon > season:
        raise UserError(
            f"--horizon {horizon}: --seasonal, one step after the other, reaches a season, {season}"
        )
    if options.segment and look_back % options.segment:
        raise UserError(
            f"--segment {options.segment}: the look-back {look_back} is no multiple of it"
        )
    if options.calendar is not None:
        cycles = tuple(c for c in options.calendar if c != "none")
        if cycles and (grid is None or not grid.dated):
            raise UserError("--calendar: the data has no dates; name their --time-column")
    else:
        cycles = grid.cycles if grid is not None else ()
    settings = Settings(
        horizon, look_back, season, cycles, bool(options.log), options.scaling or "last",
        bool(options.seasonal), options.stride,
    )  # fmt: skip
    return settings, (f"guessed: {', '.join(told)}",) if told else ()


def held_out(dataset: Panel) -> Panel | None:
    """The test part, where one is named, in place of the validation part."""
    return None if dataset.test is None else replace(dataset, check=dataset.test)


# ---- The same data, read in another way ----------------------------------------------------


def otherwise(panel: Panel, options: ForecastOptions) -> Panel:
    """The same parts of the same series, read as settled options say. UserError: as in `read`."""
    settings, _ = settle(panel.collection, options, panel.ends, panel.share)
    if settings == panel.settings:
        return panel
    return cut_up(
        panel.name, panel.collection, options, settings, panel.ends, panel.share, panel.bad
    )


def back_test(
    panel: Panel, options: ForecastOptions, share: float, most: int, upto: float = 1.0
) -> Panel:
    """The training part alone, of at most so many series, read as settled options say: the first
    `upto` of each series, of which `share`, the end, is the validation part.

    UserError: as in `read`, where too little is left.
    """
    numbers, last = np.unique(panel.train[::-1, 0], return_index=True)
    stops = panel.train[::-1][last, 1] + panel.settings.horizon  # windows are in order of time
    some = np.linspace(0, len(numbers) - 1, min(len(numbers), most)).round().astype(np.int64)
    ends = [int(upto * stops[k]) for k in some]
    found = replace(
        panel.collection, series=[panel.collection.series[int(numbers[k])] for k in some]
    )
    own = replace(options, validation_from=None, test_from=None, test_data=None, until=None)
    settings, _ = settle(found, own, ends, share)
    return cut_up(panel.name, series.cut(found, ends), own, settings, ends, share, BadRows(True))


# ---- Other data for a trained model --------------------------------------------------------


def settled(kept: Kept) -> tuple[SeriesReading, Settings, Fitted]:
    """What a model was trained with. UserError where it is damaged."""
    where = "preprocessing.json"
    try:
        tables = {name: dict(kept[name]) for name in ("reading", "settings", "fitted")}
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{where}: damaged (no reading, settings or fitted)") from None
    settings = make(Settings, tables["settings"], where=where)
    if min(settings.horizon, settings.look_back, settings.season) < 1:
        raise UserError(f"{where}: damaged (sizes below 1)")
    return reading_from_json(tables["reading"]), settings, fitted_from_json(tables["fitted"])


def unseen(data: Sequence[str], kept: Kept, bad: BadRows, *, ahead: bool = False) -> Panel:
    """Series of a file, as `resumed` gives them."""
    reading = settled(kept)[0]
    found = series.read(data, replace(reading.options, encoding=None), bad, reading)
    return resumed(naming.shown(data), found, kept, bad, ahead=ahead)


def resumed(name: str, found: Collection, kept: Kept, bad: BadRows, *, ahead: bool) -> Panel:
    """Series to be scored wherever a window fits or, with `ahead`, to be continued at their end."""
    reading, settings, fitted = settled(kept)
    grid, options = reading.grid, reading.options
    if found.grid is not None and grid is not None:
        if found.grid.kind != grid.kind:
            # A series of one or two values does not show its frequency.
            raise UserError(
                f"{name}: {found.grid.name}, where the model was trained on {grid.name}"
            )
    elif (found.grid is None) != (grid is None):
        raise UserError(f"{name}: with times or without, as the data of the training was")
    need = settings.reads + (0 if ahead else settings.horizon)
    taken = []
    for one in found.series:
        what = ""
        if len(one) < need:
            what = f"has {counted(len(one), 'value')}, where the model needs {need:,}"
        elif settings.log and (one.y <= 0).any():
            what = (
                "holds values that are not above 0, and the model reads logarithms; train one with "
                "--log=false"
            )
        elif ahead and options.future_columns and len(one.places) < len(one) + settings.horizon:
            names = ", ".join(options.future_columns)
            what = (
                f"needs {settings.horizon} rows after its last value with {names}, and has "
                f"{len(one.places) - len(one)}"
            )
        if what:
            bad.add(one.where, f'"{one.name}" {what}')
        else:
            taken.append(one)
    if not taken:
        raise bad.nothing_left(f"{name}: no series can be forecast")
    found = replace(found, series=taken)
    if ahead:
        check = np.stack([np.arange(len(taken)), [len(one) for one in taken]], 1).astype(np.int64)
    else:
        spans = [(settings.reads, len(one) - settings.horizon) for one in taken]
        count = sum(last - first + 1 for first, last in spans)
        check = windows_of(spans, settings.stride or -(-count // MOST_SCORED))
    none = np.zeros((0, 2), dtype=np.int64)
    first = None if ahead else settings.reads
    return panel_of(name, found, settings, fitted, none, check, None, bad, first)
