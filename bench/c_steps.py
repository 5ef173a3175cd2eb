"""A step of a layer in C beside ONNX Runtime and PyTorch, one thread: the table of docs/c.md.

    python bench/c_steps.py

Microseconds a step, medians of 30 turns: C and `run` over 1,000 steps in one call, `step` by a call
from Python for each. C is compiled with -O3 -march=native. 32 inputs, 8 outputs.
"""

from __future__ import annotations

import ctypes
import functools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from elman.export import c, onnx
from elman.export.building import Builder
from elman.export.program import Export, How, Precision, Program
from elman.layers.recurrent import Recurrent

INPUTS, OUTPUTS, STEPS, CALLS, TURNS = 32, 8, 1000, 50, 30
PRECISIONS: tuple[Precision, ...] = ("float32", "int8", "bf16")


def main() -> None:
    torch.set_num_threads(1)
    for cell, layer in (("lstm", nn.LSTM), ("gru", nn.GRU)):
        for hidden in (16, 32, 64, 128):
            row: dict[str, float] = {}
            export = Export("none", {"model": program(cell, hidden)}, {})
            with torch.no_grad():
                row |= in_c(export) | in_onnx(export) | in_torch(layer(INPUTS, hidden))
            print(cell, hidden, *(f"{name} {us:.2f}" for name, us in row.items()), sep="  ")


def program(cell: str, hidden: int) -> Program:
    """One layer that carries its states, and a linear output."""
    stack, output = Recurrent(INPUTS, hidden, cell=cell), nn.Linear(hidden, OUTPUTS)
    build = Builder(nn.ModuleList([stack, output]))
    y, _ = build.stack(stack, build.numbers("x", "B", "T", INPUTS), carried=True)
    return build.done(build.linear(y, output, "y"))


def microseconds(work: Callable[[], Any], steps: int) -> float:
    turns = []
    for _ in range(TURNS):
        start = time.perf_counter()
        work()
        turns.append((time.perf_counter() - start) / steps * 1e6)
    return statistics.median(turns)


def drawn() -> Any:
    return np.random.default_rng(0).standard_normal((STEPS, INPUTS)).astype(np.float32)


def in_c(export: Export) -> dict[str, float]:
    found, x, y = {}, drawn(), np.zeros((STEPS, OUTPUTS), np.float32)
    for precision in PRECISIONS:
        with tempfile.TemporaryDirectory() as place:
            c.write(export, Path(place), How(precision))
            called = c.open_written(Path(place), "-O3", "-march=native")["model"]
        state = called.begun({})
        work = functools.partial(
            called.call, "run", pointer(state), ctypes.c_size_t(STEPS), pointer(x), pointer(y)
        )
        found[f"c {precision}"] = microseconds(work, STEPS)
    return found


def pointer(values: Any) -> Any:
    return values.ctypes.data_as(ctypes.c_void_p)


def in_onnx(export: Export) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as place:
        onnx.write(export, Path(place), How())
        network = onnx.open_written(Path(place))["model"]
    x, states = drawn()[None], network.first_states(1)
    return {
        "onnxruntime step": microseconds(
            lambda: [network.run({"x": x[:, :1]}, states) for _ in range(CALLS)], CALLS
        ),
        "onnxruntime run": microseconds(lambda: network.run({"x": x}, states), STEPS),
    }


def in_torch(layer: nn.RNNBase) -> dict[str, float]:
    x = torch.from_numpy(drawn())
    _, state = layer(x[:1])
    return {
        "torch step": microseconds(lambda: [layer(x[:1], state) for _ in range(CALLS)], CALLS),
        "torch run": microseconds(lambda: layer(x), STEPS),
    }


if __name__ == "__main__":
    main()
