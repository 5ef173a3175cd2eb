"""From recordings to a data set: what is left out is counted, the doctor tells what is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tones
import torch
from numpy.typing import NDArray

from elman.data.tables.content import BadRows
from elman.layers.sound import Moments
from elman.tasks.speech import page, reading
from elman.tasks.speech.data import SpeechData
from elman.tasks.speech.options import SpeechOptions

Floats = NDArray[np.floating[Any]]


def read(*data: Path, validation: float = 0.2, **options: Any) -> SpeechData:
    return reading.read([str(one) for one in data], SpeechOptions(**options), validation)


def told(dataset: SpeechData) -> str:
    """The doctor's page."""
    return "\n".join(page.examine(dataset).lines())


def write(
    folder: Path, waves: Sequence[Floats], said: Sequence[str], rates: Sequence[int] = (8_000,),
    speakers: Sequence[str] = (),
) -> Path:  # fmt: skip
    """Recordings in a folder, with a table of what is said in them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["file_name,text" + (",speaker" if speakers else "")]
    for k, (wave, text) in enumerate(zip(waves, said, strict=True)):
        soundfile.write(folder / f"{k:03}.wav", wave, rates[k % len(rates)])
        lines.append(",".join([f"{k:03}.wav", text, *speakers[k : k + 1]]))
    (folder / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


def sounds(count: int, seconds: float = 0.5, rate: int = 8_000) -> list[Floats]:
    draw = np.random.default_rng(count)
    return [draw.normal(0, 0.1, int(seconds * rate)) for _ in range(count)]


def test_clips_too_short_for_their_transcripts_are_not_trained_on(tmp_path: Path) -> None:
    """At 10 ms a frame and two frames a step, 0.5 s has 24 steps; 20 equal letters need 39."""
    fits, fails = "ab" * 12, "a" * 20
    waves = sounds(20)
    dataset = read(write(tmp_path / "d", waves, [fits, fails] * 10), validation=0.3, mels=8)
    assert {clip.text for clip in dataset.train.clips} == {fits}
    left = 10 - sum(clip.text == fails for clip in dataset.check.clips)
    assert left > 0
    line = next(line for line in told(dataset).splitlines() if "too short" in line)
    assert line.startswith(f"WARNING: {left} clip")
    # Those that stay in validation are scored like all others.
    assert {clip.text for clip in dataset.check.clips} == {fits, fails}


def test_steps_as_asked_for_tell_what_is_too_short(tmp_path: Path) -> None:
    """Of 48 frames there are 12 steps of four, 6 of eight."""
    data = write(tmp_path / "d", sounds(20), ["ab" * 4, "ab"] * 10)
    for strides, count in (((4,), 20), ((2, 2, 2), 10), ((8,), 10)):
        dataset = read(data, validation=0, mels=8, convolutions=(4,) * len(strides),
                       convolution_stride=strides)  # fmt: skip
        assert len(dataset.train) == count


def test_clips_that_are_too_long_are_left_out_of_training_and_counted(tmp_path: Path) -> None:
    waves = [*sounds(8), *sounds(4, seconds=2)]
    data = write(tmp_path / "d", waves, ["ab", "ba"] * 6)
    dataset = read(data, longest=1, mels=8, validation_files=("000.wav", "011.wav"))
    assert sorted(dataset.lengths(dataset.train).tolist()) == [4_000] * 7
    assert sorted(dataset.lengths(dataset.check).tolist()) == [4_000, 16_000]
    assert "3 clips of more than 1 s left out of training (--longest)" in told(dataset)


def test_silence_clipping_rates_channels_and_repeats_are_told(tmp_path: Path) -> None:
    waves = sounds(12)
    waves[3] = np.zeros(4_000)
    waves[4] = np.zeros(4_000)
    waves[5] = np.sign(waves[5])
    waves[6] = np.stack([waves[6], waves[6]], 1)
    waves[8] = waves[7]
    said = ["ab", "ba", "ab", "ab", "ab", "ab", "ab", "ab", "ab", "ac", "ab", "d e"]
    data = write(tmp_path / "d", waves, said, rates=(8_000, 8_000, 16_000))
    dataset = read(data, mels=8, validation_files=("010.wav",))
    found = told(dataset)
    shown = str(data / "metadata.csv")
    assert f"WARNING: 2 clips are silent: {shown}" in found
    assert "WARNING: 1 clip is too loud, its peaks cut off" in found
    assert "samples a second: 8,000 (8), 16,000 (4); heard as 8,000" in found
    assert "1 clip of several channels: their mean is heard" in found
    assert "lengths: 0.25 to 0.5 s, half below 0.5 s" in found
    (once,) = (line for line in found.splitlines() if line.startswith("symbols that come once"))
    assert sorted(once.split(": ")[1].split(", ")) == [" ", "c", "d", "e"]
    assert "clips for training are repeats" in found
    assert "12 clips to be transcribed, 0.1 minutes; 11 for training, 1 for validation" in found


def test_the_same_sound_on_both_sides_of_the_cut(tmp_path: Path) -> None:
    """Files that are equal stay on one side; where the user parts them it is told."""
    waves = sounds(10)
    waves[9] = waves[0]
    data = write(tmp_path / "d", waves, [f"a{'bc' * (k % 3)}" for k in range(10)])
    for seed in range(5):
        dataset = read(data, mels=8, validation=0.1 + seed / 10)
        sides = [
            {clip.recording.stem for clip in part.clips} for part in (dataset.train, dataset.check)
        ]
        assert sum({"000", "009"} <= side for side in sides) == 1


def test_moments_of_a_speaker_are_those_of_all_his_clips(tmp_path: Path) -> None:
    waves, speakers = sounds(12), ["x", "y", "z"] * 4
    waves = [wave * (1 + k % 3) for k, wave in enumerate(waves)]
    data = write(tmp_path / "d", waves, ["ab", "ba"] * 6, speakers=speakers)
    dataset = read(data, mels=8, normalise="speaker", validation_files=("00[01].wav",))
    features = dataset.encoder.hearing.features()
    for part in (dataset.train, dataset.check):
        assert part.moments is not None
        for clip, found in zip(part.clips, part.moments, strict=True):
            own = [int(k) for k in range(12) if speakers[k] == clip.speaker]
            rows = []
            for k in own:
                wave = torch.from_numpy(soundfile.read(data / f"{k:03}.wav", dtype="float32")[0])
                rows.append(features(wave[None], torch.tensor([len(wave)]))[0][0])
            exact = Moments.of(torch.cat(rows))
            assert found.count == exact.count
            # Samples are kept as 16 bits.
            torch.testing.assert_close(found.mean, exact.mean, atol=1e-2, rtol=1e-3)
            torch.testing.assert_close(found.spread, exact.spread, atol=1e-2, rtol=1e-2)
    # Other data of the same speakers has moments of its own.
    other = reading.unseen([str(data)], dataset.preprocessing(), BadRows(False))
    assert other.check.moments is not None
    assert {one.count for one in other.check.moments} == {found.count}


def test_what_was_trained_on_is_told_when_it_is_scored(tmp_path: Path) -> None:
    waves = sounds(12)
    data = write(tmp_path / "d", waves, ["ab", "ba"] * 6)
    dataset = read(data, mels=8)
    seen = {clip.recording.stem for clip in dataset.train.clips}
    copies = tmp_path / "other"
    shutil.copytree(data, copies)
    soundfile.write(copies / "012.wav", sounds(1)[0], 8_000)
    with (copies / "metadata.csv").open("a", encoding="utf-8") as file:
        file.write("\n012.wav,ab")
    other = reading.unseen([str(copies)], dataset.preprocessing(), BadRows(False))
    assert reading.overlap(other, dataset) == f"{len(seen)} of 13 clips were trained on"
    fresh = write(tmp_path / "fresh", sounds(3, seconds=0.3), ["ab"] * 3)
    other = reading.unseen([str(fresh)], dataset.preprocessing(), BadRows(False))
    assert reading.overlap(other, dataset) == ""


def test_speakers_that_are_scored_are_told(tmp_path: Path) -> None:
    said, speakers = ["ab", "ba"] * 12, [f"s{k % 6}" for k in range(24)]
    data = write(tmp_path / "d", sounds(24), said, speakers=speakers)
    dataset = read(data, mels=8)
    sides = [{clip.speaker for clip in part.clips} for part in (dataset.train, dataset.check)]
    assert not sides[0] & sides[1]
    assert f"not heard in training: {', '.join(sorted(sides[1]))}" in told(dataset)
    mixed = read(data, mels=8, validation_files=("00*.wav",))
    assert "are heard in training too: the score says little of new voices" in told(mixed)


def test_classes_are_told(tmp_path: Path) -> None:
    dataset = read(tones.classes(tmp_path / "d", 4), mels=8)
    found = told(dataset)
    assert "12 clips to be named" in found
    assert "classes: a (4), b (4), c (4)" in found
    assert "classes of less than 10 clips: a (4), b (4), c (4)" in found


@pytest.mark.parametrize(
    ("said", "level"),
    [
        (["yes no yes", "no no", "yes yes no no"] * 12, "words"),  # few, and often
        ([f"the word {k} stands once" for k in range(36)], "characters"),
        (["yes", "no", "maybe"] * 12, "characters"),  # one a clip: nothing parts them
        (["你好", "再见", "你再"] * 12, "characters"),
    ],
)
def test_what_is_written_is_chosen_by_the_transcripts(
    said: list[str], level: str, tmp_path: Path
) -> None:
    data = write(tmp_path / "d", sounds(36, seconds=1), said)
    known = read(data, mels=8).encoder.vocabulary
    assert known is not None
    assert known.level == level


def test_a_cut_is_the_same_wherever_the_data_lies(tmp_path: Path) -> None:
    first = write(tmp_path / "d", sounds(20), ["ab", "ba"] * 10)
    second = tmp_path / "elsewhere" / "d"
    shutil.copytree(first, second)
    a, b = (read(data, mels=8).preprocessing() for data in (first, second))
    assert a["sha256"] == b["sha256"]
    assert a["encoder"] == b["encoder"]
