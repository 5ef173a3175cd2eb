"""What all cells of a column look like: the shapes in which they are written, and where each first
stands.

31/12/2010   shape 99/99/9999, its groups of digits from (1, 1, 2010) to (31, 12, 2019)
1.234,56     shape 9.999,99
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MISSING = frozenset(
    {"", "na", "nan", "n/a", "n.a.", "<na>", "#n/a", "null", "none", "nil", "nat", "missing",
     "?", "-", "--", "–", "—", ".", ".."}
)  # fmt: skip
LONG = 40  # characters of a cell from which its shape says nothing
LONG_SHAPE = "…"  # of such cells
MOST_SHAPES = 4096  # told apart in a column; the others are counted as long ones
MOST_DISTINCT = 100_000  # cells told apart in a column
GROUPS = re.compile(r"\d+")
# Shapes whose groups of digits may be the parts of a date, of which the extremes decide.
PARTED = re.compile(r"\s*9{1,4}(?:[-/.,: _'年月T]|\. ?|, ?)9|\s*9{6,19}(?:\.9+)?\s*$|9{4}\s*$")
_DIGITS = str.maketrans(
    "0123456789０１２３４５６７８９٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "9" * 40
)  # fmt: skip


class Seen(NamedTuple):
    """A cell, and the number of its line or row."""

    number: int
    cell: str


@dataclass
class Profile:
    """All cells of one column, as far as they have been added.

    `shapes` counts the cells that are not missing by their shape: digits are 9, everything else
    stands as it is. `extremes` are the smallest and largest values of each group of digits, of
    shapes that may be dates. Numbers, truth values and lists that are no texts (of JSON,
    spreadsheets, Parquet) are counted in `typed` by the name of their type, and numbers by the
    shape of their text too.
    """

    name: str
    count: int = 0
    missing: int = 0
    first_missing: int | None = None  # the number of its line or row
    characters: int = 0  # in all cells
    shapes: Counter[str] = field(default_factory=Counter)
    first: dict[str, Seen] = field(default_factory=dict)  # of each shape
    extremes: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    typed: Counter[str] = field(default_factory=Counter)
    distinct: set[str] = field(default_factory=set)  # no more than MOST_DISTINCT of them
    counts_up: bool = True  # each cell is a whole number, one more than that before it
    _last: int | None = None

    @property
    def present(self) -> int:
        """Cells that are not missing."""
        return self.count - self.missing

    def add(self, cells: Sequence[Any], numbers: Sequence[int]) -> None:
        """More cells, and the numbers of the lines or rows that they stand in."""
        texts = self._texts(cells)
        fresh = set(texts)
        self.count += len(texts)
        self.characters += sum(map(len, texts))
        if len(self.distinct) < MOST_DISTINCT:
            self.distinct |= fresh
        self._count_up(texts)
        shape_of = {text: self._shape(text) for text in fresh}
        shapes = Counter(map(shape_of.__getitem__, texts))
        lost = shapes.pop("", 0)
        if lost and self.first_missing is None:
            self.first_missing = next(
                n for n, text in zip(numbers, texts, strict=True) if not shape_of[text]
            )
        self.missing += lost
        for shape in shapes.keys() - self.first.keys():
            number, text = next(
                (n, t) for n, t in zip(numbers, texts, strict=True) if shape_of[t] == shape
            )
            self.first[shape] = Seen(number, text)
        self.shapes.update(shapes)
        for shape in shapes:
            if shape in self.extremes or PARTED.match(shape):
                self._stretch(shape, (t for t in fresh if shape_of[t] == shape))

    def _texts(self, cells: Sequence[Any]) -> list[str]:
        if all(type(cell) is str for cell in cells):
            return list(cells)
        self.typed.update(
            type(cell).__name__ for cell in cells if cell is not None and type(cell) is not str
        )
        return ["" if cell is None else str(cell) for cell in cells]

    def _shape(self, text: str) -> str:
        """The shape of a cell; empty where it is missing."""
        if len(text) > LONG:
            return LONG_SHAPE
        shape = text.translate(_DIGITS)
        if shape.strip().lower() in MISSING:
            return ""
        if len(self.shapes) >= MOST_SHAPES and shape not in self.shapes:
            return LONG_SHAPE
        return shape

    def _count_up(self, texts: Sequence[str]) -> None:
        if not self.counts_up or not texts:
            return
        first = self._last + 1 if self._last is not None else None
        if first is None:
            if texts[0] not in ("0", "1"):
                self.counts_up = False
                return
            first = int(texts[0])
        self.counts_up = list(texts) == list(map(str, range(first, first + len(texts))))
        self._last = first + len(texts) - 1

    def _stretch(self, shape: str, texts: Iterable[str]) -> None:
        values = [tuple(map(int, GROUPS.findall(text))) for text in texts]
        columns = zip(*values, strict=True)
        spans = [(min(column), max(column)) for column in columns]
        known = self.extremes.get(shape)
        self.extremes[shape] = (
            spans if known is None
            else [(min(a, c), max(b, d)) for (a, b), (c, d) in zip(known, spans, strict=True)]
        )  # fmt: skip


def is_missing(cell: object) -> bool:
    """Whether a cell holds no value, where its column holds numbers or dates."""
    return cell is None or cell != cell or str(cell).strip().lower() in MISSING


def profiled(names: Sequence[str], rows: Iterable[tuple[Sequence[int], Sequence[Sequence[Any]]]]
) -> list[Profile]:  # fmt: skip
    """The profiles of columns of these names, from blocks of (numbers, rows of cells)."""
    made = [Profile(name) for name in names]
    for numbers, cells in rows:
        for profile, column in zip(made, zip(*cells, strict=True), strict=True):
            profile.add(column, numbers)
    return made
