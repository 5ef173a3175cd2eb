"""Sounds made by code, in whole numbers alone, so that they are the same bytes on every machine.

Amplitudes are integers of 16 bits, times are samples at 8 kHz, angles are turns times 2 ** 32. Of
numpy's generators only the raw numbers of PCG64 are used, which are promised to stay.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
from collections.abc import Iterable
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]

RATE: Final = 8000  # samples a second
LOUDEST: Final = 32767
UNIT: Final = 1 << 15  # what 1 is in a tone, an envelope, a loudness over time
TURN: Final = 1 << 32
EDGE: Final = RATE * 5 // 1000  # samples in which a sound comes or goes
STEP: Final = RATE // 4  # samples between two values of what changes slowly
NOISE_POWER: Final = 8 * (256**2 - 1) / 12  # of `Draws.noise`: the variance of a sum of 8 bytes
NOISE_PEAK: Final = 1020
# Sines differ between machines in their sixteenth digit, which rounding takes away.
_SINE: Final[NDArray[np.int32]] = np.array(
    [round(UNIT * math.sin(2 * math.pi * k / (1 << 16))) for k in range(1 << 16)], dtype=np.int32
)
_RISE: Final = np.array(  # a quarter of a sine, squared
    [round(UNIT * math.sin(math.pi / 2 * (k + 0.5) / EDGE) ** 2) for k in range(EDGE)],
    dtype=np.int64,
)
_DAY: Final = (2000, 1, 1, 0, 0, 0)  # of all members of an archive


class Draws:
    """Random whole numbers, the same for the same seed everywhere and always."""

    def __init__(self, *seed: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(seed))

    def between(self, low: int, high: int) -> int:
        """From `low` to `high`, both included; their distance is below 2 ** 32."""
        return low + ((int(self._bits.random_raw()) >> 32) * (high - low + 1) >> 32)

    def one_in(self, n: int) -> bool:
        """True once in `n` times."""
        return self.between(1, n) == 1

    def noise(self, samples: int) -> Ints:
        """White and nearly normal, of power `NOISE_POWER`: sums of 8 bytes, less their mean."""
        raw = self._bits.random_raw(samples)  # uint64
        low = np.uint64(0x00FF00FF00FF00FF)
        pairs = (raw & low) + ((raw >> np.uint64(8)) & low)  # four sums of two bytes in each
        total = (pairs * np.uint64(0x0001000100010001)) >> np.uint64(48)
        return total.astype(np.int64) - 1020

    def around(self, count: int, spread: int) -> Ints:
        """[count] nearly normal around 0 with this standard deviation, never five of them away."""
        return self.noise(count) * spread // 209

    def slowly(self, samples: int, low: int, high: int, most: int) -> Ints:
        """[samples] a value that wanders between two bounds, by up to `most` every quarter of a
        second, on straight lines."""
        knots = [self.between(low, high)]
        while len(knots) < samples // STEP + 2:
            knots.append(min(high, max(low, knots[-1] + self.between(-most, most))))
        return lines(np.array(knots, dtype=np.int64), STEP)[:samples]


def lines(knots: Ints, step: int) -> Ints:
    """Straight lines from each knot to the next, `step` samples long."""
    part = np.arange(step, dtype=np.int64)
    rises = np.diff(knots)[:, None] * part // step
    return (knots[:-1, None] + rises).ravel()


def tone(millihertz: Ints, turn: int = 0) -> Ints:
    """A sine of size `UNIT` with a pitch for every sample; it begins at `turn` / 2 ** 32."""
    angles: Ints = turn + np.cumsum(millihertz * TURN // (1000 * RATE))
    sines: Ints = _SINE[(angles % TURN) >> 16].astype(np.int64)
    return sines


def envelope(samples: int, sounding: Iterable[tuple[int, int]]) -> Ints:
    """[samples] from 0 to `UNIT`: up at the first and down at the second sample of each pair.

    An edge takes `EDGE` samples with its middle at that sample. Pairs must be further apart.
    """
    loud = np.zeros(samples + 2 * EDGE, dtype=np.int64)
    half = EDGE // 2
    for start, stop in sounding:
        a, b = start + EDGE - half, stop + EDGE - half
        loud[a : a + EDGE] = _RISE
        loud[a + EDGE : b] = UNIT
        loud[b : b + EDGE] = _RISE[::-1]
    return loud[EDGE : EDGE + samples]


def mixed(signal: Ints, noise: Ints, amplitude: float, peak: int) -> NDArray[np.int16]:
    """`signal` (1 is `UNIT`) of an amplitude in units of `noise`, and the noise, as 16 bits.

    The loudest that could come of them is `peak`, so that nothing is ever cut off.
    """
    most = amplitude + NOISE_PEAK
    a, b = round(amplitude / most * peak * 2**16), round(1 / most * peak * 2**16)
    whole = signal * a // UNIT + noise * b
    return ((whole + (1 << 15)) >> 16).astype(np.int16)


def wav(samples: NDArray[np.int16]) -> bytes:
    """A WAV file, mono, 16 bits, 8 kHz."""
    data = samples.astype("<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    head = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data"
    return (
        b"RIFF" + struct.pack("<I", len(head) + 4 + len(data)) + head
        + struct.pack("<I", len(data)) + data
    )  # fmt: skip


def archive(members: Iterable[tuple[str, bytes]]) -> bytes:
    """A zip of files, in their order, stored as they are: the same bytes for the same files."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as packed:
        for name, data in members:
            info = zipfile.ZipInfo(name, _DAY)
            info.create_system = 3  # Unix, wherever it is made
            info.external_attr = 0o644 << 16
            packed.writestr(info, data)
    return held.getvalue()
