"""Clients that others wrote: OpenAI's for Python, and curl on the examples of the documentation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
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


def test_the_examples_of_the_documentation_run_as_they_stand(
    server: Server, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    part = page.partition("## With curl\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"(?:^    .*\n)+", part, re.MULTILINE)
    (tmp_path / "clip.wav").write_bytes(recording(0.5))
    assert sum("curl" in block for block in blocks) >= 9
    for block in blocks:
        script = textwrap.dedent(block).replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
        strict = script.replace("curl -s", "curl --fail-with-body -s")
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", strict], cwd=tmp_path, capture_output=True, text=True
        )
        assert ended.returncode == 0 and '"error"' not in ended.stdout, (script, ended)
    assert (tmp_path / "piece.mid").read_bytes().startswith(b"MThd")
