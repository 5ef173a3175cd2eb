"""Sounds made by code: Morse code can be read back, noise is as told, and bytes are the same."""

from __future__ import annotations

import csv
import hashlib
import io
import math
import subprocess
import sys
import wave
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.built_in import beeps as made_beeps
from elman.data.built_in.made_sound import (
    EDGE,
    NOISE_PEAK,
    NOISE_POWER,
    RATE,
    UNIT,
    Draws,
    archive,
    envelope,
    lines,
    tone,
    wav,
)
from elman.data.built_in.morse import (
    BAND_HZ,
    CODE,
    SECONDS,
    Made,
    duration,
    keying,
    made,
    packed,
    with_noise,
)
from elman.data.built_in.named import NAMED
from elman.data.built_in.recordings import recordings

LETTER = {code: letter for letter, code in CODE.items()}
ROOT = Path(__file__).parents[2]
FIRST = "706500d7fc2dbade9cebe3f62a746459dac5ae830d4013a525875aebe4f9726b"


def read_back(keyed: list[tuple[int, int]], dot: float) -> str:
    """The text of machine-sent keying without stretched gaps."""
    text, code = "", ""
    for (start, stop), (following, _) in pairwise([*keyed, (10**9, 10**9)]):
        code += "." if stop - start < 2 * dot else "-"
        gap = (following - stop) / dot
        if gap > 2:
            text += LETTER[code] + (" " if gap > 5 else "")
            code = ""
    return text.strip()


@given(
    text=st.text(st.sampled_from([*CODE, " "]), min_size=1, max_size=20).map(
        lambda text: " ".join(text.split())
    ).filter(bool),
    wpm=st.floats(5, 40),
)  # fmt: skip
def test_what_is_keyed_can_be_read_back(text: str, wpm: float) -> None:
    assert read_back(keying(text, wpm), 1.2 / wpm * RATE) == text


@given(wpm=st.floats(5, 40), spacing=st.floats(0.4, 1))
def test_paris_is_fifty_dots_at_any_spacing(wpm: float, spacing: float) -> None:
    one, two = duration("PARIS", wpm, spacing), duration("PARIS PARIS", wpm, spacing)
    # From the first word's beginning to the second's is a minute over the overall speed.
    assert abs((two - one) / RATE - 60 / (wpm * spacing)) < 2 / RATE
    first = keying("PARIS", wpm, spacing)[0]
    assert abs((first[1] - first[0]) / RATE - 1.2 / wpm) < 1 / RATE, "letters keep their speed"


def test_codes_are_all_different_and_complete() -> None:
    assert len(LETTER) == len(CODE) == 26 + 10 + 5
    assert {len(CODE[digit]) for digit in "0123456789"} == {5}


