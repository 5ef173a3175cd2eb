"""Recordings that are damaged: one line tells it, whatever the damage is."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from written import LOSSLESS, LOSSY, OPUS_RATES, noise, packed, seeded, wav_bytes

from elman.data.sound import audio
from elman.data.sound.clips import Recording
from elman.data.sound.decoder import _View
from elman.errors import UserError

FORMS = LOSSLESS + LOSSY
TELL = {"WAV", "WAVEX", "FLAC", "AIFF", "AU", "NIST", "OGG"}  # how long they are, or where they end


def refusal(path: Path) -> str:
    """What is told of a file that cannot be read, in one line that names it."""
    with pytest.raises(UserError) as caught:
        audio.read(Recording(path))
    told = str(caught.value)
    assert str(path) in told and "\n" not in told and len(told) < 100 + 2 * len(str(path)) + 100
    return told


def heard(path: Path) -> np.ndarray | None:
    """What is heard of a file, or None where it is refused in one line."""
    try:
        sound = audio.read(Recording(path)).samples
    except UserError as error:
        assert str(path) in str(error) and "\n" not in str(error)
        return None
    assert len(sound) and np.isfinite(sound).all() and np.abs(sound).max() <= 1
    list(audio.blocks(Recording(path), 0.5, 8_000))
    return sound


def example(draw: np.random.Generator, form: str, subtype: str, least: int = 1) -> bytes:
    rate = int(draw.choice(OPUS_RATES))
    channels = 1 if subtype.endswith(("ADPCM", "610")) else int(draw.integers(1, 3))
    return packed(noise(draw, int(draw.integers(least, 9_000)), channels), rate, form, subtype)


@pytest.mark.parametrize(("form", "subtype"), FORMS)
def test_cut_at_any_byte(
    form: str, subtype: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    draw = seeded(1, form, subtype)
    path = tmp_path / f"cut.{form.lower()}"
    for _ in range(3):
        data = example(draw, form, subtype, least=4_000)
        path.write_bytes(data)
        whole = audio.read(Recording(path)).samples
        for at in [*range(0, 70, 3), *draw.integers(70, len(data) - 8, 25), len(data) - 8]:
            path.write_bytes(data[:at])
            found = heard(path)
            if form in TELL:
                assert found is None, f"cut at {at} of {len(data)}"
            elif found is not None:
                assert len(found) <= len(whole)
    assert capfd.readouterr() == ("", ""), "libraries say nothing of their own"


@pytest.mark.parametrize(("form", "subtype"), FORMS)
def test_any_damage(
    form: str, subtype: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    draw = seeded(2, form, subtype)
    path = tmp_path / "damaged.wav"
    for _ in range(5):
        data = example(draw, form, subtype)
        for _ in range(16):
            damaged = bytearray(data)
            for _ in range(int(draw.integers(1, 4))):
                at = int(draw.integers(min(len(damaged), int(draw.choice([64, 300, 10**6])))))
                kind = draw.integers(5)
                if kind == 0:
                    damaged[at] ^= 1 << draw.integers(8)
                elif kind == 1:
                    damaged[at : at + 4] = draw.choice([0, 2**31, 2**32 - 1, 1], 1).astype(
                        draw.choice(["<u4", ">u4"])
                    ).tobytes()  # fmt: skip
                elif kind == 2:
                    damaged[at:at] = draw.bytes(int(draw.integers(40)))
                elif kind == 3:
                    del damaged[at : at + int(draw.integers(1, 40))]
                else:
                    damaged[at : at + 20] = draw.bytes(20)
            path.write_bytes(damaged)
            heard(path)
    assert capfd.readouterr() == ("", ""), "libraries say nothing of their own"


@pytest.mark.parametrize("seed", range(3))
def test_an_mp3_that_becomes_another_midway(
    seed: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(seed)
    path = tmp_path / "two.mp3"
    for _ in range(8):
        one, other = (
            packed(noise(draw, 9_000, channels), int(draw.choice(OPUS_RATES)), "MP3", subtype)
            for channels, subtype in zip(
                draw.permutation([1, 2]), ["MPEG_LAYER_III"] * 2, strict=True
            )
        )
        path.write_bytes(one[: draw.integers(len(one))] + other[draw.integers(len(other)) :])
        heard(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("size", [0xFFFFFFF0 - 600, 0x70000000, 4_000])
def test_a_header_that_tells_more_than_there_is(size: int, tmp_path: Path) -> None:
    path = tmp_path / "lies.wav"
    path.write_bytes(wav_bytes(bytes(956), size=size))
    assert f"header tells {size:,} bytes of samples, and there are 956" in refusal(path)
    with pytest.raises(UserError, match="cut short"):
        audio.about(Recording(path))


def test_one_byte_too_few_is_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    path.write_bytes(wav_bytes(bytes(900))[:-1])
    assert "cut short: its header tells 900 bytes of samples, and there are 899" in refusal(path)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_without_its_last_page_is_cut_short(subtype: str, tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    data = packed(noise(draw, 60_000, 1), 16_000, "OGG", subtype)
    pages = [at for at in range(len(data)) if data[at : at + 5] == b"OggS\0"]
    path = tmp_path / "cut.ogg"
    for at in [*pages[2:], *draw.integers(pages[2], len(data), 20)]:
        path.write_bytes(data[:at])
        assert "cut short" in refusal(path)
    assert len(pages) > 4


def test_nothing_is_set_aside_for_what_a_header_tells(tmp_path: Path) -> None:
    draw = np.random.default_rng(9)
    flac = bytearray(packed(noise(draw, 3_000, 1), 16_000, "FLAC", "PCM_16"))
    ogg = bytearray(packed(noise(draw, 3_000, 1), 16_000, "OGG", "VORBIS"))
    for told in (2**35, 10**7):
        flac[21] = flac[21] & 0xF0 | told >> 32
        flac[22:26] = struct.pack(">I", told % 2**32)
        at = ogg.rfind(b"OggS")
        ogg[at + 6 : at + 14] = struct.pack("<q", told)
        for data in (flac, ogg):
            path = tmp_path / "lies"
            path.write_bytes(data)
            if data is flac and told == 2**35:
                with pytest.raises(UserError, match=r"more than .* bytes can hold"):
                    audio.about(Recording(path))
            tracemalloc.start()
            assert heard(path) is None or data is ogg, "the sum of its page is wrong"
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 4 << 20, "bytes, of which 2**35 frames would take 2**37"


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e300, 32_000.0, -17.0])
def test_samples_that_are_no_numbers(wrong: float, subtype: str, tmp_path: Path) -> None:
    draw = np.random.default_rng(10)
    frames = noise(draw, 100_000, 3)
    at = int(draw.integers(len(frames)))
    frames[at, 1] = wrong
    path = tmp_path / "wrong.wav"
    soundfile.write(path, frames, 16_000, subtype=subtype)
    told = refusal(path)
    assert f"the sample at {at / 16_000:.3f} s" in told
    small = np.isfinite(wrong) and abs(wrong) < 1e30
    assert (f"{wrong:,.0f}, far beyond" if small else "not a finite number") in told


@pytest.mark.parametrize(("form", "subtype"), FORMS)
def test_no_samples(form: str, subtype: str, tmp_path: Path) -> None:
    path = tmp_path / "none"
    path.write_bytes(packed(np.zeros((0, 1)), 16_000, form, subtype))
    refusal(path)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"channels": 65}, "65 channels"), ({"channels": 0}, "not readable"),
        ({"rate": 0}, "not readable"), ({"rate": 999}, "rate of 999"),
        ({"rate": 2**31 - 1}, "rate of 2,147,483,647"), ({"rate": 2**32 - 1}, "not readable"),
        ({"code": 77}, "not readable"), ({"bits": 40}, "not readable"),
    ],
)  # fmt: skip
def test_a_header_that_makes_no_sense(form: dict[str, int], told: str, tmp_path: Path) -> None:
    path = tmp_path / "strange.wav"
    path.write_bytes(wav_bytes(bytes(13_000), **form))  # type: ignore[arg-type]
    assert told in refusal(path)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "an empty file"), (b"what the cat said\n" * 90, "no sound that is known"),
        (b"<!DOCTYPE html><html>", "no sound that is known"), (b"\0" * 5000, "no sound"),
        (b"\0\0\0\x20ftypM4A \0\0", "an M4A"), (b"\x1aE\xdf\xa3\x9f", "a WebM"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\n", "git lfs pull"),
        (b"RIFF", "not readable"), (b"ID3\x04", "not readable"), (b"OggS", "cut short"),
        (b"\xff\xfb", "no sound"), (b"RIFF\x04\0\0\0AVI ", "not readable"),
    ],
)  # fmt: skip
def test_what_is_no_sound(data: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "named as if it were.wav"
    path.write_bytes(data)
    assert told in refusal(path)


def test_no_place_that_a_file_asks_for_is_an_error(tmp_path: Path) -> None:
    draw = np.random.default_rng(11)
    (tmp_path / "file").write_bytes(bytes(1_000))
    with (tmp_path / "file").open("rb") as stream:
        view = _View(stream)
        for offset in [0, 1, 999, 10**3, *(int(1.1**k) for k in range(459)), 2**63 - 1]:
            for sign, whence in ((1, 0), (-1, 0), (1, 1), (-1, 1), (1, 2), (-1, 2)):
                start = view.seek(int(draw.integers(1_000)))
                base = (0, start, 1_000)[whence]
                expected = min(max(base + sign * offset, 0), 1_000)
                assert view.seek(sign * offset, whence) == expected == view.tell()
                assert len(view.read(5)) == min(5, 1_000 - expected)


def test_what_is_no_file(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "missing.wav")
    assert "not a file" in refusal(tmp_path)
    assert "not a file" in refusal(Path("/dev/zero"))
