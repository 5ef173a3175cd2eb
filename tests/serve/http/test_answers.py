"""Rows, series, sentences, sound and music over HTTP are answered as on the command line."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from servers import Answer, Server
from small_runs import Runs

import elman
from elman.data.symbolic.record import to_record


def predicted(run: Path, data: Path, **how: Any) -> str:
    """What `elman predict` writes."""
    out = io.StringIO(newline="")
    elman.load(run).predict(data, out=out, **how)
    return out.getvalue()


REVIEWS: list[dict[str, Any]] = [
    {"text": "a fine film 3"}, {"text": "狐狸 dull"}, {"text": "so fine, \"so\" fine"},
]  # fmt: skip
SENTENCES = [["the", "cat"], ["狐"]]
SERIES = [{"year": 1990 + k, "level": float(np.sin(k / 3))} for k in range(40)]


def test_rows_are_answered_as_a_file_of_them(server: Server, runs: Runs, tmp_path: Path) -> None:
    cases: list[tuple[str, str, list[Any], list[Any]]] = [
        ("/predict", "reviews", REVIEWS, REVIEWS),
        ("/predict", "reviews", [row["text"] for row in REVIEWS], REVIEWS),
        (
            "/predict",
            "tags",
            [["the", "cat"], ["狐"]],
            [{"tokens": ["the", "cat"]}, {"tokens": ["狐"]}],
        ),
        ("/forecast", "series", SERIES, SERIES),
    ]
    for address, model, sent, rows in cases:
        file = tmp_path / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        told = server.post(address, {"model": model, "rows": sent}).json
        lines = predicted(runs[model], file).splitlines()
        assert told == {
            "model": model,
            "rows": [json.loads(line) for line in lines],
            "left_out": [],
        }


def test_a_file_is_answered_in_its_own_form(server: Server, runs: Runs, tmp_path: Path) -> None:
    table = 'text;id\r\n"a fine; film";1\r\n狐狸;2\r\n'
    series = "year,level\n" + "".join(f"{row['year']},{row['level']}\n" for row in SERIES)
    cases = [("/predict/reviews", "reviews", table), ("/forecast/series", "series", series)]
    for address, model, text in cases:
        file = tmp_path / "rows.csv"
        file.write_bytes(text.encode())
        told = server.post(address, text.encode(), {"Content-Type": "text/csv; charset=utf-8"})
        assert told.headers["content-type"].startswith("text/csv")
        assert told.body.decode() == predicted(runs[model], file)


def test_rows_that_are_wrong_are_told_by_their_number_or_left_out(server: Server) -> None:
    rows = [["the", "cat"], [], ["a"]]
    asked = {"model": "tags", "rows": rows}
    refused = server.post("/predict", asked)
    assert refused.refusal == (422, "unfit")
    message = refused.json["error"]["message"]
    assert "rows, line 2" in message and "skip_bad_rows" in message and "/" not in message
    told = server.post("/predict", asked | {"skip_bad_rows": True}).json
    assert [row["tokens"] for row in told["rows"]] == [["the", "cat"], ["a"]]
    assert len(told["left_out"]) == 1 and "line 2" in told["left_out"][0]


def test_sentences_are_translated_as_a_file_of_them(
    server: Server, runs: Runs, tmp_path: Path
) -> None:
    lines = ["one two", "six", "four four four"]
    file = tmp_path / "lines.txt"
    file.write_text("\n".join(lines), encoding="utf-8")
    for how in ({}, {"beam": 3, "length_penalty": 0.0}, {"forbid": ["one"], "max_length": 3}):
        told = server.post("/translate", {"model": "pairs", "input": lines, **how}).json
        known = predicted(runs["pairs"], file, **how).splitlines()
        assert [best[0]["text"] for best in told["translations"]] == known
    several = server.post(
        "/translate", {"model": "pairs", "input": "one", "beam": 4, "n_best": 3}
    ).json["translations"]
    scores = [found["score"] for found in several[0]]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)


def recording(seconds: float) -> bytes:
    """A tone, as a WAV."""
    wave = 0.3 * np.sin(2 * np.pi * 1500 * np.arange(int(8000 * seconds)) / 8000)
    file = io.BytesIO()
    soundfile.write(file, wave, 8000, format="WAV")
    return file.getvalue()


def send(server: Server, sound: bytes, **fields: str) -> Answer:
    """A recording in a form, as browsers and curl send it."""
    parts = {f'name="{name}"': value.encode() for name, value in fields.items()}
    parts['name="file"; filename="../../a b.wav"'] = sound
    body = b"".join(
        b"--cut\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (head.encode(), value)
        for head, value in parts.items()
    )
    kind = {"Content-Type": "multipart/form-data; boundary=cut"}
    return server.post("/v1/audio/transcriptions", body + b"--cut--\r\n", kind)


def test_a_recording_is_heard_as_a_file_of_it(server: Server, runs: Runs, tmp_path: Path) -> None:
    sound, file = recording(0.5), tmp_path / "clip"
    file.write_bytes(sound)
    heard = elman.load(runs["beeps"]).transcribe(file)
    assert send(server, sound, model="beeps").json == {"text": heard.text}
    as_text = send(server, sound, model="beeps", response_format="text")
    assert as_text.body.decode() == heard.text + "\n"
    verbose = send(server, sound, model="beeps", response_format="verbose_json").json
    assert (verbose["duration"], verbose["text"]) == (0.5, heard.text)
    assert verbose["confidence"] == pytest.approx(heard.confidence, abs=1e-4)


def test_what_is_no_recording_is_refused(server: Server) -> None:
    assert send(server, recording(3), model="beeps").refusal == (413, "audio_too_long")
    told = send(server, b"RIFF of nothing", model="beeps")
    assert told.refusal == (422, "unfit") and told.json["error"]["message"].startswith("file:")
    for fields, refusal in (
        ({"model": "beeps", "response_format": "srt"}, (400, "invalid_value")),
        ({"model": "beeps", "mode": "x"}, (400, "unknown_parameter")),
        ({"model": "beeps", "stream": "true"}, (400, "invalid_value")),
        ({"model": "story"}, (404, "wrong_model")),
        ({}, (400, "missing_parameter")),
    ):
        assert send(server, recording(0.5), **fields).refusal == refusal


def test_a_piece_is_the_one_that_compose_makes(server: Server, runs: Runs) -> None:
    how: Mapping[str, Any] = {"bars": 2, "seed": 7, "temperature": 0.8}
    piece = elman.load(runs["tunes"]).compose(**how)
    told = server.post("/compose", {"model": "tunes", **how}).json
    assert (told["piece"], told["seed"]) == (to_record(piece), 7)
    midi = server.post("/compose", {"model": "tunes", "response_format": "midi", **how})
    assert midi.headers["content-type"] == "audio/midi" and midi.body.startswith(b"MThd")
    assert server.post("/compose", {"model": "tunes", "bars": 5}).refusal == (400, "invalid_value")
    for name in ("given", "prompt", "state"):  # what names files of the server
        asked = {"model": "tunes", name: "/etc/passwd"}
        assert server.post("/compose", asked).refusal == (400, "unknown_parameter")
