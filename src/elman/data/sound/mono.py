"""One channel at one rate: what every recording becomes, in a file or on a pipe."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from elman.data.forms.extras import library
from elman.errors import UserError

RATES = 1_000, 768_000  # Hz
CHANNELS = 64
LOUDEST = 16.0  # above it, samples are whole numbers that were written as fractions


def checked_form(shown: str, rate: int, channels: int) -> None:
    """UserError where a recording's rate or number of channels makes no sense."""
    least, most = RATES
    if not least <= rate <= most:
        raise UserError(
            f"{shown}: a rate of {rate:,} samples a second; {least:,} to {most:,} can be read"
        )
    if not 1 <= channels <= CHANNELS:
        raise UserError(f"{shown}: {channels:,} channels; 1 to {CHANNELS} can be read")


def mean(frames: NDArray[np.float32], shown: str, at: int, rate: int) -> NDArray[np.float32]:
    """The mean of the channels, [n, C] -> [n].

    UserError where a sample is no number, or far beyond -1 to 1; `at` is the number of frames
    before these, `rate` that of frames a second.
    """
    peak = max(frames.max(initial=0.0), -frames.min(initial=0.0))
    if not peak <= LOUDEST:  # so that what is not a number does not pass
        with np.errstate(invalid="ignore"):
            first = int((~(np.abs(frames) <= LOUDEST)).any(axis=1).argmax())
        found = frames[first][~(np.abs(frames[first]) <= LOUDEST)][0]
        what = f"{found:,.0f}, far beyond -1 to 1" if np.isfinite(found) else "not a finite number"
        raise UserError(
            f"{shown}: the sample at {(at + first) / rate:.3f} s is {what}; "
            "write it again, as whole numbers of 16 bits or as fractions of the loudest"
        )
    if frames.shape[1] == 1:
        return frames[:, 0]
    one: NDArray[np.float32] = frames.mean(axis=1, dtype=np.float64).astype(np.float32)
    return one


def of_samples(samples: object, rate: int | None, rate_out: int) -> NDArray[np.float32]:
    """One channel at `rate_out` of samples [S] or [S, C] in memory, whole numbers of 16 bits or
    fractions of the loudest, `rate` a second.

    UserError: they are none, no rate is told, or they are as a recording may not be.
    """
    shown = "the samples"
    try:
        frames = np.asarray(samples)
    except (TypeError, ValueError):
        raise UserError(f"{shown}: no array of numbers; give [S] or [S, channels]") from None
    if frames.ndim not in (1, 2) or not frames.size or frames.dtype.kind not in "fiu":
        raise UserError(
            f"{shown}: of shape {list(frames.shape)} and type {frames.dtype}; give numbers [S] or "
            "[S, channels]"
        )
    if rate is None:
        raise UserError(f"{shown}: tell how many there are a second, as rate=16000")
    if frames.dtype == np.int16:
        frames = frames.astype(np.float32) / 32768
    frames = frames.astype(np.float32).reshape(len(frames), -1)
    checked_form(shown, rate, frames.shape[1])
    resampler = Resampler(rate, rate_out, shown)
    return np.concatenate([resampler.feed(mean(frames, shown, 0, rate)), resampler.ended()])


class Resampler:
    """One channel from one rate to another, piece by piece; pieces do not change what comes out.

    What comes out has `n * rate_out / rate_in` samples, rounded, for n that went in. It comes late
    by up to about 1,500 samples of the lower rate until `ended` is asked for the rest.
    """

    def __init__(self, rate_in: int, rate_out: int, shown: str) -> None:
        self._stream = None
        if rate_in != rate_out:
            soxr = library("soxr", "soxr", shown, extra="audio")
            self._stream = soxr.ResampleStream(rate_in, rate_out, 1, dtype="float32")

    def feed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """What can be told after these, [n] -> [m]."""
        return self._heard(np.ascontiguousarray(samples), last=False)

    def ended(self) -> NDArray[np.float32]:
        """The rest, [m]; nothing may be fed afterwards."""
        return self._heard(np.zeros(0, np.float32), last=True)

    def _heard(self, samples: NDArray[np.float32], last: bool) -> NDArray[np.float32]:
        if self._stream is not None:
            samples = self._stream.resample_chunk(samples, last=last)
        return np.clip(samples, -1, 1)
