"""Numbers as people write them are read by what their whole column shows, and written back."""

from __future__ import annotations

import itertools
import json
import math
import random
import time
from dataclasses import asdict
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman.data.tables.marks import CODES, DIGITS, SIGNS
from elman.data.tables.numerals import UNDERSTOOD, Mark, Numerals, Understood, numerals_of
from elman.data.tables.profile import MISSING, Profile


def profile_of(*cells: object) -> Profile:
    profile = Profile("x")
    profile.add(cells, range(2, 2 + len(cells)))
    return profile


def numerals(*cells: object, decimal: Mark | None = None) -> Numerals:
    found = numerals_of(profile_of(*cells), decimal)
    assert found is not None
    return found


def written(value: Decimal, decimal: str, groups: str, indian: bool) -> str:
    """A number with the marks, by itself: independent of what is tested."""
    text = f"{value:f}" if not groups or indian else f"{value:,f}"
    if indian and groups:
        whole, _, fraction = f"{value:f}".lstrip("-").partition(".")
        head, tail = whole[:-3], whole[-3:]
        pairs: list[str] = []
        while head:
            pairs.insert(0, head[-2:])
            head = head[:-2]
        text = "-" * (value < 0) + ",".join([*pairs, tail]) + "." * bool(fraction) + fraction
    return text.translate({ord(","): groups or ",", ord("."): decimal})


WAYS = [
    (decimal, groups, indian)
    for decimal in ".,"
    for groups in ("", ",", ".", " ", "\u00a0", "\u202f", "\u2009", "'", "’")
    for indian in (False, True)
    if groups != decimal and (groups == "," or not indian)
]
SIGNED = ("-{}", "−{}", "({})", "{}-")
AROUND = ("{}", "${}", "€ {}", "{} €", "{}元", "CHF {}", "{} zł", "{}%", "{} %", "  {} ")
SCRIPTS = ("", *DIGITS)


@pytest.mark.parametrize(("way", "around"), list(itertools.product(WAYS, AROUND)))
def test_numbers_are_read_in_every_combination_of_marks(
    way: tuple[str, str, bool], around: str
) -> None:
    rng = random.Random(f"{way} {around}")
    for minus, script in itertools.product(SIGNED, SCRIPTS):
        places = rng.choice((1, 2, 4))
        values = [
            Decimal(rng.randrange(-(10**9), 10**9)).scaleb(-places) / rng.choice((1, 10, 1000))
            for _ in range(12)
        ]
        values += [Decimal("1234567.5"), Decimal("-0.25"), Decimal("12.5")]
        cells = []
        for value in values:
            text = around.format(written(abs(value), *way))
            cells.append(minus.format(text.strip()) if value < 0 else text)
        if script:
            own = str.maketrans("0123456789", DIGITS[script])
            cells = [cell.translate(own) for cell in cells]
        found = numerals(*cells)
        shift = -2 if "%" in around else 0
        expected = [float(value.scaleb(shift)) for value in values]
        got, bad = found.numbers(cells)
        assert not bad.any(), (found, [c for c, b in zip(cells, bad, strict=True) if b])
        assert got.tolist() == expected, found
        assert [found.number(cell) for cell in cells] == expected
        again = [found.number(found.text(value)) for value in expected]
        assert again == expected, (found, [found.text(value) for value in expected])


