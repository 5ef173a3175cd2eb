"""Networks drawn at random, as programs, and what C makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from elman import cells
from elman.cells.cell import Cell, Note, Recurrence, ignore
from elman.export.building import Builder
from elman.export.c.library import Called, open_written
from elman.export.c.writing import Made
from elman.export.program import Array, Arrays, Export, How, Pooling, Precision, Program
from elman.layers.averages import Averages
from elman.layers.bands import BandConvolutions
from elman.layers.convolution import Convolutions, Layers
from elman.layers.recurrent import Recurrent

Kind = Literal["stream", "steps", "first", "last", "mean", "sum", "max", "attention"]
KINDS: tuple[Kind, ...] = ("stream", "steps", "first", "last", "mean", "sum", "max", "attention")
INPUTS, OUTPUTS = 6, 3


class Own(Cell):
    """A cell of somebody's own, with three stages, and states that change places."""

    name, summary, source, equations = "own cell", "", "", ""
    states = ("for", "u", "before")  # a word of C, and the name of a loop's counter
    gates = ("a", "sum", "b")

    def step(
        self, Wx: Tensor, state: tuple[Tensor, ...], R: Recurrence, note: Note = ignore
    ) -> tuple[Tensor, ...]:
        h, other, _ = state
        Wa, Ws, Wb = Wx.chunk(3, -1)
        a = Wa + R(h, "a")
        gate = torch.lerp(a, Ws.tanh(), 0.25)
        inner = R((gate * h).cos(), "sum")
        outer = R(inner - (other - h), "b") / (1 + Wb * Wb)
        note(a=a, inner=inner)
        after = (outer.tanh() - (h - inner)) / 2
        return after, torch.where(other > 0.1, h, a.minimum(other)), h


CELLS: tuple[Cell, ...] = (*cells.all(), Own())


class Net(nn.Module):
    """Layers, and what is asked of them."""

    def __init__(self, stack: Recurrent, front: Layers | None) -> None:
        super().__init__()
        self.stack, self.front = stack, front
        self.query = nn.Linear(stack.output_size, 1)
        self.output = nn.Linear(stack.output_size, OUTPUTS, bias=stack.num_layers % 2 == 1)


def drawn(
    seed: int, kind: Kind, ids: bool | None = None, *, bands: bool = False, **fixed: Any
) -> Program:
    """A stack of cells, widths, directions and options as they come, over vectors or `ids`; with
    `bands` behind averages and convolutions over these."""
    draw = np.random.default_rng(seed)
    torch.manual_seed(seed)
    depth = int(draw.integers(1, 4))
    both = [bool(draw.random() < 0.4) and kind != "stream" for _ in range(depth)]
    options: dict[str, Any] = {
        "hidden_size": [int(n) for n in draw.integers(3, 40, depth)],
        "cell": [CELLS[k] for k in draw.integers(0, len(CELLS), depth)],
        "bidirectional": both,
        "bias": bool(draw.random() < 0.7),
        "layer_norm": bool(draw.random() < 0.3),
        "zoneout": float(draw.choice([0.0, 0.2])),
        "initial_state": str(draw.choice(["zero", "learned"])),
    } | fixed
    front: Layers | None = None
    if kind not in ("stream", "steps") and draw.random() < 0.4 and not ids:
        sizes = [int(n) for n in draw.integers(3, 9, 2)]
        norm: Literal["batch", "layer"] = "layer" if draw.random() < 0.5 else "batch"
        front = Convolutions(INPUTS, sizes, [4, 3], [2, 1], norm=norm)
    averages = Averages(INPUTS, (3, 8)) if bands else None
    if averages is not None:
        filters = draw.integers(2, 5, 2).tolist()
        front = BandConvolutions(INPUTS, filters, planes=3, pooled=True)
    chance = front is None and bool(draw.random() < 0.3)
    ids = chance if ids is None else ids
    net = Net(Recurrent(INPUTS if front is None else front.output_size, **options), front).eval()
    with torch.no_grad():
        for parameter in net.parameters():  # norms and first states begin alike
            parameter.add_(0.3 * torch.randn_like(parameter))
    build = Builder(net)
    if ids:
        x = build.one_hot(build.ids("x", ("B", "T"), INPUTS), INPUTS)
    else:
        x = build.numbers("x", "B", "T", INPUTS)
    lengths: str | None = None if kind == "stream" else build.lengths()
    for part in (averages, front):
        if part is not None:
            x, lengths = build.front(part, x, lengths)
    y, _ = build.stack(net.stack, x, lengths, carried=kind == "stream")
    match kind:
        case "stream" | "steps":
            pass
        case "attention":
            shares = build.softmax_over_time(build.linear(y, net.query), lengths)
            y = build.pool(build.mul(y, shares), "sum", lengths)
        case _:
            y = pooled(build, y, kind, lengths)
    return build.done(build.linear(y, net.output, "y"))


def pooled(build: Builder, y: str, how: Pooling, lengths: str | None) -> str:
    return build.pool(y, how, lengths)


def written(
    programs: Mapping[str, Program],
    folder: Path,
    precision: Precision = "float32",
    name: str = "model",
    optimised: str = "-O1",
) -> dict[str, Called]:
    """All of them in one file, compiled."""
    for file, text in Made(Export("test", programs, {}), How(precision, name)).texts().items():
        (folder / file).write_text(text)
    return open_written(folder, optimised)


def inputs(program: Program, draw: np.random.Generator, rows: int, steps: int) -> dict[str, Array]:
    """A batch, with lengths if the program has them."""
    found: dict[str, Array] = {}
    for name in program.inputs:
        if name == "lengths":
            found[name] = draw.integers(1, steps + 1, rows)
        elif program.values[name].kind == "int64":
            found[name] = draw.integers(0, program.limits[name], (rows, steps))
        else:
            found[name] = draw.standard_normal((rows, steps, INPUTS)).astype(np.float32)
    return found


def gap(found: Arrays, true: Arrays, lengths: Array | None = None) -> float:
    """The largest difference, as a share of the largest number, at least of 1; padding left out."""
    worst = 0.0
    for name, values in true.items():
        difference = np.abs(found[name].astype(np.float64) - values)
        if lengths is not None and values.ndim == 3:
            difference[np.arange(values.shape[1]) >= lengths[:, None]] = 0
        worst = max(worst, float(difference.max()) / max(1.0, float(np.abs(values).max())))
    return worst
