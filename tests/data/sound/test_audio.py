"""Recordings: one channel at the rate asked for; a stretch is a cut of the whole."""

from __future__ import annotations

import io
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from written import LOSSLESS, LOSSY, RATES, noise, packed, seeded, wav_bytes, write

from elman.data.sound import audio
from elman.data.sound.clips import Recording
from elman.errors import UserError

ROUNDING = {"PCM_U8": 2**-7, "PCM_16": 2**-15, "PCM_24": 2**-22}  # one step of what is stored
FLOAT32 = 1e-6
# Of a resampler that starts elsewhere: its stages round in float32, 3.5e-6 in the worst of many.
RESAMPLED = 1e-5


@pytest.mark.parametrize(("form", "subtype"), LOSSLESS)
def test_mono_is_the_mean_of_the_channels(form: str, subtype: str, tmp_path: Path) -> None:
    draw = seeded(3, form, subtype)
    for _ in range(4):
        made = write(tmp_path, draw, form, subtype)
        sound = audio.read(Recording(made.path))
        assert sound.rate == made.rate and sound.samples.dtype == np.float32
        assert sound.samples.shape == (len(made.frames),)
        error = np.abs(sound.samples - made.frames.mean(1)).max()
        assert error <= ROUNDING.get(subtype, FLOAT32), "steps of the stored form"


@pytest.mark.parametrize(("form", "subtype"), LOSSLESS + LOSSY)
def test_what_is_told_is_what_is_read(form: str, subtype: str, tmp_path: Path) -> None:
    made = write(tmp_path, seeded(4, form, subtype), form, subtype)
    told = audio.about(Recording(made.path))
    assert told.rate == made.rate and told.channels == made.frames.shape[1]
    assert told.form == {"WAVEX": "WAV", "RF64": "WAV", "NIST": "SPHERE"}.get(form, form)
    assert told.frames == len(audio.read(Recording(made.path)).samples)
    assert told.frames == len(made.frames) or subtype.endswith(("ADPCM", "610")), "whole packets"
    assert told.seconds == told.frames / made.rate


@pytest.mark.parametrize(("form", "subtype"), LOSSLESS + LOSSY)
def test_a_stretch_is_a_cut_of_the_whole(form: str, subtype: str, tmp_path: Path) -> None:
    draw = seeded(5, form, subtype)
    made = write(tmp_path, draw, form, subtype, least=20_000)
    recording, lasts = Recording(made.path), len(made.frames) / made.rate
    for rate in (None, int(draw.choice(RATES)), int(draw.integers(7_001, 60_000))):
        whole = audio.read(recording, rate=rate)
        for _ in range(6):
            start, stop = np.sort(draw.uniform(0, lasts, 2))
            begin, end = np.floor(np.array([start, stop]) * whole.rate + 0.5).astype(int)
            cut = audio.read(recording, start, stop, rate=rate)
            expected = whole.samples[begin:end]
            assert cut.samples.shape == expected.shape
            exact = rate in (None, made.rate) and form != "MP3"
            assert np.abs(cut.samples - expected).max() <= (0 if exact else RESAMPLED)
        rest = audio.read(recording, start, rate=rate).samples
        assert np.abs(rest - whole.samples[begin:]).max() <= RESAMPLED


@pytest.mark.parametrize(("form", "subtype"), LOSSLESS + LOSSY)
def test_stretches_one_after_another_do_not_disturb_each_other(
    form: str, subtype: str, tmp_path: Path
) -> None:
    draw = seeded(11, form, subtype)
    made = write(tmp_path, draw, form, subtype, least=20_000)
    recording, lasts = Recording(made.path), len(made.frames) / made.rate
    with audio.opened(recording) as sound:
        assert sound.about == audio.about(recording)
        for _ in range(12):
            start, stop = (float(s) for s in np.sort(draw.uniform(0, lasts, 2)))
            rate = int(draw.choice(RATES)) if draw.random() < 0.3 else None
            alone = audio.read(recording, start, stop, rate=rate).samples
            again = sound.read(start, stop, rate=rate).samples
            assert alone.shape == again.shape and np.abs(alone - again).max() <= FLOAT32
        with pytest.raises(UserError, match="there is nothing"):
            sound.read(lasts + 1)
        error = np.abs(sound.read().samples - audio.read(recording).samples).max()
        assert error <= (FLOAT32 if form == "MP3" else 0), "mpg123 rounds by where it is"


