"""A C file as it grows: its tables, its own functions, and small ones out of `pieces/`."""

from __future__ import annotations

from importlib import resources

from elman.export.c.names import Names
from elman.export.c.tables import Table, Tables
from elman.export.program import Precision

# What each piece calls; a piece comes after those that it calls.
CALLS: dict[str, tuple[str, ...]] = {
    "exp_minus_1": (), "exponential": ("exp_minus_1",), "sigmoid": ("exp_minus_1",),
    "hyperbolic_tangent": ("exp_minus_1",), "relu": (), "maximum": (), "minimum": (), "bf16": (),
    "fill": (), "copy": (), "add": (), "multiply_float32": (), "multiply_int8": (),
    "multiply_bf16": ("bf16",), "column_float32": ("fill",), "column_int8": ("fill",),
    "column_bf16": ("fill", "bf16"), "row_float32": ("fill",), "row_int8": ("fill",),
    "row_bf16": ("fill", "bf16"), "one_hot": ("fill",), "normed": (),
    "softmax": ("maximum", "exponential"),
    "log_softmax": ("maximum", "exponential"), "softmax_over_time": ("maximum", "exponential"),
    "averaged": (), "groups_max": ("maximum",), "groups_mean": (),
}  # fmt: skip


# Names of what stands around a network.
AROUND = (
    "before", "ranked", "upper_half", "forbidden", "code_point", "id_of", "codes", "ids_of_codes",
    "ids_of_bytes", "symbols", "starts_of_symbols", "written", "instead", "tokens_in_order",
    "starts_in_order", "ids_in_order", "codes_changed", "codes_instead", "classes", "labels",
    "mean_of_x", "deviation_of_x", "scale_of_x", "mean_of_y", "deviation_of_y",
    "stretches_of_kernels", "filters_of_kernels", "levels_of_kernels", "weights_of_kernels",
    "shift_of_kernels",
)  # fmt: skip


class Source:
    """Tables and functions of one file; `prefix` begins all names that others see."""

    def __init__(self, prefix: str, precision: Precision) -> None:
        self.prefix = prefix
        self.names = Names()
        for piece in CALLS:
            self.names.fresh(piece)
        for name in (prefix, *AROUND):
            self.names.fresh(name)
        self.tables = Tables(precision, self.names)
        self.functions: list[str] = []
        self._pieces: set[str] = set()

    def use(self, piece: str) -> str:
        """The name of a piece, which the file now has."""
        if piece not in self._pieces:
            self._pieces.add(piece)
            for other in CALLS[piece]:
                self.use(other)
        return piece

    def call(self, piece: str, *arguments: object) -> str:
        """A statement."""
        return f"{self.use(piece)}({', '.join(map(str, arguments))});"

    def with_matrix(self, piece: str, table: Table, *arguments: object) -> str:
        """A statement about a matrix, by the piece for its precision."""
        name = f"{piece}_{table.precision}"
        return self.call(name, table.rows, table.columns, table.arguments, *arguments)

    def text(self) -> str:
        """Tables, pieces and functions, in this order."""
        folder = resources.files("elman.export.c") / "pieces"
        pieces = [
            (folder / f"{name}.c").read_text("ascii").replace("NAME", self.prefix.upper())
            for name in CALLS
            if name in self._pieces
        ]
        return "\n".join([*self.tables.text, *pieces, *self.functions])


def plain(text: str) -> str:
    """What a comment may hold: somebody's names begin and end none."""
    return text.replace("*/", "* /").replace("/*", "/ *").replace("\n", " ")


def indented(lines: list[str], depth: int = 1) -> list[str]:
    return [f"{'    ' * depth}{line}" if line else line for line in lines]
