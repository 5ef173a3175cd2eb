"""Many texts written over HTTP at once: each the one that it is alone, how fast, how much memory.

    python bench/serving.py RUN [--streams 1000] [--tokens 64] [--rounds 2]

RUN is a run of the task text. A server in a process of its own writes one text after another, then
`streams` of them at once, each on a connection of its own, read as they come by this process. Told
are the time to the first token, the time between two parts of a text (p50, p99), tokens a second,
and the server's memory. Times include what this client takes on the same processors.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

PROMPT = "the "


@dataclass
class Text:
    """What came of one text, and when, in seconds after it was asked for."""

    pieces: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.pieces)

    @property
    def gaps(self) -> list[float]:
        """Seconds between two parts."""
        return [b - a for a, b in zip(self.times, self.times[1:], strict=False)]


async def read(port: int, model: str, tokens: int, seed: int) -> Text:
    """One text as it is streamed."""
    asked = {"model": model, "prompt": PROMPT, "max_tokens": tokens, "seed": seed, "stream": True}
    body = json.dumps(asked).encode()
    began, text = time.perf_counter(), Text()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    async for line in reader:
        if line.startswith(b"data: {"):
            choice = json.loads(line[6:])["choices"][0]
            if choice["text"]:
                text.pieces.append(choice["text"])
                text.times.append(time.perf_counter() - began)
    writer.close()
    await writer.wait_closed()
    return text


def resident(pid: int) -> float:
    """Megabytes that a process holds."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1e3


async def measure(asked: argparse.Namespace, port: int, pid: int) -> None:
    model, tokens = asked.run.resolve().name, asked.tokens
    await read(port, model, tokens, 0)
    few = range(min(asked.streams, 20))
    began = time.perf_counter()
    alone = [await read(port, model, tokens, seed) for seed in few]
    seconds = time.perf_counter() - began
    print(f"one at a time: {len(few) * tokens / seconds:,.0f} tokens/s")
    idle = resident(pid)
    for _ in range(asked.rounds):
        began = time.perf_counter()
        texts = await asyncio.gather(
            *(read(port, model, tokens, seed) for seed in range(asked.streams))
        )
        seconds = time.perf_counter() - began
        same = sum(a.text == b.text for a, b in zip(alone, texts, strict=False))
        first = [text.times[0] for text in texts]
        gaps = [gap for text in texts for gap in text.gaps] or [0.0]
        print(
            f"{asked.streams:,} at once: {asked.streams * tokens / seconds:,.0f} tokens/s; first "
            f"token p50 {1e3 * statistics.median(first):.0f} ms, p99 {1e3 * high(first):.0f} ms; "
            f"between parts p50 {1e3 * statistics.median(gaps):.1f} ms, p99 "
            f"{1e3 * high(gaps):.1f} ms; {same} of {len(few)} the same as alone; memory "
            f"{idle:,.0f} MB, {resident(pid):,.0f} MB after"
        )


def high(values: list[float]) -> float:
    """What 99 of 100 values stay below."""
    return sorted(values)[int(0.99 * (len(values) - 1))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    command = [sys.executable, "-m", "elman", "serve", str(asked.run), "--port", "0"]
    with tempfile.TemporaryDirectory() as place:
        command += ["--live", str(asked.streams), "--sessions", f"{place}/sessions.db"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr is not None
            found = re.search(r"http://[^ ]*:(\d+) ", server.stderr.readline())
            assert found is not None
            try:
                asyncio.run(measure(asked, int(found[1]), server.pid))
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
