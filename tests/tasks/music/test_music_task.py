"""The task music: parts of the data, a model that learns, its scores, and what is refused."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calling import call
from jobs import finish

import elman
from elman.data.built_in import canons
from elman.data.symbolic.midi.writing import write_midi
from elman.data.symbolic.piece import Note, Piece, Track
from elman.data.tables.content import BadRows
from elman.errors import UserError
from elman.options import make
from elman.run import prepare
from elman.run.clock import Clock
from elman.run.job import Job
from elman.run.options import parse
from elman.run.trained import Run
from elman.tasks.music import forms, reading, showing
from elman.tasks.music.data import Parts
from elman.tasks.music.frames.reading import piece_of
from elman.tasks.music.options import MusicOptions
from elman.tasks.music.task import TASK

CYCLE = [[48, 60, 64], [50, 62, 65], [43, 59, 62, 67], [], [45, 57, 60, 64]]
SMALL: dict[str, Any] = {
    "epochs": 1, "hidden_size": 8, "head_size": 8, "threads": 1, "batch_size": 4, "sample": 0,
}  # fmt: skip


def rolls(path: Path, count: int = 12, seed: int = 0, **parts: int) -> Path:
    """Pieces that go round a cycle of chords, from a chord and in a key drawn at random."""
    draw = random.Random(seed)

    def piece() -> list[list[int]]:
        begin, key, length = draw.randrange(5), draw.randrange(7), draw.randrange(20, 40)
        return [[p + key for p in CYCLE[(begin + t) % 5]] for t in range(length)]

    made = {name: [piece() for _ in range(number)] for name, number in parts.items()}
    path.write_text(json.dumps(made or [piece() for _ in range(count)]))
    return path


def read(path: Path, validation: float = 0.2, **options: Any) -> Any:
    return reading.read([str(path)], MusicOptions(**options), validation)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A model of rolls, which lie beside its folder, and have not taught it much."""
    folder = tmp_path_factory.mktemp("trained")
    data = rolls(folder / "rolls.json")
    finish(job_of(data, folder / "run", SMALL | {"head": "chain"}))
    return elman.load(folder / "run")


def job_of(data: Path, run: Path, options: dict[str, Any]) -> Job:
    own, how = parse("music", options | {"run": run})
    return prepare.new("music", [str(data)], own, how, Clock(None), lambda line: None)


@pytest.mark.parametrize(("head", "near"), [("independent", 7.0), ("chain", 2.5)])
def test_a_cycle_of_chords_is_learnt_in_any_key(head: str, near: float, tmp_path: Path) -> None:
    """The key alone is left to be told, and where the cycle begins."""
    data = rolls(tmp_path / "rolls.json", train=16, valid=6)
    options = SMALL | {"hidden_size": 32, "head_size": 32, "learning_rate": 2e-2, "epochs": 12}
    options |= {"head": head, "dropout": 0.0, "transpose": 0}
    job = job_of(data, tmp_path / "run", options)
    told = finish(job)[-1]
    *_, guess = job.task.rivals(job.dataset, job.options, job.dataset)
    assert told.split == "validation" and told.loss == told.scores["nats"] < near
    assert guess.guess and near < guess.scores["nats"]
    assert told.scores["accuracy"] > guess.scores["accuracy"] + 0.2


def test_parts_that_the_data_gives_are_kept(tmp_path: Path) -> None:
    data = rolls(tmp_path / "rolls.json", train=5, valid=2, test=3)
    found = read(data)
    assert [len(p) for p in (found.train, found.check, found.test)] == [5, 2, 3]
    nothing_validates = read(data, validation=0.0)
    assert (len(nothing_validates.train), len(nothing_validates.check)) == (7, 0)
    tested = found.tested()
    assert tested.check == found.test and tested.tested() is None
    other = read(data, test_data=rolls(tmp_path / "test.json", count=4, seed=9))
    # What the data keeps for testing is not trained on, and that is told.
    assert len(other.test) == 4 and len(other.train) == 5
    assert any("3 pieces that the data gives for testing" in fact for fact in other.facts)


