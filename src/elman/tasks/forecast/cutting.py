"""Series cut in parts, scaled by the first of them, and laid in flat arrays with their windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from elman.data.tables.content import BadRows
from elman.data.time_series import series
from elman.data.time_series.grid import Grid
from elman.data.time_series.series import Collection, Series
from elman.errors import UserError
from elman.tasks.forecast.data import Fitted, Panel, Scale, Settings
from elman.tasks.forecast.options import COUNTED, ForecastOptions
from elman.wording import counted

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST_SCORED = 5_000  # windows of the validation part, of which more are left out by a stride


def cut_up(
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
    train = windows_of([(reads, begin - horizon) for begin, _ in limits], 1)
    check: Ints = np.zeros((0, 2), dtype=np.int64)
    if share:
        spans = [(begin, end - horizon) for begin, end in limits]
        if not any(last >= first for first, last in spans):
            raise UserError(f"{name}: no {horizon} values for validation; give a smaller --horizon")
        count = sum(max(0, last - first + 1) for first, last in spans)
        check = windows_of(spans, settings.stride or -(-count // MOST_SCORED))
    test = None
    if options.test_data is not None or options.test_from is not None:
        spans = [(end, len(s) - horizon) for (_, end), s in zip(limits, kept, strict=True)]
        test = windows_of(spans, settings.stride or 1)
        if not len(test):
            raise UserError(f"{name}: no {horizon} values to test on; give a smaller --horizon")
    panel = panel_of(name, found, settings, fitted, train, check, test, bad)
    return replace(panel, ends=tuple(end for _, end in limits), share=share)


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
        known.append(known_of(one.places[:begin], one.future[:begin], found.grid, settings))
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


def known_of(places: Ints, future: Floats, grid: Grid | None, settings: Settings) -> Floats:
    """What is known of steps at these places [N] ahead: the calendar, and `future` [N, F]."""
    dated = np.zeros((len(places), 0))
    if grid is not None and settings.calendar:
        dated = grid.features(places, settings.calendar).astype(np.float64)
    return np.concatenate([dated, future], 1)


def panel_of(
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
        known.append(fitted.known(known_of(places, ahead, found.grid, settings)))
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


def windows_of(spans: Sequence[tuple[int, int]], stride: int) -> Ints:
    """Series numbers and origins, from the first to the last of each span."""
    parts = [
        np.stack([np.full(len(o), k), o], 1)
        for k, (first, last) in enumerate(spans)
        if len(o := np.arange(first, last + 1, stride))
    ]
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros((0, 2), dtype=np.int64)
