"""A lock is one process's at a time, wherever its file has gone meanwhile."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

import pytest

from elman.run.many.claims import claimed


def test_who_has_waited_for_a_file_that_is_gone_holds_the_one_that_others_find(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, gone = tmp_path / "locks/begin.lock", 0

    flock_itself = fcntl.flock

    def flock(file: IO[str], how: int) -> None:
        nonlocal gone
        flock_itself(file, how)
        if not gone:  # as whoever held it has taken it away at the end
            lock.unlink()
            lock.parent.rmdir()
        gone += 1

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", flock)
        with claimed(lock, wait=True) as mine:
            patch.undo()
            with claimed(lock) as others:
                assert mine and not others
    assert gone == 2
    with claimed(lock) as mine:
        assert mine
