"""Sound on a pipe: what a file of the same bytes holds, as soon as it is there."""

from __future__ import annotations

import io
import os
import threading
import tracemalloc
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pytest
from written import RATES, noise, packed, wav_bytes

from elman.data.sound import audio
from elman.data.sound.clips import Recording
from elman.data.sound.stream import BLOCK, incoming
from elman.errors import UserError

SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW")
LATE_S = 0.2  # what a resampler may hold back


class Pipe:
    """Bytes that come in pieces of random length, now and then one by one."""

    def __init__(self, data: bytes, draw: np.random.Generator, most: int = 3_000) -> None:
        self._data, self._draw, self._most, self.given = data, draw, most, 0

    def read1(self, size: int) -> bytes:
        most = (1, 2, int(self._draw.integers(1, self._most)))[self._draw.integers(3)]
        size = min(size, most)
        piece = self._data[self.given : self.given + size]
        self.given += len(piece)
        return piece


def heard(data: bytes, rate: int | None, rate_out: int, seed: int = 0) -> np.ndarray:
    pipe = cast(BinaryIO, Pipe(data, np.random.default_rng(seed)))
    pieces = list(incoming(pipe, rate, rate_out))
    assert all(len(piece) and piece.dtype == np.float32 for piece in pieces)
    return np.concatenate(pieces)


def refusal(data: bytes, rate: int | None = None, rate_out: int = 16_000) -> str:
    with pytest.raises(UserError) as caught:
        heard(data, rate, rate_out)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("form", ["WAV", "WAVEX", "RF64"])
@pytest.mark.parametrize("subtype", SUBTYPES)
def test_a_pipe_gives_what_a_file_gives(form: str, subtype: str, tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    for _ in range(4):
        rate, rate_out = (int(r) for r in draw.choice(RATES, 2))
        frames = noise(draw, int(draw.integers(1, 5_000)), int(draw.integers(1, 5)))
        path = tmp_path / "a.wav"
        path.write_bytes(packed(frames, rate, form, subtype))
        for out in (rate, rate_out):
            expected = audio.read(Recording(path), rate=out).samples
            assert np.array_equal(heard(path.read_bytes(), None, out), expected)
            assert np.array_equal(heard(path.read_bytes(), rate, out), expected)


def test_every_byte_of_a_law_is_what_libsndfile_says(tmp_path: Path) -> None:
    path = tmp_path / "law.wav"
    for code in (6, 7):
        path.write_bytes(wav_bytes(bytes(range(256)), code=code, bits=8))
        expected = audio.read(Recording(path)).samples
        assert np.array_equal(heard(path.read_bytes(), None, 16_000), expected)
        assert len(set(expected.tolist())) >= 255


@pytest.mark.parametrize("rate_out", [8_000, 16_000])
def test_samples_alone_are_those_of_a_wav(rate_out: int, tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    for _ in range(5):
        data = draw.bytes(2 * int(draw.integers(1, 20_000)))
        (tmp_path / "a.wav").write_bytes(wav_bytes(data, rate=8_000))
        expected = audio.read(Recording(tmp_path / "a.wav"), rate=rate_out).samples
        assert np.array_equal(heard(data, 8_000, rate_out), expected)
        cut = heard(data + b"\1", 8_000, rate_out)
        assert np.array_equal(cut, expected), "half a sample: what sends it was stopped"


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFF00, 0x7FFFF000 - 2, 0x80000000])
def test_a_wav_that_does_not_know_its_length_goes_on_to_the_end(size: int) -> None:
    draw = np.random.default_rng(3)
    data = draw.bytes(2 * 40_000)
    junk = bytes(70_000)
    before = b"LIST\3\0\0\0abc\0JUNK" + len(junk).to_bytes(4, "little") + junk
    for outer in (size, 36 + len(before)):
        sent = wav_bytes(data, size=size, outer=outer, before=before)
        assert np.array_equal(heard(sent, None, 16_000), heard(data, 16_000, 16_000))


