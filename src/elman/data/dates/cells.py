"""Cells to moments: whole blocks at once, as most cells of a column are laid out alike.

Where 2019-01-01 0:00 has its digits, all cells of its length have theirs if everything between is
the same: their fields are read as columns of a table of bytes. What is laid out otherwise is taken
one by one. A million cells take about a second.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from elman.data.dates.month_names import afternoon, is_weekday, month_of
from elman.data.dates.patterns import DIGITS
from elman.data.dates.zones import minutes_of

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

SECOND = 1_000_000  # microseconds
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
FIRST, END = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND  # the years 1 to 9999
FEW = 24  # cells that are sooner read one by one
BLOCK = 1 << 17  # cells read at once
SCRIPTS = ("０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९")
_TO_ASCII = str.maketrans("".join(SCRIPTS), "0123456789" * len(SCRIPTS))
_FOREIGN = re.compile(f"[{''.join(SCRIPTS)}]")
_DEFAULTS = {"Y": 1970, "m": 1, "d": 1, "V": 0, "u": 1, "j": 0, "H": 0, "M": 0, "S": 0, "f": 0,
             "p": -1, "z": 0}  # fmt: skip
_SAME = {"G": "Y", "y": "Y", "B": "m", "b": "m", "q": "m", "n": "m", "I": "H"}


def plain(cell: object) -> str:
    """A cell as text, without blanks around it, its digits and marks those of ASCII."""
    text = (cell if isinstance(cell, str) else _shown(cell)).strip()
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", text.translate(_TO_ASCII))


def all_plain(cells: Sequence[object]) -> list[str]:
    """The same for many: most need nothing but their blanks taken away."""
    if not all(type(cell) is str for cell in cells):
        cells = [_shown(cell) for cell in cells]
    texts = list(map(str.strip, cast(Sequence[str], cells)))
    together = "".join(texts)
    if together.isascii() or (
        unicodedata.is_normalized("NFKC", together) and not _FOREIGN.search(together)
    ):
        return texts
    return list(map(plain, texts))


def _shown(cell: object) -> str:
    if cell is None:
        return ""
    text = str(cell)
    return f"{cell:f}" if isinstance(cell, float) and "e" in text else text  # 1e+18 nanoseconds


@dataclass(frozen=True)
class CellReader:
    """Reads cells that match an expression with a group for each directive of a pattern.

    `first_year` begins the hundred years that two digits can mean; moments are told at `offset`
    minutes east of UTC where cells have an offset of their own, but of the wall clock of each if
    `local`.
    """

    regex: re.Pattern[str]
    first_year: int
    offset: int
    local: bool = False

    def moments(self, texts: Sequence[str]) -> tuple[Ints, Bools]:
        """Microseconds since 1970, and True where a text is no such date."""
        blocks = [
            self._block(texts[start : start + BLOCK]) for start in range(0, len(texts), BLOCK)
        ] or [(np.zeros(0, np.int64), np.zeros(0, np.bool_))]
        return np.concatenate([m for m, _ in blocks]), np.concatenate([b for _, b in blocks])

    def zones(self, texts: Sequence[str]) -> dict[str, int]:
        """The zones that texts name, and their offsets."""
        found = {m["z"] for text in texts if (m := self.regex.fullmatch(text)) and m["z"]}
        return {zone: east for zone in found if (east := minutes_of(zone)) is not None}

    def _block(self, texts: Sequence[str]) -> tuple[Ints, Bools]:
        said = {_SAME.get(name, name) for name in self.regex.groupindex}
        fields = {
            name: np.full(len(texts), self.offset if name == "z" else default, dtype=np.int64)
            for name, default in _DEFAULTS.items()
            if name in said or name in "Ymd"
        }
        fits = np.zeros(len(texts), dtype=np.bool_)
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        rest: list[int] = []
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            if 0 < length <= 64:
                rows = self._alike(texts, rows, int(length), fields, fits)
            rest.extend(rows.tolist())
        for row in rest:
            values = self._values(self.regex.fullmatch(texts[row]))
            if values is not None:
                fits[row] = True
                for name, value in values.items():
                    fields[name][row] = value
        if self.local:
            fields.pop("z", None)
        return _moments(fields, fits, self.offset)

    def _alike(
        self, texts: Sequence[str], rows: Ints, length: int, fields: dict[str, Ints], fits: Bools
    ) -> Ints:
        """Read rows of one length as long as many are laid out alike; those that are left."""
        if len(rows) < FEW:
            return rows
        joined = "".join([texts[row] for row in rows])
        codes: NDArray[Any] = (
            np.frombuffer(joined.encode("ascii"), dtype=np.uint8)
            if joined.isascii()
            else np.frombuffer(joined.encode("utf-32-le"), dtype=np.uint32)
        ).reshape(len(rows), length)
        enough, tries = max(FEW, len(rows) // 200), 0
        while len(rows) >= enough and tries < 16:
            match = self.regex.fullmatch(texts[rows[0]])
            values = self._values(match)
            if match is None or values is None:
                rows, codes, tries = rows[1:], codes[1:], tries + 1  # its row is none: not read
                continue
            spans = {name: match.span(name) for name in match.groupdict() if match[name]}
            spans = {name: span for name, span in spans.items() if name in DIGITS}
            loose = np.zeros(length, dtype=np.bool_)
            for start, end in spans.values():
                loose[start:end] = True
            digits = codes - np.array(ord("0"), dtype=codes.dtype)  # below 0 wraps above 9
            alike = (digits[:, loose] <= 9).all(1)
            alike &= (codes[:, ~loose] == codes[0, ~loose]).all(1)
            hits = rows[alike]
            found = digits if len(hits) == len(rows) else digits[alike]
            for name, value in values.items():
                fields[name][hits] = value
            for name, (start, end) in spans.items():
                column = found[:, start].astype(np.int64)
                for place in range(start + 1, end):
                    column *= 10
                    column += found[:, place]
                fields[_SAME.get(name, name)][hits] = self._meant(name, column, end - start)
            fits[hits] = True
            rows, codes = rows[~alike], codes[~alike]
            if len(hits) < enough:
                break
        return rows

    def _values(self, match: re.Match[str] | None) -> dict[str, int] | None:
        """The fields of a text; None where it names no month, day or zone that is known."""
        if match is None:
            return None
        values: dict[str, int] = {}
        for name, text in match.groupdict().items():
            if text is None or name == "o":
                continue
            value: int | None
            if name in DIGITS:
                value = self._meant(name, int(text), len(text))
            elif name in ("B", "b"):
                value = month_of(text)
            elif name == "p":
                value = afternoon(text)
            elif name == "z":
                value = minutes_of(text)
            else:
                if not is_weekday(text):
                    return None
                continue
            if value is None:
                return None
            values[_SAME.get(name, name)] = value
        return values

    def _meant(self, name: str, number: Any, width: int) -> Any:
        """What digits say: numbers, or arrays of them."""
        if name == "y":
            return self.first_year + (number - self.first_year) % 100
        if name == "q":
            return 3 * number - 2
        if name == "n":
            return 6 * number - 5
        if name == "f":
            return number * 10 ** (6 - width) if width <= 6 else number // 10 ** (width - 6)
        return number


def _moments(fields: dict[str, Ints], fits: Bools, offset: int) -> tuple[Ints, Bools]:
    fits = fits & (fields["Y"] >= 1) & (fields["Y"] <= 9999)
    fits &= (fields["m"] >= 1) & (fields["m"] <= 12)
    year, month = np.where(fits, fields["Y"], 1970), np.where(fits, fields["m"], 1)
    if "V" in fields:
        days, limit = _week(year, fields["V"], fields.get("u"))
        fits &= limit
    elif "j" in fields:
        days = _days(year, 1) + fields["j"] - 1
        fits &= (fields["j"] >= 1) & (days < _days(year + 1, 1))
    else:
        months = (year - 1970) * 12 + month - 1
        first = months.astype("M8[M]").astype("M8[D]").astype(np.int64)
        days = first + fields["d"] - 1
        length = (months + 1).astype("M8[M]").astype("M8[D]").astype(np.int64) - first
        fits &= (fields["d"] >= 1) & (fields["d"] <= length)
    moments = days * DAY
    if "H" in fields:
        hour = fields["H"]
        rest = sum(
            fields[name] * unit
            for name, unit in (("M", MINUTE), ("S", SECOND), ("f", 1))
            if name in fields
        )
        if "p" in fields:
            halved = fields["p"] >= 0
            fits &= ~halved | (hour <= 12)
            hour = np.where(halved, hour % 12 + 12 * fields["p"], hour)
        fits &= (hour < 24) | ((hour == 24) & (np.asarray(rest) == 0))
        for name in {"M", "S"} & fields.keys():
            fits &= fields[name] < 60
        moments += hour * HOUR + rest
    if "z" in fields:
        moments -= (fields["z"] - offset) * MINUTE
    fits &= (moments >= FIRST) & (moments < END)
    return np.where(fits, moments, 0), ~fits


def _days(year: Ints, month: int) -> Ints:
    """Days since 1970 of the first of a month."""
    months = (year - 1970) * 12 + month - 1
    return months.astype("M8[M]").astype("M8[D]").astype(np.int64)


def _week(year: Ints, week: Ints, weekday: Ints | None) -> tuple[Ints, Bools]:
    """Days since 1970 of ISO weeks (that with 4 January is the first), and which there are."""

    def monday(of: Ints) -> Ints:
        fourth = _days(of, 1) + 3
        return np.asarray(fourth - (fourth + 3) % 7)

    day = np.int64(1) if weekday is None else weekday
    start = monday(year) + 7 * (week - 1)
    fits = (week >= 1) & (start < monday(year + 1)) & (day >= 1) & (day <= 7)
    return np.asarray(start + day - 1), np.asarray(fits)
