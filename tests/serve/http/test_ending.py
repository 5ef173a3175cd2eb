"""How a server begins and ends: one line, an exit code, nothing cut off that was promised."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from calling import call
from servers import Server, serving, until
from small_runs import Runs

LONG: dict[str, Any] = {"prompt": "the ", "seed": 1, "max_tokens": 300_000}


def test_workers_share_sessions_outlive_one_another_and_end_what_they_began(
    runs: Runs, tmp_path: Path
) -> None:
    flags = ("--sessions", tmp_path / "s.db", "--max-tokens", 300_000, "--drain-seconds", 600)
    with serving(runs["story"], "--workers", 2, *flags) as server:
        whole = server.write("story", prompt="the ", max_tokens=30, seed=1).json
        asked = {"model": "story", "prompt": "the "}
        id = server.post("/v1/sessions", asked).json["id"]
        text = ""
        for _ in range(15):  # each by whichever worker is first
            said = server.post(f"/v1/sessions/{id}/input", {"max_tokens": 2, "seed": 1}).json
            text += said["choices"][0]["text"]
        assert text == whole["choices"][0]["text"]
        assert server.figure("elman_tokens_total") == 4 + 30 + 4 + 30
        before = children(server)
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        # Looked at once: between two looks the first worker may go, and none have come.
        until(lambda: len(now := children(server)) == 2 and before[0] not in now)
        assert server.ask("GET", f"/v1/sessions/{id}").json["position"] == 34

        with server.begin("story", **LONG) as running:
            until(lambda: server.figure("elman_live_texts") == 1)
            server.process.send_signal(signal.SIGTERM)
            until(lambda: server.ask("GET", "/ready").status == 503)
            refused = server.write("story")
            assert refused.refusal == (503, "shutting_down")
            assert int(refused.headers["retry-after"]) >= 1
            told = b""
            while part := running.recv(1 << 20):
                told += part
        assert b'"finish_reason":"length"' in told and b"data: [DONE]" in told
        assert server.end() == 0
        assert [line.split()[-1] for line in server.told] == ["place", "more"], server.told


def children(server: Server) -> list[int]:
    """The workers of a server."""
    found = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    workers = []
    for pid in found.split():
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"spawn_main" in line:
            workers.append(int(pid))
    return workers


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        ([], 2, "name a RUN"),
        (["nothing"], 2, "nothing"),
        (["{story}", "{copy}"], 2, "rename one"),
        (["{story}", "--host", "0.0.0.0"], 2, "token"),
        (["{story}", "--token", "short"], 2, "8 characters"),
        (["{story}", "--port", "70000"], 2, "65,535"),
        (["{story}", "--live", "0"], 2, "live"),
        (["{story}", "--allow-origin", "page.example"], 2, "https://"),
        (["{story}", "--port", "{taken}"], 1, "in use"),
        (["{story}", "--host", "192.0.2.1", "--token", "12345678"], 1, "--host"),
        (["{story}", "--sessions", "{story}/options.toml"], 1, "options.toml"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line(
    runs: Runs, tmp_path: Path, arguments: list[str], code: int, part: str
) -> None:
    (tmp_path / "story").symlink_to(runs["story"])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        places = {
            "story": runs["story"], "copy": tmp_path / "story", "taken": taken.getsockname()[1],
        }  # fmt: skip
        ended = call("serve", *(one.format(**places) for one in arguments))
    assert (ended.code, ended.out) == (code, "")
    assert part in ended.err and ended.err.count("\n") == 1, ended.err
