"""One cell, one step at a time: every intermediate by name, beside its equation.

The numbers come from a TOML file, or are built in. The simple network of the tutorials, which
multiply the state from the left:

    cell = "rnn"
    layout = "state_times_weight"
    inputs = [1, 2]
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
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from elman import cells
from elman.cells.cell import Cell
from elman.errors import UserError, unknown_name
from elman.layers.scan import Direction, RecurrentProduct, input_product, no_recurrence

LAYOUTS = ("weight_times_state", "state_times_weight")
MAX_FILE_BYTES = 1_000_000
LINE_WIDTH = 80


@dataclass(frozen=True)
class Weights:
    """The weights of a cell, in PyTorch's layout; float64."""

    weight_ih: Tensor  # [G*H, I]
    weight_hh: Tensor | None = None  # [G*H, H]; None for a cell without recurrent weights
    bias_ih: Tensor | None = None  # [G*H]
    bias_hh: Tensor | None = None  # [G*H]


@dataclass(frozen=True)
class Output:
    """A linear output, `y = V h + b`; float64."""

    weight: Tensor  # [O, H]
    bias: Tensor | None = None  # [O]


@dataclass(frozen=True)
class Setup:
    """All that a trace needs."""

    cell: Cell
    weights: Weights
    inputs: Tensor  # [T, I]
    states: Mapping[str, Tensor]  # name → [H]; those left out start at zero
    output: Output | None = None


@dataclass(frozen=True)
class Value:
    """One line of a trace: `name = formula`, and its numbers."""

    name: str
    formula: str
    numbers: tuple[float, ...]


@dataclass(frozen=True)
class Step:
    """One time step, counted from 1: the input, then every intermediate, in order."""

    number: int
    values: tuple[Value, ...]


def trace(
    cell: str | Cell,
    weights: Weights | None = None,
    inputs: Tensor | None = None,
    states: Mapping[str, Tensor] | None = None,
    output: Output | None = None,
) -> list[Step]:
    """Run `cell` over `inputs` [T, I] from `states` (name → [H], zero where left out).

    Without weights, the numbers of `example` stand for all that is not given.
    UserError: an unknown cell, a shape that does not fit, a number that is not finite.
    """
    cell = cells.get(cell)
    if weights is None:
        built_in = example(cell)
        weights, output = built_in.weights, output or built_in.output
        inputs = built_in.inputs if inputs is None else inputs
    if inputs is None:
        raise UserError("inputs are missing; give a list of numbers or of vectors")
    return run(Setup(cell, weights, inputs, states or {}, output))


def run(setup: Setup) -> list[Step]:
    """The steps of a setup. UserError: a shape that does not fit, a number that is not finite."""
    hidden_size = _check(setup)
    cell, w = setup.cell, setup.weights
    direction = Direction(w.weight_ih, w.weight_hh, w.bias_ih, w.bias_hh)
    R = RecurrentProduct(cell, direction) if cell.recurrent else no_recurrence
    zero = torch.zeros(hidden_size, dtype=torch.float64)
    state = tuple(setup.states.get(name, zero).unsqueeze(0) for name in cell.states)
    formulas = dict(line.split(" = ", 1) for line in cell.equations.splitlines())
    steps = []
    for number, x in enumerate(setup.inputs, 1):
        noted: dict[str, Tensor] = {}
        Wx = input_product(cell, direction, x.unsqueeze(0))
        state = cell.step(Wx, state, R, noted.update)
        values = [Value("x", "input", _floats(x))]
        values += [Value(name, formulas[name], _floats(noted[name][0])) for name in formulas]
        if setup.output is not None:
            y = setup.output.weight @ state[0][0]
            if setup.output.bias is not None:
                y = y + setup.output.bias
            values.append(Value("y", "V h + b", _floats(y)))
        steps.append(Step(number, tuple(values)))
    return steps


