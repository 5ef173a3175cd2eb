"""The one loop over time, and the one choice between it and a fused kernel.

Sequences come padded, `x` [T, B, I] with `batch_sizes` None, or packed, `x` [N, I] with the number
of rows alive at each step, `batch_sizes` [T], never growing. Results have the form of `x`.

Instead of vectors x there may be ids of tokens, int64 [T, B] or [N]: a token is the vector that is
1 at its id, or its row of an embedding. Then W x is a row of a table, and no product is needed.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

import torch
import torch.nn.functional as F
from torch import _VF, Tensor

from elman import cells, kernels
from elman.cells.cell import Cell, Recurrence, ignore
from elman.kernels import linear, sweeps
from elman.kernels.sweeps import HALF, SINGLE, Input, Inside, Numbers
from elman.layers.fused import sweep
from elman.layers.linear import linear_scan
from elman.layers.precision import autocast, half_is_asked
from elman.layers.watchers import watcher

State: TypeAlias = tuple[Tensor, ...]
Kernel: TypeAlias = Callable[..., tuple[Tensor, ...]]

# The registered cells that Elman has kernels for, for float32 and bf16 on a CPU.
SWEPT = frozenset(sweeps.GATES)
LINEAR = frozenset(linear.GATES)
OURS = SWEPT | LINEAR
# The cells that PyTorch has kernels for: oneDNN or ATen on a CPU, cuDNN on a GPU.
KERNELS: dict[str, Kernel] = {
    "rnn": _VF.rnn_tanh,
    "rnn-relu": _VF.rnn_relu,
    "lstm": _VF.lstm,
    "gru": _VF.gru,
}
# Those whose weights PyTorch uses as they are; it packs an LSTM's at each call, as Elman does.
UNPACKED = frozenset(KERNELS) - {"lstm"}


@dataclass(frozen=True)
class Direction:
    """What one direction of a layer computes with; None where the layer has no such part."""

    weight_ih: Tensor  # [G*H, I]
    weight_hh: Tensor | None = None  # [G*H, H]
    bias_ih: Tensor | None = None  # [G*H]
    bias_hh: Tensor | None = None  # [G*H]
    norm_ih: Tensor | None = None  # [G*H], the gain of layer norm on W x
    norm_hh: Tensor | None = None  # [G*H], the gain of layer norm on R h
    mask: Tensor | None = None  # [B, H], multiplies h inside R at every step
    # For each state the share of its old value that it keeps, [N, H], or [1, H] for all rows.
    keep: tuple[Tensor, ...] | None = None
    embedding: Tensor | None = None  # [V, I], where tokens come; None for one-hot, V = I

    @property
    def changed_inside(self) -> bool:
        """Whether anything sits inside the recurrence that PyTorch's kernels do not know."""
        inside = (self.norm_ih, self.norm_hh, self.mask, self.keep)
        return any(part is not None for part in inside)


class Watch(Protocol):
    """Is shown each step of the loop over time, as it is made."""

    def __call__(
        self, direction: int, Wx: Tensor, before: State, after: State, noted: dict[str, Tensor], /
    ) -> None:
        """Of the rows alive at the step: `Wx` [n, G*H], the states before and after it [n, H],
        and what the cell noted. Direction 0 comes first, from the first step to the last; then 1,
        from the last step to the first."""


class Choice(NamedTuple):
    """What runs a layer, and why: Elman's sweep of that name, a kernel of PyTorch, or neither."""

    kernel: str | Kernel | None  # None for the reference
    why: str
    numbers: Numbers = SINGLE  # in which a sweep of Elman computes


def choose(
    cell: Cell, directions: Sequence[Direction], steps: int | None = None, rows: int | None = None
) -> Choice:
    """Fused or reference, for one layer: the only place that decides it.

    `steps` T and `rows` N, of all steps together, are as many as one likes if they are left out.
    """
    name = cells.known(cell)
    if name not in OURS:
        return Choice(None, f"no fused kernel for {cell.name}")
    if name in LINEAR and any(d.keep is not None for d in directions):
        return Choice(None, f"no fused kernel for {cell.name} with zoneout")
    if rows == 0:
        return Choice(None, "an empty batch")
    numbers, why_not = _numbers(directions[0].weight_ih)
    if why_not is None and steps is not None and rows is not None and name in UNPACKED:
        why_not = why_too_short(directions[0].weight_ih.shape[0], len(cell.gates), steps, rows)
    if why_not is None:
        in_half = " in bf16" if numbers is HALF else ""
        return Choice(name, f"Elman's kernel for {name}{in_half}", numbers)
    inside = any(d.changed_inside for d in directions)
    if name not in KERNELS or inside:
        what = "what sits inside the recurrence" if inside else name
        return Choice(None, f"no fused kernel for {what} here: {why_not}")
    return Choice(KERNELS[name], f"PyTorch's kernel for {name}: {why_not}")


