"""How whatever is wrong is refused: exit code 2 or 1, one clear line, nothing lost or left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from calling import Ended, call, snapshot
from hypothesis import HealthCheck, settings

GOOD = "the quick brown fox jumps over the lazy dog.\n" * 20
SMALL = ("--epochs", "1", "--hidden-size", "4", "--sample", "0", "--threads", "1")

draws = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def check_told(ended: Ended) -> None:
    assert ended.code in (1, 2), ended
    assert ended.out == ""
    *before, last = ended.err.splitlines()
    assert last.startswith("elman: ")
    assert 20 < len(last) < 700
    assert len(before) <= 5  # what was said of the data, its doctor included, and of the plan
    assert not any(line.startswith("elman: ") for line in before)
    assert "Traceback" not in ended.err


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    before = snapshot(folder)
    yield
    assert snapshot(folder) == before


def refused(folder: Path, *arguments: str | Path, stdin: bytes = b"") -> str:
    """The line that a command which must fail ends in."""
    with untouched(folder):
        ended = call(*arguments, stdin=stdin)
    check_told(ended)
    return ended.err.splitlines()[-1]
