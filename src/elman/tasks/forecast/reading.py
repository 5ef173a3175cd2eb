"""From series to a panel: what is guessed, what lies in training, scales, windows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data.tables.content import BadRows
from elman.data.time_series import seasons, series
from elman.data.time_series.grid import Grid
from elman.data.time_series.layout import SeriesReading, reading_from_json
from elman.data.time_series.options import SeriesOptions
from elman.data.time_series.series import Collection, Series
from elman.errors import UserError
from elman.options import make, part
from elman.tasks import naming
from elman.tasks.forecast import esrnn
from elman.tasks.forecast.options import COUNTED, ForecastOptions
from elman.tasks.forecast.panel import Fitted, Panel, Scale, Settings, fitted_from_json
from elman.wording import counted

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SHORTEST = 16  # values of a look-back that is guessed, where the series allows it
MOST_SCORED = 5_000  # windows of the validation part, of which more are left out by a stride


def read(data: Sequence[str], options: ForecastOptions, share: float) -> Panel:
    """The data set, `share` of each series kept for validation. UserError: see the options."""
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
    return _cut_up(name, found, options, settings, ends, share, bad)


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
            look_back = esrnn.window(options.smoothing, horizon, kept - horizon)
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


def _cut_up(
    name: str, found: Collection, options: ForecastOptions, settings: Settings,
    ends: Sequence[int], share: float, bad: BadRows,
) -> Panel:  # fmt: skip
    """Training, validation and test part of every series; those too short are bad ones."""
    horizon, reads = settings.horizon, settings.reads
    kept, limits = [], []
    for one, end in zip(found.series, ends, strict=True):
        begin = end
        if options.validation_from is not None:
            begin = series.place_of(found, one, options.validation_from, "--validation-from")
            begin = min(max(begin, 0), end)
        elif share:
            begin = end - max(horizon, math.ceil(share * end))
        if begin < reads + horizon:
            beside = f" beside {end - begin:,} for validation" if end > begin else ""
            bad.add(
                one.where,
                f'"{one.name}" has {counted(max(begin, 0), "value")} for training{beside}; '
                f"{settings.needs} need {reads + horizon:,}: "
                "give a smaller --look-back or --horizon",
            )
            continue
        kept.append(one)
        limits.append((begin, end))
    if not kept:
        raise UserError(f"{name}: no series is long enough")
    found = replace(found, series=kept)
    if options.log:
        for one in kept:
            low = np.flatnonzero(one.y <= 0)
            if low.size:
                raise UserError(
                    f'{one.where}: --log needs values above 0; number {low[0] + 1} of "{one.name}" '
                    f"is {one.y[low[0]]:g}"
                )
    if options.distribution in COUNTED:
        _check_counts(kept, options.distribution)
    fitted = _fit(found, settings, [begin for begin, _ in limits])
    train = _windows([(reads, begin - horizon) for begin, _ in limits], 1)
    check: Ints = np.zeros((0, 2), dtype=np.int64)
    if share:
        spans = [(begin, end - horizon) for begin, end in limits]
        if not any(last >= first for first, last in spans):
            raise UserError(f"{name}: no {horizon} values for validation; give a smaller --horizon")
        count = sum(max(0, last - first + 1) for first, last in spans)
        check = _windows(spans, settings.stride or -(-count // MOST_SCORED))
    test = None
    if options.test_data is not None or options.test_from is not None:
        spans = [(end, len(s) - horizon) for (_, end), s in zip(limits, kept, strict=True)]
        test = _windows(spans, settings.stride or 1)
        if not len(test):
            raise UserError(f"{name}: no {horizon} values to test on; give a smaller --horizon")
    panel = _panel(name, found, settings, fitted, train, check, test, bad)
    return replace(panel, ends=tuple(end for _, end in limits), share=share)


# ---- The same data, read in another way ----------------------------------------------------


def otherwise(panel: Panel, options: ForecastOptions) -> Panel:
    """The same parts of the same series, read as settled options say. UserError: as in `read`."""
    settings, _ = settle(panel.collection, options, panel.ends, panel.share)
    if settings == panel.settings:
        return panel
    return _cut_up(
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
    return _cut_up(panel.name, series.cut(found, ends), own, settings, ends, share, BadRows(True))


def _check_counts(found: Sequence[Series], distribution: str) -> None:
    """UserError where values cannot be of that distribution."""
    whole = distribution == "negative-binomial"
    for one in found:
        odd = np.flatnonzero((one.y < 0) | (whole & (one.y != np.round(one.y))))
        if odd.size:
            what = "whole numbers from 0 on" if whole else "values from 0 on"
            raise UserError(
                f"{one.where}: --distribution {distribution} needs {what}; number {odd[0] + 1} of "
                f'"{one.name}" is {one.y[odd[0]]:g}'
            )


def _fit(found: Collection, settings: Settings, begins: Sequence[int]) -> Fitted:
    """Scales from the training part alone, which ends at `begins`."""
    scales = [_level(s.y[:end], settings) for s, end in zip(found.series, begins, strict=True)]
    known, past = [], []
    for one, begin in zip(found.series, begins, strict=True):
        known.append(_known(one.places[:begin], one.future[:begin], found.grid, settings))
        past.append(one.past[:begin])
    numbers, words = [], []
    for column in zip(*(one.static for one in found.series), strict=True):
        try:
            numbers.append([float(cell) for cell in column])
            words.append(())
        except ValueError:
            words.append(tuple(sorted(set(column))))
    static = np.array(numbers, dtype=np.float64).reshape(len(numbers), len(found.series)).T
    return Fitted(
        tuple(one.name for one in found.series), Scale(*np.array(scales).T.copy()),
        Scale.of(np.concatenate(known)), Scale.of(np.concatenate(past)), Scale.of(static),
        tuple(words),
    )  # fmt: skip


def _level(y: Floats, settings: Settings) -> tuple[float, float]:
    """Mean and deviation of what is read of values."""
    read = settings.transformed(y)[1]
    read = read[np.isfinite(read)]
    if not len(read):
        return 0.0, 1.0
    mean, spread = float(read.mean()), float(read.std())
    return mean, spread if spread > 1e-12 * max(1.0, abs(mean)) else 1.0


def _known(places: Ints, future: Floats, grid: Grid | None, settings: Settings) -> Floats:
    dated = np.zeros((len(places), 0))
    if grid is not None and settings.calendar:
        dated = grid.features(places, settings.calendar).astype(np.float64)
    return np.concatenate([dated, future], 1)


def _panel(
    name: str, found: Collection, settings: Settings, fitted: Fitted, train: Ints, check: Ints,
    test: Ints | None, bad: BadRows, first: int | None = None,
) -> Panel:  # fmt: skip
    """Series in flat arrays. A series that was not fitted is scaled by its `first` values."""
    numbers = {n: k for k, n in enumerate(fitted.names)}
    which = np.array([numbers.get(one.name, -1) for one in found.series], dtype=np.int64)
    H = settings.horizon
    raw: list[Floats] = []
    logs: list[Floats] = []
    read: list[Floats] = []
    scales, known, past = [], [], []
    for one, k in zip(found.series, which, strict=True):
        raw += [one.y, np.full(H, np.nan)]
        places = series.places_to(one, found.grid, len(one) + H)
        ahead = one.future[: len(one) + H]
        ahead = np.concatenate([ahead, np.full((len(places) - len(ahead), ahead.shape[1]), np.nan)])
        known.append(fitted.known(_known(places, ahead, found.grid, settings)))
        past.append(fitted.past(np.concatenate([one.past, np.zeros((H, one.past.shape[1]))])))
        of = fitted.values
        own = (of.mean[k], of.spread[k]) if k >= 0 else _level(one.y[:first], settings)
        scales.append(own)
        for parts, values in zip((logs, read), settings.transformed(one.y), strict=True):
            parts += [values, np.full(H, np.nan)]
    lengths = np.array([len(one) for one in found.series], dtype=np.int64)
    return Panel(
        name, found, settings, fitted, np.concatenate(raw), np.concatenate(logs),
        np.concatenate(read),
        np.concatenate([[0], np.cumsum(lengths + H)[:-1]]).astype(np.int64), lengths,
        np.concatenate(known), np.concatenate(past), _static(found, fitted), which,
        Scale(*np.array(scales).T.copy()), train, check, test, bad,
    )  # fmt: skip


def _static(found: Collection, fitted: Fitted) -> NDArray[np.float32]:
    """[S, K]: numbers scaled, words one-hot, zeros for a word that was never seen."""
    rows = []
    for one in found.series:
        numbers, seen = [], []
        for cell, words in zip(one.static, fitted.words, strict=True):
            if words:
                seen += [1.0 * (cell == word) for word in words]
                continue
            try:
                numbers.append(float(cell))
            except ValueError:
                raise UserError(
                    f'{one.where}: {cell[:40]!r} of "{one.name}", not a number'
                ) from None
        rows.append([*fitted.static(np.array(numbers)), *seen])
    return np.array(rows, dtype=np.float32).reshape(len(rows), -1)


def _windows(spans: Sequence[tuple[int, int]], stride: int) -> Ints:
    """Series numbers and origins, from the first to the last of each span."""
    parts = [
        np.stack([np.full(len(o), k), o], 1)
        for k, (first, last) in enumerate(spans)
        if len(o := np.arange(first, last + 1, stride))
    ]
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros((0, 2), dtype=np.int64)


# ---- Other data for a trained model --------------------------------------------------------


def settled(preprocessing: Mapping[str, Any]) -> tuple[SeriesReading, Settings, Fitted]:
    """What a model was trained with. UserError where it is damaged."""
    where = "preprocessing.json"
    try:
        tables = {name: dict(preprocessing[name]) for name in ("reading", "settings", "fitted")}
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{where}: damaged (no reading, settings or fitted)") from None
    settings = make(Settings, tables["settings"], where=where)
    if min(settings.horizon, settings.look_back, settings.season) < 1:
        raise UserError(f"{where}: damaged (sizes below 1)")
    return reading_from_json(tables["reading"]), settings, fitted_from_json(tables["fitted"])


def unseen(
    data: Sequence[str], preprocessing: Mapping[str, Any], bad: BadRows, *, ahead: bool
) -> Panel:
    """Series of a file, as `resumed` gives them."""
    reading = settled(preprocessing)[0]
    found = series.read(data, replace(reading.options, encoding=None), bad, reading)
    return resumed(naming.shown(data), found, preprocessing, bad, ahead=ahead)


def resumed(
    name: str, found: Collection, preprocessing: Mapping[str, Any], bad: BadRows, *, ahead: bool
) -> Panel:
    """Series to be scored wherever a window fits or, with `ahead`, to be continued at their end."""
    reading, settings, fitted = settled(preprocessing)
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
    kept = []
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
            kept.append(one)
    if not kept:
        raise bad.nothing_left(f"{name}: no series can be forecast")
    found = replace(found, series=kept)
    if ahead:
        check = np.stack([np.arange(len(kept)), [len(one) for one in kept]], 1).astype(np.int64)
    else:
        spans = [(settings.reads, len(one) - settings.horizon) for one in kept]
        count = sum(last - first + 1 for first, last in spans)
        check = _windows(spans, settings.stride or -(-count // MOST_SCORED))
    none = np.zeros((0, 2), dtype=np.int64)
    first = None if ahead else settings.reads
    return _panel(name, found, settings, fitted, none, check, None, bad, first)
