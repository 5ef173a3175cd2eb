"""One step of a cell as a graph of what it did: every tensor operation, in order.

The step runs on numbers while PyTorch's dispatcher tells each operation, so that any cell has a
graph, whatever methods its step calls. Vectors of several gates at once are then taken apart: what
is done to all of them together is done to each.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from elman.cells.cell import Cell

# Operations that are done to each unit by itself, so that they may be done gate by gate.
UNITWISE = frozenset(
    {"add", "sub", "rsub", "mul", "div", "neg", "sigmoid", "tanh", "relu", "exp", "log", "log1p",
     "sqrt", "rsqrt", "sin", "cos", "silu", "softplus", "abs", "square", "pow", "reciprocal",
     "where", "gt", "ge", "lt", "le", "eq", "logaddexp", "maximum", "minimum", "clamp_min", "lerp",
     "clone"}
)  # fmt: skip
CUT = frozenset({"split", "chunk", "unsafe_chunk", "split_with_sizes", "unsafe_split"})


@dataclass(eq=False)
class Node:
    """What one operation gave: its inputs are nodes, numbers, or whatever else it was called with.

    `kind`: the operation's name, or `input` (W x + b), `state`, `product` (R of its one input),
    `piece` (of its input, from a unit to another) or `constant`.
    """

    kind: str
    inputs: tuple[Any, ...]
    value: Tensor
    work: Callable[..., Any] | None = None  # does the operation again
    keywords: Mapping[str, Any] = field(default_factory=dict)
    gates: tuple[str, ...] = ()  # of an input or a product
    name: str = ""

    @property
    def width(self) -> int:
        return self.value.shape[-1] if self.value.dim() else 0

    @property
    def nodes(self) -> list[Node]:
        """The inputs that are nodes, those in lists too."""
        found: list[Node] = []
        for part in self.inputs:
            several = part if isinstance(part, list) else [part]
            found += [one for one in several if isinstance(one, Node)]
        return found


@dataclass(frozen=True)
class Graph:
    """A recorded step: what it began with, what it noted, and the states that it gave."""

    inputs: Mapping[str, Node]  # gate → W x + b
    states: Mapping[str, Node]  # the states before, by name
    noted: Mapping[str, Node]
    results: Mapping[str, Node]  # the states after, by name


def record(cell: Cell, Wx: Tensor, state: Sequence[Tensor], R: Callable[..., Tensor]) -> Graph:
    """The graph of one step: `Wx` [1, G*H], each state [1, H], `R` as the layer gives it."""
    seen = _Seen()
    own_Wx, own_state = Wx.clone(), tuple(s.clone() for s in state)
    joint = seen.keep(own_Wx, Node("input", (), own_Wx, gates=cell.gates))
    states = {
        name: seen.keep(tensor, Node("state", (), tensor, name=name))
        for name, tensor in zip(cell.states, own_state, strict=True)
    }
    noted: dict[str, Tensor] = {}

    def product(h: Tensor, *gates: str) -> Tensor:
        with seen.unseen():
            value = R(h, *gates)
        seen.keep(value, Node("product", (seen.of(h),), value, gates=gates or cell.gates))
        return value

    with torch.no_grad(), seen:
        after = cell.step(own_Wx, own_state, product, noted.update)
    apart = _Apart()
    results = zip(cell.states, after, strict=True)
    return Graph(
        {gate: apart.gate(joint, k) for k, gate in enumerate(cell.gates)},
        states,
        {name: apart.whole(seen.of(tensor)) for name, tensor in noted.items()},
        {name: apart.whole(seen.of(tensor)) for name, tensor in results},
    )


class _Seen(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Tells every operation while a step runs."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._nodes: dict[int, Node] = {}
        self._alive: list[Tensor] = []  # so that no two tensors have one id
        self._blind = False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if self._blind:
            return func(*args, **(kwargs or {}))
        keywords, name = dict(kwargs or {}), func.overloadpacket.__name__
        inputs = tuple(map(self._input, args))
        result = func(*args, **keywords)
        if name in CUT and args[2:] in ((), (-1,), (args[0].dim() - 1,)):
            start = 0
            for part in result:
                stop = start + part.shape[-1]
                self.keep(part, Node("piece", (inputs[0], start, stop), part))
                start = stop
        elif isinstance(result, Tensor):
            in_place = name.endswith("_")  # the same tensor is something else from here on
            value = result.clone() if in_place else result
            self.keep(result, Node(name.rstrip("_"), inputs, value, func, keywords))
        elif isinstance(result, tuple | list):
            for k, part in enumerate(result):
                if isinstance(part, Tensor):
                    self.keep(part, Node(name, inputs, part, _nth(func, k), keywords))
        return result

    def keep(self, tensor: Tensor, node: Node) -> Node:
        """Remember what a tensor is."""
        self._alive.append(tensor)
        self._nodes[id(tensor)] = node
        return node

    def of(self, tensor: Tensor) -> Node:
        """What a tensor is; one that nobody made here is constant."""
        return self._nodes.get(id(tensor)) or self.keep(tensor, Node("constant", (), tensor))

    @contextlib.contextmanager
    def unseen(self) -> Iterator[None]:
        """A block of which nothing is told."""
        self._blind = True
        try:
            yield
        finally:
            self._blind = False

    def _input(self, argument: Any) -> Any:
        if isinstance(argument, Tensor):
            return self.of(argument)
        if isinstance(argument, list | tuple):
            return [self._input(part) for part in argument]
        return argument


class _Apart:
    """Takes a graph apart into gates."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, int, int], Node] = {}

    def whole(self, node: Node) -> Node:
        return self.piece(node, 0, node.width)

    def gate(self, joint: Node, k: int) -> Node:
        """The k-th gate of W x + b, or of a product."""
        units = joint.width // len(joint.gates)
        return self.piece(joint, k * units, (k + 1) * units)

    def piece(self, node: Node, start: int, stop: int) -> Node:
        """Some neighbouring units of a node."""
        place = (id(node), start, stop)
        if place not in self._made:
            self._made[place] = self._take(node, start, stop)
        return self._made[place]

    def _take(self, node: Node, start: int, stop: int) -> Node:
        whole = (start, stop) == (0, node.width)
        value = node.value if whole else node.value[..., start:stop]
        if node.kind in ("input", "product"):
            return self._of_gates(node, start, stop, value)
        if node.kind in ("state", "constant") and whole:
            return node
        if node.kind == "constant":
            return Node("constant", (), value)
        if node.kind == "piece":
            inner, first, _ = node.inputs
            return self.piece(inner, first + start, first + stop)
        if whole or (node.kind in UNITWISE and not node.keywords.get("rounding_mode")):
            inputs = tuple(self._part(part, node, start, stop) for part in node.inputs)
            return Node(node.kind, inputs, value, node.work, node.keywords)
        return _slice(self.whole(node), start, stop, value)

    def _part(self, part: Any, node: Node, start: int, stop: int) -> Any:
        """The units of an input that these units of a node were made from."""
        if isinstance(part, list):
            return [self._part(one, node, start, stop) for one in part]
        if not isinstance(part, Node):
            return part
        if node.kind in UNITWISE and part.width == node.width:
            return self.piece(part, start, stop)
        return self.whole(part)

    def _of_gates(self, node: Node, start: int, stop: int, value: Tensor) -> Node:
        units = node.width // len(node.gates)
        k = start // units
        if (start, stop) == (k * units, (k + 1) * units):
            inputs = tuple(self.whole(part) for part in node.inputs)
            return Node(node.kind, inputs, value, gates=(node.gates[k],))
        if (start, stop) == (0, node.width):  # used as one vector
            gates = [self.gate(node, k) for k in range(len(node.gates))]
            return Node("cat", (gates, -1), value, torch.cat)
        return _slice(self.whole(node), start, stop, value)


def _slice(node: Node, start: int, stop: int, value: Tensor) -> Node:
    return Node("slice", (node, start, stop), value, _units)


def _units(x: Tensor, start: int, stop: int) -> Tensor:
    return x[..., start:stop]


def _nth(func: Callable[..., Any], k: int) -> Callable[..., Any]:
    return lambda *args, **keywords: func(*args, **keywords)[k]
