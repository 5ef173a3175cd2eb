"""What a trained run tells of recordings: of files, of samples, and of sound as it arrives."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tones
from calling import call
from numpy.typing import NDArray

import elman
from elman.errors import UserError

SAID = "abcacb"


def pcm(wave: NDArray[np.float32]) -> bytes:
    return np.round(wave * 32767).astype("<i2").tobytes()


def listening(run: Path, *flags: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "elman", "predict", str(run), "-", *flags],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        # Tests started in the background of a shell hand on that SIGINT is to be ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


def test_a_row_for_each_file_with_times_of_words(both_ways: Any, tmp_path: Path) -> None:
    draw = np.random.default_rng(8)
    said = ["ab", "cba", "acb"]
    for k, text in enumerate(said):
        soundfile.write(tmp_path / f"{k}.flac", tones.wave(text, draw), tones.RATE)
    ended = call("predict", both_ways.run, *sorted(tmp_path.glob("*.flac")))
    assert ended.code == 0, ended.err
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert [row["transcript"] for row in rows] == said
    assert [Path(row["where"]).name for row in rows] == ["0.flac", "1.flac", "2.flac"]
    for k, row in enumerate(rows):
        ((word, start, stop, sure),) = json.loads(row["words"])
        seconds = soundfile.info(tmp_path / f"{k}.flac").duration
        assert word == row["transcript"]
        assert 0 < start < stop < seconds
        assert 0.5 < sure <= 1
        assert 0.5 < float(row["confidence"]) <= 1


@pytest.mark.parametrize("name", ["streaming", "both_ways", "classes"])
def test_a_path_its_samples_and_predict_tell_the_same(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    made = request.getfixturevalue(name)
    run, path = elman.load(made.run), tmp_path / "clip.wav"
    whole = np.round(tones.wave("b" if name == "classes" else SAID, np.random.default_rng(2)) * 2e4)
    samples = whole.astype(np.int16)
    soundfile.write(path, samples, tones.RATE)
    found = run.transcribe(path)
    assert found.text == ("b" if name == "classes" else SAID)
    assert run.transcribe(str(path)) == found
    assert run.transcribe(samples, tones.RATE) == found
    floats = samples.astype(np.float64) / 32768
    assert run.transcribe(floats, tones.RATE) == found
    assert run.transcribe(np.stack([floats, floats], 1), tones.RATE) == found
    out = io.StringIO()
    run.predict(path, out=out)
    (row,) = csv.DictReader(io.StringIO(out.getvalue()))
    assert row["label" if name == "classes" else "transcript"] == found.text
    assert float(row["confidence"]) == pytest.approx(found.confidence, rel=1e-3)
    # At another rate: resampled, so not to the bit, but the same is said.
    assert run.transcribe(np.repeat(floats, 2), 2 * tones.RATE).text == found.text


def test_samples_that_are_no_sound_are_refused(classes: Any) -> None:
    run = elman.load(classes.run)
    wave = np.zeros(800)
    for samples, rate, told in (
        (wave, None, "rate="), ([], 8000, "shape"), (np.zeros((2, 2, 2)), 8000, "shape"),
        (wave + np.nan, 8000, "number"), (["x"], 8000, "type"), (wave, 10, "rate"),
        ([[1.0], [1.0, 2.0]], 8000, "array"), (Path("nowhere.wav"), None, "nowhere"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=told) as error:
            run.transcribe(samples, rate)
        assert len(str(error.value).splitlines()) == 1


def test_a_class_that_is_not_sure_enough_is_unknown(classes: Any) -> None:
    run, wave = elman.load(classes.run), tones.wave("c", np.random.default_rng(1))
    sure = run.transcribe(wave, tones.RATE).confidence
    assert run.transcribe(wave, tones.RATE, threshold=sure * 0.999).text == "c"
    assert run.transcribe(wave, tones.RATE, threshold=min(1.0, sure * 1.001)).text == "unknown"


def test_several_transcripts_the_best_first(both_ways: Any) -> None:
    path = both_ways.data / "000.wav"
    ended = call("predict", both_ways.run, path, "--n-best", "3", "--beam", "8")
    assert ended.code == 0, ended.err
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert len({row["transcript"] for row in rows}) == len(rows) == 3
    (best,) = csv.DictReader(io.StringIO(call("predict", both_ways.run, path, "--beam", "8").out))
    assert rows[0] == best


def test_text_comes_while_sound_still_comes_through_a_pipe(streaming: Any) -> None:
    """A WAV that does not know its length, slowly; text is there before its end."""
    wave = tones.wave(SAID * 3, np.random.default_rng(7))
    header = io.BytesIO()
    soundfile.write(header, np.zeros(0), tones.RATE, format="WAV", subtype="PCM_16")
    with listening(streaming.run) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(header.getvalue())
        data = pcm(wave)
        half = len(data) // 2 + 1  # in the middle of a sample
        for at in range(0, half, 777):
            process.stdin.write(data[at : min(half, at + 777)])
            process.stdin.flush()
        early = os.read(process.stdout.fileno(), 100)  # while the pipe is open
        assert early
        process.stdin.write(data[half:])
        out, err = process.communicate(timeout=60)
    assert (process.returncode, (early + out).decode()) == (0, SAID * 3 + "\n"), err
    assert re.fullmatch(r"hearing, [\d.]+ s behind\n", err.decode())


def test_ctrl_c_ends_the_line(streaming: Any) -> None:
    with listening(streaming.run, "--raw-rate", str(tones.RATE)) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(pcm(tones.wave(SAID, np.random.default_rng(7))))
        process.stdin.flush()
        early = os.read(process.stdout.fileno(), 100)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (early + out).decode() == SAID + "\n"
    assert "Traceback" not in err.decode()
    assert err.decode().endswith("interrupted\n")


@pytest.mark.parametrize("how", [(), ("--beam", "4")])
def test_a_state_goes_on_where_it_was_kept(
    how: tuple[str, ...], streaming: Any, tmp_path: Path
) -> None:
    data = pcm(tones.wave(SAID * 2, np.random.default_rng(9)))
    raw = ("--raw-rate", str(tones.RATE), *how)
    whole = call("predict", streaming.run, "-", *raw, stdin=data)
    assert (whole.code, whole.out) == (0, SAID * 2 + "\n")
    texts, state = [], tmp_path / "state"
    for k in range(4):
        piece = data[k * len(data) // 8 * 2 : (k + 1) * len(data) // 8 * 2]
        go_on = ["--state", str(state)] if k else []
        go_on += ["--save-state", str(state)] if k < 3 else []
        ended = call("predict", streaming.run, "-", *raw, *go_on, stdin=piece)
        assert ended.code == 0, ended.err
        texts.append(ended.out)
    assert "".join(texts) == whole.out
    assert "\n" not in "".join(texts[:3])
    assert list(tmp_path.iterdir()) == [state]


def test_a_state_that_cannot_be_used_is_one_line(
    streaming: Any, both_ways: Any, tmp_path: Path
) -> None:
    data = pcm(tones.wave("ab", np.random.default_rng(9)))
    (tmp_path / "broken").write_bytes(b"\x10\0\0\0\0\0\0\0{}" + bytes(40))
    kept = tmp_path / "kept"
    raw = ("--raw-rate", str(tones.RATE))
    assert call("predict", streaming.run, "-", *raw, "--save-state", kept, stdin=data).code == 0
    for run, data_, flags, told in (
        (streaming.run, "-", ("--state", tmp_path / "none"), "No such file"),
        (streaming.run, "-", ("--state", tmp_path / "broken"), "damaged"),
        (streaming.run, "-", ("--state", both_ways.data / "000.wav"), "damaged"),
        (streaming.run, "-", ("--state", kept, "--beam", 3), "other options"),
        (streaming.run, "-", ("--save-state", tmp_path / "no" / "state"), "folder"),
        (streaming.run, "-", ("--save-state", tmp_path), "folder"),
        (streaming.run, both_ways.data, ("--save-state", kept), "standard input"),
        (streaming.run, "-", ("--state=-",), "a file"),
        (both_ways.run, "-", (), "--streaming"),
        (both_ways.run, "-", (), "reads both ways; to hear as one speaks"),
    ):
        ended = call("predict", run, data_, *(raw if data_ == "-" else ()), *flags, stdin=data)
        assert (ended.code, ended.out) == (2, ""), told
        assert told in ended.err
        assert len(ended.err.splitlines()) == 1
