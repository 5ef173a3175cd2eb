"""Which column is what, which mode, which part: found and told, or asked for."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from pathlib import Path

import pytest
from corpora import (
    LAYOUTS,
    draw_corpus,
    write,
    write_rows,
    write_wav,
)
from readings import read, refused, what

from elman.data.sound import reading
from elman.data.sound.cut import cut
from elman.data.sound.options import CutOptions
from elman.data.sound.reading import SoundReading
from elman.data.tables.content import BadRows
from elman.options import make


def test_a_table_may_be_read_by_names_of_columns(tmp_path: Path) -> None:
    for k in range(6):
        write_wav(tmp_path / f"{k}.wav", 20)
    rows = [("who", "where", "what", "kind")]
    rows += [(f"s{k % 2}", f"{k}.wav", f"words of {k}", f"c{k % 3}") for k in range(6)]
    write_rows(tmp_path / "m.csv", rows)
    assert "no column is known to hold transcripts" in refused(tmp_path / "m.csv")
    texts = read(
        tmp_path, asked={"text_column": "what", "speaker_column": "who", "audio_column": "where"}
    )
    labels = read(tmp_path, asked={"label_column": "kind", "speaker_column": "who"})
    assert (texts.reading.mode, labels.reading.mode) == ("transcribe", "classify")
    assert [(c.text, c.label, c.speaker) for c in texts.items] == [
        (f"words of {k}", None, f"s{k % 2}") for k in range(6)
    ]
    assert [(c.text, c.label) for c in labels.items] == [(None, f"c{k % 3}") for k in range(6)]
    assert 'did you mean "what"' in refused(tmp_path, asked={"text_column": "whet"})
    kept = make(SoundReading, json.loads(json.dumps(asdict(texts.reading))))
    assert kept == texts.reading
    again = reading.read([str(tmp_path)], BadRows(skip=False), known=kept)
    assert again.items == texts.items


def test_what_is_asked_for_makes_labels_of_transcripts_and_transcripts_of_labels(
    tmp_path: Path,
) -> None:
    for label in ("yes", "no"):
        for k in range(3):
            write_wav(tmp_path / "f" / label / f"{k}.wav", 20)
            write_wav(tmp_path / "t" / f"{label}{k}.wav", 20)
            write(tmp_path / "t" / f"{label}{k}.txt", label)
    as_found = read(tmp_path / "f")
    assert (as_found.reading.layout, as_found.reading.mode) == ("a folder a class", "classify")
    assert {c.label for c in as_found.items} == {"yes", "no"}
    spoken = read(tmp_path / "f", asked={"mode": "transcribe"})
    assert {(c.text, c.label) for c in spoken.items} == {("yes", None), ("no", None)}
    labelled = read(tmp_path / "t", asked={"mode": "classify"})
    assert {(c.text, c.label) for c in labelled.items} == {(None, "yes"), (None, "no")}
    for folder in "ft":
        data, known = [str(tmp_path / folder)], labelled.reading
        later = reading.read(data, BadRows(skip=False), known=known)
        assert later.reading.mode == "classify"
        assert what(later.items) == what(read(tmp_path / folder, asked={"mode": "classify"}).items)


def test_parts_that_the_data_has_are_kept(tmp_path: Path) -> None:
    draw = random.Random(1)
    names = [f"c{k}" for k in range(12)]
    parts = {name: draw.choice(("train", "dev", "test")) for name in names[3:]}
    parts |= dict(zip(names, ("train", "dev", "test"), strict=False))
    for name in names:
        write_wav(tmp_path / "tsv" / "clips" / f"{name}.wav", 20)
        write_wav(tmp_path / "folders" / parts[name] / "word" / f"{name}.wav", 20)
        write_wav(tmp_path / "lists" / "word" / f"{name}.wav", 20)
        write_wav(tmp_path / "lists" / "other" / f"{name}_.wav", 20)
    head = "path\tsentence"
    for part in ("train", "dev", "test"):
        lines = [f"{n}.wav\twords of {n}" for n in names if parts[n] == part]
        write(tmp_path / "tsv" / f"{part}.tsv", "\n".join([head, *lines]) + "\n")
    write(tmp_path / "tsv" / "validated.tsv", f"{head}\nc1.wav\tsame\nc2.wav\tsame\n")
    for part, listed in (("dev", "validation_list.txt"), ("test", "testing_list.txt")):
        lines = [f"word/{n}.wav" for n in names if parts[n] == part]
        write(tmp_path / "lists" / listed, "\n".join(lines))
    words = {"train": "train", "dev": "validation", "test": "test"}
    for folder in ("tsv", "folders", "lists"):
        asked = {"name_pattern": "{label}/*"} if folder == "folders" else {}
        clips = read(tmp_path / folder, asked=asked)
        found = {c.recording.stem: c.part for c in clips.items}
        assert {n: found[n] for n in names} == {n: words[parts[n]] for n in names}
        assert any("parts of the data" in fact for fact in clips.facts)
        held = cut(clips.items, CutOptions())
        for numbers, part in ((held.validation, "validation"), (held.test, "test")):
            assert {clips.items[k].recording.stem for k in numbers} == {
                n for n in names if words[parts[n]] == part
            }


@pytest.mark.parametrize("layout", ["texts beside", "LibriSpeech"])
def test_to_predict_recordings_without_a_transcript_are_clips_too(
    layout: str, tmp_path: Path
) -> None:
    said = draw_corpus(seed=13)
    LAYOUTS[layout](tmp_path, said)
    write_wav(tmp_path / "99" / "new.wav", 20)
    bare = reading.read([str(tmp_path)], BadRows(skip=False), wanted=False)
    assert {c.recording.stem for c in bare.items} == {"new", *(s.name for s in said)}


def test_folders_of_parts_are_no_classes(tmp_path: Path) -> None:
    for k in range(12):
        part = "test" if k % 3 == 0 else "train"
        write_wav(tmp_path / part / f"{k % 2}_{'ab'[k // 6]}_{k}.wav", 20)
    clips = read(tmp_path)
    assert clips.reading.name_pattern == "{label}_{speaker}_{index}"
    assert {c.recording.stem for c in clips.items if c.part == "test"} == {
        f"{k % 2}_{'ab'[k // 6]}_{k}" for k in range(0, 12, 3)
    }


def test_parts_count_only_where_every_clip_has_one(tmp_path: Path) -> None:
    for k in range(6):
        write_wav(tmp_path / ("train", "test")[k % 2] / ("yes", "no")[k // 3] / f"{k}.wav", 20)
    assert {c.part for c in read(tmp_path).items} == {"train", "test"}
    write_wav(tmp_path / "more" / "yes" / "9.wav", 20)
    assert {c.part for c in read(tmp_path).items} == {""}


def test_an_empty_column_gives_way_to_one_that_is_filled(tmp_path: Path) -> None:
    for k in range(3):
        write_wav(tmp_path / f"{k}.wav", 20)
    rows = [("path", "text", "sentence"), *((f"{k}.wav", "", f"words {k}") for k in range(3))]
    write_rows(tmp_path / "m.csv", rows)
    assert [c.text for c in read(tmp_path).items] == [f"words {k}" for k in range(3)]
