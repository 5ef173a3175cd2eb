"""Convolutions over time and bands of a spectrum: what is learnt at one pitch is known at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

import torch
from torch import Tensor, nn

from elman.errors import UserError
from elman.layers.convolution import Layers, MaskedNorm

STEPS: Final = 3  # that a filter sees, where nothing else is asked for
BANDS: Final = 5  # that a filter sees
EVERY: Final = 2  # bands from one to the next that are left
POOLS: Final = ("max", "mean")  # of what a filter found in all bands


@final
class BandConvolution(nn.Module):
    """One convolution over time and bands. As one over time it makes of I = planes * M numbers of a
    step, M bands of each plane side by side, F = filters * M', with M' = ceil(M / `EVERY`).

    Beyond the highest and the lowest band there are zeros; beyond the ends in time the caller has
    to put what he likes.
    """

    def __init__(self, planes: int, filters: int, bands: int, steps: int = STEPS) -> None:
        super().__init__()
        self.bands, self.left = bands, -(-bands // EVERY)
        self.in_channels, self.out_channels = planes * bands, filters * self.left
        self.kernel_size, self.stride = (steps,), (1,)
        self.convolution = nn.Conv2d(
            planes, filters, (BANDS, steps), (EVERY, 1), (BANDS // 2, 0), bias=False
        )

    def forward(self, y: Tensor) -> Tensor:
        """[B, planes, M, T + steps - 1] → [B, filters, M', T]."""
        # With the planes of a place side by side it takes half the time (oneDNN); so do the norm
        # and the next convolution find them.
        found: Tensor = self.convolution(y.contiguous(memory_format=torch.channels_last))
        return found

    @property
    def weight(self) -> Tensor:
        """[F, I, steps] of the same convolution over time alone."""
        shared = self.convolution.weight  # [filters, planes, BANDS, steps]
        filters, planes, _, steps = shared.shape
        whole = shared.new_zeros(filters, self.left, planes, self.bands, steps)
        for to in range(self.left):
            for k in range(BANDS):
                band = to * EVERY + k - BANDS // 2
                if 0 <= band < self.bands:
                    whole[:, to, :, band] = shared[:, :, k]
        return whole.reshape(self.out_channels, self.in_channels, steps)


@final
class BandConvolutions(Layers):
    """Convolutions of `steps` steps by `BANDS` bands, each followed by batch norm and ReLU; and at
    the end, `pooled`, what each filter found at most and on average, wherever that was.

    Filters that move over pitch as over time are those of Abdel-Hamid et al. 2014
    (doi:10.1109/TASLP.2014.2339736) and of Deep Speech 2 (Amodei et al. 2015, arXiv:1512.02595).
    A spectrum x [B, T, planes * M] becomes [B, T, F * M'], or [B, T, F * M' + 2 * F] `pooled`; see
    `Layers`.

    UserError: a size below 1, no filter.
    """

    def __init__(
        self, bands: int, filters: Sequence[int], *, steps: int = STEPS, planes: int = 1,
        pooled: bool = False, causal: bool = False,
    ) -> None:  # fmt: skip
        if not filters or min(bands, steps, planes, *filters) < 1:
            raise UserError("the sizes of convolutions must be at least 1")
        layers, norms = [], []
        for each in filters:
            layers.append(BandConvolution(planes, each, bands, steps))
            planes, bands = each, layers[-1].left
            norms.append(MaskedNorm(each, shared=bands))
        super().__init__(layers, norms, causal=causal)
        self.bands, self.pooled = bands, pooled
        self.output_size = planes * (bands + (len(POOLS) if pooled else 0))

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        y, lengths = super().forward(x, lengths)
        return self._pooled(y), lengths

    def listen(
        self, x: Tensor, heard: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        y, kept = super().listen(x, heard)
        return self._pooled(y), kept

    def apart(self, y: Tensor, layer: int) -> Tensor:
        """[B, planes * M, T] → [B, planes, M, T]."""
        read = self.layers[layer]
        assert isinstance(read, BandConvolution)
        return torch.unflatten(y, 1, (-1, read.bands))

    def _pooled(self, y: Tensor) -> Tensor:
        """[..., F * M'] → the same, with the most and the mean of each filter where asked for."""
        if not self.pooled:
            return y
        by_filter = torch.unflatten(y, -1, (-1, self.bands))
        return torch.cat([y, by_filter.amax(-1), by_filter.mean(-1)], -1)
