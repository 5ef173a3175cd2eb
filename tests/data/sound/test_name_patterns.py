"""A pattern reads back what it was written with; guesses are told, and doubts asked about."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from corpora import seen, write, write_wav
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.sound import reading
from elman.data.sound.names import NamePattern, guessed, of_speakers
from elman.data.sound.options import SoundOptions
from elman.data.sound.reading import Clips
from elman.data.tables.content import BadRows
from elman.errors import UserError

LETTERS = st.text("abcdefghijklmnopqrstuvwxyzäé", min_size=1, max_size=6)


def read(*data: Path, skip: bool = False, pattern: str | None = None) -> Clips:
    """What is read by a pattern, or a guess."""
    asked = SoundOptions(name_pattern=pattern)
    return reading.read([str(one) for one in data], BadRows(skip), asked)


@settings(max_examples=60)
@given(
    fields=st.permutations(["label", "speaker", "index"]),
    mark=st.sampled_from(["_", "-", " ", "+", ".", "__"]),
    label=LETTERS, speaker=LETTERS, index=st.integers(0, 9999),
    ending=st.sampled_from(["", ".wav"]),
)  # fmt: skip
def test_a_pattern_reads_what_it_writes(
    fields: list[str], mark: str, label: str, speaker: str, index: int, ending: str
) -> None:
    written = mark.join(f"{{{field}}}" for field in fields)
    own = {"label": label, "speaker": speaker, "index": str(index)}
    name = mark.join(own[field] for field in fields)
    assert NamePattern(written + ending).read(f"some/folder/{name}.wav") == own


def test_folders_belong_to_names_as_far_as_a_pattern_reaches() -> None:
    pattern = NamePattern("{label}/{speaker}_nohash_{index}.wav")
    assert pattern.read("set/yes/0a7_nohash_3.wav") == {
        "label": "yes", "speaker": "0a7", "index": "3",
    }  # fmt: skip
    assert pattern.read("0a7_nohash_3.wav") is None
    assert NamePattern("{speaker}/*").read("deep/anna/x_1.flac") == {"speaker": "anna"}
    assert NamePattern("{text}").read("0_1__1.wav") == {"text": "0 1 1"}
    assert NamePattern("{label}_{index}").read("a_b.wav") is None


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{labl}_{index}", 'did you mean "label"'),
        ("{label}_{label}", "stands in it twice"),
        ("{label}{speaker}", "nothing parts two fields"),
        ("{label}*", "nothing parts two fields"),
        ("take_{index}", "tells nothing"),
        ("{}_{label}", "unknown field"),
    ],
)
def test_a_pattern_that_cannot_be_read_is_an_error(written: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as error:
        NamePattern(written)
    assert "\n" not in str(error.value)


def _names(*columns: list[str], ending: str = ".wav") -> list[str]:
    names = ["_".join(parts) + ending for parts in itertools.product(*columns)]
    random.Random(len(names)).shuffle(names)
    return names


DIGITS, PEOPLE = [str(k) for k in range(4)], ["anna", "bob", "cleo"]
TAKES = ["0", "1", "12"]


def test_names_are_guessed_where_they_tell_fields_apart() -> None:
    for names, pattern in (
        (_names(DIGITS, PEOPLE, TAKES), "{label}_{speaker}_{index}"),
        (_names(["dog", "cat"], TAKES), "{label}_{index}"),
        (_names(["0", "1"], ["0", "1"], ["0", "1"], ["0", "1"]), "{text}"),
    ):
        found = guessed(names).pattern
        assert found is not None and found.written == pattern
        assert guessed(sorted(names)) == guessed(names)


def test_names_that_may_mean_two_things_are_asked_about(tmp_path: Path) -> None:
    for columns in ((DIGITS, ["01", "02"], TAKES), (["yes", "no"], PEOPLE, TAKES)):
        guess = guessed(_names(*columns))
        assert guess.pattern is None and len(guess.either) == 2
    for name in _names(["yes", "no"], PEOPLE, TAKES):
        write_wav(tmp_path / name, 20)
    with pytest.raises(UserError, match="say which by --name-pattern"):
        read(tmp_path)
    clips = read(tmp_path, pattern="{label}_{speaker}_{index}")
    assert {(c.label, c.speaker) for c in clips.items} == set(
        itertools.product(["yes", "no"], PEOPLE)
    )


@pytest.mark.parametrize(
    "names",
    [
        ["take_1.wav", "take_2.wav"],  # one word
        ["LJ001-0001.wav", "LJ001-0002.wav", "LJ002-0001.wav"],
        ["a.wav", "b.wav"],
        ["x_1.wav", "y_2.wav", "z_3_4.wav"],
        ["p225_001.wav", "p226_001.wav", "p225_002.wav", "p226_002.wav"],  # VCTK: people
    ],
)
def test_nothing_is_guessed_of_other_names(names: list[str]) -> None:
    assert guessed(names) == (None, ())


def test_names_of_many_symbols_are_no_transcripts() -> None:
    draw = random.Random(3)
    for symbols, guess in ((10, "{text}"), (11, None)):
        letters = "abcdefghijk"[:symbols]
        columns = [draw.sample(letters, symbols) for _ in range(5)]
        names = ["_".join(parts) + ".wav" for parts in zip(*columns, strict=True)]
        found = guessed(names).pattern
        assert (found and found.written) == guess


def test_a_folder_a_class_with_the_speakers_in_the_names(tmp_path: Path) -> None:
    words, people = ["yes", "no", "up"], ["0a7c", "ff01"]
    for word, who, k in itertools.product(words, people, range(2)):
        write_wav(tmp_path / word / f"{who}_nohash_{k}.wav", 20)
    write_wav(tmp_path / "_background_noise_" / "tap.wav", 20)
    write(tmp_path / "README.md", "about")
    clips = read(tmp_path)
    assert sorted((c.label, c.speaker) for c in clips.items) == sorted(
        (word, who) for word, who, _ in itertools.product(words, people, range(2))
    )
    assert "labels from the folder of each recording: 3 labels" in clips.facts
    assert "file names read as {speaker}_nohash_{index}: 2 speakers" in clips.facts
    assert "not used: 1 recording in _background_noise_" in clips.facts
    assert of_speakers(["yes/0a7c_nohash_1.wav", "yes/other.wav"]) is None


def test_folders_that_stand_in_names_may_be_people(tmp_path: Path) -> None:
    for who, digit, k in itertools.product(["01", "02"], DIGITS, range(2)):
        write_wav(tmp_path / who / f"{digit}_{who}_{k}.wav", 20)
    with pytest.raises(UserError, match="cannot be told apart"):
        read(tmp_path)
    clips = read(tmp_path, pattern="{label}_{speaker}_{index}")
    assert {c.label for c in clips.items} == set(DIGITS)
    assert {c.speaker for c in clips.items} == {"01", "02"}


def test_a_name_that_does_not_fit_is_a_bad_row(tmp_path: Path) -> None:
    for name in ("a_1.wav", "b_2.wav", "other.wav"):
        write_wav(tmp_path / name, 20)
    with pytest.raises(UserError, match=r"other\.wav: its name does not fit"):
        read(tmp_path, pattern="{label}_{index}")
    clips = read(tmp_path, skip=True, pattern="{label}_{index}")
    assert [c.label for c in clips.items] == ["a", "b"]


def test_a_pattern_of_speakers_goes_with_any_layout(tmp_path: Path) -> None:
    for who in ("anna", "bob"):
        for k in range(2):
            write_wav(tmp_path / f"{who}-{k}.wav", 20)
            write(tmp_path / f"{who}-{k}.txt", f"words {k}")
    clips = read(tmp_path, pattern="{speaker}-{index}")
    assert clips.reading.layout == "texts beside"
    assert [seen(c)[3:6] for c in clips.items] == [
        ("words 0", None, "anna"), ("words 1", None, "anna"),
        ("words 0", None, "bob"), ("words 1", None, "bob"),
    ]  # fmt: skip


def test_a_guess_of_training_holds_for_later_data(tmp_path: Path) -> None:
    for name in _names(DIGITS, PEOPLE, TAKES):
        write_wav(tmp_path / "train" / name, 20)
    write_wav(tmp_path / "later" / "3_new_0.wav", 20)
    known = read(tmp_path / "train").reading
    later = reading.read([str(tmp_path / "later")], BadRows(skip=False), known=known)
    assert [(c.label, c.speaker) for c in later.items] == [("3", "new")]
    write_wav(tmp_path / "later" / "from my microphone.wav", 20)
    for pattern in (None, "{label}_{speaker}_{index}", "{speaker}_*"):
        bare = reading.read(
            [str(tmp_path / "later")], BadRows(skip=False), SoundOptions(name_pattern=pattern),
            known=known, wanted=False,
        )  # fmt: skip
        assert {c.recording.stem for c in bare.items} == {"3_new_0", "from my microphone"}
