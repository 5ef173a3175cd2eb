"""Gated linear recurrences as PyTorch sees them: one differentiable function for each direction."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from elman.kernels import linear
from elman.layers.fused import Replay, replayed, seen


def linear_scan(
    cell: str,
    Wx: Tensor,
    sizes: Tensor,
    h: Tensor,
    bias: Tensor | None,
    replay: Replay,
    *,
    reverse: bool,
) -> tuple[Tensor, Tensor]:
    """Rows `Wx` [N, G*H], state `h` [B, H] → y [N, H] and the last state [B, H].

    `bias` [G*H] is added to `Wx`. `replay`, the same in PyTorch's operators: (Wx, bias, h) → (y,
    last state), gives the gradient of the gradient. The reference is the loop of `layers/scan.py`.
    """
    Wx, h = Wx.contiguous(), h.contiguous()
    bias = None if bias is None else bias.contiguous()
    inputs = (Wx, bias, h)
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in inputs):
        fixed = (cell, sizes, reverse, replay)
        y, after = _LinearScan.apply(fixed, *inputs)  # type: ignore[no-untyped-call]
        return y, after
    return linear.forward(cell, Wx, sizes, h, bias, reverse=reverse)


class _LinearScan(Function):
    # Without setup_context, for which PyTorch inspects the signature anew at each call.
    @staticmethod
    def forward(
        ctx: Any, fixed: tuple[Any, ...], Wx: Tensor, bias: Tensor | None, h: Tensor
    ) -> tuple[Tensor, Tensor]:
        cell, sizes, reverse, _ = fixed
        y, after = linear.forward(cell, Wx, sizes, h, bias, reverse=reverse)
        ctx.fixed = fixed
        ctx.save_for_backward(y, Wx, bias, h)
        ctx.set_materialize_grads(False)
        return y, after

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None, dafter: Tensor | None) -> Any:
        y, *inputs = ctx.saved_tensors
        cell, sizes, reverse, replay = ctx.fixed
        if torch.is_grad_enabled() or seen((dy, dafter)):
            return None, *replayed(replay, inputs, (dy, dafter), ctx.needs_input_grad[1:])
        Wx, bias, h = inputs
        d = linear.backward(
            cell,
            Wx,
            sizes,
            h,
            y,
            None if dy is None else dy.contiguous(),
            None if dafter is None else dafter.contiguous(),
            bias,
            reverse=reverse,
        )
        needs_Wx, needs_bias, needs_h = ctx.needs_input_grad[1:]
        dbias = d.Wx.sum(0) if needs_bias else None
        return None, d.Wx if needs_Wx else None, dbias, d.h if needs_h else None
