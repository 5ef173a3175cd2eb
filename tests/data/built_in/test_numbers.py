"""The built-in pairs: numbers and dates are spelt right, and read back by other rules."""

from __future__ import annotations

import datetime
import hashlib
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman.data.built_in.named import NAMED
from elman.data.built_in.numbers import (
    chinese_dates,
    english_dates,
    in_chinese,
    in_english,
    numbers,
)

BY_HAND = {
    0: ("zero", "零"),
    7: ("seven", "七"),
    10: ("ten", "十"),
    11: ("eleven", "十一"),
    12: ("twelve", "十二"),
    20: ("twenty", "二十"),
    42: ("forty-two", "四十二"),
    100: ("one hundred", "一百"),
    101: ("one hundred and one", "一百零一"),
    110: ("one hundred and ten", "一百一十"),
    202: ("two hundred and two", "二百零二"),
    1000: ("one thousand", "一千"),
    1001: ("one thousand and one", "一千零一"),
    1010: ("one thousand and ten", "一千零一十"),
    1100: ("one thousand one hundred", "一千一百"),
    2000: ("two thousand", "两千"),
    4012: ("four thousand and twelve", "四千零一十二"),
    10000: ("ten thousand", "一万"),
    10001: ("ten thousand and one", "一万零一"),
    12020: ("twelve thousand and twenty", "一万二千零二十"),
    20100: ("twenty thousand one hundred", "两万零一百"),
    22000: ("twenty-two thousand", "两万二千"),
    100000: ("one hundred thousand", "十万"),
    101010: ("one hundred and one thousand and ten", "十万一千零一十"),
    120000: ("one hundred and twenty thousand", "十二万"),
    200002: ("two hundred thousand and two", "二十万零二"),
    500300: ("five hundred thousand three hundred", "五十万零三百"),
    999999: (
        "nine hundred and ninety-nine thousand nine hundred and ninety-nine",
        "九十九万九千九百九十九",
    ),
}
ENGLISH = {  # what a word adds; hundred and thousand multiply what stands before them
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20,
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
CHINESE = {"零": 0, "〇": 0, "两": 2} | {
    letter: k for k, letter in enumerate("一二三四五六七八九", 1)
}
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"


def from_english(words: str) -> int:
    whole = part = 0
    for word in re.split("[ -]", words):
        if word == "thousand":
            whole, part = part * 1000, 0
        elif word == "hundred":
            part *= 100
        elif word != "and":
            part += ENGLISH[word]
    return whole + part


def from_chinese(words: str) -> int:
    whole = part = digit = 0
    for letter in words:
        if letter == "万":
            whole, part, digit = (part + digit) * 10_000, 0, 0
        elif letter in "十百千":
            part += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[letter]
            digit = 0
        else:
            digit = CHINESE[letter]
    return whole + part + digit


def from_date(words: str) -> str:
    """By its parts wherever they stand."""
    if "年" in words:
        year, month, day = re.split("[年月]", words.strip("日号"))
        return datetime.date(int(digits(year)), small(month), small(day)).isoformat()
    month_at = MONTHS.split().index(re.findall("[A-Z][a-z]{2}", words)[0].lower())
    day, year = sorted(map(int, re.findall(r"\d+", words)))
    return datetime.date(year, month_at + 1, day).isoformat()


def small(number: str) -> int:
    return int(number) if number.isdecimal() else from_chinese(number)


def digits(year: str) -> str:
    return "".join(str(CHINESE.get(letter, letter)) for letter in year)


@pytest.fixture(scope="module")
def rows() -> list[list[str]]:
    head, *lines = numbers().decode().splitlines()
    assert head == "source\ttarget"
    return [line.split("\t") for line in lines]


@pytest.mark.parametrize("number", BY_HAND)
def test_numbers_are_spelt_as_by_hand(number: int) -> None:
    assert (in_english(number), in_chinese(number)) == BY_HAND[number]


def test_dates_are_spelt_as_by_hand() -> None:
    assert english_dates(datetime.date(1987, 3, 3)) == [
        "3 March 1987", "3rd March 1987", "the 3rd of March 1987", "March 3, 1987",
        "March 3rd, 1987", "3 Mar 1987", "Mar 3, 1987",
    ]  # fmt: skip
    assert chinese_dates(datetime.date(2000, 10, 31)) == [
        "二〇〇〇年十月三十一日", "二〇〇〇年十月三十一号", "2000年10月31日", "2000年10月31号",
    ]  # fmt: skip
    nth = [english_dates(datetime.date(1987, 1, day))[1].split()[0] for day in range(1, 32)]
    assert [text for text in nth if not text.endswith("th")] == [
        "1st", "2nd", "3rd", "21st", "22nd", "23rd", "31st",
    ]  # fmt: skip


@given(st.integers(0, 6).flatmap(lambda length: st.integers(0, 10**length - 1)))
def test_what_is_spelt_is_read_back_by_other_rules(number: int) -> None:
    assert from_english(in_english(number)) == number
    assert from_chinese(in_chinese(number)) == number


def test_every_row_is_right(rows: list[list[str]]) -> None:
    for source, target in rows:
        if source.startswith("en "):
            assert from_english(target) == int(source[3:])
        elif source.startswith("zh "):
            assert from_chinese(target) == int(source[3:])
        elif "-" in target:
            assert from_date(source) == target
            assert datetime.date.fromisoformat(target)
        else:
            read = from_english if source.isascii() else from_chinese
            assert str(read(source)) == target


def test_no_source_comes_twice_and_short_and_long_numbers_are_both_there(
    rows: list[list[str]],
) -> None:
    assert len({source for source, _ in rows}) == len(rows)
    assert {target[8:] for _, target in rows if "-" in target} >= {f"{d:02}" for d in range(1, 32)}
    assert 12_000 <= len(rows) <= 20_000
    for start in ("en ", "zh "):
        lengths = Counter(len(source) - 3 for source, _ in rows if source.startswith(start))
        assert lengths == {1: 10, 2: 90, 3: 725, 4: 725, 5: 725, 6: 725}
    tenth = Counter(source[:3] == "zh " for source, _ in rows[:1600])
    assert tenth[True] > 200, "kinds are mixed"


def test_the_rows_are_the_same_everywhere() -> None:
    made = numbers()
    assert hashlib.sha256(made).hexdigest() == NAMED["numbers"].sha256
    assert len(made) == NAMED["numbers"].size
