"""Folders that take their place whole, whatever happens meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from elman.run import files

Trace = Callable[[FrameType, str, Any], Any]


def interrupting(line: int) -> Trace:
    """A trace that presses Ctrl-C before the line of that number of those that `filling` runs."""
    left = line

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if frame.f_code is not files.filling.__wrapped__.__code__:  # type: ignore[attr-defined]
            return None if event == "call" else trace
        if event == "line":
            left -= 1
            if left < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    return trace


def fill(path: Path) -> None:
    with files.filling(path) as fresh:
        (fresh / "a").write_text("new")
        (fresh / "b").write_text("new")


@pytest.mark.parametrize("before", [None, "old"])
def test_a_folder_is_the_old_one_or_the_new_one_wherever_it_is_interrupted(
    before: str | None, tmp_path: Path
) -> None:
    interrupted, line = 0, 0
    while True:
        path = tmp_path / f"{line}" / "run"
        path.parent.mkdir()
        if before is not None:
            path.mkdir()
            (path / "a").write_text(before)
        tracing = sys.gettrace()
        sys.settrace(interrupting(line))
        try:
            fill(path)
        except KeyboardInterrupt:
            interrupted += 1
        else:
            break
        finally:
            sys.settrace(tracing)
        told = {part.name: part.read_text() for part in path.iterdir()} if path.exists() else None
        assert told in (None if before is None else {"a": before}, {"a": "new", "b": "new"})
        line += 1
    assert interrupted > 8
