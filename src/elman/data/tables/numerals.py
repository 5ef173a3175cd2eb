"""How the numbers of a column are written: decided by all its cells, read and written back.

1.234,56 €   decimal comma, thousands by dots, currency € left out: 1234.56
"""

from __future__ import annotations

import math
import numbers
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from typing import Final, Literal, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from elman.data.tables.marks import DIGITS, LONGEST, MARKS, Parts, own_digits, parts_of
from elman.data.tables.profile import MISSING, Profile

Mark: TypeAlias = Literal[".", ","]
Way: TypeAlias = tuple[Mark, str, bool]  # decimal, groups, whether they are Indian
Found: TypeAlias = tuple[Parts, str, int]  # a cell taken apart, its shape, how many there are
T = TypeVar("T")

NEARLY_ALL: Final = 0.9  # of the cells that are not missing
TRUTH: Final = {"true": 1.0, "false": 0.0}
GROUPED_BY: Final = {",": "commas", ".": "dots", " ": "spaces", "'": "apostrophes"}
_ZERO_LED: Final = re.compile(r"(?<![0-9.,' ])0[0-9.,' ]*[0-9]")
_TO_NINES: Final = str.maketrans("0123456789", "9" * 10)
_ONE_GROUP: Final = re.compile(r"9{1,3}[.,]999")
_SMALL, _LARGE = 1e-5, 1e16  # between them numbers are written without an exponent


class Understood(NamedTuple):
    """A way of writing numbers, with cells of one column and what they are read as."""

    what: str
    cells: tuple[str, ...]
    values: tuple[float, ...]


UNDERSTOOD: Final = (
    Understood("decimal point", ("3.50", "-0.125", ".5"), (3.5, -0.125, 0.5)),
    Understood("decimal comma", ("3,50", "-0,125"), (3.5, -0.125)),
    Understood("thousands by commas", ("1,234,567.89", "12,000"), (1234567.89, 12000.0)),
    Understood("thousands by dots", ("1.234.567,89", "12.000"), (1234567.89, 12000.0)),
    Understood(
        "thousands by spaces, no-break and narrow ones too",
        ("1 234,5", "12\u00a0000", "3\u202f400"),
        (1234.5, 12000.0, 3400.0),
    ),
    Understood("thousands by apostrophes", ("1'234.50", "12’000"), (1234.5, 12000.0)),
    Understood("Indian groups", ("12,34,567.89", "1,00,000"), (1234567.89, 100000.0)),
    Understood("only 1,234 and the like: thousands", ("1,234", "56,789"), (1234.0, 56789.0)),
    Understood("only 1.234 and the like: a decimal point", ("1.234", "2.500"), (1.234, 2.5)),
    Understood("per cent", ("12.5%", "7 %"), (0.125, 0.07)),
    Understood("a currency before", ("$1,234.50", "-$5", "$ 20"), (1234.5, -5.0, 20.0)),
    Understood("a currency after", ("1.234,50 €", "5 €", "7"), (1234.5, 5.0, 7.0)),
    Understood("the code of a currency", ("CHF 1'234.50", "chf 5"), (1234.5, 5.0)),
    Understood("元, 円, 원, zł, kr and their kin", ("35元", "8.5 元"), (35.0, 8.5)),
    Understood(
        "K, M, B, 万, 亿 behind nearly all numbers",
        ("106.20M", "1.5K", "2B"),
        (106200000.0, 1500.0, 2000000000.0),
    ),
    Understood("brackets for minus", ("(1,234.50)", "($5)", "$7"), (-1234.5, -5.0, 7.0)),
    Understood("minus after the number", ("12.50-", "3"), (-12.5, 3.0)),
    Understood("Unicode's minus", ("−12.5", "3"), (-12.5, 3.0)),
    Understood("an exponent", ("1.5e3", "2E-05"), (1500.0, 2e-05)),
    Understood("full-width digits", ("１２．５", "－３"), (12.5, -3.0)),
    Understood("Arabic and Persian digits", ("١٬٢٣٤٫٥", "١٢"), (1234.5, 12.0)),
    Understood("leading zeros", ("007", "7"), (7.0, 7.0)),
    Understood("True and False", ("True", "false"), (1.0, 0.0)),
)
"""For the page of what is understood; a column each."""


