"""The fused sweeps: one direction of a layer through time, and every check before they run.

A sweep takes the input of a layer as rows [N, ·], time-major, with `sizes` [T], the rows alive at
each step, never growing; on a CPU and contiguous, float32 but for what `Numbers` names. Results do
not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from elman.kernels.native import check, check_ints, check_sizes, extension, which

# The cells that have a sweep, in the order of `Cell` in csrc/sweep.h, and their gates.
GATES = {"rnn": 1, "rnn-relu": 1, "lstm": 4, "gru": 3, "gru-reset-before": 3}
NUMBERS = {cell: number for number, cell in enumerate(GATES)}
# With fewer rows alive at a step, on average, one product over all steps is the better one.
ROWS_FOR_A_PRODUCT = 16


class Numbers(NamedTuple):
    """In which numbers a sweep computes; sums, states and what is not named here are float32."""

    operand: torch.dtype  # of products: x, y, and the gradients of gates
    saved: torch.dtype  # gates, kept for backward


SINGLE = Numbers(torch.float32, torch.float32)
HALF = Numbers(torch.bfloat16, torch.float16)


class Input(NamedTuple):
    """The input's share of the gates, W x, in one of three forms.

    `x` [N, I] with `W` [G*H, I]; a table `x` [V, G*H] with `ids` [N] of its rows; or `x` [N, G*H],
    W x itself. Only the first of them is an operand.
    """

    x: Tensor
    W: Tensor | None = None
    ids: Tensor | None = None


class Inside(NamedTuple):
    """What sits inside the recurrence; None for what does not.

    `mask` [B, H] times the h that goes into R. `norm` [G*H]: layer norm of R h, gate by gate, times
    these gains. `keep`: for each state the share of its old value that it keeps, [N, H], or [1, H]
    for all rows.
    """

    mask: Tensor | None = None
    norm: Tensor | None = None
    keep: tuple[Tensor, ...] | None = None


class Swept(NamedTuple):
    """What a forward sweep gives, and from `gates` on what `backward` needs of it."""

    y: Tensor  # [N, H], operands
    state: tuple[Tensor, ...]  # after the last step of each sequence, each [B, H]
    gates: Tensor | None = None  # [N, gates_size], vector by vector: see csrc/sweep.h
    kept: Tensor | None = None  # [N, H]: see Forward::kept there
    met: Tensor | None = None  # [N, H], operands: what R_n met of "gru-reset-before"
    c: Tensor | None = None  # [N, H], of an LSTM
    normed: Tensor | None = None  # [N, G*H], R h normed, without the gains
    scale: Tensor | None = None  # [N, G]


class Gradients(NamedTuple):
    """What a backward sweep gives; all but those of the state are operands."""

    Wx: Tensor  # [N, G*H]
    Rn: Tensor | None  # [N, H], of `R_n h + b` in "gru"; elsewhere R h has the gradient of W x
    Rh: Tensor | None  # [N, G*H], with norm: of R h before it
    x: Tensor | None  # [N, I], if asked for
    state: tuple[Tensor, ...]  # of the initial state, each [B, H]


def forward(
    cell: str,
    input: Input,
    sizes: Tensor,
    state: tuple[Tensor, ...],
    R: Tensor,
    bias: Tensor | None = None,
    bias_n: Tensor | None = None,
    inside: Inside = Inside(),  # noqa: B008  a tuple
    *,
    reverse: bool = False,
    store: bool = False,
    numbers: Numbers = SINGLE,
    instruction_set: str | None = None,
) -> Swept:
    """One direction of a layer of `cell`, a name out of `GATES`.

    `state` holds [B, H] for each of the cell's states, `R` is [G*H, H]. `bias` [G*H] is added to
    W x; `bias_n` [H] is the recurrent bias of n in "gru", which stands apart. `store` keeps what
    `backward` needs. ValueError: another type, device or shape, or not contiguous. IndexError: an
    id outside the table.
    """
    x, W, ids = input
    N, B, H = x.shape[0] if ids is None else ids.shape[0], *state[0].shape
    G, operand, half = GATES[cell], numbers.operand, numbers is HALF
    if W is None:
        check("Wx", x, x.shape[0], G * H)
    else:
        check_sizes(I=W.shape[-1])
        check("x", x, N, W.shape[-1], dtype=operand)
        check("W", W, G * H, x.shape[1])
    if ids is not None:
        check_ints("ids", ids)
    _check_common(cell, sizes, state, R, inside, N)
    if bias is not None:
        check("bias", bias, G * H)
    if bias_n is not None:
        check("bias_n", bias_n, H)
    if W is not None and not _product_inside(N, sizes):
        x, W = F.linear(x.float(), W), None
    zoned, normed = inside.keep is not None, inside.norm is not None

    def empty(columns: int, kept: bool, dtype: torch.dtype = torch.float32) -> Tensor | None:
        return x.new_empty(N, columns, dtype=dtype) if kept else None

    swept = Swept(
        y=x.new_empty(N, H, dtype=operand),
        state=tuple(torch.empty_like(s) for s in state),
        gates=empty(_gates_size(cell, H), store and (G > 1 or zoned or half), numbers.saved),
        kept=empty(H, store and cell in ("lstm", "gru")),
        met=empty(H, store and cell == "gru-reset-before", operand),
        c=empty(H, store and zoned and cell == "lstm"),
        normed=empty(G * H, store and normed),
        scale=empty(G, store and normed),
    )
    tensors = {
        **_common(sizes, R, state, inside),
        "Wx" if W is None else "x": x,
        "W": W,
        "ids": ids,
        "bias": bias,
        "bias_n": bias_n,
        "y": swept.y,
        **dict(zip(("hn", "cn"), swept.state, strict=False)),
        "gates": swept.gates,
        "kept": swept.kept,
        "met": swept.met,
        "c": swept.c,
        "normed": swept.normed,
        "scale": swept.scale,
    }
    columns = 0 if W is None else W.shape[1]
    call = _call(
        instruction_set, numbers, cell, reverse, sizes, B, H, N, columns, x.shape[0], inside
    )
    extension().forward(half, call, _addresses(tensors))
    if cell == "lstm" and store and not zoned:
        return swept._replace(c=swept.kept)
    return swept


def backward(
    cell: str,
    swept: Swept,
    sizes: Tensor,
    state: tuple[Tensor, ...],
    R: Tensor,
    dy: Tensor | None,
    dstate: tuple[Tensor | None, ...],
    W: Tensor | None = None,
    inside: Inside = Inside(),  # noqa: B008  a tuple
    *,
    reverse: bool = False,
    numbers: Numbers = SINGLE,
    instruction_set: str | None = None,
) -> Gradients:
    """The gradients of `forward`, from what it left with `store`; with `W` [G*H, I] that of x too.

    `dy` [N, H] and `dstate`, each [B, H], are the gradients of its results; None stands for zero.
    ValueError: as there.
    """
    y = swept.y
    N, B, H = y.shape[0], *state[0].shape
    G, operand, half = GATES[cell], numbers.operand, numbers is HALF
    zoned, normed = inside.keep is not None, inside.norm is not None
    _check_common(cell, sizes, state, R, inside, N)
    check("y", y, N, H, dtype=operand)
    single = torch.float32
    needed = {
        "gates": (swept.gates, G > 1 or zoned or half, _gates_size(cell, H), numbers.saved),
        "kept": (swept.kept, cell in ("lstm", "gru"), H, single),
        "c": (swept.c, cell == "lstm", H, single),
        "normed": (swept.normed, normed, G * H, single),
        "scale": (swept.scale, normed, G, single),
    }
    for name, (tensor, is_needed, width, dtype) in needed.items():
        if is_needed:
            if tensor is None:
                raise ValueError(f"backward needs {name}, and forward kept none: give store")
            check(name, tensor, N, width, dtype=dtype)
    if dy is not None:
        check("dy", dy, N, H, dtype=operand)
    for each in dstate:
        if each is not None:
            check("dstate", each, B, H)
    if W is not None:
        check("W", W, G * H, W.shape[-1])
    within = W is not None and _product_inside(N, sizes)
    d = Gradients(
        Wx=y.new_empty(N, G * H),
        Rn=torch.empty_like(y) if cell == "gru" else None,
        Rh=y.new_empty(N, G * H) if inside.norm is not None else None,
        x=y.new_empty(N, W.shape[1]) if W is not None and within else None,
        state=tuple(torch.empty_like(s) for s in state),
    )
    tensors = {
        **_common(sizes, R, state, inside),
        "W": W,
        **{name: tensor for name, (tensor, is_needed, *_) in needed.items() if is_needed},
        "y": y,
        "dy": dy,
        **dict(zip(("dhn", "dcn"), dstate, strict=False)),
        "dWx": d.Wx,
        "dRn": d.Rn,
        "dRh": d.Rh,
        "dx": d.x,
        **dict(zip(("dh0", "dc0"), d.state, strict=False)),
    }
    columns = 0 if W is None else W.shape[1]
    call = _call(instruction_set, numbers, cell, reverse, sizes, B, H, N, columns, 0, inside)
    extension().backward(half, call, _addresses(tensors))
    return d if W is None or within else d._replace(x=d.Wx @ W.to(operand))


class Met(NamedTuple):
    """What a matrix met at each row, and where its gradient goes."""

    a: Tensor  # [N, K], operands
    to: Tensor  # [M, K]
    h0: Tensor | None = None  # [B, K]: `a` is the y of a sweep, which met h0 and the y before
    mask: Tensor | None = None  # [B, K] times that


def matrix_gradients(
    d: Tensor,
    sizes: Tensor,
    *,
    input: Met | None = None,
    state: Met | None = None,
    total: Tensor | None = None,
    reverse: bool = False,
    numbers: Numbers = SINGLE,
    instruction_set: str | None = None,
) -> None:
    """The gradients of matrices whose sums were added: of each, the sum of d_n times a_n.

    `d` [N, M], operands, may be some columns of a larger matrix. Of the input there is neither `h0`
    nor `mask`. `total` [M], if there is one, becomes the sum of all d_n, the gradient of a bias.
    ValueError: as in `forward`.
    """
    (N, M), operand = d.shape, numbers.operand
    if d.dtype != operand or not d.is_cpu or d.stride(1) != 1:
        raise ValueError(
            f"d must be {operand} on a CPU, its rows without gaps; got {d.dtype} on {d.device}, "
            f"strides {d.stride()}"
        )
    check_sizes(N=N, M=M, T=sizes.shape[0])
    check_ints("sizes", sizes)
    B, tensors = int(sizes[0]), {"d": d, "sizes": sizes, "total": total}
    if total is not None:
        check("total", total, M)
    if input is not None:
        check("x", input.a, N, input.a.shape[1], dtype=operand)
        check("to", input.to, M, input.a.shape[1])
        tensors |= {"x": input.a, "to": input.to}
    if state is not None:
        K = state.a.shape[1]
        check("y", state.a, N, K, dtype=operand)
        check("to_h", state.to, M, K)
        if state.h0 is not None:
            check("h0", state.h0, B, K, dtype=operand)
        if state.mask is not None:
            check("mask", state.mask, B, K)
        tensors |= {"y": state.a, "to_h": state.to, "h0": state.h0, "mask": state.mask}
    extension().gradient(
        *(numbers is HALF, which(instruction_set, numbers is HALF), torch.get_num_threads()),
        *(N, M, d.stride(0), 0 if input is None else input.a.shape[1]),
        *(0 if state is None else state.a.shape[1], sizes.shape[0], reverse, _addresses(tensors)),
    )


def table_gradient(
    d: Tensor,
    ids: Tensor,
    rows: int,
    numbers: Numbers = SINGLE,
    instruction_set: str | None = None,
) -> Tensor:
    """The gradient of a table [`rows`, M], whose row `ids[n]` was read where `d[n]` [N, M] is."""
    check("d", d, ids.shape[0], d.shape[1], dtype=numbers.operand)
    check_ints("ids", ids)
    half, to = numbers is HALF, d.new_empty(rows, d.shape[1], dtype=torch.float32)
    name, threads = which(instruction_set, half), torch.get_num_threads()
    extension().scatter(
        *(half, name, threads, *d.shape, rows, d.data_ptr(), ids.data_ptr(), to.data_ptr())
    )
    return to


def activate(name: str, x: Tensor, instruction_set: str, numbers: Numbers = SINGLE) -> Tensor:
    """`tanh` or `sigmoid` of every element of `x` [N], as the sweeps compute it."""
    check("x", x, x.shape[0])
    to, sigmoid = torch.empty_like(x), name == "sigmoid"
    extension().activate(
        numbers is HALF, instruction_set, sigmoid, x.data_ptr(), to.data_ptr(), x.shape[0]
    )
    return to


def _gates_size(cell: str, H: int) -> int:
    """As in csrc/sweep.h."""
    return GATES[cell] * -(-H // 16) * 16


def _product_inside(N: int, sizes: Tensor) -> bool:
    """Whether the sweep itself makes the products with W. Not by threads: they change no result."""
    return sizes.shape[0] * ROWS_FOR_A_PRODUCT <= N


def _check_common(
    cell: str, sizes: Tensor, state: tuple[Tensor, ...], R: Tensor, inside: Inside, N: int
) -> None:
    states, G = 2 if cell == "lstm" else 1, GATES[cell]
    if len(state) != states:
        raise ValueError(f"{cell} has {states} states, got {len(state)}")
    B, H = state[0].shape
    check_sizes(T=sizes.shape[0], B=B, H=H, N=N)
    for s in state:
        check("state", s, B, H)
    check("R", R, G * H, H)
    check_ints("sizes", sizes)
    if inside.mask is not None:
        check("mask", inside.mask, B, H)
    if inside.norm is not None:
        check("norm", inside.norm, G * H)
    if inside.keep is not None:
        if len(inside.keep) != states:
            raise ValueError(f"{cell} has {states} states, got {len(inside.keep)} shares to keep")
        for keep in inside.keep:
            check("keep", keep, 1 if len(inside.keep[0]) == 1 else N, H)


def _common(
    sizes: Tensor, R: Tensor, state: tuple[Tensor, ...], inside: Inside
) -> dict[str, Tensor | None]:
    """What both sweeps take, by the names of csrc/sweep.h."""
    return {
        "sizes": sizes,
        "R": R,
        **dict(zip(("h0", "c0"), state, strict=False)),
        "mask": inside.mask,
        "norm": inside.norm,
        **dict(zip(("keep_h", "keep_c"), inside.keep or (), strict=False)),
    }


def _keep_step(inside: Inside, H: int) -> int:
    return H if inside.keep is not None and len(inside.keep[0]) > 1 else 0


def _addresses(tensors: dict[str, Tensor | None]) -> dict[str, int]:
    return {name: tensor.data_ptr() for name, tensor in tensors.items() if tensor is not None}


def _call(
    instruction_set: str | None,
    numbers: Numbers,
    cell: str,
    reverse: bool,
    sizes: Tensor,
    B: int,
    H: int,
    N: int,
    I: int,  # noqa: E741  the alphabet of docs/design.md
    V: int,
    inside: Inside,
) -> Any:
    """What both sweeps are given beside tensors."""
    return extension().Call(
        *(which(instruction_set, numbers is HALF), torch.get_num_threads(), NUMBERS[cell]),
        *(reverse, sizes.shape[0], B, H, N, I, V, _keep_step(inside, H)),
    )
