"""What leaves: a network as plain values, which every back end writes in its own way.

    run ─ Task.export → Export (programs + surroundings) ─ back end → files ─ Runner → certificate

A `Program` is a list of nodes over named values, without PyTorch. Values are float32 or int64,
[B, F], [B, T, F], and of whole numbers [B, T] or [B]; B and T are free. All names, of weights,
inputs, states and what nodes give, stand in one space, are names in C too, and each is given once,
before it is used. `export/interpreter.py` runs a program in NumPy: it is what each node means.

A back end is a package `elman.export.NAME` (`onnx`, `c`) with two functions:

    write(export: Export, folder: Path, how: How) -> Written     into an empty folder
    open_written(folder: Path) -> dict[str, Runner]              by the names of the programs

`write` raises UserError, in one line, for what this back end cannot say. `surroundings` are all
that stands around the network: what a reader of the files needs from raw input to the answer that
`elman predict` gives. Their keys are told at the top of each task's `export.py`, and so are the
questions of `Raw` and their answers. A back end that writes a file that answers by itself has

    answers(folder: Path, questions: list) -> list | None        asked in a process of its own
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Arrays: TypeAlias = Mapping[str, Array]
Kind: TypeAlias = Literal["float32", "int64"]
Dim: TypeAlias = int | str  # "B", "T", or "T/4": T over 4, rounded up
Precision: TypeAlias = Literal["float32", "int8", "bf16"]
Function: TypeAlias = Literal["tanh", "sigmoid", "relu", "exp", "log"]
Pooling: TypeAlias = Literal["first", "last", "mean", "sum", "max"]
GroupPooling: TypeAlias = Literal["max", "mean"]

EPSILON = 1e-5  # of layer norm, inside and outside of a recurrence


@dataclass(frozen=True)
class Value:
    """What a name stands for: `[B, T]` whole numbers, `[B, T, 64]` numbers."""

    kind: Kind
    shape: tuple[Dim, ...]


# ---- A cell's step ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """`out = function(inputs)`, unit by unit; an input is a name or a number.

    Functions: add, sub, mul, div, maximum, minimum, pow; neg, abs, exp, log, sqrt, sin, cos,
    sigmoid, tanh, relu; gt, ge, lt, le, eq, which give a condition, and where, which takes one
    first. `product` is R of its one input for one `gate`: the rows of `weight_hh` and `bias_hh`
    that belong to it.
    """

    out: str
    function: str
    inputs: tuple[str | float, ...]
    gate: str = ""  # of a product


@dataclass(frozen=True)
class Step:
    """One step of a cell as lines: what `elman.cells` has as code.

    The value of each line is [B, H]. Given are `Wx_GATE`, each gate's part of W x + b, the states
    before, by their names, and the constants. `native` is whether it is a cell that everybody
    knows: lstm, gru, gru-reset-before, rnn or rnn-relu, with PyTorch's order of gates; one that
    somebody else wrote under such a name is not.
    """

    cell: str
    gates: tuple[str, ...]  # in the order of their rows in the weights
    states: tuple[str, ...]  # the first is the output
    lines: tuple[Line, ...]
    results: tuple[str, ...]  # the names of the states after
    constants: Arrays = field(default_factory=dict)  # name → [H]
    native: bool = False


# ---- Nodes -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lookup:
    """`table` [V, E], `ids` [B, T] → `out` [B, T, E]; ids [B] → [B, E]."""

    out: str
    ids: str
    table: str


@dataclass(frozen=True)
class OneHot:
    """`ids` [B, T] → `out` [B, T, size], 1 at the id."""

    out: str
    ids: str
    size: int


@dataclass(frozen=True)
class Linear:
    """`weight` [O, I] times x [..., I], and `bias` [O] → [..., O]."""

    out: str
    x: str
    weight: str
    bias: str | None = None


@dataclass(frozen=True)
class Recurrent:
    """One direction of one layer: x [B, T, I] → `out` [B, T, H].

    At each step `step`, then, with zoneout `keep` > 0, each state s = s + keep * (before - s).
    `reverse` reads from each sequence's last step to its first; out is in the order of x. With
    `lengths` [B] a sequence ends there: out is 0 from there on, and its states stay.
    `first`: the names of the first states [B, H]; empty for zeros. `last`: names for those after.

    W x + b is `weight_ih` x + `bias_ih`, R h is `weight_hh` h + `bias_hh`; with `norm_ih` and
    `norm_hh` [G*H] the product, before the bias is added, has its H values of each gate brought to
    mean 0 and variance 1 (over `EPSILON`) and multiplied by these.
    """

    out: str
    x: str
    step: Step
    weight_ih: str
    weight_hh: str | None = None  # None for a cell without R
    bias_ih: str | None = None
    bias_hh: str | None = None
    norm_ih: str | None = None
    norm_hh: str | None = None
    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    lengths: str | None = None
    keep: float = 0.0
    reverse: bool = False


@dataclass(frozen=True)
class Convolution:
    """x [B, T, I], `weight` [F, I, K] → [B, ceil(T / stride), F].

    Step t sees x from t * stride - before on, K steps; there are zeros beyond both ends.
    """

    out: str
    x: str
    weight: str
    bias: str
    stride: int
    before: int


@dataclass(frozen=True)
class Average:
    """x [B, T, I] → the same: of each step the mean of `count` steps from t - before on; the zeros
    beyond both ends count."""

    out: str
    x: str
    count: int
    before: int


@dataclass(frozen=True)
class Shorter:
    """`lengths` [B] → ceil(lengths / stride) [B]."""

    out: str
    lengths: str
    stride: int


@dataclass(frozen=True)
class Mask:
    """x [B, T, F] with zeros from `lengths` on."""

    out: str
    x: str
    lengths: str


@dataclass(frozen=True)
class Pool:
    """x [B, T, F] → [B, F] over the steps before `lengths` (all, where None): the first of them,
    the last, their mean, sum, or greatest."""

    out: str
    x: str
    how: Pooling
    lengths: str | None = None


@dataclass(frozen=True)
class SoftmaxOverTime:
    """x [B, T, F] → [B, T, F], whose steps before `lengths` sum to 1, the others being 0."""

    out: str
    x: str
    lengths: str | None = None


@dataclass(frozen=True)
class Spread:
    """x [B, F] at every step of `like` [B, T, ...] → [B, T, F]."""

    out: str
    x: str
    like: str


@dataclass(frozen=True)
class Expand:
    """`weight` [F] for each row of `like` [B, ...] → [B, F]."""

    out: str
    weight: str
    like: str


@dataclass(frozen=True)
class Steps:
    """x [B, count * F] → [B, count, F]: as many steps, side by side in x."""

    out: str
    x: str
    count: int


@dataclass(frozen=True)
class Groups:
    """x [..., F * size] → [..., F]: of so many neighbours the greatest, or their mean."""

    out: str
    x: str
    size: int
    how: GroupPooling


@dataclass(frozen=True)
class Concat:
    """Side by side in the last axis."""

    out: str
    xs: tuple[str, ...]


@dataclass(frozen=True)
class Slice:
    """x[..., start:stop]"""

    out: str
    x: str
    start: int
    stop: int


@dataclass(frozen=True)
class Add:
    """a + b, of one shape."""

    out: str
    a: str
    b: str


@dataclass(frozen=True)
class Mul:
    """a * b, of one shape, or the last axis of b is 1."""

    out: str
    a: str
    b: str


@dataclass(frozen=True)
class Affine:
    """x * factor + shift, `factor` and `shift` [F] or [1]."""

    out: str
    x: str
    factor: str
    shift: str | None = None


@dataclass(frozen=True)
class Activation:
    """`function` of each number."""

    out: str
    x: str
    function: Function


@dataclass(frozen=True)
class Softmax:
    """Softmax over the last axis, or its logarithm."""

    out: str
    x: str
    log: bool = False


@dataclass(frozen=True)
class LayerNorm:
    """Over the last axis, with `EPSILON`; `weight` and `bias` [F]."""

    out: str
    x: str
    weight: str
    bias: str


Node: TypeAlias = (
    Lookup | OneHot | Linear | Recurrent | Convolution | Shorter | Mask | Pool | SoftmaxOverTime
    | Average | Spread | Expand | Steps | Groups | Concat | Slice | Add | Mul | Affine | Activation
    | Softmax | LayerNorm
)  # fmt: skip


# ---- Programs --------------------------------------------------------------------------------


@dataclass(frozen=True)
class State:
    """What is handed from one call to the next: the value `before` goes in, `after` comes out.

    `initial` [H] is what a sequence begins with, in every row.
    """

    name: str
    before: str
    after: str
    initial: Array


@dataclass(frozen=True)
class Program:
    """A network. With states it `streams`: a sequence read in parts gives what it gives whole.

    An input named `lengths` [B] has from 1 to T, and padding stands after it. Those that have
    `limits` are whole numbers from 0 to below them, whatever their kind.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    values: Mapping[str, Value]  # of every name but the weights
    weights: Arrays
    states: tuple[State, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)

    @property
    def streams(self) -> bool:
        return bool(self.states)

    def first_states(self, batch: int) -> dict[str, Array]:
        """The states at the beginning of `batch` sequences, by name, each [B, H]."""
        return {s.name: np.tile(s.initial.astype(np.float32), (batch, 1)) for s in self.states}


@dataclass(frozen=True)
class Raw:
    """Questions in raw form, plain values as JSON has them, and what Elman answers to each."""

    drawn: Callable[[np.random.Generator, int], list[Any]]
    answered: Callable[[Sequence[Any]], list[Any]]


@dataclass(frozen=True)
class Export:
    """All that leaves of a run.

    `originals` are the networks themselves, by the names of the programs; with them and `raw` the
    certificate compares, and no back end looks at them.
    """

    task: str
    programs: Mapping[str, Program]
    surroundings: Mapping[str, Any]  # plain values, as JSON has them
    originals: Mapping[str, Runner] = field(default_factory=dict)
    raw: Raw | None = None


@dataclass(frozen=True)
class How:
    """How an export is written."""

    precision: Precision = "float32"
    name: str = "model"  # of files and, in C, of functions


@dataclass(frozen=True)
class Written:
    """What a back end wrote: files, relative to the folder, and lines for the user."""

    files: tuple[str, ...]
    told: tuple[str, ...] = ()


class Runner(Protocol):
    """A program that somebody runs."""

    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Inputs and states by name → outputs, and the states after. Without states a sequence
        begins."""