def _numbers(weight: Tensor) -> tuple[Numbers, str | None]:
    """In which numbers a sweep is asked to compute, and why there is none."""
    half = half_is_asked(weight)
    numbers = HALF if half else SINGLE
    if weight.dtype not in (torch.float32, torch.bfloat16) or not weight.is_cpu:
        kind = f"{weight.dtype} on {weight.device.type}"
        return numbers, f"Elman's are for float32 and bf16 on a CPU, not {kind}"
    if autocast() not in (None, torch.bfloat16):
        return numbers, "autocast chooses other types"
    if (why := watcher()) is not None:
        return numbers, why
    instruction_set, why = kernels.available_half() if half else kernels.available()
    if instruction_set is not None:
        return numbers, None
    if autocast() is None and weight.dtype == torch.float32:  # asked for, and float32 will do
        instruction_set, why = kernels.available()
        numbers = SINGLE
    return numbers, why if instruction_set is None else None


def why_too_short(gate_rows: int, gates: int, steps: int, rows: int) -> str | None:
    """Whether packing R costs more than a sweep saves, by the rule of docs/performance.md."""
    packing_ns = gate_rows * gate_rows / gates  # G*H*H floats, one a nanosecond
    saving_ns = 30_000 * steps  # PyTorch calls some operators at every step
    if steps < 4 or (rows < 256 and packing_ns > saving_ns):
        return f"{steps} steps are too few to pack the weights for"
    return None


def scan(
    cell: Cell,
    x: Tensor,
    batch_sizes: Tensor | None,
    state: State,
    directions: Sequence[Direction],
) -> tuple[Tensor, State]:
    """One layer over a batch of sequences, in one direction or both.

    `state` holds one [D, B, H] for each of the cell's states → y [T, B, D*H] (packed: [N, D*H]) and
    the state after the last step of each sequence, of each direction.
    RuntimeError: no time step.
    """
    if x.shape[0] == 0:
        raise RuntimeError("a sequence needs at least one time step, got none")
    rows = x.shape[0] * x.shape[1] if batch_sizes is None else x.shape[0]
    steps = x.shape[0] if batch_sizes is None else len(batch_sizes)
    embedding = directions[0].embedding
    if not x.is_floating_point() and embedding is not None and len(embedding) > rows:
        # The table of all W x would be larger than what is read of it.
        x = vectors(x, directions[0].weight_ih, embedding)
    choice = choose(cell, directions, steps, rows)
    if choice.kernel is None:
        return reference(cell, x, batch_sizes, state, directions)
    return fused(choice, x, batch_sizes, state, directions)


def swept(
    cell: str,
    x: Tensor,
    batch_sizes: Tensor | None,
    state: State,
    directions: Sequence[Direction],
    numbers: Numbers = SINGLE,
) -> tuple[Tensor, State]:
    """`scan` by Elman's kernels; y has the type of the operands."""
    time_major = x.shape[:1] if batch_sizes is not None else x.shape[:2]
    sizes = _sizes(x, batch_sizes)
    ys, finals = [], []
    for k, d in enumerate(directions):
        assert d.weight_hh is not None  # each of these cells has an R
        with _in_float32(numbers):
            input = _swept_input(cell, x, d)
            y, final = sweep(
                cell,
                input,
                sizes,
                tuple(s[k] for s in state),
                d.weight_hh,
                d.bias_ih,
                d.bias_hh,
                Inside(d.mask, d.norm_hh, d.keep),
                Stepwise(
                    cells.get(cell), sizes, input.ids, d.mask, d.keep, numbers, reverse=k == 1
                ),
                reverse=k == 1,
                numbers=numbers,
            )
        ys.append(y)
        finals.append(final)
    y = torch.cat(ys, -1) if len(ys) > 1 else ys[0]
    return y.reshape(*time_major, y.shape[-1]), tuple(
        map(_of_directions, zip(*finals, strict=True))
    )


