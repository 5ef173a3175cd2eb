"""The gates of recurrent layers, from Keras' order and layout into Elman's.

LSTM      i f c o   as i f g o
GRU       z r h     as r z n; a bias [2, 3H] is that of reset_after, one for each product
CuDNN…    the same order, each gate's kernels turned, two biases in a row
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from elman.importing.hdf5 import Floats
from elman.importing.pieces.recurrent import Weights

KINDS = {
    "SimpleRNN": "rnn", "LSTM": "lstm", "GRU": "gru", "CuDNNLSTM": "lstm", "CuDNNGRU": "gru"
}  # fmt: skip
GATES = {"rnn": 1, "lstm": 4, "gru": 3}
ORDER = {"rnn": (0,), "lstm": (0, 1, 2, 3), "gru": (1, 0, 2)}  # Elman's gates among Keras'


@dataclass(frozen=True)
class Read:
    """A direction's weights, and whether both products have a bias."""

    made: Weights
    two_biases: bool


def weights(kind: str, kernel: Floats, recurrent: Floats, bias: Floats | None) -> Read | None:
    """`kernel` [I, G*H], `recurrent` [H, G*H]. None: the bias has no shape that Keras gives it.

    A bias of twice as many numbers in a row is that of cuDNN's layers, whatever the layer is called
    now: so Keras tells them apart, too (tf_keras/src/saving/legacy/hdf5_format.py).
    """
    H, G = len(recurrent), GATES[kind]
    if bias is None:
        return Read(_made(kind, kernel, recurrent, None, None), False)
    if bias.shape == (G * H,):
        return Read(_made(kind, kernel, recurrent, bias, np.zeros_like(bias)), False)
    if kind == "gru" and bias.shape == (2, G * H):
        return Read(_made(kind, kernel, recurrent, bias[0], bias[1]), True)
    if kind != "rnn" and bias.shape == (2 * G * H,):
        kernel = _by_gate(kernel, G, lambda k: k.T.reshape(k.shape, order="F"))
        recurrent = _by_gate(recurrent, G, lambda k: k.T)
        return Read(_made(kind, kernel, recurrent, *np.split(bias, 2)), True)
    return None


def fitting(kind: str, units: int, *, reset_after: bool) -> str:
    """The shapes of a bias that `weights` takes, in words."""
    rows = GATES[kind] * units
    if kind == "gru":
        return f"[2, {rows}]" if reset_after else f"[{rows}]"
    return f"[{rows}]"


def _made(
    kind: str, kernel: Floats, recurrent: Floats, bias_ih: Floats | None, bias_hh: Floats | None
) -> Weights:
    def ordered(array: Floats | None) -> torch.Tensor | None:
        if array is None:
            return None
        blocks = np.split(array, GATES[kind], axis=-1)
        return torch.tensor(np.concatenate([blocks[k] for k in ORDER[kind]], -1).T)

    weight_ih, weight_hh = ordered(kernel), ordered(recurrent)
    assert weight_ih is not None and weight_hh is not None
    return Weights(weight_ih, weight_hh, ordered(bias_ih), ordered(bias_hh))


def _by_gate(kernel: Floats, G: int, turn: Callable[[Floats], Floats]) -> Floats:
    return np.concatenate([turn(block) for block in np.split(kernel, G, axis=1)], axis=1)
