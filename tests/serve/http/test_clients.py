"""Clients that others wrote: OpenAI's for Python, and curl on the examples of the documentation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from servers import Server
from test_answers import recording

ROOT = Path(__file__).parents[3]


def test_the_client_of_openai_is_pleased_ten_times(server: Server, tmp_path: Path) -> None:
    clip = tmp_path / "clip.wav"
    clip.write_bytes(recording(0.5))
    script, url = ROOT / "examples" / "openai_client.py", f"http://127.0.0.1:{server.port}"
    told = subprocess.run(
        [sys.executable, script, url, "--recording", clip], check=True, capture_output=True,
        text=True, env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    ).stdout  # fmt: skip
    assert [line.split(".")[0] for line in told.splitlines() if line[0].isdigit()] == [
        str(k) for k in range(1, 11)
    ]
