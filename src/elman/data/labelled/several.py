"""Several labels at once, as data holds them.

text,toxic,obscene                   a column for each label, of 0 and 1
text,genres                          all in one cell: drama;crime
{"text": …, "genres": ["drama"]}     a list
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from elman.data.tables.profile import Profile

Labels: TypeAlias = tuple[str, ...]
Truth: TypeAlias = str | int | bool

TRUE = frozenset({"1", "1.0", "true", "yes", "y", "t", "ja", "oui", "是"})
FALSE = frozenset({"0", "0.0", "false", "no", "n", "f", "nein", "non", "否"})
SEPARATORS = (";", "|", ",")
AGAIN = 0.5  # share of the parts that must come again in other cells, if cells hold several
COMMAS_AGAIN = 0.9  # the same of commas, which texts hold too
LONGEST = 60  # characters of a label that may be a part of a cell


@dataclass(frozen=True)
class Several:
    """How several labels at once are written.

    `columns`: each label is the name of a column, and a cell of it is `no` or `yes`. `cell`: they
    stand in one cell, joined by `joint`. `list`: in a list of JSON or Parquet.
    """

    form: Literal["columns", "cell", "list"]
    joint: str = ";"
    no: Truth = "0"
    yes: Truth = "1"

    def written(self, labels: Sequence[str]) -> str:
        """The labels in one line."""
        return (self.joint if self.form == "cell" else ", ").join(labels)

    def read(self, values: Mapping[str, Any], columns: Sequence[str]) -> Labels:
        """The labels of a row. ValueError, with what is wrong, where its cells hold none."""
        if self.form == "columns":
            return tuple(name for name in columns if _holds(name, values.get(name)))
        value = values.get(columns[0])
        if self.form == "list":
            if not isinstance(value, list) or any(isinstance(v, list | dict) for v in value):
                raise ValueError(f'"{columns[0]}" is {str(value)[:40]!r}, no list of labels')
            parts = [str(label).strip() for label in value if label is not None]
        elif isinstance(value, list | dict):
            raise ValueError(f'"{columns[0]}" is no label but {str(value)[:40]}')
        else:
            parts = [p.strip() for p in str("" if value is None else value).split(self._mark)]
        return tuple(dict.fromkeys(part for part in parts if part))

    @property
    def _mark(self) -> str | None:
        """What parts labels; None for spaces."""
        return self.joint.strip() or None


def _holds(name: str, cell: object) -> bool:
    word = "" if cell is None else str(cell).strip().lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise ValueError(
        f'"{name}" is {str(cell)[:40]!r}, not 0 or 1' if word else f'"{name}" is empty'
    )


def is_truth(profile: Profile) -> bool:
    """Whether all cells of a column say yes or no, but for missing ones."""
    words = {cell.strip().lower() for cell in profile.distinct} - {""}
    return bool(words) and words <= TRUE | FALSE and words != {"y"} and words != {"t"}


def in_columns(profiles: Sequence[Profile]) -> Several:
    """Labels that have columns of their own, as their cells are written."""
    typed = set[str]().union(*(profile.typed for profile in profiles))
    if "bool" in typed:
        return Several("columns", no=False, yes=True)
    if typed & {"int", "float"}:
        return Several("columns", no=0, yes=1)
    cells = [cell.strip() for profile in profiles for cell in sorted(profile.distinct)]
    no = next((cell for cell in cells if cell.lower() in FALSE), None)
    yes = next((cell for cell in cells if cell.lower() in TRUE), None)
    return Several("columns", no="0" if no is None else no, yes="1" if yes is None else yes)


def joint_of(cells: Collection[str]) -> str | None:
    """What joins the labels in these different cells; None where each is one label.

    Their parts come again in other cells, whatever stands beside them there.
    """
    for mark in SEPARATORS:
        joined = [cell for cell in cells if mark in cell]
        if len(joined) < 2:
            continue
        parted = [{part.strip() for part in cell.split(mark)} - {""} for cell in cells]
        often = Counter(part for parts in parted for part in parts)
        parts = [part for p in parted if len(p) > 1 for part in p]
        if not parts or max(map(len, parts)) > LONGEST:
            continue
        again = COMMAS_AGAIN if mark == "," else AGAIN
        if sum(often[part] > 1 for part in parts) >= again * len(parts):
            spaced = all(mark not in cell.replace(mark + " ", "").rstrip(mark) for cell in joined)
            return mark + " " if spaced else mark
    return None