def render(steps: Sequence[Step]) -> str:
    """The steps as text, numbers in columns, lines of 80 characters where they can be broken."""
    values = [value for step in steps for value in step.values]
    label_width = max(len(f"  {v.name} = {v.formula}") for v in values)
    width = max(len(_show(number)) for v in values for number in v.numbers)
    per_line = max(1, (LINE_WIDTH - label_width) // (width + 2))
    lines = []
    for step in steps:
        lines.append(f"step {step.number}")
        for v in step.values:
            label = f"  {v.name} = {v.formula}"
            for start in range(0, len(v.numbers), per_line):
                part = v.numbers[start : start + per_line]
                columns = "".join(f"  {_show(number):>{width}}" for number in part)
                lines.append(f"{label:<{label_width}}{columns}")
                label = ""
    return "\n".join(lines)


def as_json(steps: Sequence[Step]) -> dict[str, list[dict[str, object]]]:
    """`{"steps": [{"step": 1, "x": […], "a": […], "h": […]}, …]}`, in plain lists and numbers."""
    return {
        "steps": [
            {"step": step.number} | {value.name: list(value.numbers) for value in step.values}
            for step in steps
        ]
    }


def example(cell: str | Cell) -> Setup:
    """Built-in numbers for any cell, H = 2, I = 1, T = 2: for `rnn` those of the tutorials.

    The first gate has the tutorials' weights, each further gate the same less 0.2, 0.4, …
    """
    cell = cells.get(cell)
    shifts = [round(0.2 * k, 1) for k in range(len(cell.gates))]

    def each_gate(first: list[list[float]]) -> Tensor:
        rows = [[round(value - shift, 1) for value in row] for shift in shifts for row in first]
        return torch.tensor(rows, dtype=torch.float64)

    weights = Weights(
        weight_ih=each_gate([[0.5], [0.6]]),
        weight_hh=each_gate([[0.1, 0.3], [0.2, 0.4]]) if cell.recurrent else None,
        bias_ih=torch.tensor([0.1, -0.1] * len(cell.gates), dtype=torch.float64),
    )
    output = Output(_matrix("V", [[0.1, 0.2]]), _vector("b", 0.1))
    return Setup(cell, weights, _matrix("x", [1.0, 2.0]), {}, output)


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
    _known("key", file, ("cell", "layout", "inputs", "state", "weights", "output"))
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
    )
    _check(setup, from_left)
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


def _check(setup: Setup, from_left: bool = False) -> int:
    """The hidden size, once everything fits it; messages give shapes in the layout of the file."""
    cell, w = setup.cell, setup.weights
    gates = len(cell.gates)
    if not cell.recurrent and (w.weight_hh is not None or w.bias_hh is not None):
        raise UserError(f"{cell.name} has no recurrent weights; leave out weight_hh and bias_hh")
    if w.weight_hh is not None:
        hidden_size = w.weight_hh.shape[-1]
    elif cell.recurrent:
        raise UserError("weight_hh is missing in [weights]")
    elif len(w.weight_ih) % gates:
        raise UserError(f"weight_ih must have rows for {gates} gates, got {len(w.weight_ih)} rows")
    else:
        hidden_size = len(w.weight_ih) // gates
    rows = gates * hidden_size
    _fits("inputs", setup.inputs, (len(setup.inputs), setup.inputs.shape[-1]))
    _fits("weight_hh", w.weight_hh, (rows, hidden_size), from_left)
    _fits("weight_ih", w.weight_ih, (rows, setup.inputs.shape[-1]), from_left)
    _fits("bias_ih", w.bias_ih, (rows,))
    _fits("bias_hh", w.bias_hh, (rows,))
    _known("state", setup.states, cell.states)
    for name, state in setup.states.items():
        _fits(f"state {name}", state, (hidden_size,))
    if setup.output is not None:
        outputs = len(setup.output.weight)
        _fits("output weight", setup.output.weight, (outputs, hidden_size), from_left)
        _fits("output bias", setup.output.bias, (outputs,))
    return hidden_size


def _fits(
    name: str, tensor: Tensor | None, shape: tuple[int, ...], from_left: bool = False
) -> None:
    if tensor is None:
        return
    if tuple(tensor.shape) != shape:
        turn = -1 if from_left else 1
        came, fits = (" x ".join(map(str, s[::turn])) for s in (tuple(tensor.shape), shape))
        raise UserError(f"{name} has shape {came}; {fits} fits the other numbers")
    if tensor.dtype != torch.float64 or not tensor.isfinite().all():
        raise UserError(f"{name} must hold finite float64 numbers")


def _floats(x: Tensor) -> tuple[float, ...]:
    return tuple(x.tolist())


def _show(number: float) -> str:
    plain = number == 0 or 1e-4 <= abs(number) < 1e6
    return f"{number:.6f}" if plain else f"{number:.3e}"
