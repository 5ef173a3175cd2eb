"""Convolutions over time in front of recurrent layers: what short stretches look like.

`y, lengths = layer(x, lengths)`: padding goes along as lengths and never changes an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.errors import UserError

Norm: TypeAlias = Literal["batch", "layer"]

MOMENTUM = 0.1  # what a batch's statistics have in the running ones
EPSILON = 1e-5


@final
class Convolutions(nn.Module):
    """Layers of convolution, norm and ReLU: the fully convolutional half of LSTM-FCN (Karim et al.
    2018, arXiv:1709.05206; its filters are 128, 256, 128 of widths 8, 5, 3).

    Each layer has a number of `filters`, a `width` in steps and a `stride`: of T steps ceil(T /
    stride) are left. Beyond both ends there are zeros. A step of the output sees (width - 1) // 2
    steps ahead or, `causal`, none: then a sequence can be read as it arrives.

    `norm`: `batch` (Ioffe and Szegedy 2015, arXiv:1502.03167) over the steps of all sequences
    together, padding left out, which after training is a fixed factor and shift of each filter, so
    that it can go into the weights; `layer` (Ba et al. 2016, arXiv:1607.06450) over the filters of
    a step.

    UserError: a size below 1, lists of different lengths.
    """

    def __init__(
        self,
        input_size: int,
        filters: Sequence[int],
        widths: Sequence[int],
        strides: Sequence[int],
        *,
        norm: Norm = "batch",
        causal: bool = False,
    ) -> None:
        if not len(filters) == len(widths) == len(strides):
            raise UserError(
                "one entry a convolution is needed: "
                f"{len(filters)} filters, {len(widths)} widths, {len(strides)} strides"
            )
        if min(input_size, *filters, *widths, *strides) < 1:
            raise UserError("the sizes of convolutions must be at least 1")
        super().__init__()
        sizes = [input_size, *filters]
        self.strides, self.causal, self.output_size = tuple(strides), causal, sizes[-1]
        self.layers = nn.ModuleList(
            nn.Conv1d(i, f, width, stride, bias=False)
            for i, f, width, stride in zip(sizes, filters, widths, strides, strict=False)
        )
        self.norms = nn.ModuleList(
            MaskedNorm(f) if norm == "batch" else nn.LayerNorm(f) for f in filters
        )

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`x` float32 [B, T, I], `lengths` [B] on the CPU, each from 1 to T.

        → y [B, T', F], zero where there is padding, and its lengths [B].
        """
        y = x.transpose(1, 2)  # [B, I, T]
        alive = _alive(lengths, y)
        if alive is not None:
            y = y.masked_fill(~alive, 0)
        for convolution, norm in zip(self.layers, self.norms, strict=True):
            assert isinstance(convolution, nn.Conv1d)
            width, stride = convolution.kernel_size[0], convolution.stride[0]
            before = width - 1 if self.causal else (width - 1) // 2
            steps = -(-y.shape[2] // stride)
            after = max(0, (steps - 1) * stride + width - before - y.shape[2])
            y = convolution(F.pad(y, (before, after)))[:, :, :steps]
            lengths = -(-lengths // stride)
            alive = _alive(lengths, y)
            if isinstance(norm, MaskedNorm):
                y = norm(y, alive)
            else:
                y = norm(y.transpose(1, 2)).transpose(1, 2)
            y = F.relu(y)
            if alive is not None:  # the next layer must find there what stands beyond the end
                y = y * alive
        return y.transpose(1, 2), lengths

    def listen(
        self, x: Tensor, heard: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """The steps y [t', F] of one sequence that are complete with these steps x [t, I] of it,
        and the inputs of each layer [k, I] that are still wanted; with None none came before.

        Steps of all calls, one after the other, are those of the whole. ValueError: it looks ahead,
        it learns, or a stride is wider than its filter.
        """
        if not self.causal or self.training:
            raise ValueError("only a causal front that does not learn can be listened with")
        kept = []
        for k, (convolution, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            assert isinstance(convolution, nn.Conv1d)
            width, stride = convolution.kernel_size[0], convolution.stride[0]
            if stride > width:
                raise ValueError(f"a stride of {stride} is wider than a filter of {width}")
            before = x.new_zeros(width - 1, x.shape[1]) if heard is None else heard[k].to(x)
            x = torch.cat([before, x])
            steps = max(0, (len(x) - width) // stride + 1)
            kept.append(x[steps * stride :].clone())
            if not steps:
                x = x.new_zeros(0, convolution.out_channels)
                continue
            y = convolution(x[: (steps - 1) * stride + width].T[None])  # [1, F, steps]
            if isinstance(norm, MaskedNorm):
                y = norm(y, None)
            else:
                y = norm(y.transpose(1, 2)).transpose(1, 2)
            x = F.relu(y)[0].T
        return x, kept


@final
class MaskedNorm(nn.Module):
    """Batch norm over the steps that are no padding.

    What a batch has in the running statistics enters them when the next batch comes, or when they
    are used: a training that is cut off between the two and goes on from there ends the same.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(size)), nn.Parameter(torch.zeros(size))
        self.register_buffer("running_mean", torch.zeros(size))
        self.register_buffer("running_var", torch.ones(size))
        self._last: tuple[Tensor, Tensor] | None = None  # mean and variance of the last batch

    def forward(self, y: Tensor, alive: Tensor | None) -> Tensor:
        """`y` [B, F, T], `alive` bool [B, 1, T], None where all are → [B, F, T].

        In training the statistics are those of this batch, of one step alone the running ones.
        """
        self._take_in()
        count = y.shape[0] * y.shape[2] if alive is None else int(alive.sum())
        if not self.training or count < 2:
            return F.batch_norm(
                y, self.running_mean, self.running_var, self.weight, self.bias, eps=EPSILON
            )
        if alive is None:
            mean, variance = torch.zeros_like(self.running_mean), torch.ones_like(self.running_var)
            normed = F.batch_norm(
                y, mean, variance, self.weight, self.bias, training=True, momentum=1.0, eps=EPSILON
            )
            self._last = mean, variance
            return normed
        mean = (y * alive).sum((0, 2)) / count  # [F]
        gap = y - mean[:, None]
        variance = (gap.square() * alive).sum((0, 2)) / count
        self._last = mean.detach(), variance.detach() * count / (count - 1)
        factor = self.weight * torch.rsqrt(variance + EPSILON)
        return gap * factor[:, None] + self.bias[:, None]

    def statistics(self) -> tuple[Tensor, Tensor]:
        """The mean and variance [F] by which it norms once it no longer learns."""
        self._take_in()
        return self.running_mean, self.running_var

    def _take_in(self) -> None:
        if self._last is not None:
            mean, variance = self._last
            self.running_mean.lerp_(mean, MOMENTUM)
            self.running_var.lerp_(variance, MOMENTUM)
            self._last = None


def _alive(lengths: Tensor, y: Tensor) -> Tensor | None:
    """Which steps are no padding, bool [B, 1, T] of `y` [B, F, T]; None where all are."""
    steps = y.shape[2]
    if int(lengths.min()) == steps:
        return None
    return (torch.arange(steps) < lengths[:, None])[:, None].to(y.device)