def _sizes(x: Tensor, batch_sizes: Tensor | None) -> Tensor:
    """Rows alive at each step [T], on the CPU whatever device is the default."""
    return _full(x.shape[0], x.shape[1]) if batch_sizes is None else batch_sizes


@functools.lru_cache(64)
def _full(T: int, B: int) -> Tensor:
    with torch.inference_mode(False):  # kept for calls with gradients too
        return torch.full((T,), B, dtype=torch.int64, device="cpu")


def _of_directions(states: Sequence[Tensor]) -> Tensor:
    """One [B, H] a direction → [D, B, H], for one direction without a copy."""
    return torch.stack(tuple(states)) if len(states) > 1 else states[0].unsqueeze(0)


def _swept_input(cell: str, x: Tensor, d: Direction) -> Input:
    if x.is_floating_point() and d.norm_ih is None:
        return Input(x.flatten(0, -2), d.weight_ih)
    W, gates = d.weight_ih.float(), len(cells.get(cell).gates)
    if x.is_floating_point():
        return Input(_normed(F.linear(x.flatten(0, -2).float(), W), d.norm_ih, gates))
    table = W.T if d.embedding is None else F.linear(d.embedding.float(), W)
    return Input(_normed(table, d.norm_ih, gates), ids=x.reshape(-1))


def _in_float32(numbers: Numbers) -> AbstractContextManager[object]:
    """Keeps autocast from what stands beside a sweep in bf16."""
    return nullcontext() if numbers is SINGLE else torch.autocast("cpu", enabled=False)


@dataclass(frozen=True)
class Stepwise:
    """One sweep by the cell's own equations: what `sweep` of `layers/fused.py` is held against."""

    cell: Cell
    sizes: Tensor
    ids: Tensor | None
    mask: Tensor | None
    keep: tuple[Tensor, ...] | None
    numbers: Numbers
    reverse: bool

    def __call__(
        self,
        x: Tensor,
        W: Tensor | None,
        R: Tensor,
        bias_ih: Tensor | None,
        bias_hh: Tensor | None,
        norm: Tensor | None,
        *state: Tensor,
    ) -> tuple[Tensor, ...]:
        rows = (x if self.ids is None else x[self.ids]).to(R.dtype)
        with _in_float32(self.numbers):
            Wx = rows if W is None else F.linear(rows, W)
            Wx = Wx if bias_ih is None else Wx + bias_ih
            d = Direction(Wx, R, bias_hh=bias_hh, norm_hh=norm, mask=self.mask)
            product = RecurrentProduct(self.cell, d)
            sizes = self.sizes.tolist()
            y, final = _steps(self.cell, Wx, state, product, sizes, self.keep, reverse=self.reverse)
        return y if self.numbers is SINGLE else y.to(self.numbers.operand), *final


def linearly_swept(
    cell: str,
    x: Tensor,
    batch_sizes: Tensor | None,
    state: State,
    directions: Sequence[Direction],
    numbers: Numbers = SINGLE,
) -> tuple[Tensor, State]:
    """`swept` for the cells without R, whose one state is h; the product alone is in bf16."""
    time_major = x.shape[:1] if batch_sizes is not None else x.shape[:2]
    sizes = _sizes(x, batch_sizes)
    ys, finals = [], []
    for k, d in enumerate(directions):
        with _in_float32(numbers):
            rows, W, ids = _swept_input(cell, x, d)
            if W is not None:
                rows = F.linear(rows.to(numbers.operand), W.to(numbers.operand)).float()
            Wx = rows if ids is None else F.embedding(ids, rows)
        replay = LinearStepwise(cells.get(cell), sizes, reverse=k == 1)
        h0, bias = state[0][k].float(), None if d.bias_ih is None else d.bias_ih.float()
        y, h = linear_scan(cell, Wx, sizes, h0, bias, replay, reverse=k == 1)
        ys.append(y.to(numbers.operand))
        finals.append(h)
    y = torch.cat(ys, -1) if len(ys) > 1 else ys[0]
    return y.reshape(*time_major, y.shape[-1]), (_of_directions(finals),)


