"""The same clips come out of every layout, out of a folder and its archives, in any order."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from corpora import (
    LAYOUTS,
    RATE,
    WITHOUT_SPEAKERS,
    Said,
    common_voice,
    draw_corpus,
    hugging_face,
    kaldi,
    lhotse,
    ljspeech,
    nemo,
    seen,
    tarred,
    texts_beside,
    write,
    write_rows,
    write_wav,
    zipped,
)

from elman.data.sound import audio, lengths, reading
from elman.data.sound.clips import Clip, Recording
from elman.data.sound.cut import cut
from elman.data.sound.layouts import tables
from elman.data.sound.options import CutOptions, SoundOptions
from elman.data.sound.reading import Clips, SoundReading
from elman.data.tables.content import BadRows
from elman.errors import UserError
from elman.options import make

NOTHING: Mapping[str, str] = {}  # asked
SHARED = Path(__file__).parents[4] / "shared" / "data" / "speech"


def read(*data: Path, skip: bool = False, asked: Mapping[str, str] = NOTHING) -> Clips:
    """What is read, strictly unless bad rows may be left out."""
    return reading.read([str(one) for one in data], BadRows(skip), make(SoundOptions, asked))


def refused(*data: Path, asked: Mapping[str, str] = NOTHING) -> str:
    """The line that the user is told."""
    with pytest.raises(UserError) as error:
        read(*data, asked=asked)
    assert "\n" not in str(error.value)
    return str(error.value)


def what(clips: Sequence[Clip]) -> list[tuple[object, ...]]:
    """All of the clips but where they lie and their order."""
    return sorted((seen(clip) for clip in clips), key=repr)


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


def test_a_name_that_two_recordings_have_is_none_of_them(tmp_path: Path) -> None:
    for name in ("one/a.wav", "two/a.wav", "two/b.wav", "c.wav"):
        write_wav(tmp_path / "set" / name, 20)
    write_rows(tmp_path / "set" / "m.csv", [("id", "text"), ("c", "x"), ("b", "x"), ("a", "x")])
    assert 'line 4: no recording "a"' in refused(tmp_path / "set")
    assert {c.recording.stem for c in read(tmp_path / "set", skip=True).items} == {"b", "c"}


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


def test_hidden_files_and_those_of_macs_are_left_out(tmp_path: Path) -> None:
    said = draw_corpus(seed=6)
    texts_beside(tmp_path / "set", said)
    expected = what(read(tmp_path / "set").items)
    for name in ("._x.wav", ".hidden/y.wav", "__MACOSX/z.wav"):
        write_wav(tmp_path / "set" / name, 9)
    assert what(read(tmp_path / "set").items) == expected


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
    (tmp_path / "empty").mkdir()
    assert "no recordings in it" in refused(tmp_path / "empty")


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


@pytest.mark.parametrize("layout", ["texts beside", "LibriSpeech"])
def test_to_predict_recordings_without_a_transcript_are_clips_too(
    layout: str, tmp_path: Path
) -> None:
    said = draw_corpus(seed=13)
    LAYOUTS[layout](tmp_path, said)
    write_wav(tmp_path / "99" / "new.wav", 20)
    bare = reading.read([str(tmp_path)], BadRows(skip=False), wanted=False)
    assert {c.recording.stem for c in bare.items} == {"new", *(s.name for s in said)}


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


def test_a_table_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for label in ("x", "y"):
        write_wav(tmp_path / label / "1.wav", 20)
    write(tmp_path / "metadata.csv", "file_name,text\nx/1.wav,a\0b\n")
    assert any("metadata.csv, byte" in fact for fact in read(tmp_path).facts)
    (tmp_path / "y" / "1.wav").unlink()
    assert "metadata.csv, byte" in refused(tmp_path)


def test_folders_of_parts_are_no_classes(tmp_path: Path) -> None:
    for k in range(12):
        part = "test" if k % 3 == 0 else "train"
        write_wav(tmp_path / part / f"{k % 2}_{'ab'[k // 6]}_{k}.wav", 20)
    clips = read(tmp_path)
    assert clips.reading.name_pattern == "{label}_{speaker}_{index}"
    assert {c.recording.stem for c in clips.items if c.part == "test"} == {
        f"{k % 2}_{'ab'[k // 6]}_{k}" for k in range(0, 12, 3)
    }


def test_slices_are_whole_though_their_table_tells_where_they_were_cut_out(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [("slice_file_name", "start", "end", "classID", "class")]
    for k in range(4):
        write_wav(tmp_path / "fold1" / f"{k}.wav", 50)
        rows.append((f"{k}.wav", 7 * k + 3, 7 * k + 5, k % 2, ("dog", "siren")[k % 2]))
    write_rows(tmp_path / "UrbanSound8K.csv", rows)
    assert [(c.start, c.stop, c.label) for c in read(tmp_path).items] == [
        (0.0, None, ("dog", "siren")[k % 2]) for k in range(4)
    ]


def test_parts_count_only_where_every_clip_has_one(tmp_path: Path) -> None:
    for k in range(6):
        write_wav(tmp_path / ("train", "test")[k % 2] / ("yes", "no")[k // 3] / f"{k}.wav", 20)
    assert {c.part for c in read(tmp_path).items} == {"train", "test"}
    write_wav(tmp_path / "more" / "yes" / "9.wav", 20)
    assert {c.part for c in read(tmp_path).items} == {""}


def test_a_table_is_found_among_many_texts(tmp_path: Path) -> None:
    said = draw_corpus(seed=14)
    hugging_face(tmp_path, [replace(s, name=f"z{s.name}") for s in said])
    for k in range(tables.MOST + 10):
        write(tmp_path / "notes" / f"{k}.txt", "a,b\nc,d\n")
    assert len(read(tmp_path)) == len(said)


def test_an_empty_column_gives_way_to_one_that_is_filled(tmp_path: Path) -> None:
    for k in range(3):
        write_wav(tmp_path / f"{k}.wav", 20)
    rows = [("path", "text", "sentence"), *((f"{k}.wav", "", f"words {k}") for k in range(3))]
    write_rows(tmp_path / "m.csv", rows)
    assert [c.text for c in read(tmp_path).items] == [f"words {k}" for k in range(3)]
