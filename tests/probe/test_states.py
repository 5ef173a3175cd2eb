"""Gates, forget times and memory of networks whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from handmade import SET, flip_flop
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from elman import cells
from elman.layers.recurrent import Recurrent
from elman.probe.measured import Measured, one
from elman.probe.opened import Pass, opened
from elman.probe.states import (
    _times_kept,
    autocorrelation_times,
    forget_times,
    memory,
    roles,
    saturation,
    states,
)

KEEPING = {"lstm": "f", "gru": "z", "gru-reset-before": "z", "mingru": "z", "hgrn": "f"}
seeds = st.integers(0, 2**32 - 1)


def seen_in(layer: Recurrent, x: torch.Tensor | PackedSequence) -> Pass:
    with opened(layer) as layers:
        layer(x)
    return layers.passes[0]


def test_roles_are_read_off_the_equations() -> None:
    found = {cell.name: roles(cell) for cell in cells.all()}
    assert found["lstm"].gates == ("i", "f", "o") and found["lstm"].squashed == ("g",)
    assert found["rnn"].gates == () and found["rnn"].squashed == ("h",)
    kept = {name: dict(role.kept) for name, role in found.items()}
    assert kept["lstm"] == {"c": ("f", False)} and kept["minlstm"] == {"h": ("F", False)}
    assert kept["gru"] == kept["gru-reset-before"] == {"h": ("z", False)}
    assert kept["mingru"] == {"h": ("z", True)} and kept["hgrn"] == {"h": ("f", False)}
    assert kept["rnn"] == kept["rnn-relu"] == {}


@pytest.mark.parametrize("cell", [*KEEPING, "minlstm"])
@settings(max_examples=4)
@given(st.floats(0.2, 0.99), seeds)
def test_a_gate_that_never_moves_keeps_as_long_as_it_says(
    cell: str, kept: float, seed: int
) -> None:
    torch.manual_seed(seed)
    layer = Recurrent(2, 3, cell=cell, dtype=torch.float64)
    H, names = 3, layer.cell[0].gates
    logit = math.log(kept / (1 - kept))
    with torch.no_grad():
        rows = {name: slice(k * H, (k + 1) * H) for k, name in enumerate(names)}
        gate = "f" if cell == "minlstm" else KEEPING[cell]
        for name in (gate, *(["i"] if cell == "minlstm" else [])):
            for parameter in layer.parameters():
                parameter[rows[name]] = 0
        # minLSTM shares 1 between f and i: f = 1/2 and i chosen so that f / (f + i) is `kept`.
        bias = layer.get_parameter("bias_ih_l0")
        if cell == "minlstm":
            kept = 0.5 + kept / 4
            i = 0.5 * (1 - kept) / kept
            bias[rows["i"]] = math.log(i / (1 - i))
        else:
            bias[rows[gate]] = -logit if cell == "mingru" else logit
    seen = seen_in(layer, torch.randn(7, 4, 2, dtype=torch.float64))
    (found,) = forget_times(seen).values()
    expected = np.full(H, kept)
    if cell == "hgrn":  # unit u keeps at least u / H
        low = np.arange(H) / H
        expected = low + (1 - low) * kept
    assert np.abs(found.values + 1 / np.log(expected)).max() < 1e-9 * found.values.max()
    assert found.unit == "steps" and found.sample == 4
    assert found.spread is not None and found.spread.max() < 1e-9 * found.values.max()
    # What is left after so many steps is 1/e of what was there.
    assert expected**found.values == pytest.approx(np.full(H, math.exp(-1)))


@pytest.mark.parametrize("reverse", [False, True])
def test_a_unit_that_is_emptied_every_few_steps_holds_until_then(reverse: bool) -> None:
    """By brute force: each start of the first half, and the steps until the product is 1/e."""
    draw = np.random.default_rng(4)
    lost = draw.exponential(0.1, (40, 3))
    lost[::7, 0] = 30.0  # emptied
    lost[:, 2] = 0.0  # never lets go
    found = _times_kept(lost, reverse=reverse)
    ahead = lost[::-1] if reverse else lost
    assert np.isinf(found[:, 2]).all() and len(found) == 20
    for k, start in enumerate(range(1, 21)):
        for u in range(2):
            held, steps = 0.0, 0
            while start + steps < 40 and held + ahead[start + steps, u] < 1:
                held += ahead[start + steps, u]
                steps += 1
            if start + steps < 40:
                assert steps <= found[k, u] <= steps + 1
            else:
                assert found[k, u] == pytest.approx(steps / held)
    assert 2 <= np.median(found[:, 0]) <= 4  # half of the 7


def test_zoneout_keeps_its_share_too() -> None:
    layer = Recurrent(2, 3, cell="gru", zoneout=0.5, dtype=torch.float64)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    (found,) = forget_times(seen_in(layer, torch.ones(5, 2, 2, dtype=torch.float64))).values()
    assert np.abs(found.values + 1 / math.log(0.75)).max() < 1e-12


@pytest.mark.parametrize("cell", cells.names())
def test_saturation_counts_steps_that_are_no_padding(cell: str) -> None:
    torch.manual_seed(1)
    layer = Recurrent(2, 5, cell=cell)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(6)
    lengths = [3, 9, 5]
    x = torch.randn(9, 3, 2)
    seen = seen_in(layer, pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False))
    found = saturation(seen)
    names = roles(layer.cell[0])
    assert tuple(found.labels.get("gate", ())) == (*names.gates, *names.squashed)
    for k, name in enumerate(found.labels["gate"]):
        counts = [0, 0]
        for b, length in enumerate(lengths):  # each sequence by itself
            alone = seen_in(layer, x[:length, b : b + 1]).values(name)
            counts[0] += int((alone < (0.1 if name in names.gates else -0.9)).sum())
            counts[1] += int((alone > 0.9).sum())
        assert found.values[k] == pytest.approx([c / (5 * sum(lengths)) for c in counts])
    assert found.sample == sum(lengths)


def test_a_flip_flop_holds_and_its_gates_are_shut() -> None:
    tokens = torch.full((40, 1), 2)
    tokens[0] = SET
    seen = seen_in(flip_flop("lstm"), tokens)
    shares = dict(zip(("i", "f", "o", "g"), saturation(seen).values, strict=True))
    assert shares["i"].tolist() == [39 / 40, 1 / 40] and shares["f"].tolist() == [1 / 40, 39 / 40]


@settings(max_examples=6)
@given(st.floats(0.5, 0.95), seeds)
def test_effective_memory_of_a_random_walk_that_forgets(factor: float, seed: int) -> None:
    """x_t = a x_{t-1} + noise has the autocorrelation a^k, which is 1/e at -1 / ln a."""
    draw = np.random.default_rng(seed)
    T, B = 3000, 20
    x = np.zeros((T, B, 1))
    noise = draw.standard_normal((T, B))
    for t in range(1, T):
        x[t, :, 0] = factor * x[t - 1, :, 0] + noise[t]
    alive = np.ones((T, B), dtype=bool)
    (found,) = autocorrelation_times(x, alive)
    assert found == pytest.approx(-1 / math.log(factor), rel=0.1)


@settings(max_examples=10)
@given(seeds)
def test_effective_memory_by_brute_force(seed: int) -> None:
    draw = np.random.default_rng(seed)
    T, B, H = 24, 3, 4
    x = draw.standard_normal((T, B, H)).cumsum(0)
    x[..., 3] = 2.0  # never moves
    lengths = draw.integers(T // 2, T + 1, B)
    lengths[0] = T
    alive = np.arange(T)[:, None] < lengths
    x[~alive] = 0
    found = autocorrelation_times(x, alive)
    for u in range(3):
        mean = np.mean([x[t, b, u] for b in range(B) for t in range(lengths[b])])
        d = x[..., u] - mean
        products = []
        for k in range(T // 2 + 1):
            pairs = [d[t, b] * d[t + k, b] for b in range(B) for t in range(lengths[b] - k)]
            products.append(np.mean(pairs))
        curve = np.array(products) / products[0]
        below = np.flatnonzero(curve < math.exp(-1))
        if not len(below):
            assert math.isinf(found[u])
        else:
            assert below[0] - 1 <= found[u] <= below[0]
    assert math.isnan(found[3])


def test_states_are_told_with_gaps_where_there_is_padding() -> None:
    layer = Recurrent(2, 3, cell="gru")
    x = torch.randn(5, 2, 2)
    seen = seen_in(layer, pack_padded_sequence(x, torch.tensor([5, 2])))
    found = {m.name: m for m in states(seen)}
    assert list(found)[:2] == ["layer 1: h", "layer 1: r"]
    h = found["layer 1: h"]
    assert h.sample == 7 and np.isnan(h.values[2:, 1]).all() and np.isfinite(h.values[:, 0]).all()
    assert memory(seen, "h").values.shape == (3,)


def test_a_measured_says_what_it_is_and_refuses_what_does_not_fit() -> None:
    values = np.array([[1.0, np.inf], [2.0, np.nan]])
    found = Measured("m", values, "nats", ("a", "b"), 3, "places", values, {"a": ("x", "y")})
    assert found.record() == {
        "name": "m", "unit": "nats", "axes": ["a", "b"], "sample": 3, "of": "places",
        "values": [[1.0, None], [2.0, None]], "spread": [[1.0, None], [2.0, None]],
        "labels": {"a": ["x", "y"]},
    }  # fmt: skip
    assert one("n", 2.5, "steps", 4).number == 2.5
    with pytest.raises(ValueError, match="axes"):
        Measured("m", values, "", ("a",), 1)
    with pytest.raises(ValueError, match="spread"):
        Measured("m", values, "", ("a", "b"), 1, "steps", values[0])
    with pytest.raises(ValueError, match="labels"):
        Measured("m", values, "", ("a", "b"), 1, labels={"c": ("x",)})
    with pytest.raises(ValueError, match="has axes"):
        _ = found.number
