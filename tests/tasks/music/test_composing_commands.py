"""`elman generate` of a model of music, and the same in Python."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
import symusic
from calling import Ended, call, snapshot

from elman.apps import composing
from elman.data.symbolic.piece import Metre, Note, Piece, Tempo, Track
from elman.data.symbolic.record import from_record, to_record
from elman.run import api
from elman.tasks.music.composing import frames
from elman.tasks.music.composing.prompt import read_piece


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of pieces in two voices, eighths, trained for an epoch; not to be changed."""
    folder = tmp_path_factory.mktemp("music")
    draw = random.Random(1)

    def piece() -> list[list[int]]:
        return [[draw.randint(62, 72), draw.randint(50, 60)] for _ in range(10) for _ in range(2)]

    pieces = {"train": [piece() for _ in range(4)], "valid": [piece() for _ in range(2)]}
    (folder / "rolls-8th.json").write_text(json.dumps(pieces), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELMAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.chdir(folder)
        ended = call(
            "train", "music", "rolls-8th.json", "--epochs", "1", "--hidden-size", "5",
            "--head", "voices", "--head-size", "4", "--sample", "2", "--threads", "1",
            "--run", "run",
        )  # fmt: skip
        assert ended.code == 0, ended.err
    return folder / "run"


def good(*arguments: str | Path | float) -> Ended:
    ended = call(*arguments)
    assert ended.code == 0, ended.err
    return ended


def refused(*arguments: str | Path | float, told: str) -> None:
    ended = call(*arguments)
    assert ended.code == 2 and ended.out == ""
    assert ended.err.count("\n") == 1 and told in ended.err, ended.err


def test_steps_are_lines(run: Path) -> None:
    one = good("generate", run, "--bars", "2", "--seed", "3")
    lines = one.out.splitlines()
    assert len(lines) == 16 and all(len(line.split()) == 2 for line in lines)
    assert one.out == good("generate", run, "--steps", "16", "--seed", "3").out
    assert one.out != good("generate", run, "--bars", "2", "--seed", "4").out
    several = good("generate", run, "--bars", "2", "--seed", "3", "--samples", "2").out
    first, second = several.split("\n\n")
    assert first + "\n" == one.out and len(second.splitlines()) == 16


@pytest.mark.pictures
def test_every_kind_of_file(run: Path, tmp_path: Path) -> None:
    names = ("a.mid", "a.wav", "a.png", "a.json")
    flags = [flag for name in names for flag in ("-o", str(tmp_path / name))]
    ended = good("generate", run, "--bars", "2", "--seed", "3", "--tempo", "90", *flags)
    assert ended.out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    piece, told = read_piece(tmp_path / "a.json")
    assert told == [] and piece.length == 16 and piece.tempos == (Tempo(0, 90.0),)
    assert piece.metres == (Metre(0, 4, 4),)
    assert ended.err.splitlines()[0].endswith(f"2 bars, {piece.count} notes, 5.3 seconds, seed 3")
    # The notes of the MIDI file are the same; symusic is an independent reader.
    score: Any = symusic.Score(tmp_path / "a.mid")
    found = [
        [(2 * n.start / score.tpq, 2 * n.duration / score.tpq, n.pitch) for n in track.notes]
        for track in score.tracks
    ]
    assert found == [[note[:3] for note in track.notes] for track in piece.tracks]
    samples, rate = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert len(samples) / rate == pytest.approx(16 / 2 / 90 * 60 + 0.08, abs=0.01)
    assert (tmp_path / "a.png").read_bytes()[1:4] == b"PNG"


def test_several_pieces_are_numbered(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    good("generate", run, "--bars", "1", "--seed", "3", "--samples", "2", "-o", path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a-1.json", "a-2.json"]
    made = [json.loads((tmp_path / f"a-{k}.json").read_text())["tracks"] for k in (1, 2)]
    lines = good("generate", run, "--bars", "1", "--seed", "3", "--samples", "2", "--json").out
    objects = [json.loads(line) for line in lines.splitlines()]
    assert [one["piece"]["tracks"] for one in objects] == made
    assert objects[0]["seed"] == 3 and objects[1]["seed"] not in (3, None)
    again = good("generate", run, "--bars", "1", "--seed", objects[1]["seed"], "--json").out
    assert json.loads(again)["piece"]["tracks"] == made[1]


def test_going_on_from_a_state_equals_one_go(run: Path, tmp_path: Path) -> None:
    state, flags = tmp_path / "state", ("--seed", "8", "--keep", "no repeat 1 bar")
    whole = good("generate", run, "--bars", "5", *flags)
    first = good("generate", run, "--bars", "2", *flags, "--save-state", state)
    second = good("generate", run, "--bars", "3", *flags, "--state", state)
    assert first.out + second.out == whole.out
    good("generate", run, "--bars", "5", *flags, "-o", tmp_path / "whole.mid")
    good("generate", run, "--bars", "3", *flags, "--state", state, "-o", tmp_path / "on.mid")
    assert (tmp_path / "on.mid").read_bytes() == (tmp_path / "whole.mid").read_bytes()


def test_a_prompt_stands_at_the_beginning(run: Path, tmp_path: Path) -> None:
    good("generate", run, "--bars", "1", "--seed", "1", "-o", tmp_path / "p.mid")
    on = tmp_path / "on.json"
    good("generate", run, "--prompt", tmp_path / "p.mid", "--bars", "2", "--seed", "2", "-o", on)
    before, _ = read_piece(tmp_path / "p.mid")
    after, _ = read_piece(on)
    assert after.length == 24
    for old, new in zip(before.tracks, after.tracks, strict=True):
        scale = after.division / before.division
        begun = [(n.start * scale, n.pitch) for n in old.notes]
        assert [(n.start, n.pitch) for n in new.notes if n.start < 8] == begun


def test_given_voices_are_harmonised(run: Path, tmp_path: Path) -> None:
    notes = (Note(0, 2, 65), Note(2, 2, 67), Note(4, 4, 65))
    path = tmp_path / "given.json"
    path.write_text(json.dumps(to_record(Piece("g", 2, (Track(notes),), 8))), encoding="utf-8")
    for method in ("beam", "gibbs"):
        made = tmp_path / f"{method}.json"
        good("generate", run, "--given", path, "--method", method, "--sweeps", "1", "--beam", "2",
             "-o", made)  # fmt: skip
        piece, _ = read_piece(made)
        assert piece.tracks[0].notes == notes and piece.length == 8


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--length", "5"), "--length: of no use here; the task is music"),
        (("--stop", "x"), "--stop: of no use here"),
        (("--repetition-penalty", "1.2"), "--repetition-penalty: of no use here"),
        (("-o", "x.mp3"), "unknown ending"),
        (("-o", "x"), "needs an ending out of .mid"),
        (("-o", "absent/x.mid"), "folder that exists"),
        (("-o", "x.mid", "-o", "x.mid"), "the same file twice"),
        (("--prompt", "absent.mid"), "absent.mid"),
        (("--given", "absent.mid"), "absent.mid"),
        (("--keep", "soprno 60-70"), 'did you mean "soprano"'),
        (("--keep", "tenor 60-70"), "tenor"),
        (("--bars", "1", "--steps", "2"), "give one length"),
        (("--samples", "2", "--save-state", "s"), "or piece, to keep"),
        (("--state", "absent"), "no such file"),
        (("--keep", "required C9 at bar 1"), "the model knows"),
    ],
)
def test_what_is_refused(run: Path, tmp_path: Path, flags: tuple[str, ...], told: str) -> None:
    before = snapshot(tmp_path)
    refused("generate", run, *flags, told=told)
    assert snapshot(tmp_path) == before


def test_options_of_music_are_no_use_to_text(trained: Path) -> None:
    refused("generate", trained / "run", "--bars", "2", told="--bars: of no use here")
    refused("generate", trained / "run", "-o", "x.mid", told="--output: of no use here")


def test_interrupted_it_keeps_what_was_made(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after five steps: the file, the place and a line of what there is; exit code 130."""
    whole = good("generate", run, "--bars", "3", "--seed", "5")
    steps = frames.FrameComposition.__iter__

    def stopped(self: frames.FrameComposition) -> Iterator[str]:
        for k, line in enumerate(steps(self)):
            yield line
            if k == 4:
                raise KeyboardInterrupt

    state = tmp_path / "state"
    flags = ("--bars", "3", "--seed", "5")
    with monkeypatch.context() as patch:
        patch.setattr(frames.FrameComposition, "__iter__", stopped)
        ended = call("generate", run, *flags, "--save-state", state)
        assert ended.code == 130 and ended.out == "".join(whole.out.splitlines(True)[:5])
        ended = call("generate", run, *flags, "-o", tmp_path / "x.json")
        assert ended.code == 130
    assert read_piece(tmp_path / "x.json")[0].length == 5
    on = good("generate", run, "--steps", "19", "--seed", "5", "--state", state)
    assert on.out == "".join(whole.out.splitlines(True)[5:])


def test_in_python(run: Path, tmp_path: Path) -> None:
    made = api.load(run)
    piece = made.compose(bars=2, seed=3, output=tmp_path / "x.json")
    assert read_piece(tmp_path / "x.json")[0].tracks == piece.tracks
    streamed = made.composition(bars=2, seed=3)
    lines = list(streamed)
    assert (
        "".join(f"{line}\n" for line in lines)
        == good("generate", run, "--bars", "2", "--seed", "3").out
    )
    assert streamed.piece == piece
    made.save_state(streamed.place, tmp_path / "state")
    on = made.composition(after=made.load_state(tmp_path / "state"), bars=1, seed=3)
    assert list(on) == list(made.composition(bars=3, seed=3))[16:]
    assert composing.told(piece).startswith("2 bars, ")


def test_records_of_pieces_come_back(run: Path) -> None:
    piece = api.load(run).compose(bars=2, seed=3)
    record = json.loads(json.dumps(to_record(piece)))
    assert from_record(record, piece.name) == piece
