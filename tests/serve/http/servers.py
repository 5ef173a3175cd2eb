"""Servers as users start them, and clients down to bare sockets."""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from small_runs import Runs


@dataclass
class Answer:
    """What came back: a status, headers in lower case, a body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def refusal(self) -> tuple[int, str | None]:
        """The status and the code of an error, which has one line and the shape of OpenAI's."""
        assert self.json.keys() == {"error"}, self.body
        error = self.json["error"]
        assert error.keys() == {"message", "type", "param", "code"}
        assert error["message"] and "\n" not in error["message"]
        assert "Traceback" not in error["message"]
        return self.status, error["code"]

    @property
    def events(self) -> list[Any]:
        """The objects of a stream of events, which ends as it has to."""
        told = self.body.decode().split("\n\n")
        assert told[-2:] == ["data: [DONE]", ""], told[-2:]
        return [json.loads(one.removeprefix("data: ")) for one in told[:-2]]


@dataclass
class Server:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    line: str  # what it said when it was ready
    told: list[str] = field(default_factory=list)  # further lines, once it has ended

    @property
    def port(self) -> int:
        """Where it listens."""
        found = re.search(r"http://[^ ]*:([0-9]+) ", self.line)
        assert found is not None, self.line
        return int(found[1])

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request: bytes as they are, anything else as JSON."""
        sent = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        try:
            connection.request(method, path, body, sent)
            told = connection.getresponse()
            names = {name.lower(): value for name, value in told.getheaders()}
            return Answer(told.status, names, told.read())
        finally:
            connection.close()

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
        """A request with a body."""
        return self.ask("POST", path, body, headers)

    def write(self, model: str, **asked: Any) -> Answer:
        """A completion."""
        return self.post("/v1/completions", {"model": model, **asked})

    def begin(self, model: str, **asked: Any) -> socket.socket:
        """A connection on which a text is being streamed: its headers have come."""
        opened = self.connect()
        body = json.dumps({"model": model, "stream": True, **asked}).encode()
        opened.sendall(
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        return opened

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=600)

    def figure(self, name: str, headers: Mapping[str, str] | None = None) -> float:
        """The sum of a figure that Prometheus is told, whatever its labels."""
        lines = self.ask("GET", "/metrics", None, headers).body.decode().splitlines()
        pattern = re.compile(re.escape(name) + r"(\{.*\})? ")
        return sum(float(line.rpartition(" ")[2]) for line in lines if pattern.match(line))

    def end(self, number: int = signal.SIGTERM) -> int:
        """Tells it to end, and its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        assert self.process.stderr is not None
        self.told += self.process.stderr.read().splitlines()
        return self.process.wait()


@contextmanager
def serving(*arguments: str | Path | float, token: str = "") -> Iterator[Server]:
    """`elman serve ARGUMENTS` at a free port, ready; what it wrote is judged by whoever ends it."""
    command = [sys.executable, "-m", "elman", "serve", *map(str, arguments), "--port", "0"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ELMAN_TOKEN": token}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    server = Server(process, process.stderr.readline())
    try:
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture(scope="session")
def server(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of all runs, with limits that tests can reach."""
    database = tmp_path_factory.mktemp("sessions") / "sessions.db"
    limits = {
        "--body-mb": 0.2, "--max-tokens": 5_000_000, "--prompt-tokens": 2_000, "--rows": 50,
        "--bars": 4, "--audio-seconds": 2, "--beam": 8,
    }  # fmt: skip
    flags = [part for limit in limits.items() for part in limit]
    with serving(*(runs[name] for name in runs), "--sessions", database, *flags) as started:
        yield started
        assert started.process.poll() is None, "the server did not stay up"
        assert started.end() == 0
        assert not started.told, started.told  # nothing of what clients did wrong


def until(holds: Any) -> None:
    """Waits until something holds."""
    while not holds():
        time.sleep(0.01)


def closed(opened: socket.socket) -> bool:
    """Whether the other side has closed a connection; reads what there is."""
    while select.select([opened], [], [], 0)[0]:
        if not opened.recv(1 << 16):
            return True
    return False
