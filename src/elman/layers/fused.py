"""A layer's sweeps as PyTorch sees them: one differentiable function for each direction."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from elman.kernels import sweeps


def sweep(
    cell: str,
    Wx: Tensor,
    sizes: Tensor,
    state: tuple[Tensor, ...],
    R: Tensor,
    bias: Tensor | None,
    bias_n: Tensor | None,
    *,
    reverse: bool,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Rows `Wx` [N, G*H], states [B, H], `R` [G*H, H] → y [N, H] and the last states [B, H].

    `Wx` is used up if there will be a backward pass: nobody else may read it. `bias` [G*H] is added
    to it, and in "gru" `bias_n` [H] to the share of n in R h. RuntimeError: a gradient of the
    gradient is asked for.
    The reference is the loop of `layers/scan.py`.
    """
    Wx, R = Wx.contiguous(), R.contiguous()
    state = tuple(s.contiguous() for s in state)
    inputs = (Wx, R, bias, bias_n, *state)
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in inputs):
        y, *final = _Sweep.apply(cell, sizes, reverse, *inputs)  # type: ignore[no-untyped-call]
        return y, tuple(final)
    swept = sweeps.forward(cell, Wx, sizes, state, R, bias, bias_n, reverse=reverse)
    return swept.y, swept.state


class _Sweep(Function):
    # Without setup_context, for which PyTorch inspects the signature anew at each call: that would
    # cost a tenth of a small layer.
    @staticmethod
    def forward(
        ctx: Any,
        cell: str,
        sizes: Tensor,
        reverse: bool,
        Wx: Tensor,
        R: Tensor,
        bias: Tensor | None,
        bias_n: Tensor | None,
        *state: Tensor,
    ) -> tuple[Tensor, ...]:
        y, final, kept = sweeps.forward(
            cell, Wx, sizes, state, R, bias, bias_n, reverse=reverse, store=True
        )
        ctx.cell, ctx.reverse = cell, reverse
        ctx.save_for_backward(sizes, Wx, R, y, kept, *state)
        ctx.set_materialize_grads(False)
        return y, *final

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None, *dfinal: Tensor | None) -> Any:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "the fused recurrent layers have no gradient of the gradient (create_graph=True); "
                "set the environment variable ELMAN_KERNELS=off for PyTorch's own kernels"
            )
        sizes, gates, R, y, kept, *state = ctx.saved_tensors
        d = sweeps.backward(
            ctx.cell,
            gates,
            sizes,
            tuple(state),
            R,
            y,
            kept,
            None if dy is None else dy.contiguous(),
            tuple(None if s is None else s.contiguous() for s in dfinal),
            reverse=ctx.reverse,
        )
        needs_Wx, needs_R, needs_bias, needs_bias_n, *_ = ctx.needs_input_grad[3:]
        dR = None
        if needs_R:
            h_before = _before(y, state[0], sizes, reverse=ctx.reverse)
            dR = _dR(ctx.cell, d, h_before, kept)
        dbias = d.Wx.sum(0) if needs_bias else None
        dbias_n = d.Rn.sum(0) if needs_bias_n and d.Rn is not None else None
        return None, None, None, d.Wx if needs_Wx else None, dR, dbias, dbias_n, *d.state


def _dR(cell: str, d: sweeps.Gradients, h: Tensor, kept: Tensor | None) -> Tensor:
    """The gradient of R [G*H, H], from that of R h and the `h` [N, H] that R met.

    A transposed view, as PyTorch's own of a product: MKL makes it faster that way round.
    """
    n = d.Wx if d.Rn is None else d.Rn
    if cell not in ("gru", "gru-reset-before"):
        return (h.T @ n).T
    H = h.shape[1]
    dR = h.new_empty(H, 3 * H)
    torch.mm(h.T, d.Wx[:, : 2 * H], out=dR[:, : 2 * H])
    met_n = h if kept is None or d.Rn is not None else kept  # reset before: R_n met r * h
    torch.mm(met_n.T, n[:, -H:], out=dR[:, 2 * H :])
    return dR.T


def _before(y: Tensor, h0: Tensor, sizes: Tensor, *, reverse: bool) -> Tensor:
    """The h [N, H] that each row's step began with: that of the step before, or the first."""
    N, B = len(y), len(h0)
    if len(sizes) * B == N:  # all steps are full
        return torch.cat([y, h0])[B:] if reverse else torch.cat([h0, y])[:N]
    row = torch.arange(N)
    if not reverse:
        before = torch.cat([sizes[:1], sizes[:-1]])  # h0 is as many rows as the first step
        return torch.cat([h0, y])[row + B - before.repeat_interleave(sizes)]
    after = torch.cat([sizes[1:], sizes.new_zeros(1)])
    sequence = row - (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
    goes_on = sequence < after.repeat_interleave(sizes)
    return torch.cat([h0, y])[
        torch.where(goes_on, B + row + sizes.repeat_interleave(sizes), sequence)
    ]