@pytest.mark.parametrize(("form", "subtype"), LOSSY[-3:])
def test_any_place_of_what_depends_on_those_before(form: str, subtype: str, tmp_path: Path) -> None:
    draw = seeded(12, form, subtype)
    made = write(tmp_path, draw, form, subtype, least=60_000, most=80_000)
    with audio.opened(Recording(made.path)) as sound:
        whole = sound.read().samples
        least = np.array([0, 0, 0, len(whole) - 20_000]).repeat(8)
        for begin in draw.integers(least, len(whole) - 100):
            end = begin + 50
            cut = sound.read(begin / made.rate, end / made.rate).samples
            assert np.abs(cut - whole[begin:end]).max() <= (FLOAT32 if form == "MP3" else 0)


def test_the_last_page_of_an_ogg_is_found_where_it_is(tmp_path: Path) -> None:
    draw = np.random.default_rng(13)
    path = tmp_path / "soft.ogg"
    for _ in range(3):  # soft and even, so that a page holds more than what is decoded before
        rate, length = int(draw.choice(RATES)), int(draw.integers(250_000, 300_000))
        tone = np.sin(np.arange(length) * draw.uniform(0.05, 0.2)) * 0.3
        soundfile.write(path, tone + draw.normal(0, 1e-3, length), rate, format="OGG")
        with audio.opened(Recording(path)) as sound:
            whole = sound.read().samples
            for begin in draw.integers(length - 60_000, length - 100, 20):
                cut = sound.read(begin / rate, (begin + 50) / rate).samples
                assert np.array_equal(cut, whole[begin : begin + 50])


@pytest.mark.parametrize(("form", "subtype"), [*LOSSLESS[1:2], *LOSSY[-4:], ("FLAC", "PCM_16")])
def test_blocks_are_what_is_read(form: str, subtype: str, tmp_path: Path) -> None:
    draw = seeded(6, form, subtype)
    made = write(tmp_path, draw, form, subtype, least=140_000, most=200_000)
    for rate in (None, int(draw.choice(RATES))):
        for start, stop in ((0.0, None), tuple(sorted(draw.uniform(0, 1, 2)))):
            seconds = float(draw.uniform(0.01, 1))
            whole = audio.read(Recording(made.path), start, stop, rate=rate)
            parts = list(audio.blocks(Recording(made.path), seconds, rate, start=start, stop=stop))
            assert np.array_equal(np.concatenate(parts), whole.samples)
            assert {len(part) for part in parts[:-1]} <= {int(seconds * whole.rate + 0.5)}


def test_resampling_is_that_of_the_whole_by_soxr(tmp_path: Path) -> None:
    draw = np.random.default_rng(7)
    for _ in range(10):
        made = write(tmp_path, draw, "WAV", "FLOAT")
        rate = int(draw.integers(4_000, 96_000))
        mono = audio.read(Recording(made.path)).samples
        expected = soxr.resample(mono, made.rate, rate).clip(-1, 1)
        assert np.array_equal(audio.read(Recording(made.path), rate=rate).samples, expected)


def test_samples_beyond_one_are_cut_off_after_the_mean(tmp_path: Path) -> None:
    frames = np.array([[1.5, -0.5], [3.0, 1.0], [-9.0, 2.0], [0.25, 0.5]])
    path = tmp_path / "loud.wav"
    soundfile.write(path, frames, 8_000, subtype="FLOAT")
    assert audio.read(Recording(path)).samples.tolist() == [0.5, 1.0, -1.0, 0.375]


def test_a_long_recording_is_not_decoded_for_a_short_stretch(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav_bytes(bytes(2 * 16_000 * 1200)))
    held = {}
    for name, stretch in (("a second", (1_100.0, 1_101.0)), ("all", (0.0, None))):
        tracemalloc.start()
        assert len(audio.read(Recording(path), *stretch).samples)
        held[name] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert held["a second"] < 2 << 20 < held["all"], "bytes"
    tracemalloc.start()
    count = sum(len(block) for block in audio.blocks(Recording(path), 5.0, 8_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 8_000 * 1200 and peak < 4 << 20, "blocks hold no more than a few of them"


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFF00, 0x7FFFF000 - 2, 0x7FFFFFFF])
def test_a_wav_saved_from_a_pipe_is_read_to_its_end(size: int, tmp_path: Path) -> None:
    data = np.arange(-700, 700, dtype="<i2").tobytes()
    path = tmp_path / "piped.wav"
    for outer in (0, 0xFFFFFFFF, 36 + size & 0xFFFFFFFF) if size else (0, 0xFFFFFFFF):
        path.write_bytes(wav_bytes(data, size=size, outer=outer))
        expected = np.arange(-700, 700) / 2**15
        assert audio.about(Recording(path)).frames == 1400
        assert np.array_equal(audio.read(Recording(path)).samples, expected.astype(np.float32))


