"""Folders, archives and files of music: each by what it holds, none passed over in silence."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zstandard
from midi_bytes import a_piece, a_track, chunk, midi, of, off, on

from elman.data.built_in import named
from elman.data.built_in.named import NAMED
from elman.data.built_in.recordings import tunes as packed_tunes
from elman.data.symbolic import kinship, reading
from elman.data.symbolic.midi.writing import write_midi
from elman.data.symbolic.piece import Piece, Track
from elman.data.symbolic.reading import Collection
from elman.data.tables.content import BadRows
from elman.errors import UserError

SHARED = Path(__file__).parents[4] / "shared" / "data" / "music"
TUNE = write_midi(a_piece(random.Random(1)))
ABC = b"X:1\nT:A\nM:2/4\nL:1/8\nK:G\nGABc|d2G2|\n\nX:2\nT:B\nM:2/4\nL:1/8\nK:D\nd2f2|a4|\n"
ROLL = json.dumps({"train": [[[60, 64], [62]]], "test": [[[50]]]}).encode()
XML = b'<?xml version="1.0"?>\n<score-partwise version="4.0"></score-partwise>'


def read(*items: object, skip: bool = False) -> Collection:
    return reading.read([str(item) for item in items], BadRows(skip, advice=reading.SKIP))


def refused(*items: object) -> str:
    with pytest.raises(UserError) as caught:
        read(*items)
    told = str(caught.value)
    assert "\n" not in told
    return told


def put(folder: Path, **files: bytes) -> Path:
    for name, data in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def packed(path: Path, folder: Path) -> Path:
    """A zip of all files in a folder."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return path


@pytest.fixture
def music(tmp_path: Path) -> Path:
    return put(
        tmp_path / "music", a_mid=TUNE, b__c_mid_gz=gzip.compress(TUNE), b__d_abc=ABC,
        roll_json=ROLL, readme_txt=b"Tunes.", meta_json=b'{"by": "me"}', cover_jpg=b"\xff\xd8",
        b__list_txt=ABC,
    )  # fmt: skip


def test_a_folder_and_a_zip_of_it_are_the_same(music: Path, tmp_path: Path) -> None:
    folder, archive = read(music), read(packed(tmp_path / "x.zip", music))
    assert len(folder.pieces) == 8 and folder.account.files == 5
    assert folder.facts[0] == "not read: 3 other files (.jpg, .json, .txt)"
    assert archive.facts[0] == "not read: 4 other files (.gz, .jpg, .json, .txt)"
    inside = [p for p in folder.pieces if ".gz" not in p.name]
    assert [replace(p, name="") for p in inside] == [replace(p, name="") for p in archive.pieces]
    assert [p.name for p in archive.pieces[:2]] == [
        f"{tmp_path}/x.zip, a.mid", f"{tmp_path}/x.zip, b/d.abc, X:1"
    ]  # fmt: skip
    assert sum(p.count for p in folder.pieces) == folder.account.notes
    assert sum(len(p.tracks) for p in folder.pieces) == folder.account.tracks


def test_a_file_is_what_it_holds_whatever_its_name(tmp_path: Path) -> None:
    held = io.BytesIO()
    np.savez(held, train=np.eye(128)[60:64])
    for data, pieces in (
        (TUNE, 1), (ABC, 2), (ROLL, 2), (held.getvalue(), 1), (gzip.compress(ROLL), 2),
        (zstandard.compress(ROLL), 2), (zstandard.compress(TUNE), 1),
    ):  # fmt: skip
        for name in ("x", "x.txt", "x.data"):
            (tmp_path / name).write_bytes(data)
            assert len(read(tmp_path / name).pieces) == pieces


def test_a_part_of_an_archive_is_named_as_a_path_or_a_pattern(music: Path, tmp_path: Path) -> None:
    archive = packed(tmp_path / "x.zip", put(music, b__deep__e_mid=TUNE))
    names = {
        "b": ["b/d.abc, X:1", "b/d.abc, X:2", "b/deep/e.mid", "b/list.txt, X:1", "b/list.txt, X:2"],
        "b/deep/": ["b/deep/e.mid"], "*.mid": ["a.mid"], "**/*.mid": ["a.mid", "b/deep/e.mid"],
        "b/*/e.mid": ["b/deep/e.mid"], "b/deep/e.mid": ["b/deep/e.mid"],
    }  # fmt: skip
    for pattern, expected in names.items():
        found = [p.name.removeprefix(f"{archive}, ") for p in read(f"{archive}/{pattern}").pieces]
        assert found == expected, pattern
    assert 'no member matches "c"; it holds a.mid, b/d.abc' in refused(f"{archive}/c")
    assert len(read(f"{music}/**/*.mid").pieces) == 2, "a glob"