@pytest.mark.parametrize("form", UNDERSTOOD, ids=lambda form: form.what)
def test_what_the_page_says_is_so(form: Understood) -> None:
    values, bad = numerals(*form.cells).numbers(form.cells)
    assert values.tolist() == list(form.values)
    assert not bad.any()


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (("1,234", "999", "56,789"), (1234, 999, 56789)),
        (("1,234", "1,5"), (1.234, 1.5)),
        (("1,234", "0,123"), (1.234, 0.123)),
        (("$1,234", "$0,123"), (1.234, 0.123)),
        (("12,345", "02,500"), (12.345, 2.5)),
        (("1,234", "1,234,567"), (1234, 1234567)),
        (("1,234", "2.5"), (1234, 2.5)),
        (("1.234", "2.345"), (1.234, 2.345)),
        (("1.234", "1.234.567"), (1234, 1234567)),
        (("1.234", "1.234,5"), (1234, 1234.5)),
        (("1.234", "2,5"), (1234, 2.5)),
        (("1 234", "2,5"), (1234, 2.5)),
        (("1 234", "2.5"), (1234, 2.5)),
        (("12,34,567", "1,234"), (1234567, 1234)),
        (("123,456", "1,234,567"), (123456, 1234567)),
        (("1e3", "2.5E-1"), (1000, 0.25)),
    ],
)
def test_the_whole_column_says_what_a_mark_is(
    cells: tuple[str, ...], values: tuple[float, ...]
) -> None:
    for order in (cells, cells[::-1]):
        found = numerals(*order)
        assert [found.number(cell) for cell in cells] == list(values)
    assert found.assumed == (cells in ((*cells[:2], "56,789"), ("1.234", "2.345")))


def test_a_zero_beyond_the_cells_that_are_kept_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elman.data.tables.profile.MOST_DISTINCT", 1)
    profile = profile_of("1,234")
    profile.add(["0,500"], [3])
    found = numerals_of(profile)
    assert found is not None
    assert found.number("1,234") == 1.234


def test_who_knows_the_mark_says_so() -> None:
    assert numerals("1,234", decimal=",").number("1,234") == 1.234
    assert numerals("1,234", decimal=".").number("1,234") == 1234
    assert numerals("1.234", decimal=",").number("1.234") == 1234
    assert not numerals("1,234", decimal=",").assumed
    assert "--decimal comma" in numerals("1,234").told()
    assert "--decimal comma" in numerals("1.234").told()
    assert numerals_of(profile_of("1.23"), decimal=",") is None


@pytest.mark.parametrize(
    ("cells", "contradicts"),
    [
        (("1.234,5", "2,25"), ("3.50", "1,234.5", "1.23", "3,5,5", "12.34,5", "1 234,5", "0.500")),
        (("1,234.5", "2.25"), ("3,50", "1.234,5", "1,23", "12,34,567.0", "0,500", "1'234")),
        (("3.5", "4.25"), ("3,5", "1,234.5", "1 234", "5%", "$5", "5 kg", "1_000", "inf", "1e999")),
        (("3,5", "4,25"), ("3.5", "1.234", "0x10", "1/2", "12:30", "--5", "(5", "5)", "-(5)")),
        (("5%", "12.5 %"), ("5", "0.05", "5,5%", "5%%", "€5", "%5%")),
        (("$5", "$6.50"), ("€5", "5 kg", "$5$", "$", "5%", "5 EUR")),
        (("12,34,567", "1,234"), ("1,234,567", "123,456")),
        (("True", "FALSE"), ("yes", "2", "T", "wahr")),
    ],
)
def test_what_contradicts_the_column_is_no_number_of_it(
    cells: tuple[str, ...], contradicts: tuple[str, ...]
) -> None:
    found = numerals(*cells * 50, contradicts[0])
    for cell in contradicts:
        assert found.number(cell) is None, cell
    values, bad = found.numbers([cells[0], *contradicts, cells[1]])
    assert bad.tolist() == [False, *[True] * len(contradicts), False]
    assert np.isnan(values[1:-1]).all()


@pytest.mark.parametrize(
    "cells",
    [
        ("up", "down"),
        ("5 kg", "6 kg"),
        ("2010-01-01",),
        ("31/12/2010", "30/11/2010"),
        ("1.2.3",),
        ("12:30",),
        ("yes", "no"),
        ("inf",),
        ("", "NA"),
        ("1,5", "2.5", "3.5", "4,5"),
        ("$5", "€5"),
        ("192.168.0.1", "10.0.0.254"),
        ("5" * 50,),
        ([1, 2], [3]),
        (),
    ],
)
def test_a_column_of_other_things_has_no_numerals(cells: tuple[object, ...]) -> None:
    assert numerals_of(profile_of(*cells)) is None


