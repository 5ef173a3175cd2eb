"""Who has not the token sees nothing, whatever is asked for and however."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from visiting import Lab

PATHS = (
    "/", "/en/start", "/zh/training?run=x", "/favicon.ico", "/_nicegui/", "/openapi.json", "/docs",
    "/_nicegui_ws/socket.io/?EIO=4&transport=polling", "/nothing",
)  # fmt: skip


def token_of(lab: Lab) -> str:
    return urlsplit(lab.address).query.removeprefix("token=")


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Message
    body: bytes


def ask(
    lab: Lab, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
) -> Answer:
    """The answer to one request; the header Host may be any."""
    connection = http.client.HTTPConnection(urlsplit(lab.root).netloc)
    connection.putrequest(method, path, skip_host=True)
    for name, value in {"Host": urlsplit(lab.root).netloc, **(headers or {})}.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return Answer(answer.status, answer.headers, body)


def cookie(lab: Lab) -> str:
    port = urlsplit(lab.root).port
    return f"elman_lab_{port}={token_of(lab)}"


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "PUT"])
def test_without_the_token_everything_is_refused(lab: Lab, method: str) -> None:
    wrong = cookie(lab)[:-1] + "!"
    for path in PATHS:
        for headers in ({}, {"Cookie": wrong}, {"Cookie": '=;"a'}, {"Authorization": "Bearer x"}):
            answer = ask(lab, path, method, headers)
            assert answer.status == 401
            assert b"nicegui" not in answer.body.lower()
    assert ask(lab, "/?token=%C3%A9").status == 401


def test_the_token_becomes_a_cookie_that_scripts_and_other_sites_do_not_have(lab: Lab) -> None:
    answer = ask(lab, f"/en/start?run=a%20b&token={token_of(lab)}")
    assert (answer.status, answer.headers["location"]) == (303, "/en/start?run=a+b")
    kept = answer.headers["set-cookie"]
    assert kept.startswith(cookie(lab))
    assert "HttpOnly" in kept and "samesite=strict" in kept.lower()
    assert ask(lab, f"//example.org/?token={token_of(lab)}").headers["location"][:2] != "//"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "example.org"},  # DNS rebinding
        {"Host": "127.0.0.1:1"},
        {"Host": ""},
        {"Origin": "http://example.org"},
        {"Origin": "null"},
    ],
)
def test_other_names_and_other_pages_are_refused_though_they_have_the_cookie(
    lab: Lab, headers: dict[str, str]
) -> None:
    assert ask(lab, "/en/start", headers={"Cookie": cookie(lab)}).status == 200
    assert ask(lab, "/en/start", headers={"Cookie": cookie(lab), **headers}).status == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 403), ({"Cookie": "OWN"}, 101), ({"Cookie": "OWN", "Origin": "http://example.org"}, 403)],
)
def test_websockets_are_guarded_as_well(lab: Lab, headers: dict[str, str], status: int) -> None:
    told = {k: v.replace("OWN", cookie(lab)) for k, v in headers.items()}
    place = urlsplit(lab.root)
    lines = [
        "GET /_nicegui_ws/socket.io/?EIO=4&transport=websocket HTTP/1.1", f"Host: {place.netloc}",
        "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", *(f"{k}: {v}" for k, v in told.items()),
    ]  # fmt: skip
    with socket.create_connection((place.hostname or "", place.port or 0)) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        assert int(connection.recv(1000).split()[1]) == status


def test_the_browser_is_told_to_ask_nobody_else(lab: Lab) -> None:
    answer = ask(lab, "/en/start", headers={"Cookie": cookie(lab)})
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_only_this_machine_reaches_it(lab: Lab) -> None:
    port = urlsplit(lab.root).port
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    at = [row[1] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port]
    assert at == [f"0100007F:{port:04X}"]


def test_a_name_that_is_no_run_is_no_way_out_of_the_folder(lab: Lab) -> None:
    for name in ("../../etc", "..", "/etc", "a/b", "%00", ".lab", "%FF", "x" * 5000):
        answer = ask(lab, f"/en/training?run={name}", headers={"Cookie": cookie(lab)})
        assert answer.status == 200
        assert json.dumps("/etc") not in answer.body.decode()
