"""Clips decoded once: what was left out is told as often as it is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from elman.data.sound.clips import Clip, Recording
from elman.data.sound.waves import decoded
from elman.data.tables.content import BadRows
from elman.errors import UserError

RATE = 8000


def clips(folder: Path, seconds: list[float]) -> list[Clip]:
    """A clip of noise of each length; one of no length is no sound."""
    found = []
    for k, length in enumerate(seconds):
        path = folder / f"{k}.wav"
        if length:
            wave = np.random.default_rng(k).normal(0, 0.1, int(length * RATE))
            soundfile.write(path, wave, RATE)
        else:
            path.write_bytes(b"no sound")
        found.append(Clip(str(path), Recording(path)))
    return found


def test_what_was_left_out_is_counted_again_whatever_was_left_out_before(tmp_path: Path) -> None:
    some = clips(tmp_path, [0.2, 0, 0.3, 0])
    for _ in range(2):  # decoded, then read from what was kept
        bad = BadRows(skip=True)
        bad.add("a row", "is wrong")
        kept, waves = decoded(some, RATE, bad)
        assert kept == [0, 2] and len(waves) == 2
        assert bad.count == 3 and "1.wav" in bad.first[1] and "3.wav" in bad.first[2]
    with pytest.raises(UserError, match=r"1\.wav"):
        decoded(some, RATE, BadRows(skip=False))


def test_digests_are_equal_where_samples_are(tmp_path: Path) -> None:
    some = clips(tmp_path, [0.2, 0.3])
    twin = tmp_path / "twin.wav"
    twin.write_bytes(some[0].recording.path.read_bytes())
    _, waves = decoded([*some, Clip("twin", Recording(twin))], RATE, BadRows(skip=False))
    first, second, third = (one.digest for one in waves.heard)
    assert first == third != second
