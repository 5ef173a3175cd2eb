"""Small calls of the kernels, for valgrind to count; without PyTorch, which takes minutes there.

    $ valgrind --tool=cachegrind --cache-sim=no python -S cases.py EXTENSION INSTRUCTION_SET CASE

What a case counts is what it takes beyond `nothing`.
"""

from __future__ import annotations

import importlib.util
import sys
from array import array
from typing import Any

T, B, H, V = 6, 7, 48, 65
LSTM, GRU = 2, 3  # numbers of the cells, in both tables
LINEAR = 7  # of the output, behind the cells of streams
STEPS, FORWARDS, TOKENS = 6, 18, 1000  # calls, or tokens: 6 million instructions of each


def floats(count: int) -> array[float]:
    """As many numbers, none of which is special."""
    return array("f", [0.01 * (k % 37) - 0.18 for k in range(37)]) * (count // 37 + 1)


def address(numbers: array[Any]) -> int:
    return numbers.buffer_info()[0]


class Layer:
    """A layer's tensors, by the names of csrc/sweep.h, with as many gates."""

    def __init__(self, G: int) -> None:
        N = T * B
        self.sizes = array("q", [B] * T)
        # [rows, G*H] or [rows, H]
        wide = dict.fromkeys(("x", "y", "kept", "c", "dy", "dx", "dRn"), N * H)
        wide |= dict.fromkeys(("gates", "dWx"), N * G * H)
        wide |= dict.fromkeys(("W", "R"), G * H * H) | {"bias": G * H, "bias_n": H}
        wide |= dict.fromkeys(("h0", "c0", "hn", "cn", "dh0", "dc0"), B * H)
        self.all = {name: floats(count) for name, count in wide.items()}

    def named(self, *names: str) -> dict[str, int]:
        return {"sizes": address(self.sizes), **{n: address(self.all[n]) for n in names}}


def lstm_training(native: Any, isa: str) -> None:
    """Forward, backward with the gradient of the input, and the gradients of both matrices."""
    layer, N = Layer(4), T * B
    names = ("x", "W", "R", "bias", "h0", "c0", "hn", "cn", "y", "gates", "kept", "c")
    given = layer.named(*names)
    back = layer.named(
        "R", "W", "gates", "kept", "c", "y", "h0", "c0", "dy", "dWx", "dx", "dh0", "dc0"
    )
    layer.all |= {"to": floats(4 * H * H), "to_h": floats(4 * H * H), "total": floats(4 * H)}
    weights = layer.named("x", "y", "h0", "to", "to_h", "total")
    weights["d"] = address(layer.all["dWx"])
    call = native.Call(isa, 1, LSTM, False, T, B, H, N, H, N, 0)
    for _ in range(STEPS):
        native.forward(False, call, given)
        native.backward(False, call, back)
        native.gradient(False, isa, 1, N, 4 * H, 4 * H, H, H, T, False, weights)


def gru_forward(native: Any, isa: str) -> None:
    layer, N = Layer(3), T * B
    given = layer.named("x", "W", "R", "bias", "bias_n", "h0", "hn", "y")
    call = native.Call(isa, 1, GRU, False, T, B, H, N, H, N, 0)
    for _ in range(FORWARDS):
        native.forward(False, call, given)


def token(native: Any, isa: str) -> None:
    """An LSTM reads tokens one by one and gives scores of the next."""
    table, R, bias = floats(V * 4 * H), floats(4 * H * H), floats(4 * H)
    output, output_bias = floats(V * H), floats(V)
    model = native.Model(isa, 0)
    model.add(LSTM, 0, H, False, 0.0, 0, 0, address(R), 0, address(bias))
    model.set_table(address(table), V)
    model.add(LINEAR, H, V, False, 0.0, address(output), 0, 0, 0, address(output_bias))
    ids, scores = array("q", range(V)) * (TOKENS // V + 1), floats(TOKENS * V)
    before, after = [floats(H), floats(H)], [floats(H), floats(H)]
    model.read(
        1, address(ids), TOKENS, [*map(address, before)], [*map(address, after)], address(scores)
    )


def nothing(native: Any, isa: str) -> None:
    """What it takes to begin."""


CASES = {f.__name__: f for f in (nothing, lstm_training, gru_forward, token)}


if __name__ == "__main__":
    spec = importlib.util.spec_from_file_location("_native", sys.argv[1])
    assert spec is not None and spec.loader is not None
    native = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(native)
    CASES[sys.argv[3]](native, sys.argv[2])