def test_what_is_wrong_is_an_error_or_left_out_and_counted(music: Path) -> None:
    put(music, cut_mid=TUNE[:-9], text_mid=b"hello", empty_mid=midi(chunk()), bad_json=b"[")
    drums = of(on(0, 40, channel=9), off(5, 40, channel=9))
    put(music, drums_mid=drums)
    assert refused(music).startswith(f"{music}/bad.json: not JSON")
    found = read(music, skip=True)
    assert len(found.pieces) == 8 and found.account.files == 5
    why = dict(found.account.left_out)
    assert {name.removeprefix(f"{music}/") for name in why} == {
        "cut.mid", "text.mid", "empty.mid", "bad.json", "drums.mid"
    }  # fmt: skip
    assert why[f"{music}/drums.mid"] == "drums alone, without a note that has a pitch"
    assert any(
        line.startswith("left out: ") and "cut.mid" in line for line in found.account.lines()
    )
    alone = reading.read([str(music / "drums.mid")], BadRows(skip=False), pitched=False)
    assert alone.pieces[0].tracks[0].is_drum
    assert "--skip-bad-rows" in refused(music / "cut.mid")


def test_music_in_another_form_is_told_and_refused_where_it_is_all(tmp_path: Path) -> None:
    folder = put(tmp_path / "f", a_mid=TUNE, a_musicxml=XML, b_mscz=b"PK")
    (warning, other) = read(folder).warnings
    assert warning.startswith("not read: 1 file in MusicXML") and "MuseScore" in other
    for name in ("a.musicxml", "x.xml"):
        (tmp_path / name).write_bytes(XML)
        assert "MusicXML, which is not read; export it as MIDI" in refused(tmp_path / name)
    (folder / "a.mid").unlink()
    assert "no music in it" in refused(folder) and "export it as MIDI" in refused(folder)
    (tmp_path / "x.gp5").write_bytes(b"FICHIER GUITAR PRO")
    assert "Guitar Pro" in refused(tmp_path / "x.gp5")


def test_a_stream_is_read_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(TUNE))))
        assert [p.name for p in read("-").pieces] == ["standard input"]
    os.mkfifo(tmp_path / "pipe")
    threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(ABC,)).start()
    assert [p.name for p in read(tmp_path / "pipe").pieces] == [
        f"{tmp_path}/pipe, X:1", f"{tmp_path}/pipe, X:2"
    ]  # fmt: skip
    assert "neither a file nor a folder" in refused("/dev/null")


def test_tunes_that_come_again_are_told(music: Path) -> None:
    again = read(music / "a.mid", music / "a.mid", music / "roll.json")
    assert again.facts[-1].startswith("4 pieces are 3 tunes, 1 of them more than once")
    assert "0 in several parts" in again.facts[-1]
    assert "a tune stays in one part" in read(music / "a.mid", music / "a.mid").facts[-1]


def test_what_is_no_data_is_told(tmp_path: Path, music: Path) -> None:
    assert "no file" in refused(tmp_path / "none.mid")
    assert "no file matches" in refused(tmp_path / "*.mid")
    assert "no music that is known here" in refused(put(tmp_path / "t", x_txt=b"words") / "x.txt")
    assert "unknown data set" in refused("name:nottinghm")
    (tmp_path / "x.mid.zst").write_bytes(zstandard.compress(TUNE)[:-5])
    assert "broken archive" in refused(tmp_path / "x.mid.zst")
    (tmp_path / "x.mid.zst").write_bytes(zstandard.compress(bytes(reading.LARGEST + 5)))
    assert "too large for a file of notes" in refused(tmp_path / "x.mid.zst")
    (tmp_path / "x.mid.gz").write_bytes(gzip.compress(TUNE)[:-20])
    assert "broken archive" in refused(tmp_path / "x.mid.gz")
    bomb = gzip.compress(bytes(reading.LARGEST + 5))
    (tmp_path / "x.gz").write_bytes(bomb)
    assert "too large for a file of notes" in refused(tmp_path / "x.gz")


def test_the_fingerprint_is_that_of_the_notes(music: Path, tmp_path: Path) -> None:
    whole = read(music)
    again = read(packed(tmp_path / "x.zip", put(tmp_path / "y", a_mid=TUNE)))
    assert again.fingerprint == read(music / "a.mid").fingerprint != whole.fingerprint


def moved(piece: Piece, semitones: int, ticks: int) -> Piece:
    tracks = (
        Track(
            tuple(n._replace(pitch=n.pitch + semitones, start=n.start + ticks) for n in track.notes)
        )
        for track in piece.tracks
    )
    return Piece("moved", piece.division, tuple(tracks), piece.length + ticks)


