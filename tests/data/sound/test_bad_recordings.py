"""What is wrong with recordings and their tables is one line, or left out and counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpora import (
    RATE,
    draw_corpus,
    kaldi,
    texts_beside,
    write,
    write_rows,
    write_wav,
)
from readings import read, refused

from elman.data.sound import reading
from elman.data.tables.content import BadRows
from elman.errors import UserError


def test_a_name_that_two_recordings_have_is_none_of_them(tmp_path: Path) -> None:
    for name in ("one/a.wav", "two/a.wav", "two/b.wav", "c.wav"):
        write_wav(tmp_path / "set" / name, 20)
    write_rows(tmp_path / "set" / "m.csv", [("id", "text"), ("c", "x"), ("b", "x"), ("a", "x")])
    assert 'line 4: no recording "a"' in refused(tmp_path / "set")
    assert {c.recording.stem for c in read(tmp_path / "set", skip=True).items} == {"b", "c"}


BAD_ROWS = {
    "a path that is not there": (("gone.wav", "hm", "", ""), 'no recording "gone.wav"'),
    "no path": (("", "hm", "", ""), "no path"),
    "an empty transcript": (("b.wav", "  ", "", ""), "an empty transcript"),
    "beyond the end": (("b.wav", "hm", "77", ""), "begins at 77.00 s"),
    "ends beyond": (("b.wav", "hm", "0", "9.5"), "ends at 9.50 s"),
    "no number": (("b.wav", "hm", "soon", ""), 'offset "soon"'),
    "below zero": (("b.wav", "hm", "-1", ""), 'offset "-1"'),
    "nothing of it": (("b.wav", "hm", "0.5", "0"), "ends at 0.5 s"),
    "twice": (("a.wav", "again", "", ""), "the same clip as"),
    "twice, written otherwise": (("../set/a.wav", "again", "", ""), "the same clip as"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_is_an_error_with_its_line_or_left_out_and_counted(
    name: str, tmp_path: Path
) -> None:
    row, told = BAD_ROWS[name]
    folder = tmp_path / "set"
    for stem in "abcd":
        write_wav(folder / f"{stem}.wav", 2 * RATE)
    head = ("file", "text", "offset", "duration")
    good = [(f"{s}.wav", f"word {s}", "", "") for s in "acd"]
    write_rows(folder / "m.csv", [head, *good, row])
    line = refused(folder)
    assert "m.csv, line 5: " in line and told in line and "--skip-bad-rows" in line
    bad = BadRows(skip=True)
    clips = reading.read([str(folder)], bad)
    assert bad.count == 1 and told in bad.first[0]
    assert {c.recording.stem for c in clips.items} == set("acd")


def test_a_header_that_is_no_sound_is_told_with_the_line_that_needs_it(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", 50)
    write(tmp_path / "b.wav", "no sound at all")
    rows = [("file", "text", "offset"), ("a.wav", "x", 0), ("b.wav", "y", 0.01)]
    write_rows(tmp_path / "m.csv", rows)
    assert "m.csv, line 3: " in refused(tmp_path)


def test_commands_in_wav_scp_are_refused_and_never_run(tmp_path: Path) -> None:
    kaldi(tmp_path, draw_corpus(seed=2))
    path = tmp_path / "data" / "all" / "wav.scp"
    first, *others = path.read_text().splitlines(keepends=True)
    name = first.split()[0]
    path.write_text(f"{name} touch {tmp_path}/ran; cat {first.split()[1]} |\n{''.join(others)}")
    assert "a command; nothing is run" in refused(tmp_path)
    clips = read(tmp_path, skip=True)
    assert len(clips) == len(others) and not (tmp_path / "ran").exists()


def test_an_utterance_without_a_transcript_is_a_bad_row(tmp_path: Path) -> None:
    said = draw_corpus(seed=4)
    kaldi(tmp_path / "k", said)
    texts = tmp_path / "k" / "data" / "all" / "text"
    texts.write_text("".join(texts.read_text().splitlines(keepends=True)[1:]))
    assert f'no transcript of "{said[0].name}"' in refused(tmp_path / "k")
    texts_beside(tmp_path / "t", said)
    (tmp_path / "t" / said[0].speaker / f"{said[0].name}.txt").unlink()
    assert f"{said[0].name}.wav: no text beside it" in refused(tmp_path / "t")
    for name in "kt":
        assert len(read(tmp_path / name, skip=True)) == len(said) - 1


def test_recordings_without_transcripts_are_told_what_would_fit(tmp_path: Path) -> None:
    for k in range(3):
        write_wav(tmp_path / f"take{k}.wav", 20)
    line = refused(tmp_path)
    assert "3 recordings without transcripts or labels" in line
    assert all(
        word in line for word in ("metadata.csv", ".txt", "folder a class", "--name-pattern")
    )
    bare = reading.read([str(tmp_path)], BadRows(skip=False), wanted=False)
    assert [(c.recording.stem, c.text, c.label) for c in bare.items] == [
        (f"take{k}", None, None) for k in range(3)
    ]
    one = tmp_path / "take0.wav"
    with pytest.raises(UserError) as told:
        reading.read([str(one)], BadRows(skip=False))
    assert str(told.value).startswith(f"{one}: 1 recording without")
    (tmp_path / "empty").mkdir()
    assert "no recordings in it" in refused(tmp_path / "empty")


def test_a_table_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for label in ("x", "y"):
        write_wav(tmp_path / label / "1.wav", 20)
    write(tmp_path / "metadata.csv", "file_name,text\nx/1.wav,a\0b\n")
    assert any("metadata.csv, byte" in fact for fact in read(tmp_path).warnings)
    (tmp_path / "y" / "1.wav").unlink()
    assert "metadata.csv, byte" in refused(tmp_path)


def test_a_recording_beside_the_folders_of_classes_is_a_bad_row(tmp_path: Path) -> None:
    for name in ("x/1.wav", "y/2.wav", "3.wav"):
        write_wav(tmp_path / name, 20)
    assert "3.wav: lies beside the folders of the classes" in refused(tmp_path)
    assert [c.label for c in read(tmp_path, skip=True).items] == ["x", "y"]
