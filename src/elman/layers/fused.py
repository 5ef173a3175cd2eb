"""A layer's sweeps as PyTorch sees them: one differentiable function for each direction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd import Function

from elman.kernels import sweeps
from elman.kernels.sweeps import Input, Inside, Swept
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
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The input's rows, states [B, H], `R` [G*H, H] → y [N, H] and the last states [B, H].

    The biases are [G*H]. There is no gradient of `inside.mask` and `inside.keep`. `replay` gives
    the gradient of the gradient. The reference is the loop of `layers/scan.py`.
    """
    x, W, ids = input
    input = Input(x.contiguous(), None if W is None else W.contiguous(), ids)
    bias_ih, bias_hh, norm = (
        None if t is None else t.contiguous() for t in (bias_ih, bias_hh, inside.norm)
    )
    R, inside = R.contiguous(), inside._replace(norm=norm)
    state = tuple(s.contiguous() for s in state)
    inputs = (input.x, input.W, R, bias_ih, bias_hh, inside.norm, *state)
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in inputs):
        fixed = (cell, sizes, inside.mask, inside.keep, reverse, replay)
        y, *final = _Sweep.apply(fixed, ids, *inputs)  # type: ignore[no-untyped-call]
        return y, tuple(final)
    biases = _together(cell, bias_ih, bias_hh)
    swept = sweeps.forward(cell, input, sizes, state, R, *biases, inside, reverse=reverse)
    return swept.y, swept.state


def _together(
    cell: str, bias_ih: Tensor | None, bias_hh: Tensor | None
) -> tuple[Tensor | None, Tensor | None]:
    """Both biases in one [G*H], but for what must stay with R: that of n [H] where r acts after."""
    if bias_ih is None or bias_hh is None:
        return None, None
    bias, H = bias_ih + bias_hh, len(bias_hh) // 3
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
        cell, sizes, mask, keep, reverse, _ = fixed
        biases = _together(cell, bias_ih, bias_hh)
        swept = sweeps.forward(
            cell, Input(x, W, ids), sizes, state, R, *biases, Inside(mask, norm, keep),
            reverse=reverse, store=True,
        )  # fmt: skip
        ctx.fixed = fixed
        kept = swept.y, swept.gates, swept.kept, swept.c, swept.normed, swept.scale
        ctx.save_for_backward(*kept, ids, x, W, R, bias_ih, bias_hh, norm, *state)
        ctx.set_materialize_grads(False)
        return swept.y, *swept.state

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None, *dfinal: Tensor | None) -> Any:
        y, gates, kept, c, normed, scale, ids, *inputs = ctx.saved_tensors
        needs = ctx.needs_input_grad[2:]
        if torch.is_grad_enabled() or seen((dy, *dfinal)):
            return None, None, *replayed(ctx.fixed[-1], inputs, (dy, *dfinal), needs)
        cell, sizes, mask, keep, reverse, _ = ctx.fixed
        x, W, R, _, _, norm, *state = inputs
        needs_x, needs_W, needs_R, needs_bias_ih, needs_bias_hh, needs_norm, *_ = needs
        swept = Swept(y, (), gates, kept, c, normed, scale)
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
        )
        dx = d.x if W is not None else d.Wx
        if needs_x and ids is not None:
            dx = torch.ops.aten.embedding_dense_backward(d.Wx, ids, len(x), -1, False)
        dW = total = dR = total_n = None
        if needs_W:
            dW, total = _dW(d.Wx, x, sizes)
        if needs_R:
            dR, total_n = _dR(cell, d, swept, state[0], sizes, mask, reverse)
        if (needs_bias_ih or needs_bias_hh) and total is None:
            total = d.Wx.sum(0)
        dbias_hh = total
        if needs_bias_hh and total is not None and d.Rn is not None:
            total_n = d.Rn.sum(0) if total_n is None else total_n
            dbias_hh = torch.cat([total[: -len(total_n)], total_n])
        return (
            None,
            None,
            dx if needs_x else None,
            dW,
            dR,
            total if needs_bias_ih else None,
            dbias_hh if needs_bias_hh else None,
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


def _dW(dWx: Tensor, x: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of W [G*H, I], and the sum of that of W x [G*H], which is that of its bias."""
    dW, total = x.new_empty(dWx.shape[1], x.shape[1]), x.new_empty(dWx.shape[1])
    sweeps.matrix_gradient(dWx, x, dW, sizes, total=total)
    return dW, total


def _dR(
    cell: str,
    d: sweeps.Gradients,
    swept: Swept,
    h0: Tensor,
    sizes: Tensor,
    mask: Tensor | None,
    reverse: bool,
) -> tuple[Tensor, Tensor | None]:
    """The gradient of R [G*H, H], from that of R h and the h that R met; and the sum of `d.Rn`."""
    dRh = d.Wx if d.Rh is None else d.Rh
    H = h0.shape[1]
    dR = h0.new_empty(dRh.shape[1], H)
    # Where r comes after, R_n h has a gradient of its own; where it comes before, R_n meets r * h.
    alike = 2 * H if cell == "gru-reset-before" or (d.Rn is not None and d.Rh is None) else len(dR)
    sweeps.matrix_gradient(dRh[:, :alike], swept.y, dR[:alike], sizes, h0, mask, reverse=reverse)
    if alike == len(dR):
        return dR, None
    if cell == "gru-reset-before":
        assert swept.kept is not None
        sweeps.matrix_gradient(dRh[:, alike:], swept.kept, dR[alike:], sizes)
        return dR, None
    assert d.Rn is not None
    total = h0.new_empty(H)
    sweeps.matrix_gradient(d.Rn, swept.y, dR[alike:], sizes, h0, mask, total, reverse=reverse)
    return dR, total


def _dnorm(d: sweeps.Gradients, swept: Swept) -> Tensor:
    """The gradient of the gains [G*H]."""
    assert swept.normed is not None
    if d.Rn is None:
        return (d.Wx * swept.normed).sum(0)
    H = d.Rn.shape[1]
    gates = (d.Wx[:, : 2 * H] * swept.normed[:, : 2 * H]).sum(0)
    return torch.cat([gates, (d.Rn * swept.normed[:, 2 * H :]).sum(0)])
