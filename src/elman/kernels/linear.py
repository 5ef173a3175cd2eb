"""Gated linear recurrences: one direction of a layer through time, and every check before it runs.

The sequential part of a cell whose gates see the input alone: rows `Wx` [N, G*H], the input's share
of the gates, and `sizes` [T], the rows alive at each step, never growing; all of them float32, on a
CPU and contiguous. Results do not depend on the number of threads.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from elman.kernels.native import address, check, check_ints, check_sizes, extension, which

# The cells, in the order of `LinearCell` in csrc/linear.h, and their gates.
GATES = {"mingru": 2, "minlstm": 3, "hgrn": 2}
NUMBERS = {cell: number for number, cell in enumerate(GATES)}


class Scanned(NamedTuple):
    """What `forward` gives."""

    y: Tensor  # [N, H]
    h: Tensor  # [B, H], after the last step of each sequence


class Gradients(NamedTuple):
    """What `backward` gives."""

    Wx: Tensor  # [N, G*H]
    h: Tensor  # [B, H], of the initial state


def forward(
    cell: str,
    Wx: Tensor,
    sizes: Tensor,
    h: Tensor,
    bias: Tensor | None = None,
    *,
    reverse: bool = False,
    instruction_set: str | None = None,
) -> Scanned:
    """One direction of a layer of `cell`, a name out of `GATES`, from the state `h` [B, H].

    `bias` [G*H] is added to `Wx` [N, G*H]. ValueError: another type, device or shape, or not
    contiguous.
    """
    common = _common(instruction_set, cell, Wx, sizes, h, bias, reverse)
    y, after = Wx.new_empty(len(Wx), h.shape[1]), h.clone()
    extension().linear_forward(*common, after.data_ptr(), y.data_ptr())
    return Scanned(y, after)


def backward(
    cell: str,
    Wx: Tensor,
    sizes: Tensor,
    h: Tensor,
    y: Tensor,
    dy: Tensor | None,
    dh: Tensor | None,
    bias: Tensor | None = None,
    *,
    reverse: bool = False,
    instruction_set: str | None = None,
) -> Gradients:
    """The gradients of `forward`, from what was given to it and the `y` that it gave.

    `dy` [N, H] and `dh` [B, H] are the gradients of its results; None stands for zero.
    ValueError: as there.
    """
    common = _common(instruction_set, cell, Wx, sizes, h, bias, reverse)
    N, (B, H) = len(Wx), h.shape
    check("y", y, N, H)
    if dy is not None:
        check("dy", dy, N, H)
    if dh is not None:
        check("dh", dh, B, H)
    dWx, dinitial = torch.empty_like(Wx), torch.zeros_like(h) if dh is None else dh.clone()
    extension().linear_backward(
        *common,
        y.data_ptr(),
        h.data_ptr(),
        address(dy),
        dinitial.data_ptr(),
        dWx.data_ptr(),
    )
    return Gradients(dWx, dinitial)


def _common(
    instruction_set: str | None,
    cell: str,
    Wx: Tensor,
    sizes: Tensor,
    h: Tensor,
    bias: Tensor | None,
    reverse: bool,
) -> tuple[object, ...]:
    """The arguments that both begin with, checked; the extension holds `sizes` against the rows."""
    N, (B, H), G = len(Wx), h.shape, GATES[cell]
    check("Wx", Wx, N, G * H)
    check("h", h, B, H)
    if bias is not None:
        check("bias", bias, G * H)
    check_ints("sizes", sizes)
    check_sizes(T=len(sizes), B=B, H=H, N=N)
    return (
        which(instruction_set),
        torch.get_num_threads(),
        NUMBERS[cell],
        reverse,
        len(sizes),
        B,
        H,
        N,
        sizes.data_ptr(),
        Wx.data_ptr(),
        address(bias),
    )
