"""The fused sweeps: one direction of a layer through time, and every check before they run.

A sweep is the sequential part of one layer in one direction: rows `Wx` [N, G*H], the input's share
of the gates, and `sizes` [T], the rows alive at each step, never growing; all of them float32, on a
CPU and contiguous. Results do not depend on the number of threads.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from elman.kernels.native import address, check, extension, which

# The cells that have a sweep, in the order of `Cell` in csrc/sweep.h, and their gates.
GATES = {"rnn": 1, "rnn-relu": 1, "lstm": 4, "gru": 3, "gru-reset-before": 3}
NUMBERS = {cell: number for number, cell in enumerate(GATES)}


class Swept(NamedTuple):
    """What a forward sweep gives."""

    y: Tensor  # [N, H]
    state: tuple[Tensor, ...]  # after the last step of each sequence, each [B, H]
    kept: Tensor | None  # [N, H], for `backward`: c of an LSTM, R_n h of a GRU


class Gradients(NamedTuple):
    """What a backward sweep gives."""

    Wx: Tensor  # [N, G*H]
    Rn: Tensor | None  # [N, H], of `R_n h + b` in "gru"; elsewhere R h has the gradient of W x
    state: tuple[Tensor, ...]  # of the initial state, each [B, H]


def forward(
    cell: str,
    Wx: Tensor,
    sizes: Tensor,
    state: tuple[Tensor, ...],
    R: Tensor,
    bias: Tensor | None = None,
    bias_n: Tensor | None = None,
    *,
    reverse: bool = False,
    store: bool = False,
    instruction_set: str | None = None,
) -> Swept:
    """One direction of a layer of `cell`, a name out of `GATES`, over the rows `Wx` [N, G*H].

    `state` holds [B, H] for each of the cell's states, `R` is [G*H, H]. `bias` [G*H] is
    added to `Wx`; `bias_n` [H] is the recurrent bias of n in "gru", which stands apart. With
    `store`, `Wx` is used up: the gates take its place, for `backward`.
    ValueError: another type, device or shape, or not contiguous.
    """
    N, B, H = Wx.shape[0], *state[0].shape
    G = GATES[cell]
    check("Wx", Wx, N, G * H)
    _check_common(cell, sizes, state, R, H)
    if bias is not None:
        check("bias", bias, G * H)
    if bias_n is not None:
        check("bias_n", bias_n, H)
    y = Wx.new_empty(N, H)
    final = tuple(torch.empty_like(s) for s in state)
    kept = Wx.new_empty(N, H) if store and G > 1 else None
    extension().forward(
        *_where(instruction_set, cell, reverse, sizes, B, H, N),
        R.data_ptr(),
        address(bias),
        address(bias_n),
        Wx.data_ptr(),
        *_pair(state),
        y.data_ptr(),
        *_pair(final),
        address(kept),
        store,
    )
    return Swept(y, final, kept)


def backward(
    cell: str,
    gates: Tensor,
    sizes: Tensor,
    state: tuple[Tensor, ...],
    R: Tensor,
    y: Tensor,
    kept: Tensor | None,
    dy: Tensor | None,
    dstate: tuple[Tensor | None, ...],
    *,
    reverse: bool = False,
    instruction_set: str | None = None,
) -> Gradients:
    """The gradients of `forward`, from what it left: `gates` is its `Wx`, `y` and `kept` its own.

    `dy` [N, H] and `dstate`, each [B, H], are the gradients of its results; None stands for zero.
    ValueError: as there.
    """
    N, B, H = gates.shape[0], *state[0].shape
    G = GATES[cell]
    check("gates", gates, N, G * H)
    _check_common(cell, sizes, state, R, H)
    check("y", y, N, H)
    if G > 1:
        if kept is None:
            raise ValueError(f"{cell} needs what forward kept, and it kept nothing: give store")
        check("kept", kept, N, H)
    if dy is not None:
        check("dy", dy, N, H)
    for d in dstate:
        if d is not None:
            check("dstate", d, B, H)
    dWx = torch.empty_like(gates)
    dRn = torch.empty_like(y) if cell == "gru" else None
    dinitial = tuple(torch.empty_like(s) for s in state)
    extension().backward(
        *_where(instruction_set, cell, reverse, sizes, B, H, N),
        R.data_ptr(),
        gates.data_ptr(),
        address(kept),
        y.data_ptr(),
        *_pair(state),
        address(dy),
        *_pair(dstate),
        dWx.data_ptr(),
        address(dRn),
        *_pair(dinitial),
    )
    return Gradients(dWx, dRn, dinitial)


def activate(name: str, x: Tensor, instruction_set: str) -> Tensor:
    """`tanh` or `sigmoid` of every element of `x` [N], as the sweeps compute it."""
    check("x", x, len(x))
    to = torch.empty_like(x)
    extension().activate(instruction_set, name == "sigmoid", x.data_ptr(), to.data_ptr(), len(x))
    return to


def _check_common(cell: str, sizes: Tensor, state: tuple[Tensor, ...], R: Tensor, H: int) -> None:
    states = 2 if cell == "lstm" else 1
    if len(state) != states:
        raise ValueError(f"{cell} has {states} states, got {len(state)}")
    for s in state:
        check("state", s, state[0].shape[0], H)
    check("R", R, GATES[cell] * H, H)
    if sizes.dtype != torch.int64 or sizes.dim() != 1 or not sizes.is_contiguous():
        raise ValueError(f"sizes must be a row of int64, got {sizes.dtype} {list(sizes.shape)}")


def _where(
    instruction_set: str | None, cell: str, reverse: bool, sizes: Tensor, B: int, H: int, N: int
) -> tuple[object, ...]:
    """The arguments that both sweeps begin with; here `sizes` meets the rows."""
    threads = torch.get_num_threads()
    return (
        which(instruction_set),
        threads,
        NUMBERS[cell],
        reverse,
        len(sizes),
        B,
        H,
        N,
        sizes.data_ptr(),
    )


def _pair(state: tuple[Tensor | None, ...]) -> tuple[int, int]:
    """The addresses of h and c; none of a c that is not there."""
    return address(state[0]), address(state[1]) if len(state) > 1 else 0
