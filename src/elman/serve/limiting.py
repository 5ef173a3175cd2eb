"""What is asked for, held against the limits."""

from __future__ import annotations

from elman.serve.contract import Refused


def check_most(param: str, asked: float | None, most: float) -> None:
    """Refused: a number that is above what is allowed here."""
    if asked is not None and asked > most:
        raise Refused(400, "invalid_value", f"{param}: at most {most:,} here", param)


def check_rows(param: str, rows: int, most: int) -> None:
    """Refused: more rows than may be answered at once."""
    if rows > most:
        told = f"{param}: {rows:,}; at most {most:,} at once"
        raise Refused(413, "too_many_rows", told, param)
