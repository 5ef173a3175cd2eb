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
LIST = "[…]"  # stands for a list or an object
MOST_SHAPES = 4096  # told apart in a column; the others are counted as long ones
MOST_DISTINCT = 100_000  # cells told apart in a column
GROUPS = re.compile("9+")
BETWEEN = "\x1f"  # parts cells that are drawn at once
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
    _shapes: dict[str, str] = field(default_factory=dict)  # all that were met, missing ones too

    @property
    def present(self) -> int:
        """Cells that are not missing."""
        return self.count - self.missing

    def add(self, cells: Sequence[Any], numbers: Sequence[int]) -> None:
        """More cells, and the numbers of the lines or rows that they stand in."""
        texts = self._texts(cells)
        self.count += len(texts)
        self.characters += sum(map(len, texts))
        if len(self.distinct) < MOST_DISTINCT:
            self.distinct.update(texts)
        self._count_up(texts)
        drawn = _drawn([text if len(text) <= LONG else LONG_SHAPE for text in texts])
        for raw, count in Counter(drawn).items():
            shape = self._shape(raw)
            if not shape:
                if self.first_missing is None:
                    self.first_missing = numbers[drawn.index(raw)]
                self.missing += count
                continue
            self.shapes[shape] += count
            if shape not in self.first:
                k = drawn.index(raw)
                self.first[shape] = Seen(numbers[k], texts[k])
            if shape == raw and (shape in self.extremes or PARTED.match(shape)):
                alike = texts
                if count < len(texts):
                    alike = [t for t, own in zip(texts, drawn, strict=True) if own == raw]
                self._stretch(shape, alike)

    def _texts(self, cells: Sequence[Any]) -> list[str]:
        if set(map(type, cells)) == {str}:
            return list(cells)
        self.typed.update(
            type(cell).__name__ for cell in cells if cell is not None and type(cell) is not str
        )
        return ["" if cell is None else _text(cell) for cell in cells]

    def _shape(self, raw: str) -> str:
        """The shape that cells with such digits are counted by; empty where they are missing."""
        found = self._shapes.get(raw)
        if found is None:
            found = "" if raw.strip().lower() in MISSING else raw
            if len(self._shapes) < MOST_SHAPES:
                self._shapes[raw] = found
            elif found:
                found = LONG_SHAPE
        return found

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

    def _stretch(self, shape: str, texts: Sequence[str]) -> None:
        """Widens the extremes of a shape by cells of it. Groups of digits that stand in the same
        place and are equally long are in the order of their letters."""
        spans = []
        distinct = set(texts)
        for group in GROUPS.finditer(shape):
            parts = {text[group.start() : group.end()] for text in distinct}
            if not all(map(str.isascii, parts)):
                parts = {str(int(part)).zfill(len(part)) for part in parts}
            spans.append((int(min(parts)), int(max(parts))))
        known = self.extremes.get(shape)
        self.extremes[shape] = (
            spans if known is None
            else [(min(a, c), max(b, d)) for (a, b), (c, d) in zip(known, spans, strict=True)]
        )  # fmt: skip


def _drawn(texts: Sequence[str]) -> list[str]:
    """Each text with 9 for all its digits: of many at once, which is many times faster."""
    together = BETWEEN.join(texts)
    if together.count(BETWEEN) != len(texts) - 1:
        return [text.translate(_DIGITS) for text in texts]
    return together.translate(_DIGITS).split(BETWEEN)


def _text(cell: object) -> str:
    """What stands for a cell that is no text; of a list nothing is said."""
    return LIST if isinstance(cell, list | dict) or hasattr(cell, "__array__") else str(cell)


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