def long_piece(draw: random.Random) -> Piece:
    """A piece whose tracks all have notes enough to be known by, with pitches that leave room."""
    tracks: list[Track] = []
    while len(tracks) < 3:
        track = a_track(draw, 960)
        notes = tuple(n for n in track.notes if 20 <= n.pitch <= 100)
        if len(notes) >= kinship.FEWEST:
            tracks.append(Track(notes))
    return Piece("x", 96, tuple(tracks), 4000)


def test_pieces_that_share_a_track_in_any_key_are_one_tune_and_in_one_part() -> None:
    draw = random.Random(5)
    pieces: list[Piece] = []
    for k in range(60):
        piece = long_piece(draw)
        alone = replace(piece, tracks=piece.tracks[k % 3 : k % 3 + 1])
        finer = Piece(
            "finer", 3 * piece.division,
            tuple(
                Track(tuple(n._replace(start=3 * n.start, length=3 * n.length) for n in t.notes))
                for t in piece.tracks
            ),
            12_000,
        )  # fmt: skip
        pieces += [piece, moved(alone, draw.randint(-12, 12), draw.randrange(50)), finer]
    tunes = kinship.tunes(pieces)
    assert len(set(tunes)) == 60
    assert all(len(set(tunes[k : k + 3])) == 1 for k in range(0, 180, 3))
    assert kinship.content(pieces[0]) == kinship.content(pieces[2]) != kinship.content(pieces[1])
    parts = kinship.parted(pieces, 0.2, 0.2)
    assert all(5 <= parts.count(part) / 3 <= 20 for part in ("valid", "test")), "12 of 60 each"
    assert all(len(set(parts[k : k + 3])) == 1 for k in range(0, 180, 3))
    order = draw.sample(range(180), 180)
    assert kinship.parted([pieces[k] for k in order], 0.2, 0.2) == [parts[k] for k in order]
    assert kinship.parted(pieces[:90], 0.2, 0.2) == parts[:90], "pieces that are added move none"
    given = [replace(piece, part="valid") for piece in pieces[:1]] + pieces[1:]
    assert kinship.parted(given, 0.2) == ["valid", *["train"] * 179]
    assert sorted(kinship.parted(pieces[:6], 0.01)) == ["train"] * 3 + ["valid"] * 3


def test_the_known_tunes_are_packed_the_same_whoever_packed_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put(
        tmp_path / "d", x__MIDI__a_mid=TUNE, x__MIDI__b_mid=of(on(0, 60), off(1, 60)),
        x__MIDI__melody__a_mid=b"other", x__readme_md=b"",
    )  # fmt: skip
    first = packed_tunes(packed(tmp_path / "1.zip", folder), 1 << 20, "MIDI")
    second = packed_tunes(packed(tmp_path / "2.zip", folder / "x"), 1 << 20, "MIDI")
    assert first is not None and first == second
    entry = replace(NAMED["nottingham"], sha256=hashlib.sha256(first).hexdigest())
    monkeypatch.setitem(named.NAMED, "nottingham", entry)
    monkeypatch.setenv("ELMAN_DATA", str(tmp_path / "kept"))
    (tmp_path / "kept").mkdir()
    (tmp_path / "1.zip").rename(tmp_path / "kept" / "nottingham.zip")
    found = read("name:nottingham")
    assert [p.name.split(", ")[-1] for p in found.pieces] == ["MIDI/a.mid", "MIDI/b.mid"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="without the shared data")
def test_the_known_data_sets_have_the_checksums_of_what_lies_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their sources are downloads; what is here has the same bytes, packed."""
    monkeypatch.setenv("ELMAN_DATA", str(tmp_path))
    monkeypatch.setenv("ELMAN_DATA_URL", "http://127.0.0.1:9")
    for name, file in (("jsb", "jsb-chorales-quarter"), ("jsb-16th", "Jsb16thSeparated")):
        data = gzip.decompress((SHARED / f"{file}.json.gz").read_bytes())
        (tmp_path / f"{name}.json").write_bytes(data)
        assert named.fetch(name) == tmp_path / f"{name}.json"
        parts = {part: len(pieces) for part, pieces in json.loads(data).items()}
        assert parts == {"train": 229, "valid": 76, "test": 77}
        assert NAMED[name].size == (tmp_path / f"{name}.json").stat().st_size
    (tmp_path / "nottingham.zip").write_bytes((SHARED / "nottingham_midi.zip").read_bytes())
    path = named.fetch("nottingham")
    assert path.stat().st_size == NAMED["nottingham"].size
    assert len(zipfile.ZipFile(path).namelist()) == 1034
