"""Numbers of things as people write them: 1 row, 1,234 rows."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """How many there are of something; `many` is its plural where that is not `one` with an s.

    >>> counted(1, "row"), counted(1234, "row"), counted(0, "class", "classes")
    ('1 row', '1,234 rows', '0 classes')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
