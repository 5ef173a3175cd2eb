"""The numbers of a trace from a TOML file. The simple network of the tutorials, which multiply the
state from the left:

    cell = "rnn"
    layout = "state_times_weight"
    inputs = [1, 2]
    targets = [2, 3]
    [weights]
    weight_hh = [[0.1, 0.2], [0.3, 0.4]]
    weight_ih = [0.5, 0.6]
    bias = [0.1, -0.1]
    [output]
    weight = [[0.1], [0.2]]
    bias = 0.1
"""

from __future__ import annotations

import math
import reprlib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from elman import cells
from elman.cells.cell import Cell
from elman.errors import UserError, unknown_name
from elman.probe.trace.setup import Output, Setup, Weights, check

LAYOUTS = ("weight_times_state", "state_times_weight")
MAX_FILE_BYTES = 1_000_000
KEYS = ("cell", "layout", "inputs", "targets", "state", "weights", "output")


def read(path: str | Path, cell: str | Cell | None = None) -> Setup:
    """The setup that a TOML file describes; `cell`, if given, must agree with the file's.

    UserError, naming the file: it cannot be read, is no TOML, is larger than 1 MB, has a key that
    means nothing, or holds numbers that do not fit together.
    """
    try:
        return _setup(_load(Path(path)), cell)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _load(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        raise UserError(getattr(error, "strerror", None) or str(error)) from None
    if len(content) > MAX_FILE_BYTES:
        raise UserError(f"too large to trace by eye; at most {MAX_FILE_BYTES:,} bytes fit")
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise UserError(f"not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"not TOML: {error}") from None
    except (RecursionError, ValueError):  # ValueError: an integer of thousands of digits
        raise UserError("not readable: nested too deeply, or a number is too long") from None


def _setup(file: Mapping[str, object], cell: str | Cell | None) -> Setup:
    _known("key", file, KEYS)
    chosen = _cell(file.get("cell"), cell)
    layout = file.get("layout", LAYOUTS[0])
    if layout not in LAYOUTS:
        raise unknown_name("layout", str(layout), LAYOUTS)
    from_left = layout == "state_times_weight"
    if "inputs" not in file:
        raise UserError("inputs are missing; give a list of numbers or of vectors")
    tables = {
        "weights": ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "bias"),
        "state": chosen.states,
        "output": ("weight", "bias"),
    }
    weights, state, output = (_table(file, name, keys) for name, keys in tables.items())
    for name, table, key in (("weights", weights, "weight_ih"), ("output", output, "weight")):
        if (table or name == "weights") and key not in table:
            raise UserError(f"{key} is missing in [{name}]")
    if "bias" in weights and {"bias_ih", "bias_hh"} & weights.keys():
        raise UserError("give bias alone, or bias_ih and bias_hh")
    vectors = {key: _vector(key, value) for key, value in weights.items() if "bias" in key}
    matrices = {key: _matrix(key, value) for key, value in weights.items() if "weight" in key}
    if from_left:  # a flat list was one column already: the weights of a single input
        flat = [key for key in matrices if not _is_nested(weights[key])]
        matrices = {key: m if key in flat else m.T for key, m in matrices.items()}
    setup = Setup(
        cell=chosen,
        weights=Weights(
            matrices["weight_ih"],
            matrices.get("weight_hh"),
            vectors.get("bias_ih", vectors.get("bias")),
            vectors.get("bias_hh"),
        ),
        inputs=_matrix("inputs", file["inputs"]),
        states={name: _vector(name, value) for name, value in state.items()},
        output=_output(output, from_left) if output else None,
        targets=_matrix("targets", file["targets"]) if "targets" in file else None,
    )
    check(setup, from_left)
    return setup


def _cell(named: object, asked: str | Cell | None) -> Cell:
    if named is None and asked is None:
        raise UserError(f"cell is missing; give one of {', '.join(cells.names())}")
    if named is not None and not isinstance(named, str):
        raise UserError(f"cell must be a name, got {reprlib.repr(named)}")
    both = [cells.get(cell) for cell in (named, asked) if cell is not None]
    if both[0] != both[-1]:
        raise UserError(f'the file is for cell "{both[0].name}", not for "{both[-1].name}"')
    return both[0]


def _output(table: Mapping[str, object], from_left: bool) -> Output:
    weight = _matrix("output weight", table["weight"])
    if from_left or not _is_nested(table["weight"]):  # a flat list: the weights of one output
        weight = weight.T
    return Output(weight, _vector("output bias", table["bias"]) if "bias" in table else None)


def _known(kind: str, table: Mapping[str, object], keys: Sequence[str]) -> None:
    for key in table:
        if key not in keys:
            raise unknown_name(kind, key, keys)


def _table(file: Mapping[str, object], name: str, keys: Sequence[str]) -> Mapping[str, object]:
    table = file.get(name, {})
    if not isinstance(table, dict):
        raise UserError(f"{name} must be a table, [{name}], got {reprlib.repr(table)}")
    _known(f"key in [{name}]", table, keys)
    return table


def _is_nested(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(row, list) for row in value)


def _matrix(name: str, value: object) -> Tensor:
    """A list of rows; a flat list is one column."""
    if not isinstance(value, list) or not value:
        raise UserError(f"{name} must be a list, not empty, got {reprlib.repr(value)}")
    rows = [_vector(f"row {k} of {name}", row) for k, row in enumerate(value, 1)]
    for k, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise UserError(
                f"{name}: row {k} has length {len(row)}, row 1 has length {len(rows[0])}; "
                "make them equal"
            )
    return torch.stack(rows)


def _vector(name: str, value: object) -> Tensor:
    """A list of numbers; a number alone is a list of one."""
    numbers = value if isinstance(value, list) else [value]
    if not numbers:
        raise UserError(f"{name} is empty; give at least one number")
    return torch.tensor([_number(name, number) for number in numbers], dtype=torch.float64)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{name}: {reprlib.repr(value)} is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise UserError(f"{name}: {reprlib.repr(value)} is not finite; give a finite number")
    return number
