"""A server under mixed load for as long as wanted: what it answers, and what memory it takes.

    python bench/soak.py RUN [--minutes 60] [--clients 12] [--json FILE]

`elman serve RUN` is started in a process of its own, with a new database. Clients ask for texts,
whole and streamed, leave in the middle, go on with sessions, send inputs twice, fork, blend,
download and upload states, let sessions expire, and send what is wrong. A text that was asked for
again must be the same, a session in parts must be the text in one go, an input sent twice must be
answered as before, and what is wrong must be refused with 4xx. Every quarter of a minute a line
tells how much memory the server holds and how large its database is.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PROMPTS = ("The king", "", "To be, or not", "What is")
BEAT_S = 15.0  # between looks at the server's memory


@dataclass(frozen=True)
class Look:
    """How the server is at a moment."""

    minutes: float
    resident_mb: float
    threads: int
    files: int
    database_mb: float
    answers: int


class Client:
    """One of many that ask, in a thread of its own."""

    def __init__(self, port: int, model: str, number: int, pause_s: float) -> None:
        self._port, self._model, self._pause_s = port, model, pause_s
        self._draw = random.Random(number)
        self._known: dict[tuple[str, int], str] = {}
        self.done: Counter[str] = Counter()

    def work(self, until: float) -> None:
        acts = [
            self.text,
            self.text,
            self.stream,
            self.leave,
            self.session,
            self.session,
            self.wrong,
        ]
        while time.monotonic() < until:
            act = self._draw.choice(acts)
            act()
            self.done[act.__name__] += 1
            time.sleep(self._draw.uniform(0, 2 * self._pause_s))

    def text(self) -> None:
        asked = self._asked(32)
        status, told = self._send("POST", "/v1/completions", asked)
        assert status == 200, told
        self._check(asked, told["choices"][0]["text"])

    def stream(self) -> None:
        asked = self._asked(32)
        answer = self._open(
            "POST", "/v1/completions", json.dumps(asked | {"stream": True}).encode()
        )
        assert answer.status == 200
        events = [line[6:] for line in answer.read().decode().split("\n") if line[:6] == "data: "]
        assert events[-1] == "[DONE]"
        self._check(asked, "".join(json.loads(e)["choices"][0]["text"] for e in events[:-1]))

    def leave(self) -> None:
        asked = self._asked(4_000) | {"stream": True}
        answer = self._open("POST", "/v1/completions", json.dumps(asked).encode())
        answer.read(self._draw.randrange(1, 2_000))
        answer.close()

    def session(self) -> None:
        asked = self._asked(32)
        seed, prompt = asked["seed"], asked["prompt"]
        status, made = self._send(
            "POST", "/v1/sessions", {"model": self._model, "prompt": prompt, "minutes": 8}
        )
        assert status == 201, made
        place, said = f"/v1/sessions/{made['id']}", ""
        for number, length in enumerate((7, 5, 20)):
            given = {"max_tokens": length, "seed": seed}
            key = {"Idempotency-Key": str(number)}
            status, told = self._send("POST", place + "/input", given, key)
            assert status == 200, told
            said += told["choices"][0]["text"]
            if self._draw.random() < 0.3:
                assert self._send("POST", place + "/input", given, key) == (200, told)
        self._check(asked, said)
        status, fork = self._send("POST", place + "/fork")
        assert status == 201, fork
        status, blend = self._send("POST", place + "/blend", {"others": [fork["id"]]})
        assert status == 201, blend
        states = [self._bytes(f"/v1/sessions/{id}/state") for id in (made["id"], fork["id"])]
        assert states[0] == states[1]
        status, put = self._send("PUT", f"/v1/sessions/{blend['id']}/state", states[0])
        assert status == 200 and put["position"] == fork["position"], put
        damaged = bytearray(states[0])
        damaged[self._draw.randrange(len(damaged))] ^= 1
        status, told = self._send("PUT", place + "/state", bytes(damaged))
        assert status == 400, told
        if self._draw.random() < 0.5:  # others expire
            assert self._send("DELETE", place)[0] == 200

    def wrong(self) -> None:
        unknown = {"model": "none", "prompt": "a"}
        for method, path, body in (
            ("POST", "/v1/completions", b'{"model": '),
            ("POST", "/v1/completions", json.dumps(unknown).encode()),
            ("POST", "/v1/completions", json.dumps(self._asked(-1)).encode()),
            ("POST", "/v1/sessions/none/input", b"{}"),
            ("GET", "/none", b""),
        ):
            status, told = self._send(method, path, body)
            assert 400 <= status < 500, (path, told)

    def _asked(self, length: int) -> dict[str, Any]:
        prompt, seed = self._draw.choice(PROMPTS), self._draw.randrange(8)
        return {"model": self._model, "prompt": prompt, "max_tokens": length, "seed": seed}

    def _check(self, asked: dict[str, Any], text: str) -> None:
        known = self._known.setdefault((asked["prompt"], asked["seed"]), text)
        assert text == known, (asked, text, known)

    def _bytes(self, path: str) -> bytes:
        answer = self._open("GET", path)
        assert answer.status == 200
        return answer.read()

    def _send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        encoded = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        answer = self._open(method, path, encoded, headers)
        return answer.status, json.loads(answer.read())

    def _open(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=600)
        kind = "application/octet-stream" if method == "PUT" else "application/json"
        connection.request(method, path, body, {"Content-Type": kind, **(headers or {})})
        return connection.getresponse()


def look(pid: int, database: Path, minutes: float, answers: int) -> Look:
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    written = sum(path.stat().st_size for path in database.parent.glob(database.name + "*"))
    opened = list(Path(f"/proc/{pid}/fd").iterdir())
    return Look(
        round(minutes, 2), int(status["VmRSS"].split()[0]) / 1e3, int(status["Threads"]),
        len(opened), written / 1e6, answers,
    )  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def soak(run: Path, minutes: float, clients: int, pause_s: float, folder: Path) -> list[Look]:
    """Looks at the server. AssertionError: a wrong answer, or it ended."""
    port, database = free_port(), folder / "sessions.db"
    server = subprocess.Popen(
        [sys.executable, "-m", "elman", "serve", run, "--port", str(port), "--sessions", database]
    )
    try:
        for _ in range(600):
            assert server.poll() is None, "the server ended"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.5)
        asking = [Client(port, run.resolve().name, k, pause_s) for k in range(clients)]
        failed: list[BaseException] = []

        def work(client: Client, until: float) -> None:
            try:
                client.work(until)
            except BaseException as error:
                failed.append(error)

        began = time.monotonic()
        until = began + 60 * minutes
        threads = [threading.Thread(target=work, args=(one, until), daemon=True) for one in asking]
        for thread in threads:
            thread.start()
        looks: list[Look] = []
        while time.monotonic() < until and not failed:
            time.sleep(max(0.1, min(BEAT_S, until - time.monotonic())))
            answers = sum(sum(one.done.values()) for one in asking)
            looks.append(look(server.pid, database, (time.monotonic() - began) / 60, answers))
            print(json.dumps(asdict(looks[-1])), flush=True)
        for thread in threads:
            thread.join(timeout=0 if failed else 600)
        if failed:
            raise failed[0]
        print(dict(sum((one.done for one in asking), Counter())))
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=120) == 0, f"it ended with {server.returncode}"
        return looks
    finally:
        server.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description="A server under mixed load.")
    parser.add_argument("run", type=Path)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between requests, about")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        looks = soak(given.run, given.minutes, given.clients, given.pause, Path(folder))
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(one) for one in looks]) + "\n")
    middle = looks[len(looks) // 2 :]
    print(
        f"{looks[-1].answers:,} rounds in {looks[-1].minutes:.0f} minutes; resident memory "
        f"{looks[0].resident_mb:.0f} MB at first, {min(x.resident_mb for x in middle):.0f} to "
        f"{max(x.resident_mb for x in middle):.0f} MB in the second half; no wrong answer"
    )


if __name__ == "__main__":
    main()
