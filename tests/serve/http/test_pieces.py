"""A piece of music as a session: gone on with as if it had never stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servers import Server


def begun(server: Server) -> str:
    made = server.post("/v1/sessions", {"model": "tunes"})
    assert made.status == 201
    return str(made.json["id"])


def test_a_piece_in_parts_is_the_piece_in_one_go(server: Server) -> None:
    how: Mapping[str, Any] = {"seed": 5, "temperature": 0.9}
    whole = server.post("/compose", {"model": "tunes", "bars": 4, **how}).json["piece"]
    place = f"/v1/sessions/{begun(server)}"
    first = server.post(f"{place}/compose", {"bars": 2, **how}, {"Idempotency-Key": "a"})
    assert server.post(f"{place}/compose", {"bars": 2}, {"Idempotency-Key": "a"}).body == first.body
    fork = f"/v1/sessions/{server.post(f'{place}/fork', None).json['id']}"
    state = server.ask("GET", f"{place}/state")
    other = f"/v1/sessions/{begun(server)}"
    put = server.ask("PUT", f"{other}/state", state.body)
    assert put.json["position"] == server.ask("GET", place).json["position"] > 0
    for session in (place, fork, other):
        assert server.post(f"{session}/compose", {"bars": 2, **how}).json["piece"] == whole
    midi = server.post(f"{place}/compose", {"bars": 1, "response_format": "midi"})
    assert midi.headers["content-type"] == "audio/midi" and midi.body.startswith(b"MThd")


def test_pieces_are_no_texts(server: Server) -> None:
    piece = begun(server)
    text = server.post("/v1/sessions", {"model": "story", "prompt": "the"}).json["id"]
    state = server.ask("GET", f"/v1/sessions/{text}/state").body
    for path, body, refusal in (
        (f"{piece}/input", {}, (404, "wrong_model")),
        (f"{text}/compose", {"bars": 1}, (404, "wrong_model")),
        (f"{piece}/blend", {"others": [piece]}, (400, "cannot_blend")),
        (f"{piece}/compose", {"bars": 5}, (400, "invalid_value")),
        (f"{piece}/compose", {"prompt": "/etc/passwd"}, (400, "unknown_parameter")),
    ):
        assert server.post(f"/v1/sessions/{path}", body).refusal == refusal
    upload = server.ask("PUT", f"/v1/sessions/{piece}/state", state)
    assert upload.refusal == (400, "invalid_state")
    made = server.post("/v1/sessions", {"model": "tunes", "prompt": "C D E"})
    assert made.refusal == (400, "invalid_value")