@dataclass(frozen=True)
class LinearStepwise:
    """`linear_scan` by the cell's own equations."""

    cell: Cell
    sizes: Tensor
    reverse: bool

    def __call__(self, Wx: Tensor, bias: Tensor | None, h: Tensor) -> tuple[Tensor, ...]:
        Wx = Wx if bias is None else Wx + bias
        sizes = self.sizes.tolist()
        y, final = _steps(self.cell, Wx, (h,), no_recurrence, sizes, None, reverse=self.reverse)
        return y, *final


def fused(
    choice: Choice,
    x: Tensor,
    batch_sizes: Tensor | None,
    state: State,
    directions: Sequence[Direction],
) -> tuple[Tensor, State]:
    """`scan` by a sweep of Elman, or in one call of PyTorch. Its reference is `reference`."""
    kernel = choice.kernel
    assert kernel is not None
    if isinstance(kernel, str):
        by = linearly_swept if kernel in linear.GATES else swept
        return by(kernel, x, batch_sizes, state, directions, choice.numbers)
    parts = [(d.weight_ih, d.weight_hh, d.bias_ih, d.bias_hh) for d in directions]
    weights = [w for part in parts for w in part if w is not None]
    x = vectors(x, directions[0].weight_ih, directions[0].embedding)
    has_bias, both_ways = directions[0].bias_ih is not None, len(directions) == 2
    state = tuple(s.contiguous() for s in state)  # cuDNN asks for it
    hx = state if len(state) > 1 else state[0]
    # A gradient must be possible in eval mode too, which cuDNN allows only if told to train.
    options = (has_bias, 1, 0.0, torch.is_grad_enabled(), both_ways)  # 1 layer, dropout 0.0
    with _compacting_quietly() if x.is_cuda else nullcontext():
        if batch_sizes is None:
            y, *final = kernel(x, hx, weights, *options, False)  # not batch first
        else:
            y, *final = kernel(x, batch_sizes, hx, weights, *options)
    return y, tuple(final)


@contextmanager
def _compacting_quietly() -> Iterator[None]:
    """cuDNN gathers a layer's weights into one chunk at each call, and warns that it does.

    That is one copy of the weights a call; to keep them in one chunk instead would tie the storage
    of independent parameters together.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "RNN module weights are not part of single")
        yield


def reference(
    cell: Cell,
    x: Tensor,
    batch_sizes: Tensor | None,
    state: State,
    directions: Sequence[Direction],
    watch: Watch | None = None,
) -> tuple[Tensor, State]:
    """`scan` by the cell's own equations, step by step, each of which `watch` is shown."""
    sizes = [x.shape[1]] * x.shape[0] if batch_sizes is None else batch_sizes.tolist()
    ys, finals = [], []
    x = vectors(x, directions[0].weight_ih, directions[0].embedding)
    for k, direction in enumerate(directions):
        Wx = input_product(cell, direction, x.flatten(0, -2))  # [N, G*H]
        R = RecurrentProduct(cell, direction) if cell.recurrent else no_recurrence
        first = tuple(s[k] for s in state)
        shown = None if watch is None else functools.partial(watch, k)
        y, final = _steps(cell, Wx, first, R, sizes, direction.keep, reverse=k == 1, watch=shown)
        ys.append(y)
        finals.append(final)
    y = torch.cat(ys, -1)
    final = tuple(torch.stack(parts) for parts in zip(*finals, strict=True))
    return y.reshape(*x.shape[:-1], y.shape[-1]), final


def vectors(x: Tensor, weight_ih: Tensor, embedding: Tensor | None) -> Tensor:
    """Tokens as the vectors that they stand for; vectors as they are."""
    if x.is_floating_point():
        return x
    if embedding is None:
        return F.one_hot(x, weight_ih.shape[1]).to(weight_ih.dtype)
    return F.embedding(x, embedding)


