"""Years that are counted from the beginning of an era, made Western and back.

令和2年1月1日   2020年1月1日      R2.1.1   2020.1.1      民國109年1月   2020年1月
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple


class Era(NamedTuple):
    """The first year of an era is that of its first day."""

    name: str
    letter: str
    first: datetime


ERAS: Final = (
    Era("明治", "M", datetime(1868, 1, 25)), Era("大正", "T", datetime(1912, 7, 30)),
    Era("昭和", "S", datetime(1926, 12, 25)), Era("平成", "H", datetime(1989, 1, 8)),
    Era("令和", "R", datetime(2019, 5, 1)),
)  # fmt: skip
REPUBLIC: Final = ("中華民國", "中華民国", "民國", "民国")  # its first year is 1912
_FIRST = {era.name: era.first.year for era in ERAS} | dict.fromkeys(REPUBLIC, 1912)
_LETTERS = {era.letter: era.first.year for era in ERAS}
_NAMED = re.compile(rf"({'|'.join(_FIRST)}) ?(\d{{1,3}}|元)(?= ?年)")
_LETTERED = re.compile(r"([MTSHR])(\d{1,2})(?=([-/.])\d{1,2}\3\d{1,2}(?!\d))")
_YEAR = re.compile(r"\d{4}")


def era_of(text: str) -> str:
    """How a cell names its era: "年号", "R" (one letter), the name of the republic; "" without."""
    if match := _NAMED.match(text):
        return match[1] if match[1] in REPUBLIC else "年号"
    return "R" if _LETTERED.match(text) else ""


def western(texts: Sequence[str]) -> list[str]:
    """Texts with the Western year in the place of one of an era."""
    return [_NAMED.sub(_of_name, _LETTERED.sub(_of_letter, text, 1), 1) for text in texts]


def _of_name(match: re.Match[str]) -> str:
    return f"{_FIRST[match[1]] - 1 + (1 if match[2] == '元' else int(match[2])):04}"


def _of_letter(match: re.Match[str]) -> str:
    return f"{_LETTERS[match[1]] - 1 + int(match[2]):04}"


def in_era(text: str, style: str, last: datetime) -> str:
    """A text that begins with a Western year with that of an era; `last` is the last moment of what
    it means. Years before the first era stay as they are."""
    match = _YEAR.match(text)
    if match is None:
        return text
    if style in REPUBLIC:
        name, first = style, 1912
    else:
        era = max((e for e in ERAS if e.first <= last), default=None, key=lambda e: e.first)
        if era is None:
            return text
        name, first = (era.letter if style == "R" else era.name), era.first.year
    year = int(match[0]) - first + 1
    if year < 1:
        return text
    return f"{name}{'元' if year == 1 and style != 'R' else year}{text[4:]}"
