"""The styles of dates that are understood, in one table, and what a cell says in each of them.

"5. Januar 2010 13:30" is, as day and month by name, the pattern "%-d. %B %Y %H:%M".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from elman.data.dates.month_names import A_HALF, is_weekday, month_of
from elman.data.dates.patterns import A_NAME, ORDINAL
from elman.data.dates.zones import A_ZONE

# In the expressions of styles, {m} is a group m of what a month may be.
GROUPS: Mapping[str, str] = {
    "Y": r"(?P<Y>\d{4})", "G": r"(?P<G>\d{4})", "y": r"'?(?P<y>\d{2})",
    "m": r"(?P<m>\d{1,2})", "d": r"(?P<d>\d{1,2})", "mm": r"(?P<m>\d{2})", "dd": r"(?P<d>\d{2})",
    "B": f"(?P<B>{A_NAME})", "V": r"(?P<V>\d{1,2})", "u": r"(?P<u>[1-7])", "q": r"(?P<q>[1-4])",
    "n": r"(?P<n>[12])",
    "j": r"(?P<j>\d{3})", "o": f"(?P<o>{ORDINAL})?", "mark": r"(?P<mark>[-/._ ]|\. )",
    "same": "(?P=mark)", "gap": r"[-/._, ]*", "de": r"(?:\.? de | del | of |[-/._ ]*)",
    "du": r"(?: de | del | of |[-/._, ]*)", "end": r"(?: ?г\.?| ?года|\.)?",
    "quarter": r"(?:Q|q|T|K|QTR|Qtr|qtr)",
    "week": r"(?:W|w|KW|Week|week|wk|Wk)",
    "clock": rf"(?P<H>\d{{1,2}}):(?P<M>\d{{2}})(?::(?P<S>\d{{2}}))?(?: +(?P<z>{A_ZONE}))?",
    "p": f"(?P<p>{A_HALF})",
}  # fmt: skip

A_JOINT: Final = r" +(?:(?:at|um|à|às|alle) |kl\.? ?)"  # before a time of day


@dataclass(frozen=True)
class Style:
    """A way to write dates: `timed` where a time of day may follow; its `shape` may have several
    forms, with " || " between them."""

    name: str
    examples: tuple[str, ...]
    sentence: str
    shape: str
    timed: bool = True

    @cached_property
    def regexes(self) -> tuple[re.Pattern[str], ...]:
        """Each matches a whole date, and as group `rest` what follows it."""
        return tuple(re.compile(self._form(form)) for form in self.shape.split(" || "))

    def _form(self, form: str) -> str:
        body = re.sub(r"\{([A-Za-z]{1,7})\}", lambda m: GROUPS[m[1]], form)
        if not self.timed:
            return body
        before = rf"(?:(?P<a>{A_NAME})[,.]? +(?:den |der )?)?"
        after = rf"(?:(?! ?(?:{A_HALF})| ?[Tt]\d|{A_JOINT}) ?[(\[]?(?P<A>{A_NAME})[)\]]?)?"
        return rf"{before}{body}{after}(?P<rest>|[^\w].*|[Tt]?\d.*|_.*)"


STYLES: Final = (
    Style("year, month, day", ("2016-07-01", "2019/1/2", "2010.01.05"),
          "The year first: never in doubt.", r"{Y}{mark}{m}{same}{d}\.?"),
    Style("day, month, year", ("31/12/2010", "31.12.2010", "1-2-2010"),
          "Which of the first two is the month is decided by the whole column.",
          r"{d}{mark}{m}{same}{Y}\.?"),
    Style("month, day, year", ("12/31/2010", "1/5/2010 1:30 PM"),
          "As in the United States, where the whole column reads so.", r"{m}{mark}{d}{same}{Y}"),
    Style("day, month, year of two digits", ("31/12/10", "31.12.10"),
          "69 to 99 are of the twentieth century, unless the column would jump.",
          r"{d}{mark}{m}{same}{y}"),
    Style("month, day, year of two digits", ("12/31/10",),
          "As in the United States, where the whole column reads so.", r"{m}{mark}{d}{same}{y}"),
    Style("year of two digits, month, day", ("10-12-31",),
          "Only where no other order fits.", r"{y}{mark}{m}{same}{d}"),
    Style("year, day, month", ("2010-31-12",), "Only where the month cannot come first.",
          r"{Y}{mark}{d}{same}{m}"),
    Style("day and month by name", ("5. Januar 2010", "5 de enero de 2010", "5-Jan-10"),
          "Names in ten languages, full or short, in any case, with a dot or without.",
          r"{d}{o}{de}{B}{du}(?:{Y}|{y}){end}"),
    Style("month by name and day", ("Jan 5, 2010", "Mon Jan 05 2010", "May 5th, 2010 at 1:30 PM"),
          "The weekday before it is passed over.", r"{B}{gap}{d}{o}{gap}[-/._, ]{Y}"),
    Style("year, month by name, day", ("2010-Jan-05", "2010 January 5"), "The year first.",
          r"{Y}{gap}{B}{gap}{d}"),
    Style("as clocks of computers", ("Tue Jan 05 13:30:00 2010",),
          "The year stands behind the time, and an offset may be between.",
          r"(?P<a>[A-Za-z]+) {B} +{d} {clock} {Y}", timed=False),
    Style("packed, with a time", ("20190102 1300", "20190102T130000Z"),
          "Eight digits, and a time behind a space or a T.", r"{Y}{mm}{dd}(?=[Tt\s]+\d)"),
    Style("day of the year", ("2010-005",), "As ISO 8601 counts days.", r"{Y}-{j}"),
    Style("年月日", ("2010年1月5日", "2010년 1월 5일"), "Chinese, Japanese, Korean.",
          r"{Y} ?[年년] ?{m} ?[月월] ?{d} ?[日일号號]"),
    Style("年月", ("2010年1月", "2010년 1월"), "Months alike.", r"{Y} ?[年년] ?{m} ?[月월]",
          timed=False),
    Style("month by number of a short year", ("1月-10",), "As Chinese spreadsheets write Jan-10.",
          r"{m}月[- ]?(?:{Y}|{y})", timed=False),
    Style("年", ("2010年", "2010년"), "Years alike.", r"{Y} ?[年년]度?", timed=False),
    Style("month by name", ("Jan-10", "January 2010", "janv. 2010", "январь 2010 г."),
          "A month without a day; two digits are the year.", r"{B}{du}(?:{Y}|{y}){end}",
          timed=False),
    Style("year, month by name", ("2010-Jan", "2010 January", "2010年一月"), "The year first.",
          r"{Y}[-/._, 年]*{B}", timed=False),
    Style("year and month", ("2010-01", "2010/1", "2010M01"), "The year first.",
          r"{Y}(?:[-/ _]|[-/]?[Mm]){m}", timed=False),
    Style("month and year", ("01/2010", "1-2010"), "The year last.", r"{m}[-/ _]{Y}", timed=False),
    Style("week", ("2020-W05", "2020W05", "2020-W05-3", "KW 5 2020"),
          "Weeks of ISO 8601, told by their Monday.",
          r"{G}[- ]?{week}{V}(?:-{u})? || {week}[- ]?{V}[-/ ]{G}", timed=False),
    Style("quarter", ("2020Q1", "Q1 2020", "1Q20", "2020 T1", "2020年第1季度"),
          "Told by the first day of its first month.",
          r"{Y}[-/ :]?{quarter}{q} || {quarter}{q}[-/ :]*(?:{Y}|{y}) || "
          r"{q}[-/ ]?{quarter}[-/ ]*(?:{Y}|{y}) || {Y} ?[年년] ?第?{q} ?(?:季度|季|四半期|분기) || "
          r"{Y} ?{q}분기 || {q}(?:[.eo]|er|st|nd|rd|th)? ?"
          r"(?:кв\.?|квартал|Quartal|[Tt]rimestre|trim\.?|quarter)(?: de)? {Y}(?: ?г\.?)?",
          timed=False),
    Style("half a year", ("2020H1", "2020-H2", "H1 2020", "1H20"),
          "Told by the first day of its first month.",
          r"{Y}[-/ :]?(?:[HS]|HY){n} || (?:[HS]|HY){n}[-/ ]*{Y} || {n}[-/ ]?[HS][-/ ]?{Y} || "
          r"{n}H{y}", timed=False),
)  # fmt: skip

TIMES: Final = tuple(
    re.compile(rf"(?:(?P<p>{A_HALF}) ?)?{time}" if not late else rf"{time}(?: ?(?P<p>{A_HALF}))?")
    for time in (
        r"(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?",
        r"(?P<H>\d{1,2})\.(?P<M>\d{2})(?:\.(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?",
        r"(?P<H>\d{1,2}) ?[時时点시] ?(?:(?P<M>\d{2}) ?[分분](?: ?(?P<S>\d{2}) ?[秒초])?)?",
        r"(?P<H>\d{1,2}) ?[hHu] ?(?P<M>\d{2})",
        r"(?P<H>\d{2})(?P<M>\d{2})(?:(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?",
        r"(?P<H>\d{1,2})",
    )
    for late in (True, False)
)
JOINS: Final = re.compile(rf"[Tt]|,?{A_JOINT}|,? +|[-_:]|")
TAIL: Final = re.compile(rf"(?: Uhr| ?hrs?)?(?: ?(?P<z>{A_ZONE}))?")


class Seen(NamedTuple):
    """What a cell says in a style: its pattern up to the date's end and from there on; the spans of
    its groups of digits."""

    style: Style
    date: str
    time: str
    spans: Mapping[str, tuple[int, int]]
    names: Mapping[str, str]  # of months, weekdays, halves of the day


def seen_in(text: str) -> list[Seen]:
    """Every style that a cell may be written in, whether or not its numbers can be a date."""
    return [
        seen
        for style in STYLES
        for regex in style.regexes
        if (match := regex.fullmatch(text)) and (seen := _seen(style, match))
    ]


def _seen(style: Style, match: re.Match[str]) -> Seen | None:
    if not _known(match):
        return None
    text, spans = match.string, _spans(match)
    end = match.start("rest") if style.timed else len(text)
    clock = _clock(match["rest"], text[:end]) if style.timed else ("", {})
    if clock is None:
        return None
    time, names = clock
    names |= {name: match[name] for name in "BaA" if match.groupdict().get(name)}
    return Seen(style, _pattern(text[:end], spans), time, spans, names)


def time_in(text: str) -> str | None:
    """The pattern of a time of day: "%H:%M"; None where a cell is none."""
    for regex in TIMES:
        match = regex.fullmatch(text)
        if match is not None:
            return _pattern(text, _spans(match))
    return None


def _clock(rest: str, date: str) -> tuple[str, dict[str, str]] | None:
    """The pattern of the time of day that follows a date, and the names in it."""
    if not rest:
        return "", {}
    joined = JOINS.match(rest)
    assert joined is not None
    if not joined[0] and date[-1:].isdigit():
        return None
    for regex in TIMES:
        match = regex.match(rest, joined.end())
        tail = TAIL.fullmatch(rest, match.end()) if match else None
        if match is None or tail is None:
            continue
        if match.re.groupindex.keys() >= {"M"} and not match["M"] and len(match["H"]) < 2:
            continue
        names = {"p": match["p"]} if match["p"] else {}
        return _pattern(rest, _spans(match) | _spans(tail)), names
    return None


def _known(match: re.Match[str]) -> bool:
    groups = match.groupdict()
    named = groups.get("B")
    if named and month_of(named) is None:
        return False
    return all(is_weekday(groups[name]) for name in "aA" if groups.get(name))


def _spans(match: re.Match[str]) -> dict[str, tuple[int, int]]:
    return {
        name: match.span(name)
        for name, text in match.groupdict().items()
        if text and name not in ("rest", "mark")
    }


def _pattern(text: str, spans: Mapping[str, tuple[int, int]]) -> str:
    """Text with a directive in the place of each group."""
    made, end = "", 0
    for name, (start, stop) in sorted(spans.items(), key=lambda item: item[1]):
        flag = "-" if stop - start == 1 and name in "mdHV" else ""
        if name == "f":
            flag = str(stop - start)
        letter = "I" if name == "H" and "p" in spans else name
        made += text[end:start].replace("%", "%%") + f"%{flag}{letter}"
        end = stop
    return made + text[end:].replace("%", "%%")
