"""The built-in pairs: numbers and dates, in English and Chinese words, in digits, and back.

source	target
four thousand and twelve	4012
四千零一十二	4012
en 4012	four thousand and twelve
zh 4012	四千零一十二
3rd March 1987	1987-03-03
一九八七年三月三日	1987-03-03
"""

from __future__ import annotations

import calendar
import datetime
import random
from collections.abc import Callable, Iterator

LARGEST = 999_999
OF_EACH = 3_000  # numbers for each of four kinds of row
DATES = 2_000  # for each language
YEARS = range(1900, 2100)
SEED = 1987

UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
DIGITS = "零一二三四五六七八九"
PLACES = ((1000, "千"), (100, "百"), (10, "十"), (1, ""))
ENDINGS = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}  # otherwise "th"


def numbers() -> bytes:
    """About 16,000 rows in a mixed order, always the same; no source comes twice.

    Numbers go from 0 to 999,999, as many of 3 digits as of 4, 5 or 6, and all of 1 and 2. A source
    in digits begins with the language to write them in. Dates are of the years 1900 to 2099.
    """
    # Of Python's generator only `random` is promised to stay the same in every version.
    draw = random.Random(SEED).random
    rows: list[tuple[str, str]] = []
    for language, spelt in (("en", in_english), ("zh", in_chinese)):
        rows += ((spelt(n), str(n)) for n in _numbers(draw))
        rows += ((f"{language} {n}", spelt(n)) for n in _numbers(draw))
    for spellings in (english_dates, chinese_dates):
        rows += _dates(draw, spellings)
    rows = [row for _, row in sorted((draw(), row) for row in rows)]
    return "".join(f"{a}\t{b}\n" for a, b in [("source", "target"), *rows]).encode()


def in_english(number: int) -> str:
    """From 0 to 999,999, as the British write: `and` before what is left of a hundred or, below
    a hundred, of the thousands; a hyphen in twenty-one.

    101_010 → "one hundred and one thousand and ten"
    """
    thousands, rest = divmod(number, 1000)
    if not thousands:
        return _below_thousand(rest)
    words = f"{_below_thousand(thousands)} thousand"
    if not rest:
        return words
    return f"{words}{' and' if rest < 100 else ''} {_below_thousand(rest)}"


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    tens, units = divmod(rest, 10)
    words = UNITS[rest] if rest < 20 else TENS[tens] + (f"-{UNITS[units]}" if units else "")
    if not hundreds:
        return words
    return f"{UNITS[hundreds]} hundred" + (f" and {words}" if rest else "")


def in_chinese(number: int) -> str:
    """From 0 to 999,999, in simplified characters, as read at school.

    Zeros between digits are one 零, also between 万 and what is below 一千; those at the end of
    the ten thousands or of the whole are silent. 一十 is 十 where it begins the number. Two is 两
    before 千 or 万 where it begins the number, else 二.

    220_202 → "二十二万零二百零二", 22_000 → "两万二千", 101_010 → "十万一千零一十"
    """
    if not number:
        return DIGITS[0]
    high, low = divmod(number, 10_000)
    words = f"{_below_ten_thousand(high)}万" if high else ""
    if low:
        words += ("零" if high and low < 1000 else "") + _below_ten_thousand(low)
    if words.startswith("一十"):
        return words[1:]
    return f"两{words[1:]}" if words.startswith(("二千", "二万")) else words


def _below_ten_thousand(number: int) -> str:
    words, awaited = "", False  # a zero that is read only if a digit follows
    for value, name in PLACES:
        digit = number // value % 10
        if digit:
            words += ("零" if awaited else "") + DIGITS[digit] + name
        awaited = not digit and bool(words)
    return words


def english_dates(date: datetime.date) -> list[str]:
    """The spellings of a date, none of which can mean another."""
    day, month, year = date.day, MONTHS[date.month - 1], date.year
    nth = f"{day}{ENDINGS.get(day, 'th')}"
    return [
        f"{day} {month} {year}", f"{nth} {month} {year}", f"the {nth} of {month} {year}",
        f"{month} {day}, {year}", f"{month} {nth}, {year}",
        f"{day} {month[:3]} {year}", f"{month[:3]} {day}, {year}",
    ]  # fmt: skip


def chinese_dates(date: datetime.date) -> list[str]:
    """The same; in words the digits of a year are read one by one, with 〇."""
    year = "".join("〇" if digit == "0" else DIGITS[int(digit)] for digit in str(date.year))
    words = f"{year}年{in_chinese(date.month)}月{in_chinese(date.day)}"
    digits = f"{date.year}年{date.month}月{date.day}"
    return [f"{words}日", f"{words}号", f"{digits}日", f"{digits}号"]


def _numbers(draw: Callable[[], float]) -> Iterator[int]:
    """`OF_EACH` numbers, each once: all below 100, then equally many of every length."""
    yield from range(100)
    for length in range(3, len(str(LARGEST)) + 1):
        lowest = 10 ** (length - 1)
        seen: set[int] = set()
        while len(seen) < (OF_EACH - 100) // 4:
            seen.add(lowest + int(draw() * 9 * lowest))
        yield from sorted(seen)


def _dates(
    draw: Callable[[], float], spellings: Callable[[datetime.date], list[str]]
) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    while len(seen) < DATES:
        year, month = YEARS[int(draw() * len(YEARS))], 1 + int(draw() * 12)
        date = datetime.date(year, month, 1 + int(draw() * calendar.monthrange(year, month)[1]))
        written = spellings(date)
        text = written[int(draw() * len(written))]
        if text not in seen:
            seen.add(text)
            yield text, date.isoformat()
