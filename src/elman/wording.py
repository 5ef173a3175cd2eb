"""Numbers and lists as people write them: 1 row, 1,234 rows, 4:05 minutes; a, b, …"""

from __future__ import annotations

from collections.abc import Sequence


def counted(count: int, one: str, many: str = "") -> str:
    """How many there are of something; `many` is its plural where that is not `one` with s or es.

    >>> counted(1, "row"), counted(1234, "row"), counted(2, "class", "classes"), counted(2, "epoch")
    ('1 row', '1,234 rows', '2 classes', '2 epochs')
    """
    ends = "" if one.endswith("s") else "es" if one.endswith(("tch", "sh", "x")) else "s"
    return f"{count:,} {one if count == 1 else many or one + ends}"


def listed(names: Sequence[str], most: int) -> str:
    """Names after commas, at most so many of them.

    >>> listed(["a", "b"], 2), listed(["a", "b", "c"], 2)
    ('a, b', 'a, b, …')
    """
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def readable(number: float) -> str:
    """A score in four decimals, or in three digits where these would say nothing.

    >>> readable(0.95), readable(0.00001234), readable(123456.7), readable(1e100)
    ('0.9500', '1.23e-05', '123,457', '1e+100')
    """
    size = abs(number)
    if 0 < size < 1e-3 or size >= 1e9:
        return f"{number:.3g}"
    return f"{number:,.0f}" if size >= 1e5 else f"{number:.4f}"


def minutes(seconds: float) -> str:
    """A time in minutes and seconds, in hours where it is long.

    >>> minutes(245.4), minutes(3725)
    ('4:05', '1:02:05')
    """
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    shown = f"{rest // 60}:{rest % 60:02}"
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else shown
