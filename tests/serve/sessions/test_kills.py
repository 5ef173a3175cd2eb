"""Nothing acknowledged is lost where servers are killed: `killing.py`, a few times."""

from __future__ import annotations

from pathlib import Path

import killing


def test_nothing_acknowledged_is_lost(trained: Path, tmp_path: Path) -> None:
    told = killing.kill(trained / "run", tmp_path / "sessions.db", kills=8, clients=6, lines=30)
    assert told.turns