def test_parts_are_drawn_by_what_a_piece_is_made_of(tmp_path: Path) -> None:
    """Pieces with the same notes, or in another key, are on one side."""
    data = rolls(tmp_path / "rolls.json", count=20)
    pieces = json.loads(data.read_text())
    moved = [[[p + 2 for p in step] for step in piece] for piece in pieces]
    every = [*pieces, *moved, *pieces]
    random.Random(3).shuffle(every)
    (tmp_path / "all.json").write_text(json.dumps(every))
    found = read(tmp_path / "all.json", 0.2, test_share=0.2)
    parts = [{shape(score) for score in part} for part in (found.train, found.check, found.test)]
    assert all(parts)
    assert not parts[0] & parts[1] and not (parts[0] | parts[1]) & parts[2]
    assert sum(map(len, (found.train, found.check, found.test))) == 60


def shape(score: Any) -> bytes:
    """The same in any key."""
    return bytes(np.roll(score.steps, -score.span[0], 1).tobytes())


def test_a_score_is_a_piece_again(tmp_path: Path) -> None:
    """From notes to steps and back, also in voices, silence and ends of notes included."""
    chords = [[72, 67, 60, 48], [72, -1, 60, 48], [71, 67, 62, 43]]
    voices = [chords * k for k in range(2, 8)]
    (tmp_path / "voices.json").write_text(json.dumps(voices))
    for path in (tmp_path / "voices.json", rolls(tmp_path / "rolls.json")):
        found = read(path)
        for score in (*found.train, *found.check):
            made = piece_of(score, found.reading)
            (tmp_path / "again.json").write_text(json.dumps(steps_of(made)))
            (again,) = read(tmp_path / "again.json", 0.0).train
            assert np.array_equal(again.roll(88), score.roll(88))
    assert read(tmp_path / "voices.json").reading.voices == 4


def steps_of(piece: Piece) -> list[list[list[int]]]:
    steps: list[list[int]] = [[] for _ in range(piece.length)]
    for track in piece.tracks:
        for note in track.notes:
            for step in steps[note.start : note.end]:
                step.append(note.pitch)
    return [steps]


def test_the_beginning_of_a_piece_ends_every_note() -> None:
    notes = (Note(0, 4, 60), Note(2, 8, 64), Note(6, 2, 67))
    piece = Piece("", 2, (Track(notes), Track((Note(7, 1, 40),))), 10)
    cut = showing.until(piece, 5)
    assert cut.tracks[0].notes == (Note(0, 4, 60), Note(2, 3, 64)) and not cut.tracks[1].notes
    assert cut.length == 5 and showing.until(piece, 99) == piece


def test_what_the_data_does_not_allow_is_refused_in_one_line(tmp_path: Path) -> None:
    data = rolls(tmp_path / "rolls.json")
    (tmp_path / "one.json").write_text(json.dumps([[[60], [62]]]))
    (tmp_path / "text.txt").write_text("Nothing that sounds.")
    for words, told in (
        ([str(data), "--head", "voices"], "--head chain"),
        ([str(data), "--form", "events", "--head", "chain"], "--form frames"),
        ([str(data), "--form", "events", "--lookback", "1"], "--form frames"),
        ([str(data), "--lookback", "0,1"], "bars, or 0 for none"),
        ([str(data), "--lookback", "nan"], "from 0 to 32"),
        ([str(data), "--lookback", "1,40"], "from 0 to 32"),
        ([str(data), "--steps-per-quarter", "5"], "1, 2, 3, 4"),
        ([str(data), "--bidirectional", "true"], "read onwards"),
        ([str(tmp_path / "one.json")], "--validation"),
        ([str(tmp_path / "text.txt")], "MIDI"),
    ):
        ended = call("train", "music", *words, "--run", str(tmp_path / "no"), "--epochs", "1")
        assert ended.code == 2 and told in ended.err and "Traceback" not in ended.err, ended.err
        assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(("name", "value"), [("head", "chain"), ("head_size", 4), ("lookback", 1)])
def test_what_frames_alone_have_makes_it_frames(name: str, value: object, tmp_path: Path) -> None:
    """Of pieces that no grid fits, which would be events."""
    draw, path = random.Random(3), tmp_path / "loose"
    path.mkdir()
    for k in range(5):
        notes = tuple(Note(draw.randrange(9_000), 77, draw.randint(50, 70)) for _ in range(40))
        loose = Piece("", 480, (Track(tuple(sorted(notes))),), 9_100)
        (path / f"{k}.mid").write_bytes(write_midi(loose))
    assert read(path).form == "events"
    found = read(path, **{name: getattr(make(MusicOptions, {name: value}), name)})
    assert found.form == "frames" and f"asked for by --{name.replace('_', '-')}" in " ".join(
        found.facts
    )


