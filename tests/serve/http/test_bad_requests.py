"""Whatever clients send, they are told in one line what was wrong, and the server stays up."""

from __future__ import annotations

import contextlib
import json
import random
import socket
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from servers import Server, until

from elman.serve import bodies
from elman.serve.contract import Refused

J, CSV = {"Content-Type": "application/json"}, {"Content-Type": "text/csv"}
EVIL = "http://evil.example"
DEEP = b'{"model": "story", "prompt": ' + b"[" * 5_000 + b"]" * 5_000 + b"}"
COMPLETIONS = "/v1/completions"


def story(more: str) -> bytes:
    """A completion with something strange in it."""
    return f'{{"model": "story", {more}}}'.encode()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_type"),
        (b"{", 400, "invalid_json"),
        (b"[]", 400, "invalid_type"),
        (b"3", 400, "invalid_type"),
        (b"\xff\xfe", 400, "invalid_json"),
        (DEEP, 400, "invalid_json"),
        (b"[" * 100_000, 400, "invalid_json"),
        (story('"model": "story"'), 400, "invalid_json"),
        (story('"temperature": NaN'), 400, "invalid_json"),
        (story('"temperature": -Infinity'), 400, "invalid_json"),
        (story('"temperature": 1e999'), 400, "invalid_json"),
        (story(f'"seed": 1{"0" * 5_000}'), 400, "invalid_json"),
        (story(f'"seed": {2**63}'), 400, "invalid_value"),
        (story('"seed": 1.5'), 400, "invalid_value"),
        (story('"seed": true'), 400, "invalid_value"),
        (story('"prompt": {"a": 1}'), 400, "invalid_value"),
        (story('"prompt": [[1], "a"]'), 400, "invalid_value"),
        (story('"prompt": []'), 400, "invalid_value"),
        (story('"prompt": [-1]'), 400, "invalid_value"),
        (story('"prompt": [99999]'), 422, "unfit"),
        (story('"max_tokens": -1'), 400, "invalid_value"),
        (story('"max_tokens": "5"'), 400, "invalid_value"),
        (story('"max_tokens": 5000001'), 400, "invalid_value"),
        (story('"top_p": 0'), 400, "invalid_value"),
        (story('"stop": ""'), 400, "invalid_value"),
        (story('"logprobs": 21'), 400, "invalid_value"),
        (story('"n": 0'), 400, "invalid_value"),
        (story('"n": 3, "best_of": 2'), 400, "invalid_value"),
        (story('"best_of": 2, "stream": true'), 400, "invalid_value"),
        (story('"suffix": "end"'), 400, "invalid_value"),
        (story('"presence_penalty": 1'), 400, "invalid_value"),
        (story('"logit_bias": {"1": 5}'), 400, "invalid_value"),
        (story('"stream_options": {"x": 1}'), 400, "unknown_parameter"),
        (story('"state": "é"'), 400, "invalid_state"),
        (story('"state": "YWJj"'), 400, "invalid_state"),
        (story('"frobnicate": 1'), 400, "unknown_parameter"),
        (b'{"prompt": "a"}', 400, "missing_parameter"),
        (b'{"model": "storry"}', 404, "model_not_found"),
        (b'{"model": "tags"}', 404, "wrong_model"),
        (story(f'"prompt": "{"狐" * 2_001}"'), 400, "context_length_exceeded"),
        (story(f'"prompt": "{"a" * 250_000}"'), 413, "body_too_large"),
    ],
)  # fmt: skip
def test_a_completion_that_is_wrong_is_refused(
    server: Server, body: bytes, status: int, code: str
) -> None:
    assert server.post(COMPLETIONS, body, J).refusal == (status, code)


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "code"),
    [
        ("GET", "/nowhere", None, {}, 404, "unknown_url"),
        ("GET", "/v1/chat/completions", None, {}, 404, "unknown_url"),
        ("GET", COMPLETIONS, None, {}, 405, "wrong_method"),
        ("POST", COMPLETIONS, b"{}", {"Content-Type": "text/plain"}, 415, "unsupported_type"),
        ("POST", "/predict/reviews", b"a", {}, 415, "unsupported_type"),
        ("POST", "/predict/reviews", b"\xff", CSV, 400, "invalid_encoding"),
        ("POST", "/predict/reviews", b"", CSV, 422, "unfit"),
        ("POST", "/predict/reviews", b"a\n" * 60, CSV, 413, "too_many_rows"),
        ("POST", "/predict/story", b"a", CSV, 404, "wrong_model"),
        ("POST", "/predict", b'{"model":"reviews","rows":[]}', J, 400, "invalid_value"),
        ("POST", "/predict", b'{"model":"reviews","rows":[{"x":1}]}', J, 422, "unfit"),
        ("POST", "/predict", b'{"model":"reviews","rows":[["a"]]}', J, 422, "unfit"),
        ("POST", "/predict", b'{"model":"tags","rows":["the cat"]}', J, 422, "unfit"),
        ("POST", "/translate", b'{"model":"pairs","input":" "}', J, 422, "unfit"),
        ("POST", "/translate", b'{"model":"pairs","input":"a","beam":9}', J, 400, "invalid_value"),
        ("POST", "/translate", b'{"model":"pairs","input":"a","beam":0}', J, 422, "unfit"),
        ("POST", "/v1/audio/transcriptions", b"junk",
         {"Content-Type": "multipart/form-data; boundary=x"}, 400, "invalid_request"),
        ("POST", "/v1/audio/transcriptions", b"junk", {"Content-Type": "multipart/form-data"},
         400, "invalid_request"),
        ("GET", "/v1/sessions/none", None, {}, 404, "session_not_found"),
        ("POST", "/v1/sessions/none/input", b"{}", J, 404, "session_not_found"),
        ("GET", "/v1/models", None, {"Host": "evil.example"}, 403, "host_not_allowed"),
        ("POST", COMPLETIONS, b"{}", J | {"Origin": EVIL}, 403, "origin_not_allowed"),
        ("POST", COMPLETIONS, b"{}", J | {"Origin": "null"}, 403, "origin_not_allowed"),
        ("DELETE", "/v1/sessions/a", None, {"Sec-Fetch-Site": "cross-site"},
         403, "origin_not_allowed"),
    ],
)  # fmt: skip
def test_a_request_that_is_wrong_is_refused(
    server: Server, method: str, path: str, body: bytes | None, headers: dict[str, str],
    status: int, code: str,
) -> None:  # fmt: skip
    told = server.ask(method, path, body, headers)
    assert told.refusal == (status, code)
    if status == 405:
        assert told.headers["allow"] == "POST"


