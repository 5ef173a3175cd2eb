"""A layer's sweeps as PyTorch sees them: one differentiable function for each direction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd import Function

from elman.kernels import sweeps
from elman.kernels.sweeps import SINGLE, Input, Inside, Met, Numbers, Swept
from elman.layers.watchers import watcher

# The same sweep in PyTorch's operators: x, W, R, bias_ih, bias_hh, norm, *state → y, *last state.
Replay: TypeAlias = Callable[..., tuple[Tensor, ...]]


def sweep(
    cell: str,
    input: Input,
    sizes: Tensor,
    state: tuple[Tensor, ...],
    R: Tensor,
    bias_ih: Tensor | None,
    bias_hh: Tensor | None,
    inside: Inside,
    replay: Replay,
    *,
    reverse: bool,
    numbers: Numbers = SINGLE,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The input's rows, states [B, H], `R` [G*H, H] → y [N, H] and the last states [B, H].

    The biases are [G*H]. y has the type of the operands, all other results are float32. There is no
    gradient of `inside.mask` and `inside.keep`. `replay` gives the gradient of the gradient. The
    reference is the loop of `layers/scan.py`.
    """
    x, W, ids = input
    input = Input(_as(torch.float32 if W is None else numbers.operand, x), _single(W), ids)
    mask, norm, keep = inside
    inside = Inside(
        _single(mask), _single(norm), None if keep is None else tuple(map(_float, keep))
    )
    R, bias_ih, bias_hh = _float(R), _single(bias_ih), _single(bias_hh)
    state = tuple(map(_float, state))
    inputs = (input.x, input.W, R, bias_ih, bias_hh, inside.norm, *state)
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in inputs):
        fixed = (cell, sizes, inside.mask, inside.keep, reverse, numbers, replay)
        y, *final = _Sweep.apply(fixed, ids, *inputs)  # type: ignore[no-untyped-call]
        return y, tuple(final)
    biases = _together(cell, bias_ih, bias_hh)
    swept = sweeps.forward(
        cell, input, sizes, state, R, *biases, inside, reverse=reverse, numbers=numbers
    )
    return swept.y, swept.state


def _as(dtype: torch.dtype, t: Tensor) -> Tensor:
    return t.to(dtype).contiguous()


def _float(t: Tensor) -> Tensor:
    return t.float().contiguous()


def _single(t: Tensor | None) -> Tensor | None:
    return None if t is None else _float(t)


def _together(
    cell: str, bias_ih: Tensor | None, bias_hh: Tensor | None
) -> tuple[Tensor | None, Tensor | None]:
    """Both biases in one [G*H], but for what must stay with R: that of n [H] where r acts after."""
    if bias_ih is None or bias_hh is None:
        return None, None
    bias, H = bias_ih + bias_hh, bias_hh.shape[0] // 3
    if cell != "gru":
        return bias, None
    bias[2 * H :] = bias_ih[2 * H :]
    return bias, bias_hh[2 * H :]


class _Sweep(Function):
    # Without setup_context, for which PyTorch inspects the signature anew at each call: that would
    # cost a tenth of a small layer.
    @staticmethod
    def forward(
        ctx: Any,
        fixed: tuple[Any, ...],
        ids: Tensor | None,
        x: Tensor,
        W: Tensor | None,
        R: Tensor,
        bias_ih: Tensor | None,
        bias_hh: Tensor | None,
        norm: Tensor | None,
        *state: Tensor,
    ) -> tuple[Tensor, ...]:
        cell, sizes, mask, keep, reverse, numbers, _ = fixed
        biases = _together(cell, bias_ih, bias_hh)
        swept = sweeps.forward(
            cell, Input(x, W, ids), sizes, state, R, *biases, Inside(mask, norm, keep),
            reverse=reverse, store=True, numbers=numbers,
        )  # fmt: skip
        ctx.fixed = fixed
        kept = swept.y, swept.gates, swept.kept, swept.met, swept.c, swept.normed, swept.scale
        ctx.save_for_backward(*kept, ids, x, W, R, bias_ih, bias_hh, norm, *state)
        ctx.set_materialize_grads(False)
        return swept.y, *swept.state

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None, *dfinal: Tensor | None) -> Any:
        y, gates, kept, met, c, normed, scale, ids, *inputs = ctx.saved_tensors
        needs = ctx.needs_input_grad[2:]
        if torch.is_grad_enabled() or seen((dy, *dfinal)):
            return None, None, *replayed(ctx.fixed[-1], inputs, (dy, *dfinal), needs)
        cell, sizes, mask, keep, reverse, numbers, _ = ctx.fixed
        x, W, R, _, _, norm, *state = inputs
        needs_x, needs_W, needs_R, needs_bias_ih, needs_bias_hh, needs_norm, *_ = needs
        swept = Swept(y, (), gates, kept, met, c, normed, scale)
        d = sweeps.backward(
            cell,
            swept,
            sizes,
            tuple(state),
            R,
            None if dy is None else dy.contiguous(),
            tuple(None if s is None else s.contiguous() for s in dfinal),
            W if needs_x else None,
            Inside(mask, norm, keep),
            reverse=reverse,
            numbers=numbers,
        )
        dx = d.x if W is not None else d.Wx
        if needs_x and ids is not None:
            dx = sweeps.table_gradient(d.Wx, ids, len(x), numbers)
        elif needs_x and W is None:
            dx = d.Wx.float()
        matrices = _Matrices(cell, d, swept, sizes, reverse, numbers)
        matrices.find(x if needs_W else None, state[0] if needs_R else None, mask)
        return (
            None,
            None,
            dx if needs_x else None,
            matrices.W,
            matrices.R,
            matrices.bias() if needs_bias_ih else None,
            matrices.bias_hh() if needs_bias_hh else None,
            _dnorm(d, swept) if needs_norm else None,
            *d.state,
        )


