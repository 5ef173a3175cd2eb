"""Convolutions over time in front of recurrent layers: what short stretches look like.

`y, lengths = layer(x, lengths)`: padding goes along as lengths and never changes an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypeAlias, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from elman.errors import UserError
from elman.layers.precision import half_runs

Norm: TypeAlias = Literal["batch", "layer"]

MOMENTUM = 0.1  # what a batch's statistics have in the running ones
EPSILON = 1e-5


class Front(Protocol):
    """What stands before recurrent layers, such as `Layers`, whose words tell what each does; what
    is put out where there is padding may be of no meaning."""

    @property
    def causal(self) -> bool: ...

    @property
    def skips(self) -> bool: ...

    @property
    def output_size(self) -> int: ...

    def __call__(self, x: Tensor, lengths: Tensor, /) -> tuple[Tensor, Tensor]: ...

    def listen(
        self, x: Tensor, heard: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, list[Tensor]]: ...

    def kept(self, steps: int) -> tuple[list[tuple[int, int]], int]: ...


class Filters(Protocol):
    """One convolution over time, y [B, I, T] → [B, F, T']: `nn.Conv1d`; or one that shares weights,
    whose numbers of a step stand apart: [B, planes, …, T] → [B, filters, …, T'].

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
        y = self.apart(x.transpose(1, 2), 0)
        alive = _alive(lengths, y)
        if alive is not None:
            y = y.masked_fill(~alive, 0)
        for convolution, norm in self.pairs:
            width, stride = convolution.kernel_size[0], convolution.stride[0]
            before = width - 1 if self.causal else (width - 1) // 2
            steps = -(-y.shape[-1] // stride)
            after = max(0, (steps - 1) * stride + width - before - y.shape[-1])
            y = _filtered(convolution, F.pad(y, (before, after)))[..., :steps]
            lengths = -(-lengths // stride)
            y = _rectified(y, norm, lengths)
        return y.flatten(1, -2).transpose(1, 2), lengths

    def apart(self, y: Tensor, layer: int) -> Tensor:
        """Steps [B, I, T] as the `Filters` of a layer take them."""
        return y

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
            read = self.apart(x[: (steps - 1) * stride + width].T[None], k)
            x = _rectified(convolution(read), norm, None)[0].flatten(0, -2).T
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
    """Batch norm over the steps that are no padding, and ReLU, of F = `size` * `shared` numbers, of
    which `shared` neighbours have everything in common.

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

    def forward(self, y: Tensor, lengths: Tensor | None = None) -> Tensor:
        """`y` [B, size, …, T], with `shared` numbers in between, of `lengths` [B] on the CPU, None
        where none is shorter → the same, zero where it would be below zero (ReLU) and where there
        is padding.

        In training the statistics are those of this batch, of one number alone the running ones.
        """
        self._take_in()
        if lengths is not None and int(lengths.min()) == y.shape[-1]:
            lengths = None
        steps = y.shape[0] * y.shape[-1] if lengths is None else int(lengths.sum())
        if self.training and steps * self.shared > 1:
            found, mean, variance = _NormedReLU.apply(  # type: ignore[no-untyped-call]
                y, self.weight, self.bias, lengths
            )
            self._last = mean, variance
            normed: Tensor = found
            return normed
        normed = F.batch_norm(
            y, self.running_mean, self.running_var, self.weight, self.bias, eps=EPSILON
        )
        return _without_padding(F.relu(normed), lengths)

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


class _NormedReLU(torch.autograd.Function):
    """Batch norm and ReLU of y [B, F, …, T], F filters, padding left out, in few passes over its
    numbers, of which there are far more than of weights. It can be differentiated once.

    → the same, zero where there is padding, and the mean and the unbiased variance [F] over the
    steps that are none. With z = y - mean, s = (variance + ε)^-½, g the gradient where the output
    is above zero, and n numbers of each filter: dy = weight s (g - Σ g / n - z s² Σ g z / n).
    """

    @staticmethod
    def forward(
        ctx: Any, y: Tensor, weight: Tensor, bias: Tensor, lengths: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        steps = [y.shape[-1]] * len(y) if lengths is None else lengths.tolist()
        count = sum(steps) * y[0, 0, ..., 0].numel()
        if lengths is None:
            mean = _total(y) / count
        else:
            rows = [_total(row[None, ..., :n]) for row, n in zip(y, steps, strict=True)]
            mean = torch.stack(rows).sum(0) / count
        gap = _cut(y - _each(mean, y), lengths)
        variance = _total(gap.square()) / count
        scale = torch.rsqrt(variance + EPSILON)
        found = torch.addcmul(_each(bias, y), gap, _each(weight * scale, y)).relu_()
        found = _cut(found, lengths)
        ctx.save_for_backward(gap, found, weight, scale)
        ctx.lengths, ctx.count = lengths, count
        unbiased = variance * count / (count - 1)
        ctx.mark_non_differentiable(mean, unbiased)
        return found, mean, unbiased

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, gradient: Tensor, *unused: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, None]:
        gap, found, weight, scale = ctx.saved_tensors
        g = torch.ops.aten.threshold_backward(gradient, found, 0)
        total, along = _total(g), _total(g * gap)
        factor = weight * scale
        across = -factor * scale.square() * along / ctx.count
        g = g.mul_(_each(factor, g)).addcmul_(gap, _each(across, g))
        g = _cut(g.sub_(_each(factor * total / ctx.count, g)), ctx.lengths)
        return g, along * scale, total, None


def _total(y: Tensor) -> Tensor:
    """[B, F, …, T] → [F], the sum of all of each filter."""
    return y.sum((0, *range(2, y.dim())))


def _each(of_filters: Tensor, like: Tensor) -> Tensor:
    """[F] beside numbers [B, F, …, T]."""
    return of_filters.view(-1, *[1] * (like.dim() - 2))


def _cut(y: Tensor, lengths: Tensor | None) -> Tensor:
    """The same y [B, ..., T], with zeros from now on where there is padding."""
    if lengths is not None:
        for row, steps in zip(y, lengths.tolist(), strict=True):
            row[..., steps:] = 0
    return y


def _rectified(y: Tensor, norm: nn.Module, lengths: Tensor | None) -> Tensor:
    """[B, F, …, T] of `lengths` → the same, normed, with zeros below zero and where there is
    padding: the next layer must find there what stands beyond the end."""
    if isinstance(norm, MaskedNorm):
        normed: Tensor = norm(y, lengths)
        return normed
    return _without_padding(F.relu(norm(y.transpose(1, 2)).transpose(1, 2)), lengths)


def _without_padding(y: Tensor, lengths: Tensor | None) -> Tensor:
    """[B, F, …, T] with zeros where there is padding."""
    alive = None if lengths is None else _alive(lengths, y)
    return y if alive is None else y * alive


def _alive(lengths: Tensor, y: Tensor) -> Tensor | None:
    """Which steps are no padding, bool [B, 1, …, T] of `y` [B, F, …, T]; None where all are."""
    steps = y.shape[-1]
    if int(lengths.min()) == steps:
        return None
    alive = torch.arange(steps) < lengths[:, None]
    return alive.view(len(y), *[1] * (y.dim() - 2), steps).to(y.device)
