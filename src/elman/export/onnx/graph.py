"""An ONNX graph as it is written down: nodes in the order of their work, and numbers, each once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from elman.export.rounding import rounded

Array: TypeAlias = NDArray[Any]
Storage: TypeAlias = Literal["float32", "int8"]

FLOAT, INT32, INT64, BOOL = (
    TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL,
)  # fmt: skip
SMALLEST = 1024  # numbers of a weight; fewer are not worth rounding


class Graph:
    """Nodes and numbers; what a node gives is known by its name, `Add.3`, which no value of a
    program has, as those are names in C.

    The graph of a loop, `within` another, has nodes of its own; its numbers stand in the other.
    The same calls give the same names, so that an export is the same file each time.
    """

    def __init__(self, storage: Storage = "float32", within: Graph | None = None) -> None:
        self.storage: Storage = storage if within is None else within.storage
        self.nodes: list[Any] = []
        self.initializers: list[Any] = [] if within is None else within.initializers
        self._names: Counter[str] = Counter() if within is None else within._names
        self._known: dict[object, str] = {} if within is None else within._known

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output, whose name is given back. "" is an input that is left out."""
        return self.several(kind, inputs, 1, **attributes)[0]

    def several(
        self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any
    ) -> tuple[str, ...]:
        """A node with so many outputs."""
        name = self.fresh(kind)
        names = (name,) if outputs == 1 else tuple(f"{name}.{k}" for k in range(outputs))
        self.nodes.append(helper.make_node(kind, list(inputs), list(names), name, **attributes))
        return names

    def give(self, value: str, name: str) -> None:
        """`value` under the name of an output."""
        self.nodes.append(helper.make_node("Identity", [value], [name], self.fresh("Identity")))

    def fresh(self, kind: str) -> str:
        """A name that nothing bears."""
        self._names[kind] += 1
        return f"{kind}.{self._names[kind]}"

    def number(self, value: Any, dtype: type[np.generic] = np.float32) -> str:
        """Numbers that the model needs, float32 unless told otherwise: equal ones are kept once."""
        array = np.ascontiguousarray(value, dtype).reshape(np.shape(value))
        key = (array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).digest())
        if key not in self._known:
            self._known[key] = self.fresh("number")
            self.initializers.append(numpy_helper.from_array(array, self._known[key]))
        return self._known[key]

    def integers(self, *values: int) -> str:
        """Whole numbers [n], as shapes and axes are given."""
        return self.number(values, np.int64)

    def weight(self, value: Array) -> str:
        """Weights [..., columns], float32, that may be rounded: as int8 a row has one scale.

        They become float32 again before they are used. ONNX Runtime does that once, when it loads
        the model, as all of it is constant; in the graph of a loop it would not.
        """
        array = np.asarray(value, np.float32)
        if self.storage == "float32" or array.size < SMALLEST:
            return self.number(array)
        whole, scale = rounded(array)
        return self.add(
            "Mul", self.add("Cast", self.number(whole, np.int8), to=FLOAT), self.number(scale)
        )
