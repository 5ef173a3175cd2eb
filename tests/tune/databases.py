"""PostgreSQL as Debian has it, for a test: a server of its own in a temporary folder."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path


def programs() -> Path | None:
    """Where its programs lie, the newest; None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a new, empty database. It refuses to be root's: then it is that of `nobody`."""
    there = programs()
    assert there is not None
    user = pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else None
    with tempfile.TemporaryDirectory() as folder:
        if user is not None:
            os.chown(folder, user, -1)
        data, port = Path(folder) / "data", _free_port()

        def run(program: str, *words: str) -> None:
            subprocess.run(
                [str(there / program), *words], check=True, user=user, cwd=folder,
                capture_output=True,
            )  # fmt: skip

        run("initdb", "-D", str(data), "-U", "elman", "-A", "trust", "--no-sync")
        settings = f"-c fsync=off -c listen_addresses=127.0.0.1 -p {port} -k {folder}"
        run("pg_ctl", "start", "-w", "-D", str(data), "-o", settings, "-l", f"{folder}/log")
        try:
            yield f"postgresql://elman@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "stop", "-D", str(data), "-m", "immediate")
            shutil.rmtree(data, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
