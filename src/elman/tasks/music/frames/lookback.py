"""Frames that stood some bars before each step: what a piece repeats, or one voice takes over."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from elman.tasks.music.frames.data import FrameReading


class LookBack(nn.Module):
    """Of each step the frames that stood `bars` before it, L of them.

    How many steps that is depends on the bar in which the step stands. A recurrent layer alone
    hardly learns to say again what it read 64 steps ago. After the look-back network of Waite 2016,
    magenta.tensorflow.org/2016/07/15/lookback-rnn-attention-rnn.
    """

    lags: Tensor  # [2 K, L] steps, by the kind of place

    def __init__(self, reading: FrameReading, bars: Sequence[float]) -> None:
        super().__init__()
        lags = reading.lags(bars)
        self.register_buffer("lags", torch.from_numpy(lags), persistent=False)
        self.bars, self.reach = tuple(bars), int(lags.max()) - 1

    def forward(
        self, before: Tensor, places: Tensor, past: Tensor, sizes: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """`before` [T, B, …], the frame before each step, `places` [T, B] as `FrameModel` has them,
        and `past` [R, B, …], the R = `reach` frames before the first of `before`. → [T, B, L, …],
        and the past of the step after the last. With `sizes` [T] packed rows [N, …] of both, and
        the first result packed as well."""
        if sizes is not None:
            before, lengths = pad_packed_sequence(PackedSequence(before, sizes))
            places, _ = pad_packed_sequence(PackedSequence(places, sizes))
        line, (T, B) = torch.cat([past, before]), places.shape
        step = torch.arange(T, device=line.device)[:, None, None]
        at = self.reach + 1 + step - self.lags[places]  # of a frame in `line`, [T, B, L]
        found = line[at, torch.arange(B, device=line.device)[:, None]]
        if sizes is not None:
            found = pack_padded_sequence(found, lengths).data
        return found, line[T:]
