"""What a cell that holds a number is made of: digits of several scripts, signs,
currencies, per cent.

−1.234,56 €   body 1.234,56, minus "−", suffix " €"
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, NamedTuple

LONGEST: Final = 400  # characters of a cell that may be a number
SIGNS: Final = (
    *("R$", "US$", "CA$", "AU$", "NZ$", "HK$", "NT$", "A$", "C$", "S$", "$", "€", "£", "¥", "₩"),
    *("₹", "₽", "₺", "₫", "₴", "₦", "₱", "฿", "₪", "₡", "₲", "₵", "₸", "₮", "₭", "₼", "₾"),
    *("元", "圆", "圓", "円", "원", "zł", "Kč", "kr.", "kr", "Ft", "lei", "лв", "руб.", "руб"),
    *("Rs.", "Rs", "SFr.", "Fr."),
)
CODES: Final = (
    *("AED", "ARS", "AUD", "BGN", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK", "EGP"),
    *("EUR", "GBP", "HKD", "HUF", "IDR", "ILS", "INR", "JPY", "KRW", "KZT", "MXN", "MYR", "NGN"),
    *("NOK", "NZD", "PEN", "PHP", "PKR", "PLN", "RMB", "RON", "RUB", "SAR", "SEK", "SGD", "THB"),
    *("TRY", "TWD", "UAH", "USD", "VND", "ZAR"),
)
SIZES: Final = {"K": 3, "M": 6, "B": 9, "万": 4, "萬": 4, "亿": 8, "億": 8}  # by power of ten
SIGNED: Final = ("sign", "inner", "early", "trailing")  # parts that a sign may be
DIGITS: Final = {
    "full-width": "０１２３４５６７８９",
    "Arabic": "٠١٢٣٤٥٦٧٨٩",
    "Persian": "۰۱۲۳۴۵۶۷۸۹",
}
MARKS: Final[dict[int, str]] = {
    **{ord(own): str(value) for row in DIGITS.values() for value, own in enumerate(row)},
    **dict.fromkeys(map(ord, "−–﹣－"), "-"),
    **dict.fromkeys(map(ord, "\u00a0\u202f\u2009\u2007\u2002\u3000\t\n\r"), " "),
    **dict.fromkeys(map(ord, "’‘＇ʼ´`"), "'"),
    **dict.fromkeys(map(ord, "，،٬"), ","),
    **dict.fromkeys(map(ord, "．٫"), "."),
    **dict.fromkeys(map(ord, "％﹪٪"), "%"),
    **dict.fromkeys(map(ord, "\u200e\u200f\u061c\ufeff"), ""),
    **dict(zip(map(ord, "＋（）＄￥￡￦"), "+()$¥£₩", strict=True)),
    **dict(zip(map(ord, "Ｅｅ"), "Ee", strict=True)),
}
_MONEY = "|".join(re.escape(word) for word in (*SIGNS, *CODES))
_CELL: Final = re.compile(
    rf"""\ *(?P<outer>(?:{_MONEY})\ *(?=\())?(?P<bracket>\(\ *)?
    (?P<sign>[+-]\ *)?(?P<before>(?:{_MONEY}|%)\ *)?(?P<inner>[+-]\ *)?
    (?P<body>[0-9](?:[0-9\ .,']*[0-9])?[.,]?|[.,][0-9]+)(?P<power>[eE][+-]?[0-9]+)?
    (?P<size>(?-i:[kKMB])|\ *[万萬亿億])?
    (?P<early>\ *-)?(?P<after>\ *(?:{_MONEY}|%))?
    (?P<trailing>\ *-)?(?P<closing>\ *\))?\ *""",
    re.VERBOSE | re.IGNORECASE,
)


class Parts(NamedTuple):
    """A cell taken apart."""

    body: str  # digits and marks
    power: str  # "e-5"
    minus: str  # as Numerals.minus; empty where the number is positive
    prefix: str
    suffix: str
    size: int = 0  # the power of ten that a K, M, B, 万 or 亿 behind it stands for

    @property
    def percent(self) -> bool:
        return "%" in self.prefix + self.suffix

    @property
    def currency(self) -> str:
        return "" if self.percent else _currency((self.prefix + self.suffix).strip())


def parts_of(cell: str) -> Parts | None:
    """A cell, or its shape, taken apart; None where it is no number in any way of writing."""
    found = None if len(cell) > LONGEST else _CELL.fullmatch(cell.translate(MARKS))
    if found is None:
        return None
    part = {name: text or "" for name, text in found.groupdict().items()}
    signs = [sign for name in SIGNED if (sign := part[name].strip())]
    bracketed = bool(part["bracket"])
    prefix = part["outer"] + part["before"]
    if bracketed != bool(part["closing"]) or len(signs) + bracketed > 1:
        return None
    if (part["outer"] and part["before"]) or (prefix and part["after"]):
        return None
    if bracketed:
        minus = "()"
    elif part["trailing"] or part["early"]:
        minus = "0-"
    else:
        minus = ("−" if "−" in cell else "-") if "-" in signs else ""
    size = SIZES.get(part["size"].strip().upper(), 0)
    return Parts(part["body"], part["power"], minus, prefix, part["after"], size)


@cache
def _currency(written: str) -> str:
    return next((word for word in (*SIGNS, *CODES) if word.lower() == written.lower()), "")


@cache
def own_digits(name: str, decimal: str) -> dict[int, str]:
    own = {ord(str(value)): digit for value, digit in enumerate(DIGITS[name])}
    if name != "full-width" and decimal == ".":
        own |= {ord("."): "٫", ord(","): "٬"}
    return own