def test_pitches_that_the_model_does_not_know_are_told_or_left_out(trained: Run) -> None:
    data, low = trained.path.parent / "rolls.json", trained.path.parent / "low.json"
    low.write_text(json.dumps([[[3], [5], [3]], *json.loads(data.read_text())]))
    with pytest.raises(UserError, match="the pitch 3, where the model knows 21 to 108"):
        trained.evaluate(low)
    left = trained.evaluate(low, skip_bad_rows=True)
    assert left.left_out.count == 1 and left.scores == pytest.approx(trained.evaluate(data).scores)


def test_a_damaged_folder_is_told(trained: Run) -> None:
    data, file = trained.path.parent / "rolls.json", trained.path / "preprocessing.json"
    whole = file.read_text()
    kept = json.loads(whole)
    for damage in (
        {"form": "sound"}, {"form": None}, {"reading": None},
        {"reading": kept["reading"] | {"highest": 400}},
        {"reading": kept["reading"] | {"lowest": 30}},
        {"reading": kept["reading"] | {"per_quarter": "often"}},
    ):  # fmt: skip
        file.write_text(json.dumps(kept | damage))
        ended = call("evaluate", str(trained.path), str(data))
        assert ended.code == 2 and "Traceback" not in ended.err, ended.err
        assert str(trained.path) in ended.err or "preprocessing.json" in ended.err
    file.write_text(whole)


def test_what_is_looked_at_is_what_the_network_reads(trained: Run) -> None:
    """Steps and labels stand as in the batch, at each step of the longest piece."""
    data = read(trained.path.parent / "rolls.json", 0.4)
    found = TASK.look(data, MusicOptions(head="chain"), 3, 1) if TASK.look else None
    assert found is not None and len(found.steps) == 3
    assert found.lengths == sorted(found.lengths, reverse=True)
    assert found.batch.sizes.tolist() == [
        sum(length > t for length in found.lengths) for t in range(found.lengths[0])
    ]
    rows = iter(found.batch.frames.sum(1).tolist())
    for t, size in enumerate(found.batch.sizes.tolist()):
        for k in range(size):
            notes = next(rows)
            name = found.labels[k][t]
            assert notes == (0 if name == "-" else name.count("·") + 1)
            assert notes == found.quantities["notes at once"][k][t]
            assert t == 0 or found.steps[k][t] == found.labels[k][t - 1]


@pytest.mark.parametrize("form", ["frames", "events"])
def test_a_score_on_other_pieces_tells_what_of_them_it_leaves_aside(form: str) -> None:
    """Drums, which a model without them cannot hear."""
    tune = Track(tuple(Note(k, 1, 60 + k % 5) for k in range(20)))
    drums = Track(tuple(Note(k, 1, 36) for k in range(7)), is_drum=True)
    known = tuple(Piece(f"{k}", 1, (replace(tune, program=k),), 20) for k in range(2))
    parts = Parts("x", known, known, BadRows(skip=False))
    own = forms.get(form).read(parts, MusicOptions(form=form))  # type: ignore[arg-type]
    other = replace(known[0], tracks=(tune, drums))
    heard = forms.get(form).unseen(replace(parts, train=(), check=(other,)), own.preprocessing())
    assert re.search(r"7 (drum hits|notes of drums) left out", forms.overlap(heard, own))


def test_pieces_made_after_canons_are_held_against_their_rules() -> None:
    """Those of the data keep all of them; of other data nothing is told."""
    some = canons.pieces()[:4]
    (told, _) = showing.rules("name:canons", some)
    assert told == "Of 4 pieces made from nothing, rules of canons broken: none of 13."
    upper, lower = some[0].tracks
    dense = replace(some[0], tracks=(upper, replace(lower, notes=upper.notes)))
    (told, _) = showing.rules("name:canons", [dense])
    assert "crossing 100.0%" in told
    assert showing.rules("other.abc", some) == []
