"""Whatever is wrong with recordings, transcripts or options: one line, exit code 2."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tones
from calling import Ended, call
from trained_runs import Hears

import elman

TINY = {**tones.SMALL, "hidden_size": 4, "convolutions": 4, "epochs": 1}


def train(data: Path, *flags: str, run: str = "run") -> Ended:
    own = [flag for flag in tones.flags(TINY) if flag.split("=")[0] not in flags]
    return call("train", "speech", data, "--run", run, *own, *flags)


def refused(ended: Ended, *told: str) -> None:
    """One line that tells all of this."""
    assert ended.code == 2, ended.err
    last = ended.err.splitlines()[-1]
    assert last.startswith("elman: ")
    for part in told:
        assert part in last, last
    assert "Traceback" not in ended.err


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tones.folder(tmp_path / "data", tones.texts(12, np.random.default_rng(0)))


def lines(data: Path, change: Callable[[list[str]], list[str]]) -> Path:
    """The table with its lines changed."""
    path = data / "metadata.csv"
    path.write_text("\n".join(change(path.read_text(encoding="utf-8").split())), encoding="utf-8")
    return data


def test_recordings_alone_are_not_enough(data: Path) -> None:
    (data / "metadata.csv").unlink()
    refused(train(data), "a .txt", "metadata.csv")


def test_several_networks_do_not_write_and_band_convolutions_are_numbers(data: Path) -> None:
    refused(train(data, "--members=2"), "--members 2", "--mode classify")
    refused(train(data, "--band-convolutions", "4,0"), "--band-convolutions 4,0", "0 alone")
    pooled = train(data, "--band-convolutions", "0", "--band-pooling")
    refused(pooled, "--band-pooling", "--band-convolutions 0")


def test_a_path_that_is_not_there_is_told_by_its_line(data: Path) -> None:
    lines(data, lambda rows: [*rows, "nowhere.wav,ab"])
    refused(train(data), "metadata.csv, line 14", "nowhere.wav")
    ended = train(data, "--skip-bad-rows")
    assert ended.code == 0, ended.err
    assert "1 clip left out" in ended.err
    assert "nowhere.wav" in ended.err


def test_damaged_files_among_good_ones(data: Path) -> None:
    (data / "003.wav").write_bytes(b"no sound at all")
    whole = (data / "004.wav").read_bytes()
    (data / "004.wav").write_bytes(whole[: len(whole) // 2])
    soundfile.write(data / "005.wav", np.array([0.0, np.nan] * 2_000), 8_000, subtype="FLOAT")
    soundfile.write(data / "006.wav", np.zeros(0), 8_000)
    refused(train(data), "metadata.csv, line 5", "003.wav")
    ended = train(data, "--skip-bad-rows")
    assert ended.code == 0, ended.err
    assert "4 clips left out" in ended.err
    # What was decoded once is not decoded again; what was left out is counted again.
    again = train(data, "--skip-bad-rows", run="again")
    assert "4 clips left out" in again.err
    refused(train(data, run="strict"), "003.wav")


def test_samples_that_are_no_numbers(data: Path) -> None:
    soundfile.write(data / "005.wav", np.array([0.0, np.nan] * 2_000), 8_000, subtype="FLOAT")
    refused(train(data), "line 7", "not a finite number")


def test_a_stretch_beyond_the_end(data: Path) -> None:
    rows = ['{"audio_filepath": "000.wav", "text": "ab", "offset": 99, "duration": 1}']
    (data / "metadata.csv").unlink()
    (data / "all.jsonl").write_text("\n".join(rows * 3), encoding="utf-8")
    refused(train(data / "all.jsonl"), "line 1", "99")


def test_one_label_is_nothing_to_learn(tmp_path: Path) -> None:
    data = tones.folder(tmp_path / "d", ["a"] * 12, column="label")
    refused(train(data), "one label", '"a"')


def test_one_clip_is_too_few(data: Path) -> None:
    lines(data, lambda rows: rows[:2])
    refused(train(data), "--validation 0")
    ended = train(data, "--validation", "0")
    assert ended.code == 0, ended.err


def test_every_clip_too_short_for_its_transcript(data: Path) -> None:
    lines(data, lambda rows: [rows[0], *(row.split(",")[0] + "," + "a" * 200 for row in rows[1:])])
    refused(train(data), "every clip is too short for its transcript")


def test_options_that_do_not_fit_together(data: Path) -> None:
    for flags, told in (
        (("--streaming", "--bidirectional", "true"), "--bidirectional false"),
        (("--streaming", "--normalise", "clip"), "--normalise training"),
        (("--validation-speakers", "x"), "no speaker of any clip is known"),
        (("--validation-files", "x*"), "fits no recording"),
        (("--mels", "3"), "--mels"),
        (("--mels", "300"), "--mels"),
        (("--hop", "30", "--window", "20"), "--window"),
        (("--rate", "10"), "--rate"),
        (("--longest", "0.1"), "0.1 s"),
        (("--noise", "nowhere"), "nowhere"),
        (("--text-column", "what"), "what"),
        (("--level", "bytes"), "bytes"),
        (("--mode", "classify", "--label-column", "none"), "none"),
    ):
        refused(train(data, *flags), told)


def test_a_symbol_that_the_model_never_learnt(both_ways: Any, data: Path) -> None:
    lines(data, lambda rows: [*rows[:-1], "011.wav,abxyz"])
    refused(call("evaluate", both_ways.run, data), "line 13", "never learnt", "x y z")
    refused(call("evaluate", both_ways.run, "--raw-rate", "8000"), "standard input")
    ended = call("evaluate", both_ways.run, data, "--skip-bad-rows")
    assert ended.code == 0, ended.err
    assert "1 row left out" in ended.err or "1 clip left out" in ended.err


def test_a_label_that_the_model_never_learnt(classes: Any, tmp_path: Path) -> None:
    data = tones.classes(tmp_path / "d", 2)
    shutil.copytree(data / "a", data / "z")
    refused(call("evaluate", classes.run, data), '"z" is not in the training data')
    refused(call("evaluate", classes.run, data / "z"), "")


def test_predict_of_what_cannot_be_heard(both_ways: Any, classes: Any, tmp_path: Path) -> None:
    good = both_ways.data / "000.wav"
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF....WAVE")
    for run in (both_ways.run, classes.run):
        ended = call("predict", run, good, bad, both_ways.data / "001.wav")
        refused(ended, "bad.wav")
        ended = call("predict", run, good, bad, both_ways.data / "001.wav", "--skip-bad-rows")
        assert ended.code == 0, ended.err
        assert len(ended.out.splitlines()) == 3
        assert "1 " in ended.err
        assert "left out" in ended.err
        refused(call("predict", run, tmp_path / "nowhere.wav"), "nowhere.wav")
        refused(call("predict", run, both_ways.data / "metadata.csv", "--state", "s"), "--state")


def test_what_comes_through_a_pipe_and_is_no_sound(streaming: Any) -> None:
    for stdin, flags, told in (
        (b"", (), "no sound came"),
        (b"\0\0" * 4_000, (), "rate"),
        (b"fLaC" + bytes(100), (), "ffmpeg"),
        (b"RIFF\0\0\0\0WAVEjunk", (), "header"),
        (b"\0\0" * 4_000, ("--raw-rate", "3"), "--raw-rate"),
    ):
        ended = call("predict", streaming.run, "-", *flags, stdin=stdin)
        refused(ended, told)


def test_help_names_what_can_be_asked() -> None:
    ended = call("train", "speech", "--help")
    assert ended.code == 0
    for flag in (
        "--mode",
        "--streaming",
        "--normalise",
        "--name-pattern",
        "--augment",
        "--test-speakers",
    ):
        assert flag in ended.out
    ended = call("predict", "--help")
    for flag in ("--raw-rate", "--save-state", "--lexicon", "--threshold"):
        assert flag in ended.out


def test_what_only_the_other_kind_of_model_does_is_refused(
    classes: Hears, both_ways: Hears
) -> None:
    for command in ("evaluate", "predict"):
        for flag, value in (("--beam", "4"), ("--phrases", "abc"), ("--n-best", "2")):
            ended = call(command, classes.run, classes.data, flag, value)
            refused(ended, f"{flag} {value}", "a model that writes")
        ended = call(command, both_ways.run, both_ways.data, "--threshold", "0.5")
        refused(ended, "--threshold 0.5", "a model that names classes")


def test_a_threshold_tells_how_many_clips_are_answered_and_right(classes: Hears) -> None:
    run = elman.load(classes.run)
    none = run.evaluate(classes.data, threshold=0.0).scores
    assert none["answered"] == 1 and none["answered_accuracy"] == none["accuracy"]
    sure = run.evaluate(classes.data, threshold=1.0).scores
    assert sure["answered"] < 1 and sure["accuracy"] == none["accuracy"]
