"""Convolutions over time in front of recurrent layers: what short stretches look like.

`y, lengths = layer(x, lengths)`: padding goes along as lengths and never changes an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.errors import UserError
from elman.layers.precision import half_runs

Norm: TypeAlias = Literal["batch", "layer"]

MOMENTUM = 0.1  # what a batch's statistics have in the running ones
EPSILON = 1e-5


class Filters(Protocol):
    """One convolution over time, y [B, I, T] → [B, F, T']: `nn.Conv1d`, or one that shares weights.

    `weight` [F, I, width] is the same as `nn.Conv1d` would have it.
    """

    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]  # in steps
    stride: tuple[int, ...]

    @property
    def weight(self) -> Tensor: ...

    def __call__(self, y: Tensor, /) -> Tensor: ...


class Layers(nn.Module):
    """Layers of convolution, norm and ReLU, one after the other; `layers` are `Filters`.

    Of T steps ceil(T / stride) are left. Beyond both ends there are zeros. A step of the output
    sees (width - 1) // 2 steps ahead or, `causal`, none: then a sequence can be read as it arrives.
    """

    output_size: int  # F

    def __init__(
        self, layers: Sequence[nn.Module], norms: Sequence[nn.Module], *, causal: bool
    ) -> None:
        super().__init__()
        self.layers, self.norms, self.causal = nn.ModuleList(layers), nn.ModuleList(norms), causal

    @property
    def pairs(self) -> list[tuple[Filters, nn.Module]]:
        """Each convolution with its norm."""
        return list(zip(self.layers, self.norms, strict=True))  # type: ignore[arg-type]

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`x` float32 [B, T, I], `lengths` [B] on the CPU, each from 1 to T.

        → y [B, T', F], zero where there is padding, and its lengths [B].
        """
        y = x.transpose(1, 2)  # [B, I, T]
        alive = _alive(lengths, y)
        if alive is not None:
            y = y.masked_fill(~alive, 0)
        for convolution, norm in self.pairs:
            width, stride = convolution.kernel_size[0], convolution.stride[0]
            before = width - 1 if self.causal else (width - 1) // 2
            steps = -(-y.shape[2] // stride)
            after = max(0, (steps - 1) * stride + width - before - y.shape[2])
            y = _filtered(convolution, F.pad(y, (before, after)))[:, :, :steps]
            lengths = -(-lengths // stride)
            alive = _alive(lengths, y)
            y = F.relu(_normed(y, norm, alive))
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
        if self.skips:
            raise ValueError("a stride is wider than its filter")
        kept = []
        for k, (convolution, norm) in enumerate(self.pairs):
            width, stride = convolution.kernel_size[0], convolution.stride[0]
            before = x.new_zeros(width - 1, x.shape[1]) if heard is None else heard[k].to(x)
            x = torch.cat([before, x])
            steps = max(0, (len(x) - width) // stride + 1)
            kept.append(x[steps * stride :].clone())
            if not steps:
                x = x.new_zeros(0, convolution.out_channels)
                continue
            y = convolution(x[: (steps - 1) * stride + width].T[None])  # [1, F, steps]
            x = F.relu(_normed(y, norm, None))[0].T
        return x, kept

    @property
    def skips(self) -> bool:
        """Whether a stride is wider than its filter, so that there are steps that nothing sees."""
        return any(layer.stride[0] > layer.kernel_size[0] for layer, _ in self.pairs)

    def kept(self, steps: int) -> tuple[list[tuple[int, int]], int]:
        """After `steps` steps: the shapes that `listen` has kept, and how many steps it gave."""
        shapes = []
        for convolution, _ in self.pairs:
            width, stride = convolution.kernel_size[0], convolution.stride[0]
            before, steps = steps, -(-steps // stride)
            shapes.append((width - 1 + before - steps * stride, convolution.in_channels))
        return shapes, steps


@final
class Convolutions(Layers):
    """The fully convolutional half of LSTM-FCN (Karim et al. 2018, arXiv:1709.05206; its filters
    are 128, 256, 128 of widths 8, 5, 3), as `Layers`.

    Each layer has a number of `filters`, a `width` in steps and a `stride`.

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
        sizes = [input_size, *filters]
        layers = [
            nn.Conv1d(i, f, width, stride, bias=False)
            for i, f, width, stride in zip(sizes, filters, widths, strides, strict=False)
        ]
        norms = [MaskedNorm(f) if norm == "batch" else nn.LayerNorm(f) for f in filters]
        super().__init__(layers, norms, causal=causal)
        self.strides, self.output_size = tuple(strides), sizes[-1]


@final
class MaskedNorm(nn.Module):
    """Batch norm over the steps that are no padding, of F = `size` * `shared` numbers, of which
    `shared` neighbours have everything in common.

    What a batch has in the running statistics enters them when the next batch comes, or when they
    are used: a training that is cut off between the two and goes on from there ends the same.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, size: int, shared: int = 1) -> None:
        super().__init__()
        self.shared = shared
        self.weight, self.bias = nn.Parameter(torch.ones(size)), nn.Parameter(torch.zeros(size))
        self.register_buffer("running_mean", torch.zeros(size))
        self.register_buffer("running_var", torch.ones(size))
        self._last: tuple[Tensor, Tensor] | None = None  # mean and variance of the last batch

    def forward(self, y: Tensor, alive: Tensor | None) -> Tensor:
        """`y` [B, F, T], `alive` bool [B, 1, T], None where all are → [B, F, T].

        In training the statistics are those of this batch, of one step alone the running ones.
        """
        if self.shared > 1:
            alike = torch.unflatten(y, 1, (-1, self.shared)).flatten(2)  # [B, size, shared * T]
            repeated = None if alive is None else alive.repeat(1, 1, self.shared)
            return self._alike(alike, repeated).view_as(y)
        return self._alike(y, alive)

    def _alike(self, y: Tensor, alive: Tensor | None) -> Tensor:
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

    def affine(self) -> tuple[Tensor, Tensor]:
        """The factor and the shift [F] of each number once it no longer learns."""
        self._take_in()
        factor = self.weight * torch.rsqrt(self.running_var + EPSILON)
        shift = self.bias - self.running_mean * factor
        return factor.repeat_interleave(self.shared), shift.repeat_interleave(self.shared)

    def _take_in(self) -> None:
        if self._last is not None:
            mean, variance = self._last
            self.running_mean.lerp_(mean, MOMENTUM)
            self.running_var.lerp_(variance, MOMENTUM)
            self._last = None


def _filtered(convolution: Filters, y: Tensor) -> Tensor:
    """What a convolution makes of y; its products in bf16 within `half`."""
    if not half_runs(y):
        return convolution(y)
    with torch.autocast("cpu", torch.bfloat16):
        return convolution(y).float()


def _normed(y: Tensor, norm: nn.Module, alive: Tensor | None) -> Tensor:
    """[B, F, T] → the same."""
    if isinstance(norm, MaskedNorm):
        normed: Tensor = norm(y, alive)
        return normed
    return norm(y.transpose(1, 2)).transpose(1, 2)  # type: ignore[no-any-return]


def _alive(lengths: Tensor, y: Tensor) -> Tensor | None:
    """Which steps are no padding, bool [B, 1, T] of `y` [B, F, T]; None where all are."""
    steps = y.shape[2]
    if int(lengths.min()) == steps:
        return None
    return (torch.arange(steps) < lengths[:, None])[:, None].to(y.device)
