"""Times within recordings: the same in all layouts, held against how long the recording is."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from corpora import (
    RATE,
    seen,
    write,
    write_rows,
    write_wav,
)
from readings import read, refused, what

from elman.data.sound import audio, lengths
from elman.data.sound.clips import Recording


def stretches(seed: int) -> list[tuple[float, float, str]]:
    """Stretches of 10 s of sound, in whole hundredths, one after the other."""
    draw = random.Random(seed)
    marks = sorted(draw.sample(range(10, 990), 2 * draw.randint(2, 6)))
    pairs = zip(marks[::2], marks[1::2], strict=True)
    return [(a / 100, b / 100, f"words {a}") for a, b in pairs]


@pytest.mark.parametrize("seed", range(3))
def test_stretches_of_a_long_recording_are_the_same_in_all_layouts(
    seed: int, tmp_path: Path
) -> None:
    cuts = stretches(seed)
    expected = sorted((("long", a, b, t, None, "", "") for a, b, t in cuts), key=repr)
    where = {
        k: tmp_path / str(k) for k in ("nemo", "kaldi", "audacity", "german", "lhotse", "speaker")
    }
    for folder in where.values():
        write_wav(folder / "long.wav", 10 * RATE)
    nemo_lines = (
        {"audio_filepath": "long.wav", "offset": a, "duration": b - a, "text": t}
        for a, b, t in cuts
    )
    write(where["nemo"] / "m.jsonl", "".join(json.dumps(line) + "\n" for line in nemo_lines))
    ids = [f"u{k}" for k in range(len(cuts))]
    for name, lines in (
        ("wav.scp", ["rec long.wav"]),
        ("segments", [f"{u} rec {a} {b}" for u, (a, b, _) in zip(ids, cuts, strict=True)]),
        ("text", [f"{u} {t}" for u, (_, _, t) in zip(ids, cuts, strict=True)]),
    ):
        write(where["kaldi"] / name, "\n".join(lines) + "\n")
    labels = "".join(f"{a:.6f}\t{b:.6f}\t{t}\n\\\t100.0\t200.0\n" for a, b, t in cuts)
    write(where["audacity"] / "long.txt", labels)
    rows = [("long.wav", *(f"{x:.2f}".replace(".", ",") for x in (a, b)), t) for a, b, t in cuts]
    write_rows(where["german"] / "m.csv", [("file", "start", "end", "text"), *rows], ";")
    recording = {"sources": [{"type": "file", "source": "long.wav"}]}
    said = [{"start": a - 0.05, "duration": b - a, "text": t} for a, b, t in cuts]
    whole = {"start": 0.05, "duration": 9.95, "recording": recording, "supervisions": said}
    write(where["lhotse"] / "cuts.jsonl", json.dumps(whole) + "\n")
    del where["speaker"]
    for name, folder in where.items():
        found = [(s, round(a, 6), round(b or 0, 6), *rest) for s, a, b, *rest in
                 map(seen, read(folder).items)]  # fmt: skip
        assert sorted(found, key=repr) == expected, name


def test_a_stretch_that_ends_with_its_recording_has_no_end(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", 2 * RATE)
    rows = [
        ("file", "offset", "duration", "text"),
        ("a.wav", 0, 2.1, "x"),
        ("a.wav", 1, 0.9995, "y"),
    ]
    write_rows(tmp_path / "m.csv", rows)
    assert [(c.start, c.stop) for c in read(tmp_path).items] == [(0.0, None), (1.0, None)]


def test_of_very_many_recordings_lengths_alone_are_not_held_against_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    about = audio.about

    def counting(recording: Recording) -> audio.About:
        opened.append(recording.stem)
        return about(recording)

    monkeypatch.setattr(audio, "about", counting)
    for name in "abcd":
        write_wav(tmp_path / f"{name}.wav", RATE)
    head = ("path", "text", "offset", "duration")
    rows: list[tuple[object, ...]] = [("a.wav", "x", 0, 1), ("b.wav", "x", 0.5, 0.2)]
    rows += [("c.wav", "x", 0, 0.4)]
    rows += [("c.wav", "x", 0.4, 0.6), ("d.wav", "x", "", "")]
    write_rows(tmp_path / "m.csv", [head, *rows])
    few = what(read(tmp_path).items)
    assert sorted(opened) == ["a", "b", "c"]
    opened.clear()
    monkeypatch.setattr(lengths, "MOST", 2)
    many = read(tmp_path).items
    assert sorted(opened) == ["b", "c"]
    assert what([replace(c, stop=None) if c.stop == 1 else c for c in many]) == few


def test_slices_are_whole_though_their_table_tells_where_they_were_cut_out(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [("slice_file_name", "start", "end", "classID", "class")]
    for k in range(4):
        write_wav(tmp_path / "fold1" / f"{k}.wav", 50)
        rows.append((f"{k}.wav", 7 * k + 3, 7 * k + 5, k % 2, ("dog", "siren")[k % 2]))
    write_rows(tmp_path / "UrbanSound8K.csv", rows)
    assert [(c.start, c.stop, c.label) for c in read(tmp_path).items] == [
        (0.0, None, ("dog", "siren")[k % 2]) for k in range(4)
    ]


def test_a_label_at_a_point_of_time_is_a_bad_row(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", RATE)
    write(tmp_path / "a.txt", "0.1\t0.3\tx\n0.5\t0.5\ty\n")
    assert "a.txt, line 2: a label at a point of time" in refused(tmp_path)
    assert [c.text for c in read(tmp_path, skip=True).items] == ["x"]


def test_a_segment_that_ends_at_minus_one_ends_with_its_recording(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", RATE)
    for name, lines in (
        ("wav.scp", "r a.wav\n"), ("text", "u x\nv y\n"), ("segments", "u r 0 0.4\nv r 0.4 -1\n"),
    ):  # fmt: skip
        write(tmp_path / name, lines)
    assert [(c.start, c.stop) for c in read(tmp_path).items] == [(0.0, 0.4), (0.4, None)]


def test_what_is_said_of_a_cut_lies_within_it(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", RATE)
    recording = {"sources": [{"type": "file", "source": "a.wav"}]}
    said = [
        {"start": -0.1, "duration": 0.3, "text": "x"},
        {"start": 0.3, "duration": 9, "text": "y"},
    ]
    cuts = [{"start": 0.2, "duration": 0.5, "recording": recording, "supervisions": said}]
    write(tmp_path / "cuts.json", json.dumps(cuts))
    found = [(round(c.start, 6), round(c.stop or 0, 6)) for c in read(tmp_path).items]
    assert found == [(0.2, 0.4), (0.5, 0.7)]
    recording["sources"][0] |= {"type": "command", "source": "cat a.wav"}
    write(tmp_path / "cuts.json", json.dumps(cuts))
    assert 'cut 1: a source of type "command"; only files are read' in refused(tmp_path)