def test_a_flac_that_does_not_tell_its_length_is_read_by_what_it_holds(tmp_path: Path) -> None:
    draw = np.random.default_rng(8)
    frames = noise(draw, 150_000, 2)
    data = bytearray(packed(frames, 16_000, "FLAC", "PCM_16"))
    path = tmp_path / "known.flac"
    path.write_bytes(data)
    known = audio.read(Recording(path)).samples
    data[21] &= 0xF0  # the number of frames has 36 bits; 0 means that it is not known
    data[22:26] = bytes(4)
    path = tmp_path / "unknown.flac"
    path.write_bytes(data)
    assert audio.about(Recording(path)).frames == 150_000
    assert np.array_equal(audio.read(Recording(path)).samples, known)
    assert np.array_equal(audio.read(Recording(path), 5.0, 6.0).samples, known[80_000:96_000])


@pytest.mark.parametrize("tag", [b"", b"ID3\4\0\0\0\1\0\0" + bytes(1 << 14)])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_an_mp3_is_read_whole_or_not_at_all(tag: bytes, rate: int, tmp_path: Path) -> None:
    draw = np.random.default_rng(14)
    path = tmp_path / "untold.mp3"
    # Loud, then soft, so that the bytes of its first frames say nothing of the rest.
    frames = noise(draw, 120_000, 1) * np.repeat([1.0, 1e-4], 60_000)[:, None]
    for mode, mark in (("VARIABLE", b"Xing"), ("CONSTANT", b"Info")):
        out = io.BytesIO()
        soundfile.write(out, frames, rate, format="MP3", bitrate_mode=mode, compression_level=0.5)
        told = audio.read(_stored(path, tag + out.getvalue())).samples
        assert len(told) == 120_000 and mark in out.getvalue()
        recording = _stored(path, tag + out.getvalue().replace(mark, bytes(4), 1))
        if mode == "VARIABLE":
            with pytest.raises(UserError, match="does not tell its length"):
                audio.about(recording)
        else:
            length = len(audio.read(recording).samples)
            assert length >= 120_000 and abs(audio.about(recording).frames - length) <= 2 * 1152


def _stored(path: Path, data: bytes) -> Recording:
    path.write_bytes(data)
    return Recording(path)


@pytest.mark.parametrize(
    ("start", "stop", "told"),
    [
        (2.0, None, "lasts 2.000 s"), (7.5, 8.0, "lasts 2.000 s"), (1.0, 2.5, "ends before 2.500"),
        (-1.0, None, "no stretch"), (1.0, 1.0, "no stretch"), (1.0, 0.5, "no stretch"),
        (float("nan"), None, "no stretch"), (float("inf"), None, "no stretch"),
        (0.0, float("nan"), "no stretch"), (0.0, float("inf"), "ends before inf"),
        (1.99999, None, "no samples"), (0.5, 0.50001, "no samples"),
    ],
)  # fmt: skip
def test_a_stretch_that_is_not_there_is_refused(
    start: float, stop: float | None, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "two seconds.wav"
    path.write_bytes(wav_bytes(bytes(2 * 32_000)))
    with pytest.raises(UserError, match=told) as caught:
        audio.read(Recording(path), start, stop)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert len(audio.read(Recording(path), 1.0, 2.2).samples) == 16_000, "rounded up a little"


def test_a_stretch_too_long_to_be_held_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav_bytes(bytes(2 * 300_000)))
    monkeypatch.setattr(audio, "MOST", 200_000)
    with pytest.raises(UserError, match="in shorter stretches"):
        audio.read(Recording(path))
    assert len(audio.read(Recording(path), 0, 10).samples) == 160_000
    assert sum(map(len, audio.blocks(Recording(path), 1.0))) == 300_000


@pytest.mark.parametrize("rate", [0, -1, 999, 10**7])
def test_a_rate_that_makes_no_sense_is_refused(rate: int, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(bytes(2 * 32_000)))
    with pytest.raises(UserError, match=f"rate of {rate} samples a second"):
        audio.read(Recording(path), rate=rate)


def test_without_the_libraries_all_imports_and_one_line_tells_what_to_install(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(bytes(2000)))
    code = f"""
import sys
sys.modules[sys.argv[1]] = None
import elman
from pathlib import Path
from elman.data.sound import audio, stream
from elman.data.sound.clips import Recording
from elman.errors import UserError
try:
    audio.read(Recording(Path({str(path)!r})), rate=8_000)
except UserError as error:
    print(error)
"""
    for module in ("soundfile", "soxr"):
        ended = subprocess.run(
            [sys.executable, "-c", code, module], capture_output=True, text=True, check=True
        )
        assert ended.stdout == (f"{path}: needs {module} to be read; pip install 'elman[audio]'\n")