@dataclass(frozen=True)
class Numerals:
    """How the numbers of a column are written.

    Signs that have one meaning only are read in every column: a minus before or after, brackets
    for it, full-width and Arabic digits, an exponent. The marks, per cent and the currency are the
    column's: what contradicts them is no number of it.

    `prefix`, `suffix`, `minus` and `digits` are how most cells look, for `text`.
    """

    decimal: Mark = "."
    groups: str = ""  # what parts thousands: "," "." " " "'" or nothing
    indian: bool = False  # 12,34,567
    percent: bool = False
    currency: str = ""
    prefix: str = ""  # "$", "CHF "
    suffix: str = ""  # " €", "%"
    minus: str = "-"  # before the number; "()" around it; "0-" after it
    digits: str = ""  # a name of DIGITS
    truth: bool = False  # True and False
    sized: bool = False  # 1.5K, 2M, 3万
    assumed: bool = False  # each mark stands before three digits: no cell tells what it is

    def number(self, cell: object) -> float | None:
        """The number in a cell: NaN where it is missing, None where it is none of this column."""
        if isinstance(cell, str):
            return self._read(cell)
        if isinstance(cell, numbers.Number | np.number | np.bool_):
            try:
                value = float(cell)  # type: ignore[arg-type]
            except (TypeError, ValueError, OverflowError):
                return None
            return None if math.isinf(value) else value
        return math.nan if cell is None or str(cell).strip().lower() in MISSING else None

    def numbers(self, cells: Sequence[object]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The numbers in cells, float64 [cells], NaN where one is missing or no number of this
        column; and True where it is no number, bool [cells]."""
        if self.decimal == "." and not (self.percent or self.truth) and _is_plain(cells):
            values, doubtful = _floats(cells)
        else:
            values, doubtful = np.empty(len(cells)), range(len(cells))
        bad = np.zeros(len(cells), dtype=np.bool_)
        for place in doubtful:
            value = self.number(cells[place])
            values[place] = math.nan if value is None else value
            bad[place] = value is None
        return values, bad

    def text(self, value: float) -> str:
        """A number as the data writes numbers; empty for NaN."""
        if math.isnan(value):
            return ""
        if math.isinf(value):
            return str(float(value))
        amount = Decimal(repr(abs(float(value))))
        amount = amount.scaleb(2) if self.percent else amount
        if amount == 0 or _SMALL <= amount < _LARGE:
            whole, _, fraction = f"{amount.normalize():f}".partition(".")
            power = ""
        else:
            mantissa, _, power = f"{amount.normalize():e}".partition("e")
            whole, _, fraction = mantissa.partition(".")
            power = "e" + power
        written = self._grouped(whole) + (self.decimal + fraction if fraction else "")
        if self.digits:
            written = written.translate(own_digits(self.digits, self.decimal))
        written = f"{self.prefix}{written}{power}{self.suffix}"
        if math.copysign(1, value) > 0 or amount == 0:
            return written
        match self.minus:
            case "()":
                return f"({written})"
            case "0-":
                return f"{written}-"
            case _:
                return self.minus + written

    def told(self) -> str:
        """How numbers are written, for the user; empty where there is nothing to be said."""
        other = "--decimal comma, if"
        said = []
        if self.decimal == ",":
            said.append("decimal comma")
        elif self.assumed and not self.groups:
            said.append(f"decimal point ({other} 1.234 is meant as a thousand and more)")
        if self.groups:
            way = "Indian groups" if self.indian else "thousands"
            said.append(f"{way} by {GROUPED_BY[self.groups]}")
            if self.assumed:
                said[-1] += f" ({other} 1,234 is meant as little more than one)"
        if self.percent:
            said.append("per cent as fractions, 12.5% is 0.125")
        if self.currency:
            said.append(f"amounts in {self.currency}")
        if self.minus == "()":
            said.append("brackets for minus")
        elif self.minus == "0-":
            said.append("minus after the number")
        if self.digits:
            said.append(f"{self.digits} digits")
        if self.sized:
            said.append("K is a thousand, M a million, B a billion, 万 10,000, 亿 100 million")
        if self.truth:
            said.append("True is 1, False is 0")
        return ", ".join(said)

    @cached_property
    def _usual(self) -> re.Pattern[str]:
        """Cells as most of the column are, which need not be taken apart."""
        before, after = (
            re.escape(part.strip()).join([r"\s*"] * 2) for part in (self.prefix, self.suffix)
        )
        body = _body(self.decimal, self.groups, self.indian)
        way = "" if self.percent else "?"
        return re.compile(rf"\s*([+-]?)(?:{before}){way}({body})(?:{after}){way}\s*")

    @cached_property
    def _body(self) -> re.Pattern[str]:
        return re.compile(_body(self.decimal, self.groups, self.indian))

    @cached_property
    def _to_python(self) -> dict[int, str]:
        marks = {ord(self.decimal): "."}
        return marks | {ord(self.groups): ""} if self.groups else marks

    def _read(self, cell: str) -> float | None:
        usual = None if self.truth or len(cell) > LONGEST else self._usual.fullmatch(cell)
        if usual:
            value = usual[1] + usual[2].translate(self._to_python)
            return _finite(value + "e-2" if self.percent else value)
        word = cell.strip().lower()
        if word in MISSING:
            return math.nan
        if self.truth:
            return TRUTH.get(word, {"1": 1.0, "0": 0.0}.get(word))
        parts = parts_of(cell)
        if parts is None or not self._body.fullmatch(parts.body):
            return None
        # By its digits, so that 7% is the float nearest to 0.07.
        power = int(parts.power[1:] or 0) - 2 * parts.percent + parts.size
        value = _finite(f"{parts.body.translate(self._to_python)}e{power}")
        if value is None or parts.currency not in ("", self.currency):
            return None
        if (parts.percent != self.percent and value != 0) or (parts.size and not self.sized):
            return None
        return -value if parts.minus else value

    def _grouped(self, whole: str) -> str:
        if not self.groups or len(whole) <= 3:
            return whole
        head, last = whole[:-3], whole[-3:]
        size = 2 if self.indian else 3
        begin = len(head) % size or size
        rest = [head[at : at + size] for at in range(begin, len(head), size)]
        return self.groups.join([head[:begin], *rest, last])


def numerals_of(profile: Profile, decimal: Mark | None = None) -> Numerals | None:
    """How a column writes its numbers; None where it holds none.

    Nearly all its cells that are not missing must be numbers of one way of writing; of several
    that fit as many cells, a decimal point goes before a decimal comma, and thousands by commas
    before both where all that is seen is 1,234.
    """
    # One odd cell of a few is a mistake, too.
    enough = min(NEARLY_ALL * profile.present, max(profile.present - 1, 2))
    if not profile.present:
        return None
    if sum(n for shape, n in profile.shapes.items() if shape.strip().lower() in TRUTH) >= enough:
        return Numerals(truth=True)
    found = [
        (parts, shape, n)
        for shape, n in profile.shapes.items()
        if (parts := parts_of(shape)) is not None
    ]
    behind = sum(n for parts, _, n in found if parts.size)
    sized = behind >= enough
    found = [each for each in found if sized or not each[0].size]
    percent = 2 * sum(n for parts, _, n in found if parts.percent) > sum(n for *_, n in found)
    money = _most((parts.currency, n) for parts, _, n in found if parts.currency)
    found = [
        (parts, shape, n)
        for parts, shape, n in found
        if parts.percent == percent and parts.currency in ("", money)
    ]
    zero_led = _zero_led(profile, found)
    best, way = -1, _WAYS[0]
    for tried in _WAYS:
        if decimal in (None, tried[0]) and (fits := _fitting(tried, found, zero_led)) > best:
            best, way = fits, tried
    if best < enough:
        return None
    mark, groups, indian = way
    found = [each for each in found if _pattern(*way).fullmatch(each[0].body)]
    before, after = _most(((parts.prefix, parts.suffix), n) for parts, _, n in found) or ("", "")
    return Numerals(
        decimal=mark,
        groups=groups,
        indian=indian,
        percent=percent,
        currency=money or "",
        prefix=before,
        suffix=after,
        minus=_most((parts.minus, n) for parts, _, n in found if parts.minus) or "-",
        digits=_digits_of(profile, found),
        sized=sized,
        assumed=decimal is None and not profile.typed and _is_assumed(way, found, zero_led),
    )


# In the order in which they are preferred where as many cells fit.
_WAYS: Final[tuple[Way, ...]] = (
    (".", "", False),
    (".", ",", False),
    (".", ",", True),
    (",", "", False),
    (",", ".", False),
    (".", " ", False),
    (",", " ", False),
    (".", "'", False),
    (",", "'", False),
)


def _body(decimal: str, groups: str, indian: bool) -> str:
    """Digits and marks. A group of thousands does not begin with 0; 0,123 is a fraction."""
    whole, mark, g = "[0-9]+", re.escape(decimal), re.escape(groups)
    if groups:
        grouped = (
            rf"[1-9][0-9]?(?:{g}[0-9]{{2}})*{g}[0-9]{{3}}"
            if indian
            else rf"[1-9][0-9]{{0,2}}(?:{g}[0-9]{{3}})+"
        )
        whole = f"(?:{grouped}|[0-9]+)"
    least = 0 if decimal == "." else 1
    return rf"(?:{whole}(?:{mark}[0-9]{{{least},}})?|{mark}[0-9]+)"


@cache
def _pattern(decimal: str, groups: str, indian: bool) -> re.Pattern[str]:
    return re.compile(_body(decimal, groups, indian))


def _fitting(way: Way, found: list[Found], zero_led: set[str]) -> int:
    """Cells that are numbers in this way of writing."""
    pattern, groups = _pattern(*way), way[1]
    return sum(
        n - (bool(groups) and groups in parts.body and parts.body in zero_led)
        for parts, _, n in found
        if pattern.fullmatch(parts.body)
    )


def _zero_led(profile: Profile, found: list[Found]) -> set[str]:
    """The bodies, as shapes, of which a cell begins with 0 before a mark: 0,123 or 012.345."""
    marked = {parts.body for parts, *_ in found if not parts.body.isdigit()}
    zero_led = set()
    if marked:
        for cell in profile.distinct:
            text = cell if cell.isascii() else cell.translate(MARKS)
            if match := _ZERO_LED.search(text):
                zero_led.add(match[0].translate(_TO_NINES))
    for parts, shape, _ in found:  # cells beyond the distinct ones that a profile keeps
        spans, first = profile.extremes.get(shape), re.match("9+", parts.body)
        if spans and first and spans[0][0] < 10 ** (len(first[0]) - 1):
            zero_led.add(parts.body)
    return zero_led & marked


def _is_assumed(way: Way, found: list[Found], zero_led: set[str]) -> bool:
    """Whether each mark stands before three digits, so that either reading would do."""
    if way not in _WAYS[:2]:
        return False
    marked = [(parts.body, shape) for parts, shape, _ in found if not parts.body.isdigit()]
    return bool(marked) and all(
        _ONE_GROUP.fullmatch(body) and body not in zero_led and not set("٫٬") & set(shape)
        for body, shape in marked
    )


def _digits_of(profile: Profile, found: list[Found]) -> str:
    """The name of the digits that most shapes are written in; empty for 0 to 9."""
    seen = Counter[str]()
    for _, shape, n in found:
        first = profile.first[shape].cell
        seen[next((name for name, own in DIGITS.items() if set(own) & set(first)), "")] += n
    return _most(seen.items()) or ""


def _finite(text: str) -> float | None:
    value = float(text)
    return None if math.isinf(value) else value


def _floats(cells: Sequence[object]) -> tuple[NDArray[np.float64], Sequence[int]]:
    """What Python reads, and the places of what it does not, or not as a finite number."""
    try:
        values = np.fromiter(map(float, cells), np.float64, len(cells))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        read = []
        for cell in cells:
            try:
                read.append(float(cell))  # type: ignore[arg-type]
            except (TypeError, ValueError, OverflowError):
                read.append(math.nan)
        values = np.array(read)
    return values, np.flatnonzero(~np.isfinite(values)).tolist()


def _is_plain(cells: Sequence[object]) -> bool:
    """Whether Python reads these texts as we do; it takes 1_000 and digits of every script too."""
    try:
        text = "".join(cells)  # type: ignore[arg-type]
    except TypeError:
        text = "".join(cell for cell in cells if isinstance(cell, str))
    return text.isascii() and "_" not in text


def _most(counted: Iterable[tuple[T, int]]) -> T | None:
    """What is counted most often; the first of equals."""
    sums: dict[T, int] = {}
    for key, n in counted:
        sums[key] = sums.get(key, 0) + n
    return max(sums, key=sums.__getitem__, default=None)
