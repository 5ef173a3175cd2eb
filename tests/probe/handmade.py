"""Networks made by hand, whose every state is known: what probes must find in them.

All are one layer of `Recurrent` in float64, over one-hot tokens. A row of weights is written by its
gate: `W` the weight of each token, `R` those of each unit, `b` the bias.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from elman import cells
from elman.layers.recurrent import Recurrent

SHUT, OPEN = -40.0, 40.0  # sigmoid(±40) is 0 and 1 to 4e-18
SET, RESET, OTHER = 0, 1, 2
A = 0  # the token that is counted
LEFT, RIGHT = 0, 1  # brackets
QUOTE = 0
SMALL = 0.01  # tanh of it is itself to 3e-7


@dataclass(frozen=True)
class Gate:
    """The rows of one gate: units by tokens, units by units, units."""

    W: Sequence[Sequence[float]]
    b: Sequence[float]
    R: Sequence[Sequence[float]] = field(default_factory=list)


def network(cell: str, gates: Mapping[str, Gate]) -> Recurrent:
    """A layer whose gates are these; a recurrent cell's R is zero where it is left out."""
    kind = cells.get(cell)
    assert set(gates) == set(kind.gates)
    rows = [gates[name] for name in kind.gates]
    H, V = len(rows[0].b), len(rows[0].W[0])
    layer = Recurrent(V, H, cell=cell, dtype=torch.float64)
    zero = [[0.0] * H] * H
    values = {
        "weight_ih_l0": [row for gate in rows for row in gate.W],
        "bias_ih_l0": [b for gate in rows for b in gate.b],
        "weight_hh_l0": [row for gate in rows for row in (gate.R or zero)],
        "bias_hh_l0": [0.0] * (H * len(rows)),
    }
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.copy_(torch.tensor(values[name], dtype=torch.float64))
    return layer.eval()


def flip_flop(cell: str) -> Recurrent:
    """Unit 0 is high from each `SET` on and low from each `RESET` on, whatever comes between."""
    return network(cell, FLIP_FLOPS[cell])


def on(tokens: Tensor) -> Tensor:
    """Whether the last of `SET` and `RESET` was `SET`, bool [T, B]; False before both."""
    state, found = torch.zeros(tokens.shape[1], dtype=torch.bool), []
    for now in tokens:
        state = (state | (now == SET)) & (now != RESET)
        found.append(state)
    return torch.stack(found)


def _held(open_: str, shut: str, value: str, low: float, high: float) -> dict[str, Gate]:
    """`open_` lets the candidate in at `SET` and `RESET`, and `shut`, if any, the old state go."""
    made = {open_: Gate([[OPEN, OPEN, SHUT]], [0.0]), value: Gate([[high, low, 0.0]], [0.0])}
    return made | ({shut: Gate([[SHUT, SHUT, OPEN]], [0.0])} if shut else {})


FLIP_FLOPS: dict[str, dict[str, Gate]] = {
    # tanh(3 h) has two stable fixed points, near ±0.995.
    "rnn": {"a": Gate([[9.0, -9.0, 0.0]], [0.0], [[3.0]])},
    # Two units, relu(z) and relu(z - 1), are together a unit between 0 and 1.
    "rnn-relu": {"a": Gate([[2.0, -2.0, 0.0]] * 2, [0.0, -1.0], [[1.0, -1.0]] * 2)},
    "lstm": _held("i", "f", "g", -OPEN, OPEN) | {"o": Gate([[OPEN] * 3], [0.0])},
    # The update gates of these keep the old state where they are open.
    "gru": _held("r", "z", "n", -OPEN, OPEN),
    "gru-reset-before": _held("r", "z", "n", -OPEN, OPEN),
    "mingru": _held("z", "", "n", SHUT, 0.5),
    "minlstm": _held("i", "f", "n", SHUT, 0.5),
    "hgrn": {"f": Gate([[SHUT, SHUT, OPEN]], [0.0]), "c": Gate([[1.0, SHUT, 0.0]], [0.0])},
}


