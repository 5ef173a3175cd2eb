"""Sound as a network reads it: the logarithm of its energy in bands of pitch, frame by frame.

    waves [B, S] ─ frames ─ window ─ |rfft|² ─ bands ─ log ─ (differences) ─ features [B, T, M]

Frame t begins at sample t * hop and never looks beyond its window, so that whoever listens while
somebody speaks has the same frames, to the bit: `LogMel.listen`. Matrix products and transforms may
round otherwise when they are of another size; so they are always of `BLOCK` frames of one clip, and
a frame has always the same place among these.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias, final

import numpy as np
import torch
from torch import Tensor, nn

from elman.errors import UserError

Draw: TypeAlias = np.random.Generator

BLOCK: Final = 64  # frames that are computed together
LOWEST_HZ: Final = 20.0  # where the bands begin; they end at half the rate
# The least energy of a band: below that which rounding to 16 bits has. Silence made by a machine is
# then not far below the silence of a room.
FLOOR: Final = 1e-8
REACH: Final = 2  # frames before and after that a difference looks at
LARGEST_TRANSFORM: Final = 1 << 15  # samples
LOUD: Final = 0.1  # share of a clip's frames that tell how loud it is
RANGE: Final = 7.0  # nats of energy, 30 dB
SMALLEST_SPREAD: Final = 1e-3  # of what is divided by: a band in which nothing ever changes


def mel(hz: float) -> float:
    """Pitch in mel, 2595 log10(1 + hz / 700), as HTK has it (Young et al., The HTK Book, 5.6)."""
    return 2595 * math.log10(1 + hz / 700)


def hertz(mels: float) -> float:
    """The inverse of `mel`."""
    return 700 * (10 ** (mels / 2595) - 1)


def bands(rate: int, transform: int, mels: int) -> Tensor:
    """float32 [transform // 2 + 1, mels]: what every frequency of a transform gives to every band.

    Triangles of height 1 whose corners lie equally far apart in mel, from 20 Hz to rate / 2; over
    frequency their sides are straight lines in mel, as in HTK (not Slaney's, which have equal areas
    and a scale that is linear below 1 kHz).
    """
    corners = np.linspace(mel(LOWEST_HZ), mel(rate / 2), mels + 2)
    pitch = np.array([mel(k * rate / transform) for k in range(transform // 2 + 1)])[:, None]
    step = corners[1] - corners[0]
    weights = np.clip(1 - np.abs(pitch - corners[1:-1]) / step, 0, None)
    return torch.from_numpy(weights.astype(np.float32))


@dataclass(frozen=True)
class SoundState:
    """What is kept between two chunks: no more than a second of sound, whatever came before."""

    samples: Tensor = field(default_factory=lambda: torch.zeros(0))  # float32 [S], still wanted
    first: int = 0  # the frame that the first of these samples begins
    recent: Tensor | None = None  # float32 [≤ 2 * REACH + 1, M] frames, for differences
    given: int = 0  # frames that were given away


@final
class LogMel(nn.Module):
    """The natural logarithm of the energy in `mels` bands; with `deltas` also its slope over time
    (HTK Book, 5.9, two frames to either side), and so 2 * mels features.

    `rate` in samples a second; window (of Hann) and hop in seconds, rounded to samples. It has no
    parameters, and nothing in it is saved.

    UserError: a rate, window or hop that is not above 0; a hop longer than the window; more bands
    than the ear or a transform could tell apart.
    """

    window: Tensor
    bands: Tensor

    def __init__(
        self,
        rate: int,
        mels: int = 40,
        window_seconds: float = 0.025,
        hop_seconds: float = 0.010,
        *,
        deltas: bool = False,
    ) -> None:
        window, hop = _samples(rate, window_seconds), _samples(rate, hop_seconds)
        if rate < 1 or window < 2 or hop < 1 or hop > window:
            raise UserError(
                f"no frames of {window_seconds:g} s every {hop_seconds:g} s at {rate} samples a "
                "second: the window must hold 2 samples, and the hop be no longer than it"
            )
        if mels < 1 or rate / 2 <= LOWEST_HZ:
            raise UserError(f"no {mels} bands from {LOWEST_HZ:g} Hz to {rate / 2:g} Hz; give 40")
        super().__init__()
        self.rate, self.mels, self.hop, self.deltas = rate, mels, hop, deltas
        self.transform = _transform(rate, window, mels)
        self.register_buffer("window", torch.hann_window(window, periodic=False), persistent=False)
        self.register_buffer("bands", bands(rate, self.transform, mels), persistent=False)

    @property
    def output_size(self) -> int:
        """The number of features of a frame."""
        return self.mels * (2 if self.deltas else 1)

    @property
    def delay_seconds(self) -> float:
        """From the first sample of a frame until `listen` can give it."""
        later = REACH * self.hop if self.deltas else 0
        return (len(self.window) + later) / self.rate

    def frames(self, samples: Tensor) -> Tensor:
        """How many frames clips of so many samples have, int64 like `samples`; 1 at the least."""
        return ((samples - len(self.window)) // self.hop + 1).clamp(min=1)

    def forward(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`waves` float32 [B, S] in [-1, 1], `lengths` int64 [B] on the CPU, each from 0 to S.

        → features [B, T, M], zero where there is padding, and their lengths [B]. What is shorter
        than a window becomes one frame, as if silence followed; the end of a clip that fills no
        frame is left out.
        """
        clips = [self._clip(wave[:n]) for wave, n in zip(waves, lengths.tolist(), strict=True)]
        return nn.utils.rnn.pad_sequence(clips, batch_first=True), self.frames(lengths)

    def listen(self, samples: Tensor, heard: SoundState | None = None) -> tuple[Tensor, SoundState]:
        """The frames [t, M] that are complete with these `samples` [s], of any number, also none.

        Frames of all chunks and of `end`, one after the other, are those of the whole, to the bit.
        """
        heard = heard or SoundState()
        kept = torch.cat([heard.samples.to(samples), samples])
        whole = (len(kept) - len(self.window)) // self.hop + 1
        if whole < 1:
            return self._none(kept), SoundState(kept, heard.first, heard.recent, heard.given)
        frames = self._frames(kept, heard.first, whole)
        rest = kept[whole * self.hop :].clone()
        return self._given(frames, SoundState(rest, heard.first + whole, heard.recent, heard.given))

    def end(self, heard: SoundState) -> Tensor:
        """The frames [t, M] that wait for sound which never comes; all of them if it was short."""
        if not heard.first:  # less than a window in all
            return self._clip(heard.samples)
        if not self.deltas or heard.recent is None:
            return self._none(heard.samples)
        skipped = heard.first - len(heard.recent)
        return self._with_slopes(heard.recent)[heard.given - skipped :]

    def _none(self, like: Tensor) -> Tensor:
        return like.new_zeros(0, self.output_size)

    def _given(self, frames: Tensor, heard: SoundState) -> tuple[Tensor, SoundState]:
        """Of the new `frames` and those that wait, what may be given, and what is kept on."""
        if not self.deltas:
            return frames, SoundState(heard.samples, heard.first, None, heard.first)
        known = frames if heard.recent is None else torch.cat([heard.recent, frames])
        skipped = heard.first - len(known)  # frames that are gone for good
        ready = max(heard.given, heard.first - REACH)
        out = self._with_slopes(known)[heard.given - skipped : ready - skipped]
        # The slope at the beginning looks at the first frame again and again.
        recent = known[max(0, ready - REACH - skipped) :].clone()
        return out, SoundState(heard.samples, heard.first, recent, ready)

    def _clip(self, wave: Tensor) -> Tensor:
        """All features [T, M] of one clip [S]."""
        short = len(self.window) - len(wave)
        if short > 0:
            wave = torch.cat([wave, wave.new_zeros(short)])
        frames = self._frames(wave, 0, (len(wave) - len(self.window)) // self.hop + 1)
        return self._with_slopes(frames) if self.deltas else frames

    def _frames(self, wave: Tensor, first: int, count: int) -> Tensor:
        """log-mel [count, mels] of the frames from number `first`, with which `wave` begins."""
        cut = wave.unfold(0, len(self.window), self.hop)[:count]
        blocks, at = [], 0
        while at < count:
            place = (first + at) % BLOCK
            some = cut[at : at + BLOCK - place]
            blocks.append(self._block(some, place)[place : place + len(some)])
            at += len(some)
        return torch.cat(blocks)

    def _block(self, frames: Tensor, place: int) -> Tensor:
        """log-mel [BLOCK, mels] with these `frames` [≤ BLOCK, W] from `place` on."""
        windowed = frames * self.window
        if len(frames) < BLOCK:
            whole = windowed.new_zeros(BLOCK, len(self.window))
            whole[place : place + len(frames)] = windowed
            windowed = whole
        spectrum: Tensor = torch.fft.rfft(windowed, n=self.transform)  # [BLOCK, F]
        energy: Tensor = (spectrum.real.square() + spectrum.imag.square()) @ self.bands
        return energy.clamp(min=FLOOR).log()

    @staticmethod
    def _with_slopes(frames: Tensor) -> Tensor:
        """[T, M] → [T, 2 M]: Σ n (x[t + n] - x[t - n]) / 2 Σ n², the ends going on as they are."""
        at = torch.arange(len(frames), device=frames.device)
        slopes = torch.zeros_like(frames)
        for n in range(1, REACH + 1):
            ahead, behind = (at + n).clamp(max=len(frames) - 1), (at - n).clamp(min=0)
            slopes = slopes + (frames[ahead] - frames[behind]) * n
        return torch.cat([frames, slopes / (2 * sum(n * n for n in range(1, REACH + 1)))], dim=1)


def _samples(rate: int, seconds: float) -> int:
    return round(rate * seconds) if math.isfinite(seconds) else 0


def _transform(rate: int, window: int, mels: int) -> int:
    """The samples of a transform: a power of two that holds the window, and is so long that its
    frequencies lie closer than the corners of the lowest band, which then cannot be empty."""
    step = (mel(rate / 2) - mel(LOWEST_HZ)) / (mels + 1)
    narrow = hertz(mel(LOWEST_HZ) + step) - LOWEST_HZ
    size = 1 << (max(window, math.ceil(rate / narrow)) - 1).bit_length()
    if size > max(LARGEST_TRANSFORM, 2 * window):
        raise UserError(f"{mels} bands are too many at {rate} samples a second; give 40")
    return size


@dataclass(frozen=True)
class Moments:
    """What mean and spread of features are counted from; those of two sets may be added."""

    count: int
    total: Tensor  # float64 [M]
    squares: Tensor  # float64 [M]

    @staticmethod
    def of(features: Tensor) -> Moments:
        """Of frames [T, M]."""
        exact = features.double()
        return Moments(len(features), exact.sum(0), exact.square().sum(0))

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.count + other.count, self.total + other.total, self.squares + other.squares
        )

    @property
    def mean(self) -> Tensor:
        """float64 [M]; of no frames 0."""
        return self.total / max(1, self.count)

    @property
    def spread(self) -> Tensor:
        """The standard deviation, float64 [M], at least `SMALLEST_SPREAD`."""
        variance = self.squares / max(1, self.count) - self.mean.square()
        return variance.clamp(min=SMALLEST_SPREAD**2).sqrt()


@final
class Normaliser(nn.Module):
    """Features less their mean, over their spread: those of the training data, which are saved with
    the weights; or, `by_clip`, of each clip alone, which takes away how loud and through which
    microphone it was recorded, but can only be known at its end."""

    mean: Tensor
    spread: Tensor

    def __init__(self, size: int, *, by_clip: bool = False) -> None:
        super().__init__()
        self.by_clip = by_clip
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("spread", torch.ones(size))

    def set(self, moments: Moments) -> None:
        """From now on mean and spread are these."""
        self.mean.copy_(moments.mean)
        self.spread.copy_(moments.spread)

    def forward(
        self, x: Tensor, lengths: Tensor, moments: Sequence[Moments] | None = None
    ) -> Tensor:
        """`x` [B, T, M] of `lengths` [B] on the CPU → the same, zero where there is padding.

        `moments`, one for each row, are taken instead, if given: those of its speaker, for example.
        """
        counts = lengths.tolist()
        if self.by_clip and moments is None:
            moments = [Moments.of(row[:n]) for row, n in zip(x.detach(), counts, strict=True)]
        if moments is None:
            y = (x - self.mean) / self.spread
        else:
            mean = torch.stack([one.mean for one in moments]).to(x)[:, None]  # [B, 1, M]
            y = (x - mean) / torch.stack([one.spread for one in moments]).to(x)[:, None]
        if min(counts) == x.shape[1]:
            return y
        alive = (torch.arange(x.shape[1]) < lengths[:, None])[:, :, None].to(x.device)
        return y.masked_fill(~alive, 0)


def levelled(x: Tensor, lengths: Tensor) -> Tensor:
    """log-mel `x` [B, T, M] of `lengths` [B] on the CPU, each clip by how loud it is itself: its
    loudest frames, a tenth, are at 0 on average, and what is `RANGE` below them is as good as
    silence. Then moved and divided so that numbers are about -1 to 2; zero where there is padding.

    One number moves all bands, so that a band that holds noise alone stays below one that holds a
    voice; how long a clip is silent before and after moves nothing.
    """
    levels = []
    for row, frames in zip(x, lengths.tolist(), strict=True):
        energy = row[:frames].mean(1)
        levels.append(energy.topk(max(1, round(LOUD * frames))).values.mean())
    y = ((x - torch.stack(levels)[:, None, None]).clamp(min=-RANGE) + RANGE / 2) / (RANGE / 3)
    if int(lengths.min()) == x.shape[1]:
        return y
    alive = (torch.arange(x.shape[1]) < lengths[:, None])[:, :, None].to(x.device)
    return y.masked_fill(~alive, 0)


def spec_augment(
    x: Tensor,
    lengths: Tensor,
    draw: Draw,
    *,
    time_masks: int = 2,
    longest: float = 0.1,
    band_masks: int = 2,
    widest: float = 0.2,
) -> Tensor:
    """SpecAugment (Park et al. 2019, arXiv:1904.08779) without its warp of time: `x` [B, T, M],
    normalised, of `lengths` [B], with stretches of time and of bands set to 0, which is the mean.

    Of each clip `time_masks` stretches of up to the share `longest` of its frames, and `band_masks`
    of up to the share `widest` of its bands. Together they cover at most half of the frames, and
    half of the bands. The same `draw` gives the same masks. UserError: a share outside 0 to 1.
    """
    if not (0 <= longest <= 1 and 0 <= widest <= 1):
        raise UserError(f"masks are shares from 0 to 1, got {longest:g} and {widest:g}")
    y = x.clone()
    for row, frames in zip(y, lengths.tolist(), strict=True):
        for start, stop in _masks(frames, time_masks, longest, draw):
            row[start:stop] = 0
        for start, stop in _masks(x.shape[2], band_masks, widest, draw):
            row[:frames, start:stop] = 0
    return y


def _masks(size: int, count: int, share: float, draw: Draw) -> list[tuple[int, int]]:
    """Stretches, each from 0 to share * size long, together no more than half of `size`."""
    left, masks = size // 2, []
    for _ in range(count):
        length = min(left, int(draw.integers(0, int(share * size) + 1)))
        start = int(draw.integers(0, size - length + 1))
        masks.append((start, start + length))
        left -= length
    return masks