@pytest.mark.parametrize(
    ("numbers", "others", "are_numbers"),
    [(90, 10, True), (89, 11, False), (8, 1, True), (8, 2, False), (2, 1, True), (1, 1, False)],
)
def test_nearly_all_cells_must_be_numbers(numbers: int, others: int, are_numbers: bool) -> None:
    """Nine in ten, or all of a few but one; those that are missing do not count."""
    cells = ["1,5"] * numbers + ["x"] * others
    for missing in ([], ["NA", "", "n/a", "?"] * 50):
        assert (numerals_of(profile_of(*cells, *missing)) is not None) == are_numbers


@pytest.mark.parametrize("word", sorted({*MISSING, "N/A", " NaN ", "None"}))
@pytest.mark.parametrize("cells", [("1.5",), ("1,5",), ("5%",), ("True",), ("$1,000",)])
def test_words_for_missing_are_nan(cells: tuple[str, ...], word: str) -> None:
    found = numerals(*cells)
    assert found.numbers([word, *cells])[1].tolist() == [False] * 2
    assert math.isnan(found.numbers([word, *cells])[0][0])
    assert math.isnan(found.number(word) or 0.0)


@pytest.mark.parametrize("cells", [("1.5",), ("1,5",), ("5%",), ("True",)])
def test_values_with_a_type_are_themselves(cells: tuple[str, ...]) -> None:
    found = numerals(*cells)
    typed = [True, False, 3, 2.5, np.float32(0.5), np.int64(7), np.bool_(True), Decimal("1.5")]
    values, bad = found.numbers(typed)
    assert values.tolist() == [1, 0, 3, 2.5, 0.5, 7, 1, 1.5]
    assert not bad.any()
    assert found.numbers([math.inf, 10**400, [1], {"a": 1}, 1j, b"5x"])[1].all()
    assert not found.numbers([None, math.nan, np.float32("nan"), np.datetime64("NaT")])[1].any()


def test_truth_values_are_one_and_nought() -> None:
    for cells in (("True", "False"), ("TRUE", "false"), (True, False)):
        found = numerals(*cells)
        assert [found.number(cell) for cell in cells] == [1, 0]
        assert found.told() == "True is 1, False is 0"


def test_what_is_told() -> None:
    told = {
        ("3.5", "4"): "",
        ("3", "4"): "",
        ("1.234,5",): "decimal comma, thousands by dots",
        ("1,234.5",): "thousands by commas",
        ("12,34,567",): "Indian groups by commas",
        ("1\u202f234,5",): "decimal comma, thousands by spaces",
        ("12.5%",): "per cent as fractions, 12.5% is 0.125",
        ("(5)", "6"): "brackets for minus",
        ("5-", "6"): "minus after the number",
        ("$5",): "amounts in $",
        ("１２",): "full-width digits",
    }
    assert {cells: numerals(*cells).told() for cells in told} == told


@pytest.mark.parametrize(
    ("cells", "value", "text"),
    [
        (("3.5",), 1234567.25, "1234567.25"),
        (("1.234,5",), -1234567.25, "-1.234.567,25"),
        (("12,34,567.5",), 1234567.25, "12,34,567.25"),
        (("12,34,567.5",), 123.0, "123"),
        (("12.5%",), 0.07, "7%"),
        (("12,5 %",), 0.125, "12,5 %"),
        (("$1,000", "($5)"), -1234.0, "($1,234)"),
        (("1.000,00 €", "5,00- €", "5,00 €-"), -1234.5, "1.234,5 €-"),
        (("−5", "3"), -2.0, "−2"),
        (("١٬٢٣٤٫٥",), 1234.5, "١٬٢٣٤٫٥"),
        (("1,5",), 1.5e-20, "1,5e-20"),
        (("1.5",), 100.0, "100"),
        (("1.5",), math.nan, ""),
        (("1.5",), -0.0, "0"),
    ],
)
def test_numbers_are_written_as_the_data_writes_them(
    cells: tuple[str, ...], value: float, text: str
) -> None:
    assert numerals(*cells).text(value) == text


