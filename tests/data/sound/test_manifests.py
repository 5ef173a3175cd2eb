"""The same clips come out of every layout, out of a folder and its archives, in any order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from corpora import (
    LAYOUTS,
    WITHOUT_SPEAKERS,
    Said,
    common_voice,
    draw_corpus,
    hugging_face,
    kaldi,
    lhotse,
    ljspeech,
    nemo,
    tarred,
    texts_beside,
    write,
    write_rows,
    write_wav,
    zipped,
)
from readings import read, refused, what

from elman.data.sound import audio, reading
from elman.data.sound.cut import cut
from elman.data.sound.layouts import tables
from elman.data.sound.options import CutOptions
from elman.data.tables.content import BadRows

SHARED = Path(__file__).parents[4] / "shared" / "data" / "speech"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_clips(layout: str, tmp_path: Path) -> None:
    said = draw_corpus(seed=len(layout))
    LAYOUTS[layout](tmp_path / "set", said)
    clips = read(tmp_path / "set")
    named = layout not in WITHOUT_SPEAKERS
    assert (clips.reading.layout, clips.reading.mode) == (layout, "transcribe")
    assert what(clips.items) == sorted(
        ((s.name, 0.0, None, s.text, None, s.speaker if named else "", "") for s in said),
        key=repr,
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_archive_is_its_folder(layout: str, tmp_path: Path) -> None:
    LAYOUTS[layout](tmp_path / "set", draw_corpus(seed=3))
    folder = read(tmp_path / "set")
    share = CutOptions(validation=0.3)
    for archive in (
        zipped(tmp_path / "set", tmp_path / "x.zip"),
        tarred(tmp_path / "set", tmp_path / "x.tar"),
        tarred(tmp_path / "set", tmp_path / "x.tar.gz"),
    ):
        packed = read(archive)
        assert what(packed.items) == what(folder.items)
        assert packed.reading == folder.reading
        held = [what(c.pick(list(cut(c.items, share).validation)).items) for c in (packed, folder)]
        assert held[0] == held[1] != []
        for clip in packed.items:
            assert clip.recording.path == archive
            assert audio.about(clip.recording).frames > 0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_order_of_rows_and_files_does_not_matter(layout: str, tmp_path: Path) -> None:
    said = draw_corpus(seed=5)
    LAYOUTS[layout](tmp_path / "a", said)
    LAYOUTS[layout](tmp_path / "b", sorted(said, key=lambda s: s.text))
    assert what(read(tmp_path / "a").items) == what(read(tmp_path / "b").items)


def test_a_table_by_itself_is_its_folder(tmp_path: Path) -> None:
    said = draw_corpus(seed=8)
    for write_set, name in (
        (hugging_face, "metadata.csv"), (ljspeech, "metadata.csv"), (nemo, "manifest.json"),
        (common_voice, "validated.tsv"), (lhotse, "cuts.json"),
    ):  # fmt: skip
        folder = tmp_path / write_set.__name__
        write_set(folder, said)
        assert what(read(folder / name).items) == what(read(folder).items)


def test_kaldi_counts_paths_from_a_folder_above_or_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = draw_corpus(seed=9)
    kaldi(tmp_path / "set", said)
    whole = what(read(tmp_path / "set").items)
    assert what(read(tmp_path / "set" / "data" / "all").items) == whole
    (tmp_path / "far" / "off" / "from" / "it").mkdir(parents=True)
    (tmp_path / "set" / "data").rename(tmp_path / "far" / "off" / "from" / "it" / "data")
    monkeypatch.chdir(tmp_path / "set")
    assert what(read(tmp_path / "far").items) == whole


@pytest.mark.parametrize(
    "path",
    ["/home/else/set/{}", "C:\\Users\\me\\set\\{}", "$data_root/{}", "../gone/{}", "file:///x/{}"],
)
def test_paths_of_another_machine_count_by_their_ends(path: str, tmp_path: Path) -> None:
    rows = [("path", "text")]
    for k in range(4):
        for folder in ("one", "two"):
            write_wav(tmp_path / "set" / folder / f"{k}.wav", 20)
            rows.append((path.format(f"{folder}/{k}.wav"), f"{k} of {folder}"))
    write_rows(tmp_path / "set" / "m.csv", rows)
    for data in (tmp_path / "set", tmp_path / "set" / "m.csv"):
        found = {(c.recording.path.parent.name, c.recording.stem, c.text) for c in read(data).items}
        assert found == {(f, str(k), f"{k} of {f}") for f in ("one", "two") for k in range(4)}


def test_hidden_files_and_those_of_macs_are_left_out(tmp_path: Path) -> None:
    said = draw_corpus(seed=6)
    texts_beside(tmp_path / "set", said)
    expected = what(read(tmp_path / "set").items)
    for name in ("._x.wav", ".hidden/y.wav", "__MACOSX/z.wav"):
        write_wav(tmp_path / "set" / name, 9)
    assert what(read(tmp_path / "set").items) == expected


def test_single_recordings_keep_the_order_that_they_are_given_in(tmp_path: Path) -> None:
    names = [tmp_path / f"{name}.wav" for name in ("c", "a", "b")]
    for name in names:
        write_wav(name, 20)
    bare = reading.read([str(name) for name in names], BadRows(skip=False), wanted=False)
    assert [c.recording.path for c in bare.items] == names
    for name in names:
        write(name.with_suffix(".txt"), f"word {name.stem}")
    assert [c.text for c in read(*names).items] == ["word c", "word a", "word b"]
    assert what(read(tmp_path / "*.wav").items) == what(read(*names).items)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030"])
def test_encodings_are_found_as_everywhere(encoding: str, tmp_path: Path) -> None:
    texts = [f"很快，好吃，味道足，量大，第{k}次" for k in range(20)]
    for k, text in enumerate(texts):
        write_wav(tmp_path / "table" / f"{k}.wav", 20)
        write_wav(tmp_path / "beside" / f"{k}.wav", 20)
        if encoding != "utf-16":
            write(tmp_path / "beside" / f"{k}.txt", text, encoding)
    rows = "".join(f"{k}.wav,{text}\n" for k, text in enumerate(texts))
    write(tmp_path / "table" / "m.csv", f"path,text\n{rows}", encoding)
    for name in ("table", "beside") if encoding != "utf-16" else ("table",):
        assert {c.text for c in read(tmp_path / name).items} == set(texts)


def test_quotation_marks_of_ljspeech_mean_nothing(tmp_path: Path) -> None:
    texts = ['"Stop," he said', 'and "so on', "plain words", 'ends with one"']
    for k in range(4):
        write_wav(tmp_path / "wavs" / f"LJ{k}.wav", 20)
    write(tmp_path / "metadata.csv", "".join(f"LJ{k}|{t}|{t}\n" for k, t in enumerate(texts)))
    assert [c.text for c in read(tmp_path).items] == texts


@pytest.mark.skipif(not SHARED.is_dir(), reason="without the shared data")
def test_the_shared_sets_are_read_as_their_page_says() -> None:
    digits = read(SHARED / "fsdd.zip")
    assert (len(digits), digits.reading.mode) == (3000, "classify")
    assert len({c.label for c in digits.items}) == 10
    assert len({c.speaker for c in digits.items}) == 6
    told = "file names read as {label}_{speaker}_{index}: 10 labels, 6 speakers"
    assert told in digits.facts
    official = cut(digits.items, CutOptions(test_files=("*_[0-4].wav",)))
    assert len(official.test) == 300
    yesno = read(SHARED / "waves_yesno.zip")
    assert (len(yesno), yesno.reading.mode) == (60, "transcribe")
    assert {len((c.text or "").split()) for c in yesno.items} == {8}
    clips = read(SHARED / "read_speech_clips.zip", skip=True)
    assert {(c.recording.stem, c.speaker) for c in clips.items} == {
        ("LJ002-0020", ""), ("LJ002-0035", ""), ("2412-153948-0000", "2412"),
    }  # fmt: skip
    assert "track 2: no recording" in refused(SHARED / "read_speech_clips.zip")


def test_a_run_of_two_sets_is_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = draw_corpus(seed=12)
    half = len(said) // 2
    nemo(tmp_path / "a", said[:half])
    kaldi(tmp_path / "b", said[half:])
    nemo(tmp_path / "all", said)
    both = read(tmp_path / "a", tmp_path / "b")
    assert what(both.items) == what(read(tmp_path / "all").items)
    assert "the same clip as" in refused(tmp_path / "a", tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    assert "the same clip as" in refused(tmp_path / "a", Path("a"))


def test_said_again_elsewhere_is_another_clip(tmp_path: Path) -> None:
    one = Said("x", "1", "hello there", 30)
    hugging_face(tmp_path / "a", [one])
    hugging_face(tmp_path / "b", [replace(one, text="hello again")])
    assert len(read(tmp_path / "a", tmp_path / "b")) == 2


def test_a_table_is_found_among_many_texts(tmp_path: Path) -> None:
    said = draw_corpus(seed=14)
    hugging_face(tmp_path, [replace(s, name=f"z{s.name}") for s in said])
    for k in range(tables.MOST + 10):
        write(tmp_path / "notes" / f"{k}.txt", "a,b\nc,d\n")
    assert len(read(tmp_path)) == len(said)


def test_a_transcript_that_begins_with_a_name_is_no_table(tmp_path: Path) -> None:
    texts = {"one": "two, and more", "two": "one|two", "six": "one two"}
    for name, text in texts.items():
        write_wav(tmp_path / f"{name}.wav", 20)
        write(tmp_path / f"{name}.txt", text)
    assert {c.recording.stem: c.text for c in read(tmp_path).items} == texts


def test_texts_may_lie_in_folders_of_their_own(tmp_path: Path) -> None:
    said = draw_corpus(seed=15)
    for s in said:
        write_wav(tmp_path / "wav48" / s.speaker / f"{s.name}.wav", s.samples)
        write(tmp_path / "txt" / s.speaker / f"{s.name}.txt", s.text)
    assert {c.recording.stem: c.text for c in read(tmp_path).items} == {
        s.name: s.text for s in said
    }


def test_columns_may_be_named_in_chinese(tmp_path: Path) -> None:
    said = [("零", "张"), ("一 二", "李"), ("三", "张")]
    for k in range(len(said)):
        write_wav(tmp_path / "音频" / f"录音 {k}.wav", 20)
    rows = [f"音频/录音 {k}.wav,{text},{who}" for k, (text, who) in enumerate(said)]
    for text, mode in (("内容", "transcribe"), ("句子", "transcribe"), ("类别", "classify")):
        write(tmp_path / "表.csv", "\n".join([f"文件,{text},说话人", *rows]) + "\n")
        clips = read(tmp_path)
        assert clips.reading.mode == mode
        assert sorted((c.text or c.label, c.speaker) for c in clips.items) == sorted(said)