def counter(cell: str) -> Recurrent:
    """Unit 0 grows with each `A`, for ever, and with nothing else."""
    if cell == "rnn-relu":
        return network(cell, {"a": Gate([[1.0, 0.0, 0.0]], [0.0], [[1.0]])})
    assert cell == "lstm"
    return network(cell, _added([[SMALL, 0.0, 0.0]]))


def depth_meter(cell: str) -> Recurrent:
    """Unit 0 grows with `LEFT` and falls with `RIGHT`: how many brackets are open."""
    if cell == "rnn-relu":
        return network(cell, {"a": Gate([[1.0, -1.0, 0.0]], [0.0], [[1.0]])})
    assert cell == "lstm"
    return network(cell, _added([[SMALL, -SMALL, 0.0]]))


def _added(g: list[list[float]]) -> dict[str, Gate]:
    """c = c + tanh(g), h = tanh(c)."""
    through = Gate([[0.0] * len(g[0])], [OPEN])
    return {"i": through, "f": through, "o": through, "g": Gate(g, [0.0])}


def depth(tokens: Tensor) -> Tensor:
    """How many brackets are open after each token, int64 [T, B]."""
    return ((tokens == LEFT).long() - (tokens == RIGHT).long()).cumsum(0)


def in_quotes(cell: str) -> Recurrent:
    """Unit 0 is high between quotation marks.

    Of `lstm`, `gru` and `gru-reset-before` it is so from the opening mark on; a simple network's
    unit is no function of parity, so that there it is so at the tokens inside alone.
    """
    if cell in ("rnn", "rnn-relu"):
        return _parity(cell)
    toggled = Gate([[0.0, 0.0]], [14.0], [[-40.0]])  # h above 0.35 gives -1, below it 1
    at_quote, elsewhere = Gate([[OPEN, SHUT]], [0.0]), Gate([[SHUT, OPEN]], [0.0])
    through = Gate([[0.0, 0.0]], [OPEN])
    if cell == "lstm":
        gates = {"i": at_quote, "f": elsewhere, "g": toggled, "o": through}
    else:
        gates = {"r": through, "z": elsewhere, "n": toggled}
    return network(cell, gates)


def _parity(cell: str) -> Recurrent:
    """Units: inside and a letter, opened now, closed now, outside and a letter.

    Inside (1) or opened (2) and a letter → 1; closed or outside and a mark → 2; and so on. At the
    start no unit is on, which counts as outside.
    """
    if cell == "rnn":  # units are ±1: inside - outside is 2 or -2, and 0 at the start
        K = 20.0
        W = [[-2 * K, 0.0], [0.0, -4 * K], [0.0, -2 * K], [-4 * K, 0.0]]
        was_inside, was_outside = [K, K, -K, -K], [-K, -K, K, K]
        bias = [-K, K, -K, K]
    else:
        W = [[-1.0, 0.0], [0.0, -1.0], [0.0, -1.0], [-1.0, 0.0]]
        was_inside, was_outside = [1.0, 1.0, 0.0, 0.0], [-1.0, -1.0, 0.0, 0.0]
        bias = [0.0, 1.0, 0.0, 1.0]
    return network(cell, {"a": Gate(W, bias, [was_inside, was_outside] * 2)})


def inside(tokens: Tensor) -> Tensor:
    """Whether an odd number of `QUOTE` has come, bool [T, B]: from an opening mark on."""
    return (tokens == QUOTE).long().cumsum(0) % 2 == 1


def delay(lag: int, symbols: int) -> Recurrent:
    """Of `rnn-relu`: units u * V + v are 1 where the token u steps ago was v, for u up to `lag`."""
    H = (lag + 1) * symbols
    W = torch.zeros(H, symbols, dtype=torch.float64)
    W[:symbols] = torch.eye(symbols, dtype=torch.float64)
    R = torch.zeros(H, H, dtype=torch.float64)
    R[symbols:, : H - symbols] = torch.eye(H - symbols, dtype=torch.float64)
    return network("rnn-relu", {"a": Gate(W.tolist(), [0.0] * H, R.tolist())})
