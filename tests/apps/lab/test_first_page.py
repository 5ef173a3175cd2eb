"""What the first page has to wait for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from calling import call

from elman.apps.lab import rooms


def test_it_does_not_wait_for_pytorch() -> None:
    program = (
        "import sys; from elman.apps.lab import server; server.rooms.names(); "
        "server.rooms.room('start'); "
        "assert 'torch' not in sys.modules, [m for m in sys.modules if m.startswith('elman.')]"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_rooms_stand_in_their_order() -> None:
    assert [rooms.room(name).order for name in rooms.names()] == list(range(1, 7))


def test_what_does_not_fit_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for arguments, told in (
        (("--port", "70000"), "needs a value from 0 to 65,535"),
        (("--port", "x"), "needs a whole number"),
        (("--runs", tmp_path / "file"), "is a file; give --runs a folder"),
    ):
        ended = call("lab", "--no-open", *arguments)
        assert ended.code == 2 and told in ended.err and ended.err.count("\n") == 1
