"""Weights as constant tables: float32, bf16, or int8 with a scale for each row."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from elman.export.c.names import Names
from elman.export.program import (
    Array,
    Convolution,
    Linear,
    Lookup,
    Precision,
    Program,
    Recurrent,
)
from elman.export.rounding import rounded

SMALLEST = 1024  # numbers of a matrix; fewer are not worth rounding
WIDTH = 100  # characters of a line


@dataclass(frozen=True)
class Table:
    """A matrix [rows, columns], column by column, as it stands in C."""

    name: str
    rows: int
    columns: int
    precision: Precision
    scale: str = ""  # the table of the scales of rows, for int8

    @property
    def arguments(self) -> str:
        """What a function that reads a matrix is given."""
        return f"{self.name}, {self.scale}" if self.scale else self.name


class Tables:
    """The constant tables of a file; equal ones stand there once."""

    def __init__(self, precision: Precision, names: Names) -> None:
        self.precision = precision
        self.text: list[str] = []
        self.bytes = 0
        self._names = names
        self._known: dict[tuple[str, str], str] = {}

    def vector(self, values: Array, name: str) -> str:
        """Numbers [n] as float32 → the name of their table."""
        numbers = np.asarray(values, np.float32).reshape(-1)
        return self._add("float", numbers, [float_text(x) for x in numbers.tolist()], name)

    def matrix(self, values: Array, name: str, whole: int = 0) -> Table:
        """A matrix [rows, columns] in the precision of the file, if it is large enough, or the
        one of `whole` numbers that it is a part of."""
        values = np.asarray(values, np.float32)
        rows, columns = values.shape
        precision = _stored_as(max(whole, values.size), self.precision)
        if precision == "float32":
            return Table(self.vector(values.T, name), rows, columns, precision)
        if precision == "bf16":
            upper = (_nearest_bf16(values.T).view(np.uint32) >> 16).astype(np.uint16).reshape(-1)
            written = [f"0x{x:04x}" for x in upper]
            return Table(self._add("uint16_t", upper, written, name), rows, columns, precision)
        integers, scale = rounded(values)
        flat = integers.T.reshape(-1)
        table = self._add("int8_t", flat, list(map(str, flat)), name)
        return Table(table, rows, columns, precision, self.vector(scale, f"{name}_scale"))

    def _add(self, kind: str, values: Array, written: list[str], name: str) -> str:
        key = (kind, hashlib.sha256(values.tobytes()).hexdigest())
        if key not in self._known:
            self._known[key] = name = self._names.fresh(name)
            self.bytes += values.nbytes
            self.text.append(
                f"static const {kind} {name}[{len(written)}] = {{\n{_lines(written)}\n}};\n"
            )
        return self._known[key]


def as_stored(program: Program, precision: Precision) -> Program:
    """The program with its matrices as a file of that precision gives them back."""
    matrices = set[str]()
    for node in program.nodes:
        match node:
            case Lookup():
                matrices.add(node.table)
            case Linear() | Convolution():
                matrices.add(node.weight)
            case Recurrent():
                matrices |= {name for name in (node.weight_ih, node.weight_hh) if name}
    weights = {
        name: _given_back(values, precision) if name in matrices else values
        for name, values in program.weights.items()
    }
    return replace(program, weights=weights)


def _given_back(values: Array, precision: Precision) -> Array:
    matrix = values.reshape(len(values), -1)
    precision = _stored_as(matrix.size, precision)
    if precision == "bf16":
        return _nearest_bf16(matrix).reshape(values.shape)
    if precision == "int8":
        whole, scale = rounded(matrix)
        return (whole * scale).reshape(values.shape)
    return values


def _stored_as(size: int, precision: Precision) -> Precision:
    return precision if size >= SMALLEST else "float32"


def _nearest_bf16(values: Array) -> Array:
    """float32 whose lower half is zero; of two that are equally near the even one."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    nearest = bits + np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1))
    return (nearest & np.uint32(0xFFFF0000)).view(np.float32)


def float_text(x: float) -> str:
    """A float32 in digits that give it back."""
    if not np.isfinite(x):
        return "NAN" if np.isnan(x) else "INFINITY" if x > 0 else "-INFINITY"
    text = f"{x:.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _lines(written: list[str]) -> str:
    lines, line = [], ""
    for one in written:
        if len(line) + len(one) + 7 > WIDTH:
            lines.append(line)
            line = ""
        line += f" {one},"
    lines.append(line)
    return "\n".join(f"   {line}" for line in lines).rstrip(",")