def _steps(
    cell: Cell,
    Wx: Tensor,
    state: State,
    R: Recurrence,
    sizes: list[int],
    keep: tuple[Tensor, ...] | None,
    *,
    reverse: bool,
    watch: Callable[[Tensor, State, State, dict[str, Tensor]], None] | None = None,
) -> tuple[Tensor, State]:
    """Rows `Wx` [N, G*H], states [B, H] → the outputs [N, H] and the last states [B, H].

    Forward, a sequence that has ended keeps its last state; in reverse, one that has not begun
    keeps its initial one.
    """
    rows = list(zip(torch.split(Wx, sizes), _split(keep, sizes), sizes, strict=True))
    ys = []
    for Wx_t, keep_t, n in reversed(rows) if reverse else rows:
        before = tuple(s[:n] for s in state)
        noted: dict[str, Tensor] = {}
        alive = cell.step(Wx_t, before, R, ignore if watch is None else noted.update)
        if keep_t is not None:
            alive = zoned_out(alive, before, keep_t)
        if watch is not None:
            watch(Wx_t, before, alive, noted)
        ys.append(alive[0])
        if n == len(state[0]):
            state = alive
        else:
            state = tuple(torch.cat([a, s[n:]]) for a, s in zip(alive, state, strict=True))
    return torch.cat(ys[::-1] if reverse else ys), state


def zoned_out(new: State, old: State, keep: tuple[Tensor, ...]) -> State:
    """States that keep a share of their old value: Krueger et al. 2017, arXiv:1606.01305."""
    both = zip(new, old, keep, strict=True)
    return tuple(n.lerp(o, share) for n, o, share in both)


def _split(keep: tuple[Tensor, ...] | None, sizes: list[int]) -> list[tuple[Tensor, ...] | None]:
    """The shares to keep, step by step; one row serves all rows."""
    if keep is None:
        return [None] * len(sizes)
    N = sum(sizes)
    return list(zip(*(torch.split(k.expand(N, -1), sizes) for k in keep), strict=True))


def input_product(cell: Cell, direction: Direction, x: Tensor) -> Tensor:
    """`W x + b` for every gate: rows [N, I] → [N, G*H]."""
    d = direction
    return _product(x, d.weight_ih, d.bias_ih, d.norm_ih, len(cell.gates))


class RecurrentProduct:
    """`R` of one direction: `weight_hh h + bias_hh`, with what sits inside the recurrence.

    `R(h)` [B, H] → [B, G*H]; `R(h, "r", "z")` gives only the gates named. `h` may have fewer rows
    than the mask: those are the first ones, as in a packed sequence.
    """

    def __init__(self, cell: Cell, direction: Direction) -> None:
        self._gates = cell.gates
        self._mask = direction.mask
        self._whole = (direction.weight_hh, direction.bias_hh, direction.norm_hh)
        self._parts = {(): self._whole, cell.gates: self._whole}

    def __call__(self, h: Tensor, *gates: str) -> Tensor:
        if gates not in self._parts:  # cut once, not at every step
            self._parts[gates] = self._cut(gates)
        weight, bias, gain = self._parts[gates]
        assert weight is not None  # only a recurrent cell has an R
        if self._mask is not None:
            h = h * self._mask[: len(h)]
        return _product(h, weight, bias, gain, len(gates or self._gates))

    def _cut(self, gates: tuple[str, ...]) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        at = [self._gates.index(gate) for gate in gates]
        weight, bias, gain = (
            None if part is None else torch.cat([part.chunk(len(self._gates))[k] for k in at])
            for part in self._whole
        )
        return weight, bias, gain


def no_recurrence(h: Tensor, *gates: str) -> Tensor:
    """`R` of a cell that said that it has none."""
    raise RuntimeError("a cell with recurrent = False must not call R: it has no weight_hh")


def _product(
    x: Tensor, weight: Tensor, bias: Tensor | None, gain: Tensor | None, gates: int
) -> Tensor:
    """`weight x + bias`, [N, I] → [N, G*H], with a `gain` normed before the bias is added."""
    if gain is None:
        return F.linear(x, weight, bias)
    normed = _normed(F.linear(x, weight), gain, gates)
    return normed if bias is None else normed + bias


def _normed(product: Tensor, gain: Tensor | None, gates: int) -> Tensor:
    """[N, G*H], the H values of each gate brought to mean 0 and variance 1, times `gain` [G*H].

    Layer norm, Ba et al. 2016, arXiv:1607.06450, gate by gate. Without a gain nothing changes.
    """
    if gain is None:
        return product
    by_gate = product.reshape(len(product), gates, -1)  # [N, G, H]
    return F.layer_norm(by_gate, by_gate.shape[-1:]).flatten(-2) * gain