ANY = (
    st.builds(
        Numerals,
        percent=st.just(True),
        suffix=st.sampled_from(["%", " %"]),
        minus=st.sampled_from(["-", "()", "0-"]),
    )
    | st.builds(
        Numerals,
        decimal=st.just(","),
        groups=st.sampled_from(["", ".", " ", "'"]),
        minus=st.sampled_from(["-", "−", "()", "0-"]),
        digits=st.sampled_from(["", *DIGITS]),
    )
    | st.builds(
        Numerals,
        groups=st.sampled_from(["", ",", " ", "'"]),
        currency=st.just("€"),
        suffix=st.sampled_from(["", " €"]),
        digits=st.sampled_from(["", *DIGITS]),
    )
)


@pytest.mark.parametrize("cell", ["1_000", "१२", "1e400", "infinity", "-inf"])
def test_what_python_alone_takes_for_a_number_is_none(cell: str) -> None:
    for known in (Numerals(), numerals("1,234.5")):
        assert known.number(cell) is None
        assert known.numbers([cell, "2"])[1].tolist() == [True, False]


@given(ANY, st.floats(allow_infinity=False, allow_nan=False))
def test_every_number_that_is_written_is_read_back(found: Numerals, value: float) -> None:
    assert found.number(found.text(value)) == value


@given(st.lists(st.text("0123456789.,' %$€-+()eE", max_size=12) | st.text(max_size=5), max_size=8))
def test_one_by_one_is_as_all_at_once(cells: list[str]) -> None:
    for known in (Numerals(), numerals("1.234,5"), numerals("$1,234.5"), numerals("5%")):
        values, bad = known.numbers(cells)
        for cell, value, is_bad in zip(cells, values.tolist(), bad.tolist(), strict=True):
            one = known.number(cell)
            assert (one is None) == is_bad
            assert one is None or one == value or math.isnan(one) == math.isnan(value)


@pytest.mark.parametrize("money", [*SIGNS, *CODES])
def test_every_currency_may_stand_before_or_after(money: str) -> None:
    for cell in (f"{money}5", f"{money} 5", f"5{money}", f"5 {money}"):
        found = numerals(cell)
        assert (found.number(cell), found.currency) == (5, money)


def test_it_is_kept_as_json() -> None:
    found = numerals("1.234,5 €", "−5 €")
    assert Numerals(**json.loads(json.dumps(asdict(found)))) == found


def test_a_million_plain_cells_are_read_in_half_a_second() -> None:
    cells = [f"{value:.4f}" for value in np.random.default_rng(0).normal(size=1_000_000)]
    seconds = []
    for _ in range(3):
        begun = time.process_time()
        values, bad = Numerals().numbers(cells)
        seconds.append(time.process_time() - begun)
    assert values[17] == float(cells[17])
    assert not bad.any()
    assert min(seconds) < 0.5


def test_a_long_cell_takes_no_long_time() -> None:
    begun = time.process_time()
    for cell in ("1" * 1_000_000 + "x", "1 " * 500_000, "(" * 1_000_000, " " * 1_000_000 + "x"):
        assert numerals("1,5").number(cell) is None
    assert time.process_time() - begun < 1


@given(st.lists(st.tuples(st.integers(1, 99_999), st.sampled_from("KMB万亿")), min_size=3))
def test_numbers_with_their_size_behind_them(drawn: list[tuple[int, str]]) -> None:
    power = {"K": 3, "M": 6, "B": 9, "万": 4, "亿": 8}
    cells = [f"{n / 100:.2f}{size}" for n, size in drawn]
    found = numerals(*cells)
    values, bad = found.numbers(cells)
    assert not bad.any()
    assert values.tolist() == pytest.approx([n * 10.0 ** (power[size] - 2) for n, size in drawn])
    assert "M a million" in found.told()
    plain = numerals("1.25", "3.5", "7", "8.25", "9.5", "1.75", "2.25", "3.25", "4.75", "5.5")
    assert plain.numbers(cells[:1])[1].all()  # 5K among plain numbers is a mistake