def test_bytes_that_are_no_requests_end_a_connection_and_nothing_else(server: Server) -> None:
    draw = random.Random(1)
    head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
    for sent in (
        draw.randbytes(500),
        b"GET / HTTP/9.9\r\n\r\n",
        head + b"Content-Length: -5\r\n\r\n",
        head + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
        head + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET /health HTTP/1.1\r\n" + b"X: %s\r\n" % (b"a" * 200_000),
        head + b"Content-Length: 400\r\n\r\n{",  # and then no more
    ):
        with server.connect() as opened, contextlib.suppress(ConnectionError):
            opened.sendall(sent)
            opened.shutdown(socket.SHUT_WR)
            while opened.recv(1 << 16):
                pass
    assert server.ask("GET", "/health").json == {"status": "ok"}


def test_a_server_stays_idle_after_all_that(server: Server) -> None:
    until(lambda: server.figure("elman_live_texts") == server.figure("elman_waiting_requests") == 0)
    assert not [
        line
        for line in server.ask("GET", "/metrics").body.decode().splitlines()
        if 'status="500"' in line
    ]


VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text()
    | some.floats(allow_nan=False, allow_infinity=False),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
)  # fmt: skip


@settings(max_examples=50)
@given(VALUES)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    assert bodies.parse(json.dumps(value).encode()) == value


@settings(max_examples=100)
@given(some.binary())
def test_any_bytes_are_json_or_refused(body: bytes) -> None:
    try:
        bodies.parse(body)
    except Refused as refused:
        assert refused.status == 400 and "\n" not in str(refused)