def seen(gradients: Sequence[Tensor | None]) -> bool:
    """Whether a transform follows these gradients, so that only PyTorch's operators will do."""
    batched = torch._C._functorch.is_legacy_batchedtensor
    return watcher() is not None or any(d is not None and batched(d) for d in gradients)


def replayed(
    replay: Replay,
    inputs: list[Tensor | None],
    gradients: tuple[Tensor | None, ...],
    needed: tuple[bool, ...],
) -> list[Tensor | None]:
    """The gradients of the inputs, by operators that have gradients themselves."""
    # Views: an input that is also another, or comes from another, has a gradient of its own here.
    graph = torch.is_grad_enabled()
    with torch.enable_grad():
        inputs = [None if t is None else t.view_as(t) for t in inputs]
        outputs = replay(*inputs)
    asked = [t for t, need in zip(inputs, needed, strict=True) if need and t is not None]
    came = [(y, dy) for y, dy in zip(outputs, gradients, strict=True) if dy is not None]
    if not came:
        return [None] * len(inputs)
    ys, dys = zip(*came, strict=True)
    found = iter(torch.autograd.grad(ys, asked, dys, create_graph=graph, allow_unused=True))
    return [
        next(found) if need and t is not None else None
        for t, need in zip(inputs, needed, strict=True)
    ]


@dataclass
class _Matrices:
    """The gradients of both matrices and of their biases, from those of their products."""

    cell: str
    d: sweeps.Gradients
    swept: Swept
    sizes: Tensor
    reverse: bool
    numbers: Numbers
    W: Tensor | None = None  # [G*H, I]
    R: Tensor | None = None  # [G*H, H]
    total: Tensor | None = None  # [G*H], the sum of that of W x
    total_n: Tensor | None = None  # [H], of R_n h where it has one of its own

    def find(self, x: Tensor | None, h0: Tensor | None, mask: Tensor | None) -> None:
        """Of W, where its input x [N, I] is given, and of R, where h0 [B, H] is."""
        if x is None and h0 is None:
            return
        (_, rows), H = self.d.Wx.shape, self.swept.y.shape[1]
        self.total = self._empty(rows)
        self.W = None if x is None else self._empty(rows, x.shape[1])
        self.R = None if h0 is None else self._empty(rows, H)
        h0 = None if h0 is None else h0.to(self.numbers.operand)
        # Where r comes before, R_n meets r * h; where it comes after, R_n h has another gradient.
        before, after = self.cell == "gru-reset-before", self.d.Rn is not None and self.d.Rh is None
        alike = 2 * H if before or after else rows
        for part in (slice(0, alike), slice(alike, rows)):
            if part.start == part.stop:
                continue
            into_W = None if x is None or self.W is None else Met(x, self.W[part])
            into_R = None
            if self.R is not None:
                into_R = Met(self.swept.y, self.R[part], h0, mask)
                if part.start and before:
                    assert self.swept.met is not None
                    into_R = Met(self.swept.met, self.R[part])
            if self.d.Rh is not None:  # the norm stands between
                self._sum(self.d.Rh[:, part], None, into_R)
                into_R = None
            elif part.start and after and into_R is not None:
                assert self.d.Rn is not None
                self.total_n = self._empty(H)
                self._sum(self.d.Rn, None, into_R, self.total_n)
                into_R = None
            self._sum(self.d.Wx[:, part], into_W, into_R, self.total[part])

    def bias(self) -> Tensor:
        """Of b in W x + b [G*H]."""
        return self.d.Wx.sum(0, dtype=torch.float32) if self.total is None else self.total

    def bias_hh(self) -> Tensor:
        """Of b in R h + b [G*H]."""
        if self.d.Rn is None:
            return self.bias()
        n = self.d.Rn.sum(0, dtype=torch.float32) if self.total_n is None else self.total_n
        return torch.cat([self.bias()[: -len(n)], n])

    def _sum(
        self, d: Tensor, input: Met | None, state: Met | None, total: Tensor | None = None
    ) -> None:
        if input is None and state is None and total is None:
            return
        sweeps.matrix_gradients(
            d, self.sizes, input=input, state=state, total=total,
            reverse=self.reverse, numbers=self.numbers,
        )  # fmt: skip

    def _empty(self, *shape: int) -> Tensor:
        return self.d.Wx.new_empty(shape, dtype=torch.float32)


def _dnorm(d: sweeps.Gradients, swept: Swept) -> Tensor:
    """The gradient of the gains [G*H]."""
    assert swept.normed is not None
    if d.Rn is None:
        return (d.Wx * swept.normed).sum(0)
    H = d.Rn.shape[1]
    gates = (d.Wx[:, : 2 * H] * swept.normed[:, : 2 * H]).sum(0)
    return torch.cat([gates, (d.Rn * swept.normed[:, 2 * H :]).sum(0)])