def test_what_follows_the_samples_is_not_sound() -> None:
    data = np.random.default_rng(4).bytes(5_000)
    sent = wav_bytes(data) + b"LIST\4\0\0\0abcd"
    assert np.array_equal(heard(sent, None, 16_000), heard(data, 16_000, 16_000))


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("rate_out", [8_000, 16_000, 22_050])
def test_what_is_there_is_heard_without_waiting(header: bool, rate_out: int) -> None:
    draw = np.random.default_rng(5)
    rate = 16_000
    data = draw.bytes(2 * 8 * rate)
    begun = wav_bytes(b"", size=0xFFFFFFFF) if header else b""
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as stream, os.fdopen(write_end, "wb", buffering=0) as sender:
        pieces = incoming(stream, None if header else rate, rate_out)
        sender.write(begun)
        sent = heard_s = 0.0
        at, last = 0, []
        while at < len(data):
            size = 2 * int(draw.integers(rate // 2, rate))
            sender.write(data[at : at + size])
            at += size
            sent = min(at, len(data)) / 2 / rate
            while heard_s < sent - LATE_S:  # would wait for ever if it waited for more
                last.append(next(pieces))
                heard_s += len(last[-1]) / rate_out
        sender.close()
        last += list(pieces)
    assert np.array_equal(np.concatenate(last), heard(data, rate, rate_out))


def test_an_hour_takes_no_more_memory_than_a_second() -> None:
    block = bytes(BLOCK)

    class Endless:
        left = 2 * 16_000 * 3_600

        def read1(self, size: int) -> bytes:
            piece = block[: min(size, self.left)]
            self.left -= len(piece)
            return piece

    tracemalloc.start()
    count = sum(map(len, incoming(cast(BinaryIO, Endless()), 16_000, 8_000)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 8_000 * 3_600 and peak < 2 << 20, "bytes"


def test_a_pipe_that_ends_early_is_told_after_what_was_heard() -> None:
    data = np.random.default_rng(6).bytes(2 * 8_000)
    pieces = incoming(io.BytesIO(wav_bytes(data, size=2 * 16_000)), None, 16_000)
    came = 0
    with pytest.raises(UserError, match=r"cut short: .* 1\.000 s, and it ended after 0\.500 s"):
        for piece in pieces:
            came += len(piece)
    assert came == 8_000


@pytest.mark.parametrize(
    ("data", "rate", "told"),
    [
        (b"", None, "no sound came"), (b"", 16_000, "no sound came"),
        (b"\1", 16_000, "no sound came"), (wav_bytes(b""), None, "no sound came"),
        (bytes(900), None, "their rate is not told"), (bytes(900), 12, "a rate of 12"),
        (wav_bytes(bytes(900)), 8_000, "16,000 samples a second, not 8,000"),
        (wav_bytes(bytes(900), channels=65), None, "65 channels"),
        (wav_bytes(bytes(900), channels=0), None, "0 channels"),
        (wav_bytes(bytes(900), rate=0), None, "rate of 0"),
        (wav_bytes(bytes(900), code=17, bits=4), None, "a WAV of encoding 17 in 4 bits"),
        (wav_bytes(bytes(900), bits=40), None, "a WAV of encoding 1 in 40 bits"),
        (wav_bytes(bytes(900))[:30], None, "ends before its samples"),
        (b"RIFF\0\0\0\0AVI " + bytes(99), None, "not that of a WAV"),
        (b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd", None, "does not tell the rate"),
        (b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\xff" + bytes(99), None, "is longer than"),
        (b"RIFF\0\0\0\0WAVEjunk\xff\xff\xff\xff" + bytes(99), None, "ends before its samples"),
        (b"fLaC" + bytes(99), 16_000, "neither a WAV nor samples alone"),
        (b"OggS" + bytes(99), None, "neither a WAV nor samples alone"),
        (np.array([0.1, np.nan], "<f4").tobytes(), None, "0.000 s is not a finite number"),
    ],
)  # fmt: skip
def test_what_cannot_be_heard_is_refused(data: bytes, rate: int | None, told: str) -> None:
    if "finite" in told:
        data = wav_bytes(data, code=3, bits=32)
    assert told in refusal(data, rate)
    assert refusal(data, rate).startswith("standard input: ")


def test_any_damage_ends_in_one_line() -> None:
    draw = np.random.default_rng(7)
    data = packed(noise(draw, 400, 2), 16_000, "WAVEX", "FLOAT")
    for _ in range(300):
        damaged = bytearray(data)
        damaged[int(draw.integers(80))] ^= 1 << draw.integers(8)
        del damaged[int(draw.integers(len(damaged))) :]
        try:
            assert np.abs(heard(bytes(damaged), None, 8_000)).max() <= 1
        except UserError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("name", [b"junk", b"fmt "])
@pytest.mark.parametrize("size", [40_000, 63 << 20, 0xFFFFFFF0])
def test_a_header_that_never_ends_is_refused(name: bytes, size: int) -> None:
    chunk = name + size.to_bytes(4, "little")

    class Endless:
        given, left = 0, 0

        def read1(self, most: int) -> bytes:
            if not self.given:
                block = b"RIFF\0\0\0\0WAVE"
            elif not self.left:
                block, self.left = chunk, size
            else:
                block = bytes(min(most, self.left))
                self.left -= len(block)
            self.given += len(block)
            return block

    stream = Endless()
    tracemalloc.start()
    with pytest.raises(UserError, match="its header"):
        next(incoming(cast(BinaryIO, stream), None, 16_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20 and stream.given < 130 << 20, "bytes"


def test_several_pipes_at_once_do_not_disturb_one_another() -> None:
    draw = np.random.default_rng(8)
    data = [draw.bytes(2 * 30_000) for _ in range(4)]
    found: dict[int, np.ndarray] = {}

    def listen(k: int) -> None:
        found[k] = heard(data[k], 16_000, 8_000, seed=k)

    threads = [threading.Thread(target=listen, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(4):
        assert np.array_equal(found[k], heard(data[k], 16_000, 8_000))