@pytest.mark.parametrize("snr_db", [-6.0, 0.0, 13.5])
@pytest.mark.parametrize("fades", [False, True])
def test_noise_is_as_told_in_a_band_of_500_hz(snr_db: float, fades: bool) -> None:
    """Measured in the sound itself: the tone by its amplitude, the noise beside it."""
    samples, draw = 60 * RATE, Draws(3, 1)
    hz = 1000
    loud = np.full(samples, UNIT, dtype=np.int64)
    if fades:
        loud = draw.slowly(samples, UNIT // 4, UNIT, UNIT // 8)
    signal = tone(np.full(samples, 1000 * hz, dtype=np.int64)) * loud // UNIT
    sound = with_noise(signal, loud, draw.noise(samples), snr_db, 20_000).astype(np.float64)
    spectrum = np.square(np.abs(np.fft.rfft(sound))) * 2 / samples**2
    at = np.fft.rfftfreq(samples, 1 / RATE)
    beside = spectrum[(at > 2000) & (at < 2000 + BAND_HZ)].sum()
    around = abs(at - hz) < 20
    tone_power = spectrum[around].sum() - beside * around.sum() / (BAND_HZ * 60)
    # 30,000 independent lines in the band: 0.03 dB; the tone's sidebands and their noise: 0.1 dB.
    assert abs(10 * math.log10(tone_power / beside) - snr_db) < 0.15
    assert abs(sound).max() <= 20_000


def test_noise_is_white_and_of_the_power_it_is_said_to_have() -> None:
    noise = Draws(1).noise(1_000_000)
    assert abs(noise.mean()) < 1  # its standard error is 0.2
    assert abs(np.square(noise).mean() / NOISE_POWER - 1) < 0.01
    assert abs(noise).max() <= NOISE_PEAK
    spectrum = np.square(np.abs(np.fft.rfft(noise))).reshape(-1)[1:]
    parts = [part.mean() for part in np.array_split(spectrum, 8)]
    assert max(parts) / min(parts) < 1.03
    assert abs(np.corrcoef(noise[:-1], noise[1:])[0, 1]) < 0.005
    assert abs(Draws(2).around(100_000, 500).std() - 500) < 5


def test_the_sine_has_the_pitch_and_the_edges_are_soft() -> None:
    wave = tone(np.full(RATE, 440_000, dtype=np.int64))
    expected = UNIT * np.sin(2 * np.pi * 440 * np.arange(1, RATE + 1) / RATE)
    assert abs(wave - expected).max() < 8  # a step of the table, 2 ** -16 of a turn
    loud = envelope(1000, [(100, 300), (500, 700)])
    assert abs(loud[100] - UNIT // 2) < UNIT * 0.05 and abs(loud[300] - UNIT // 2) < UNIT * 0.05
    assert (loud[100 + EDGE : 300 - EDGE] == UNIT).all()
    assert not loud[300 + EDGE : 500 - EDGE].any() and not loud[: 100 - EDGE].any()
    assert abs(np.diff(loud)).max() < UNIT * 1.6 / EDGE
    assert lines(np.array([0, 10, -10]), 5).tolist() == [0, 2, 4, 6, 8, 10, 6, 2, -2, -6]


@pytest.fixture(scope="module")
def clips() -> list[Made]:
    return list(made(60, 9))


def test_clips_are_within_what_is_promised(clips: list[Made]) -> None:
    for clip in clips:
        assert SECONDS[0] * RATE <= len(clip.samples) <= SECONDS[1] * RATE
        assert clip.text == " ".join(clip.text.split()) != ""
        assert set(clip.text) <= {*CODE, " "}
        assert 5 <= clip.wpm <= 30 and -6 <= clip.snr_db <= 20 and 400 <= clip.pitch_hz <= 1000
        assert 0.05 * 32767 < abs(clip.samples.astype(int)).max() <= 32767
    assert max(len(clip.samples) for clip in clips) > 9 * RATE
    assert len({clip.text for clip in clips}) > 40


def test_a_clip_depends_on_seed_and_number_alone(clips: list[Made]) -> None:
    few, other = list(made(5, 9)), list(made(5, 10))
    for one, same, another in zip(few, clips, other, strict=False):
        assert one.text == same.text and np.array_equal(one.samples, same.samples)
        assert not np.array_equal(one.samples[:1000], another.samples[:1000])


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6), wpm=st.floats(5, 50))
def test_loud_clips_can_be_read_by_their_energy(seed: int, wpm: float) -> None:
    """A receiver of a few lines: where the tone is loud, the key is down, as often as the text has
    dots and dashes."""
    clip = next(iter(made(1, seed, snr_db=(40, 40), wpm=(wpm, wpm))))
    at = np.arange(len(clip.samples)) / RATE
    mixed = clip.samples * np.exp(-2j * np.pi * clip.pitch_hz * at)
    width = RATE // 200
    loud = np.abs(np.convolve(mixed, np.ones(width) / width, "same"))
    down = loud > 0.17 * loud.max()  # it may fade to 0.3
    for _ in range(2):  # no gap, and no beep, of less than 5 ms
        down = np.convolve(down, np.ones(width), "same") > width / 2
    begins = int((np.diff(down.astype(int)) == 1).sum())
    assert begins == sum(len(CODE[letter]) for letter in clip.text.replace(" ", ""))


def test_the_set_is_an_archive_with_a_table(clips: list[Made]) -> None:
    data = packed(iter(clips[:7]))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        rows = list(csv.DictReader(archive.read("metadata.csv").decode().splitlines()))
        assert [row["text"] for row in rows] == [clip.text for clip in clips[:7]]
        assert archive.namelist() == [*(row["file_name"] for row in rows), "metadata.csv"]
        for row, clip in zip(rows, clips, strict=False):
            with wave.open(io.BytesIO(archive.read(row["file_name"]))) as sound:
                assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (
                    RATE, 1, 2,
                )  # fmt: skip
                found = np.frombuffer(sound.readframes(10**6), dtype="<i2")
            assert np.array_equal(found, clip.samples)
            assert float(row["snr_db"]) == clip.snr_db and float(row["wpm"]) == clip.wpm


