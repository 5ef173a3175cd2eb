"""What all nodes of a program share while they become nodes of ONNX: names, weights, padding."""

from __future__ import annotations

from typing import Any

import numpy as np

from elman.export.onnx.graph import INT32, Array, Graph
from elman.export.program import EPSILON, Program


class Translation:
    """A program on its way into a graph; `names` has what its values are called there."""

    def __init__(self, program: Program, graph: Graph) -> None:
        self.program, self.graph = program, graph
        self.names: dict[str, str] = {}
        self._made: dict[tuple[object, ...], str] = {}

    def __getitem__(self, name: str) -> str:
        """The value of that name in the program, as the graph calls it."""
        return self.names[name]

    def width(self, name: str) -> int:
        """How many numbers a value has in its last axis."""
        width = self.program.values[name].shape[-1]
        assert isinstance(width, int)
        return width

    def array(self, name: str) -> Array:
        """The numbers of a weight."""
        return np.asarray(self.program.weights[name], np.float32)

    def exact(self, name: str) -> str:
        """A weight that is never rounded."""
        return self.graph.number(self.array(name))

    def weight(self, name: str) -> str:
        """A weight [rows, columns] as the storage has it."""
        return self._once(("weight", name), lambda: self.graph.weight(self.array(name)))

    def turned(self, name: str) -> str:
        """Its transpose."""
        return self._once(
            ("turned", name), lambda: self.graph.add("Transpose", self.weight(name), perm=[1, 0])
        )

    def size(self, name: str, axis: int) -> str:
        """The length [1] of an axis of a value."""
        dim = self.program.values[name].shape[axis]
        key = ("size", dim) if isinstance(dim, str) else ("size", name, axis)
        return self._once(
            key, lambda: self.graph.add("Shape", self[name], start=axis, end=axis + 1)
        )

    def alive(self, lengths: str, like: str) -> str:
        """Which steps of `like` [B, T, F] come before the end of a sequence, bool [B, T, 1]."""
        g, steps = self.graph, self.size(like, 1)

        def make() -> str:
            zero, one = g.number(0, np.int64), g.number(1, np.int64)
            places = g.add("Range", zero, g.add("Squeeze", steps), one)
            before = g.add("Less", places, g.add("Unsqueeze", self[lengths], g.integers(1)))
            return g.add("Unsqueeze", before, g.integers(2))

        return self._once(("alive", lengths, steps), make)

    def lengths(self, name: str) -> str:
        """Lengths as int32, which recurrent nodes want."""
        return self._once(("int32", name), lambda: self.graph.add("Cast", self[name], to=INT32))

    def _once(self, key: tuple[object, ...], make: Any) -> str:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


def normed(graph: Graph, x: str) -> str:
    """Mean 0 and variance 1 over the last axis. ONNX Runtime's own node loses digits where the
    mean is large, as it takes the variance as a difference of squares."""
    gap = graph.add("Sub", x, graph.add("ReduceMean", x, axes=[-1]))
    variance = graph.add("ReduceMean", graph.add("Mul", gap, gap), axes=[-1])
    spread = graph.add("Sqrt", graph.add("Add", variance, graph.number(EPSILON)))
    return graph.add("Div", gap, spread)
