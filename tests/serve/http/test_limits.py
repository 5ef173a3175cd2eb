"""Who may ask, how many at once, and what happens to work whose client goes away."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from servers import Server, serving, until
from small_runs import Runs

from elman.serve.contract import Refused
from elman.serve.gate import Gate
from elman.serve.rates import Rates

TOKEN = "a-token-that-nobody-guesses"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}
PAGE = "https://page.example"
ENDLESS: dict[str, Any] = {"max_tokens": 9_000_000, "seed": 1}


@pytest.fixture(scope="module")
def tight(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for one text at a time, and one that waits; it needs a token, and ends quickly."""
    flags = (
        "--live", 1, "--queue", 1, "--body-seconds", 0.3, "--max-tokens", 9_000_000,
        "--rows", 10_000, "--allow-origin", PAGE, "--drain-seconds", 0.1, "--sessions",
        tmp_path_factory.mktemp("tight") / "sessions.db",
    )  # fmt: skip
    with serving(runs["story"], runs["pairs"], *flags, token=TOKEN) as started:
        yield started


def begin(server: Server, path: str = "/v1/completions", **asked: Any) -> socket.socket:
    """A request that has been sent, whose answer nobody reads yet."""
    opened = server.connect()
    body = json.dumps(asked).encode()
    opened.sendall(
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    return opened


def figure(server: Server, name: str) -> float:
    return server.figure(name, SHOWN)


def test_without_the_token_nothing_is_told_but_that_the_server_is_there(tight: Server) -> None:
    for shown in (None, "Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN[:-1], "Bearer \xe9"):
        headers = {} if shown is None else {"Authorization": shown}
        for method, path in (("GET", "/v1/models"), ("GET", "/docs"), ("POST", "/nowhere")):
            told = tight.ask(method, path, None, headers)
            assert told.refusal == (401, "invalid_api_key")
            assert told.headers["www-authenticate"] == "Bearer"
    assert tight.ask("GET", "/health").status == tight.ask("GET", "/ready").status == 200
    assert tight.ask("GET", "/v1/models", None, SHOWN).status == 200
    assert tight.ask("GET", "/v1/models", None, SHOWN | {"Host": "any.example"}).status == 200


def test_a_page_may_ask_only_if_it_was_allowed(tight: Server) -> None:
    asked = {"model": "story", "max_tokens": 1}
    told = tight.post("/v1/completions", asked, SHOWN | {"Origin": PAGE})
    assert told.status == 200 and told.headers["access-control-allow-origin"] == PAGE
    before = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    assert tight.ask("OPTIONS", "/v1/completions", None, before).status == 200
    other = tight.post("/v1/completions", asked, SHOWN | {"Origin": "https://other.example"})
    assert other.refusal == (403, "origin_not_allowed")
    assert "access-control-allow-origin" not in other.headers


def test_a_text_ends_when_its_client_goes_and_the_next_one_is_written(tight: Server) -> None:
    for stream in (True, False):
        written = figure(tight, "elman_tokens_total")
        running = begin(tight, model="story", stream=stream, **ENDLESS)
        until(lambda: figure(tight, "elman_live_texts") == 1)
        waiting = begin(tight, model="story", max_tokens=3, seed=1)
        until(lambda: figure(tight, "elman_waiting_requests") == 1)
        refused = tight.post("/v1/completions", {"model": "story"}, SHOWN)
        assert refused.refusal == (429, "queue_full") and int(refused.headers["retry-after"]) >= 1
        running.close()
        with waiting:
            assert waiting.recv(1 << 16).startswith(b"HTTP/1.1 200")
        assert 0 < figure(tight, "elman_tokens_total") - written < ENDLESS["max_tokens"]
        until(lambda: figure(tight, "elman_live_texts") == 0)


def test_a_client_that_goes_while_it_waits_leaves_the_line(tight: Server) -> None:
    running = begin(tight, model="story", stream=True, **ENDLESS)
    until(lambda: figure(tight, "elman_live_texts") == 1)
    for _ in range(3):
        waiting = begin(tight, model="story")
        until(lambda: figure(tight, "elman_waiting_requests") == 1)
        waiting.close()
        until(lambda: figure(tight, "elman_waiting_requests") == 0)
    running.close()
    until(lambda: figure(tight, "elman_live_texts") == 0)


def test_rows_end_when_their_client_goes(tight: Server) -> None:
    many = ["one two three four five six"] * 9_000  # minutes of work
    begin(tight, "/translate", model="pairs", input=many, beam=100).close()
    told = tight.post("/translate", {"model": "pairs", "input": "one"}, SHOWN)
    assert told.status == 200
    closed = 'elman_requests_total{path="/translate",status="499"} 1.0'
    until(lambda: closed in tight.ask("GET", "/metrics", None, SHOWN).body.decode())


def test_a_body_that_does_not_come_is_not_waited_for(tight: Server) -> None:
    with tight.connect() as opened:
        opened.sendall(b"POST /v1/completions HTTP/1.1\r\nHost:")
        assert not opened.recv(1)  # not even a head: the connection is closed
    with tight.connect() as opened:
        opened.sendall(
            f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Content-Length: 100\r\n\r\n{".encode()
        )
        told = b""
        while part := opened.recv(1 << 16):  # until the server closes the connection
            told += part
    assert told.startswith(b"HTTP/1.1 408") and b"body_too_slow" in told


def test_what_runs_too_long_after_ctrl_c_is_cut_off(tight: Server) -> None:
    with begin(tight, model="story", stream=True, **ENDLESS) as running:
        until(lambda: figure(tight, "elman_live_texts") == 1)
        tight.process.send_signal(signal.SIGINT)
        told = b""
        while part := running.recv(1 << 20):
            told += part
    assert b"data: {" in told and b"[DONE]" not in told
    assert tight.end() == 0
    assert [line.split(";")[0] for line in tight.told] == [
        "elman: ending", "elman: some had not ended, and were cut off",
    ]  # fmt: skip


@settings(max_examples=30)
@given(some.integers(1, 4), some.integers(0, 3), some.lists(some.integers(1, 5), max_size=12))
def test_a_gate_never_gives_more_places_than_it_has_and_keeps_the_order(
    places: int, line: int, counts: list[int]
) -> None:
    async def all_of_them() -> None:
        gate, held, entered = Gate(places, line), 0, list[int]()
        leave = asyncio.Event()

        async def one(number: int, count: int) -> str:
            nonlocal held
            try:
                async with gate.hold(count):
                    entered.append(number)
                    held += count
                    assert held <= places
                    await leave.wait()
                    held -= count
            except Refused as refused:
                return str(refused.code)
            return "written"

        tasks = [asyncio.create_task(one(k, count)) for k, count in enumerate(counts)]
        await asyncio.sleep(0)
        assert gate.waiting <= line
        for task in tasks[::3]:  # some go away, wherever they are
            task.cancel()
        await asyncio.sleep(0)
        leave.set()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert entered == sorted(entered)
        for count, how in zip(counts, ended, strict=True):
            if not isinstance(how, asyncio.CancelledError):
                assert (count > places) == (how == "too_many_texts"), how
        assert (gate.held, gate.waiting) == (0, 0)

    asyncio.run(all_of_them())


@settings(max_examples=50)
@given(
    some.integers(1, 20),
    some.lists(some.tuples(some.sampled_from("ab"), some.floats(0, 30)), max_size=80),
)
def test_a_client_is_never_answered_more_often_than_its_rate(
    rate: int, asked: list[tuple[str, float]]
) -> None:
    now, answered = 0.0, dict[str, list[float]](a=[], b=[])
    rates = Rates(lambda *_: asyncio.sleep(0), rate, clock=lambda: now)
    for client, later in asked:
        now += later
        wait = rates.take(client)
        if not wait:
            answered[client].append(now)
        else:
            now += wait  # when it is told to
            assert not rates.take(client)
            answered[client].append(now)
    for times in answered.values():
        for begin, end in ((a, b) for k, a in enumerate(times) for b in times[k:]):
            count = sum(begin <= time <= end for time in times)
            assert count <= rate + (end - begin) * rate / 60 + 1e-6