def test_bytes_are_those_of_every_machine(clips: list[Made]) -> None:
    """Sums found on Linux, x86-64, numpy 2.4; the sets are made of whole numbers alone."""
    beeps = made_beeps.beeps()
    assert len(beeps) == NAMED["beeps"].size
    assert hashlib.sha256(beeps).hexdigest() == NAMED["beeps"].sha256
    first = b"".join(clip.samples.astype("<i2").tobytes() for clip in clips[:3])
    assert hashlib.sha256(first).hexdigest() == FIRST


def test_kinds_of_beeps_differ_in_what_they_are_named_for() -> None:
    def heard(kind: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """Loudest pitch in hertz over time, of a kind without much noise, where it is loud."""
        pitches = []
        for samples in made_beeps.made(kind, 40, 5):
            cut = np.lib.stride_tricks.sliding_window_view(samples.astype(float), 256)[::64]
            spectrum = np.abs(np.fft.rfft(cut * np.hanning(256)))
            best = spectrum.max(1)
            loud = best > 0.5 * best.max()
            pitch = spectrum.argmax(1)[loud] * RATE / 256
            third = max(1, len(pitch) // 3)
            pitches.append(math.log2(np.median(pitch[-third:]) / np.median(pitch[:third])))
        return np.array(pitches)

    assert np.median(heard("rising")) > 0.25
    assert np.median(heard("falling")) < -0.25
    assert np.median(heard("two-tone")) < -0.25
    assert abs(np.median(heard("steady"))) < 0.05


def test_a_background_is_noise_alone() -> None:
    def change(kind: str) -> float:
        """How much louder the loudest tenth of a second is than the quietest, at the median."""
        ratios = []
        for samples in made_beeps.made(kind, 20, 5):
            parts = np.square(samples.astype(float))[: len(samples) // 800 * 800].reshape(-1, 800)
            ratios.append(parts.mean(1).max() / parts.mean(1).min())
        return float(np.median(ratios))

    assert change("background") < 1.5
    assert all(change(kind) > 2 for kind in made_beeps.KINDS if kind != "background")


def test_recordings_are_packed_the_same_whoever_packed_them(tmp_path: Path) -> None:
    sounds = {f"{k}_a_0.wav": wav(np.arange(k + 5, dtype=np.int16)) for k in range(12)}
    found = []
    for name, method, folder in (("a", zipfile.ZIP_DEFLATED, "x-1/rec/"), ("b", 0, "recordings/")):
        path = tmp_path / f"{name}.zip"
        with zipfile.ZipFile(path, "w", method) as packed:
            for member in reversed(sounds) if name == "a" else sounds:
                packed.writestr(folder + member, sounds[member])
            packed.writestr(f"{folder}README.md", name)
        found.append(recordings(path, 10_000))
    assert (
        found[0] == found[1] == archive((f"recordings/{k}", v) for k, v in sorted(sounds.items()))
    )
    assert recordings(path, 100) is None, "larger than it may be"
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr("other/0_a_0.wav", b"")
    assert recordings(path, 10_000) is None, "two of one name"
    path.write_bytes(path.read_bytes()[:100])
    assert recordings(path, 10_000) is None
    assert recordings(tmp_path / "none.zip", 10_000) is None


def test_the_command_line_writes_a_folder(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "bench" / "made_morse.py"), str(tmp_path / "new")]
    options = ["--snr", "3", "--wpm", "20", "25", "--count", "4", "--seed", "7"]
    subprocess.run([*command, *options], check=True, capture_output=True)
    with (tmp_path / "new" / "metadata.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    expected = list(made(4, 7, snr_db=(3, 3), wpm=(20, 25)))
    assert [row["text"] for row in rows] == [clip.text for clip in expected]
    for row, clip in zip(rows, expected, strict=True):
        assert row["snr_db"] == "3.0" and 20 <= float(row["wpm"]) <= 25
        assert (tmp_path / "new" / row["file_name"]).read_bytes() == wav(clip.samples)
