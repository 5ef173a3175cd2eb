"""Offsets from UTC as they are written: Z, +01:00, +0100, +01, UTC, CET, GMT+1,
+01:00[Europe/Berlin].

Names of zones are those of which each has one meaning only, or nearly so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

HOURS: Mapping[str, int] = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2,
    "EET": 2, "EEST": 3, "MSK": 3, "JST": 9, "KST": 9, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5,
    "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}  # fmt: skip
OFFSET = re.compile(r"(?:UTC|GMT)?([+\-−])(\d{1,2})(?::?(\d{2}))?(?:\[[\w/+-]+\])?")
A_ZONE = (
    r"(?:UTC|GMT)?[+\-−](?:\d{2}:?\d{2}|\d{1,2})(?:\[[\w/+-]+\])?|[zZ]|"
    + "|".join(sorted(HOURS.keys() - {"Z"}, key=len, reverse=True))
)  # fmt: skip


def minutes_of(zone: str) -> int | None:
    """Minutes east of UTC; None where it is no zone."""
    offset = OFFSET.fullmatch(zone)
    if offset is None:
        hours = HOURS.get(zone.upper())
        return None if hours is None else 60 * hours
    sign, hours_east, minutes = offset.groups()
    if int(hours_east) > 14 or int(minutes or 0) > 59:
        return None
    east = 60 * int(hours_east) + int(minutes or 0)
    return east if sign == "+" else -east


def utc_like(zone: str) -> str:
    """UTC, written as that zone is."""
    offset = OFFSET.fullmatch(zone)
    if offset is None:
        return "Z" if zone in ("z", "Z") else "UTC"
    return "+00" if offset[3] is None else "+00:00" if ":" in zone else "+0000"
