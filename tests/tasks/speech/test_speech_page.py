"""What a report tells of what was heard, and draws of it."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tones
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from elman.data.texts import vocabulary as vocabularies
from elman.search.ctc import Spoken, Word
from elman.tasks.speech import page, pictures, reading
from elman.tasks.speech.data import Encoder, Hearing
from elman.tasks.speech.decoding import SpeechDecoding
from elman.tasks.speech.options import SpeechOptions
from elman.tasks.speech.writing import Transcribing, Transcript

pytestmark = pytest.mark.pictures

HEARING = Hearing(8_000, 20, 25, 10, deltas=True, normalise="clip")


def heard(*said: str, seconds: float = 1.0) -> Transcript:
    step = seconds / max(1, len(said))
    words = tuple(Word(text, k * step, (k + 0.8) * step, 0.5) for k, text in enumerate(said))
    return Transcript(" ".join(said), 0.5, words)


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1))
def test_words_in_one_line_do_not_touch_where_there_is_room(seed: int) -> None:
    draw = np.random.default_rng(seed)
    count, longest = int(draw.integers(1, 30)), int(draw.integers(2, 20))
    starts = np.sort(draw.uniform(0, 10, count)).tolist()
    names = ["x" * int(draw.integers(1, longest)) for _ in starts]
    words = [Word(name, at, at + 0.1, 1.0) for name, at in zip(names, starts, strict=True)]
    lines = pictures._lines(words, names, 10)
    assert max(lines) < pictures.LINES
    if max(lines) == pictures.LINES - 1:
        return  # there may be no room
    for line in range(pictures.LINES):
        own = [k for k in range(count) if lines[k] == line]
        for a, b in itertools.pairwise(own):
            room = (len(names[a]) + len(names[b])) / 2 * pictures.LETTER * 10
            assert words[b].start - words[a].start >= room


@pytest.mark.parametrize(
    ("said", "numbered"),
    [(("the", "café"), False), (("$5", "and", "$x_^{$"), False), (("你", "好"), True), ((), False)],
)
def test_any_words_are_drawn(said: tuple[str, ...], numbered: bool, tmp_path: Path) -> None:
    wave = tones.wave("abc", np.random.default_rng(0))
    told = pictures.draw_alignment(HEARING, wave, heard(*said), "d/$a.csv, line 3", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["alignment.png"]
    assert (tmp_path / "alignment.png").read_bytes().startswith(b"\x89PNG")
    assert told[0] == "![spectrogram, and the words heard in it](alignment.png)"
    assert ("The words by their numbers: 1 你 2 好" in told) == numbered


def test_letters_of_a_script_without_spaces_have_times_of_their_own() -> None:
    encoder = Encoder(HEARING, (), vocabularies.build("characters", ["你好 ok "]))
    write = Transcribing(encoder, SpeechDecoding(), 0.02)
    symbols = tuple(encoder.symbols("ok你好").tolist())
    spoken = Spoken(symbols, (1, 3, 5, 7), (2, 4, 6, 8), (0.9, 0.8, 0.7, 0.6), 0.0, 0.0)
    found = write.transcript(spoken, begin=1.0)
    assert found.text == "ok你好"
    assert [(word.text, round(word.start, 2), round(word.stop, 2)) for word in found.words] == [
        ("ok", 1.02, 1.08), ("你", 1.1, 1.12), ("好", 1.14, 1.16)
    ]  # fmt: skip


def test_the_report_of_transcripts(both_ways: Any) -> None:
    text = (both_ways.run / "report.md").read_text(encoding="utf-8")
    assert re.search(r"Heard at [\d,]+ times the speed of sound", text)
    assert "](alignment.png)" in text
    assert "writes nothing" not in text
    assert (both_ways.run / "alignment.png").exists()


def test_who_writes_nothing_is_told_so(said: Path, tmp_path: Path) -> None:
    how = tones.SMALL | {"epochs": 1, "learning_rate": 1e-6, "hidden_size": 4}
    run = elman.train("speech", said, run=tmp_path / "run", **how)
    output: Any = run.model.output
    with torch.no_grad():
        output.bias[0] += 20
    dataset = reading.read([str(said)], SpeechOptions(mels=12, hop=20), 0.1)
    lines = page.remarks(SpeechDecoding(), run.model, dataset, SpeechOptions(), "cpu", "", tmp_path)
    assert any("writes nothing at all" in line for line in lines)


def test_the_report_of_classes(classes: Any) -> None:
    text = (classes.run / "report.md").read_text(encoding="utf-8")
    assert "| class " in text
    assert all(f"| {letter} " in text for letter in "abc")
