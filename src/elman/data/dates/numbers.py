"""Dates that are written as one number: seconds since 1970, days of a spreadsheet, or mere numbers.

1600000000   1600000000.0   1600000000123   43831   43831.5   17
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from elman.data.dates.cells import BLOCK, DAY, END, FIRST, SECOND, Bools, Ints

SERIAL, NUMBER = "serial", "number"
# Microseconds that a unit of the whole part is worth, as (times, by).
EPOCHS: Mapping[str, tuple[int, int]] = {
    "%s": (SECOND, 1), "%3s": (1000, 1), "%6s": (1, 1), "%9s": (1, 1000),
}  # fmt: skip


class NumberStyle(NamedTuple):
    """What a number may say of time, for the table of what is understood."""

    name: str
    examples: tuple[str, ...]
    sentence: str


SINCE = "Known by its size; the column's name or its even steps must speak for it."
NUMBERS: Mapping[str, NumberStyle] = {
    "%s": NumberStyle("seconds since 1970", ("1600000000", "1600000000.0"), SINCE),
    "%3s": NumberStyle("milliseconds since 1970", ("1600000000123",), SINCE),
    "%6s": NumberStyle("microseconds since 1970", ("1600000000123456",), SINCE),
    "%9s": NumberStyle("nanoseconds since 1970", ("1600000000123456000",), SINCE),
    SERIAL: NumberStyle("day numbers of a spreadsheet", ("43831", "43831.5"),
                        "From 1970 to 2099; the fraction is the time of day."),
    NUMBER: NumberStyle("numbers in order", ("17", "0.25"), "Steps of any kind, with no calendar."),
}  # fmt: skip
PACKED_STYLE = NumberStyle(
    "packed", ("2020", "201901", "20190102", "2019010213", "201901021300", "20190102130000"),
    "Years, months, days, hours, minutes or seconds with nothing between.",
)  # fmt: skip
FIRST_SERIAL, LAST_SERIAL = 25_569, 73_050  # 1970-01-01 and 2099-12-31
LAST_SECOND = 4_102_444_800  # 2100-01-01
A_NUMBER = re.compile(r"[+-]?\d{1,19}(?:[.,]\d*)?")
MOST: Final = 2**62
_PLAIN = frozenset("0123456789.-+")


@dataclass(frozen=True)
class NumberReader:
    """Reads cells that are numbers of one kind, with at most `decimals` digits behind the point."""

    kind: str
    decimals: int

    def moments(self, texts: Sequence[str]) -> tuple[Ints, Bools]:
        """Microseconds since 1970, of mere numbers their value; True where a text is no number."""
        moments = np.zeros(len(texts), dtype=np.int64)
        bad = np.zeros(len(texts), dtype=np.bool_)
        for start in range(0, len(texts), BLOCK):
            part = texts[start : start + BLOCK]
            rows = slice(start, start + len(part))
            moments[rows], bad[rows] = self._block(part)
        return moments, bad

    def _block(self, texts: Sequence[str]) -> tuple[Ints, Bools]:
        digits = "".join(texts).isascii() and all(map(str.isdigit, texts))
        if digits and max(map(len, texts), default=0) <= 18:
            whole = np.array(texts, dtype=np.str_).astype(np.int64)
            return self._of(whole, np.zeros(len(texts)))
        quick = self._quick(texts)
        if quick is not None:
            return quick
        fits = np.array([A_NUMBER.fullmatch(text) is not None for text in texts], dtype=np.bool_)
        if not fits.all():
            moments, bad = np.zeros(len(texts), dtype=np.int64), ~fits
            good = [text for text, fit in zip(texts, fits, strict=True) if fit]
            moments[fits], bad[fits] = self._block(good) if good else (moments[fits], bad[fits])
            return moments, bad
        parts = [text.replace(",", ".").partition(".") for text in texts]
        large = [int(whole) for whole, _, _ in parts]
        near = np.array([-MOST < value < MOST for value in large], dtype=np.bool_)
        whole = np.array([value if -MOST < value < MOST else 0 for value in large], dtype=np.int64)
        sign = np.array([-1.0 if text[:1] == "-" else 1.0 for text, _, _ in parts])
        rest = np.array([float(f"0.{digits}") if digits else 0.0 for _, _, digits in parts])
        moments, bad = self._of(whole, rest * sign)
        return moments, bad | ~near

    def _quick(self, texts: Sequence[str]) -> tuple[Ints, Bools] | None:
        """The same by numpy alone, where it is exact; None where it is not."""
        if self.kind == "%9s" or not set("".join(texts)) <= _PLAIN:
            return None
        try:
            values = np.array(texts, dtype=np.str_).astype(np.float64)
        except ValueError:
            return None
        if np.abs(values).max(initial=0) * 10**self.decimals >= 2**53:
            return None
        whole = np.trunc(values)
        return self._of(whole.astype(np.int64), values - whole)

    def _of(self, whole: Ints, rest: np.typing.NDArray[np.float64]) -> tuple[Ints, Bools]:
        """Moments of whole parts and what stands behind their points."""
        if self.kind == NUMBER:
            scale = 10**self.decimals
            bad = np.abs(whole) >= MOST // scale
            return np.where(bad, 0, whole) * scale + np.rint(rest * scale).astype(np.int64), bad
        if self.kind == SERIAL:
            # Spreadsheets keep a time of day as a fraction that is never exact: whole seconds.
            bad = (whole < 1) | (whole > 2_958_465)
            days = np.where(bad, FIRST_SERIAL, whole) - FIRST_SERIAL
            return days * DAY + np.rint(rest * 86_400).astype(np.int64) * SECOND, bad
        times, by = EPOCHS[self.kind]
        bad = (whole >= END * by // times) | (whole < FIRST * by // times)
        whole = np.where(bad, 0, whole)
        return whole * times // by + np.rint(rest * times / by).astype(np.int64), bad


def number_text(kind: str, moment: int, least: int, most: int) -> str:
    """A moment as a number with `least` to `most` digits behind the point."""
    if kind == NUMBER:
        value = Decimal(moment).scaleb(-most)
    elif kind == SERIAL:
        value = Decimal(moment) / DAY + FIRST_SERIAL
    else:
        times, by = EPOCHS[kind]
        value = Decimal(moment) * by / times
    text = f"{value:.{most}f}"
    if most > least:
        whole, _, digits = text.partition(".")
        digits = digits[:least] + digits[least:].rstrip("0")
        text = f"{whole}.{digits}" if digits else whole
    return text


def counted(values: Sequence[str]) -> str:
    """What whole numbers count, by their size, where at least nine in ten of them agree."""
    sizes = np.abs(np.array([float(v.replace(",", ".")) for v in values]))
    low = LAST_SECOND / 41  # 1973: what is less is a plain number more often than a time
    for kind, (times, by) in EPOCHS.items():
        unit = SECOND * by / times
        if ((sizes >= low * unit) & (sizes < LAST_SECOND * unit)).mean() >= 0.9:
            return kind
    if ((sizes >= FIRST_SERIAL) & (sizes <= LAST_SERIAL)).mean() >= 0.9:
        return SERIAL
    return NUMBER
