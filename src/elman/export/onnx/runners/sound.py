"""Sound as a network hears it: the logarithm of its energy in bands of pitch, frame by frame."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from elman.export.onnx.runners.network import Array

FLOOR = 1e-8  # least energy of a band
REACH = 2  # frames before and after that a slope looks at
LOUD, RANGE = 0.1, 7.0  # share of a clip's frames that tell how loud it is; nats down to silence
SMALLEST_SPREAD = 1e-3
LONGEST, QUIET, SPAN = 30.0, 0.2, 0.5  # seconds of a piece; of a stretch; share where it is cut


class Hearing:
    """From samples [S], float in [-1, 1], to features [T, M]."""

    def __init__(self, told: dict[str, Any]) -> None:
        how = told["hearing"]
        self.rate: int = how["rate"]
        self._window = np.hanning(round(self.rate * (how["window"] / 1000)))
        self._hop = round(self.rate * (how["hop"] / 1000))
        self._transform, self._bands = told["transform"], np.array(told["bands"])
        self._deltas, self._normalise = how["deltas"], how["normalise"]
        self._mean, self._spread = told["mean"], told["spread"]

    def features(self, samples: Array) -> Array:
        """What is shorter than a window becomes one frame, as if silence followed."""
        x = self._log_mel(samples)
        if self._deltas:
            x = np.concatenate([x, slopes(x)], 1)
        return np.asarray(self._normalised(x), np.float32)

    def _log_mel(self, samples: Array) -> Array:
        size = len(self._window)
        samples = np.pad(samples.astype(np.float64), (0, max(0, size - len(samples))))
        frames = np.lib.stride_tricks.sliding_window_view(samples, size)[:: self._hop]
        spectrum = np.fft.rfft(frames * self._window, self._transform)
        energy = (spectrum.real**2 + spectrum.imag**2) @ self._bands
        return np.asarray(np.log(np.maximum(energy, FLOOR)))

    def _normalised(self, x: Array) -> Array:
        if self._normalise == "training":
            return np.asarray((x - np.array(self._mean)) / np.array(self._spread))
        if self._normalise == "clip":
            spread = np.sqrt(np.maximum((x**2).mean(0) - x.mean(0) ** 2, SMALLEST_SPREAD**2))
            return np.asarray((x - x.mean(0)) / spread)
        loudest = np.sort(x.mean(1))[-max(1, round(LOUD * len(x))) :]
        near = np.maximum(x - loudest.mean(), -RANGE)
        return np.asarray((near + RANGE / 2) / (RANGE / 3))


def slopes(x: Array) -> Array:
    """Σ n (x[t + n] - x[t - n]) / 2 Σ n², the ends going on as they are: [T, M]."""
    at, last = np.arange(len(x)), len(x) - 1
    steps = range(1, REACH + 1)
    sums = [(x[np.minimum(at + n, last)] - x[np.maximum(at - n, 0)]) * n for n in steps]
    return np.asarray(sum(sums) / (2 * sum(n * n for n in steps)))


def pieces(samples: Array, rate: int) -> Iterator[Array]:
    """The same samples in pieces of half a minute at most, cut where it is quietest."""
    most = int(LONGEST * rate)
    while len(samples) > most:
        width, first = max(1, int(QUIET * rate)), int(most * (1 - SPAN))
        count = (most - first) // width
        stretches = samples[first : first + count * width].reshape(count, width)
        cut = first + int((stretches**2).sum(1).argmin()) * width + width // 2
        yield samples[:cut]
        samples = samples[cut:]
    yield samples


def read_wav(path: Path, rate: int) -> Array:
    """The samples of a WAV file of 16 bits, the mean of its channels. ValueError: another file."""
    try:
        with wave.open(str(path)) as sound:
            form = sound.getparams()
            data = sound.readframes(form.nframes)
    except (EOFError, wave.Error) as error:
        raise ValueError(f"{path}: no WAV file ({error})") from None
    if (form.sampwidth, form.framerate) != (2, rate):
        raise ValueError(
            f"{path}: has {8 * form.sampwidth} bits, {form.framerate} samples a second; "
            f"give 16 bits, {rate} samples a second"
        )
    samples = np.frombuffer(data, "<i2").reshape(-1, form.nchannels)
    return np.asarray(samples.mean(1) / 32768, np.float32)
