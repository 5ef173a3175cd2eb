# ruff: noqa: E741  I is the input size, as in the alphabet of docs/design.md
from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from elman import cells
from elman.layers.scan import (
    Direction,
    RecurrentProduct,
    choose,
    input_product,
    no_recurrence,
    scan,
)

H, I, B = 5, 4, 3
LSTM, GRU = cells.get("lstm"), cells.get("gru")


def direction(gates: int, mask: torch.Tensor | None = None, *, normed: bool = False) -> Direction:
    rows = gates * H
    gain = torch.rand(rows) if normed else None
    return Direction(
        torch.randn(rows, I),
        torch.randn(rows, H),
        torch.randn(rows),
        torch.randn(rows),
        gain,
        gain,
        mask,
    )


def double(d: Direction) -> Direction:
    return Direction(**{n: w.double() for n, w in vars(d).items() if w is not None})


def test_the_choice_says_why() -> None:
    plain = direction(4)
    assert choose(LSTM, [plain]).kernel is not None
    for cell, d, reason in (
        (cells.get("mingru"), replace(plain, keep=(torch.ones(1, H),)), "zoneout"),
        (LSTM, double(direction(4, normed=True)), "what sits inside the recurrence"),
        (LSTM, double(direction(4, torch.ones(B, H))), "float64"),
    ):
        kernel, why, _ = choose(cell, [d])
        assert kernel is None
        assert reason in why


def test_named_gates_are_rows_of_all_gates_in_the_order_named() -> None:
    torch.manual_seed(0)
    h = torch.randn(B, H)
    for d in (direction(3), direction(3, torch.rand(B, H)), direction(3, normed=True)):
        R = RecurrentProduct(GRU, d)
        r, z, n = R(h).chunk(3, -1)
        torch.testing.assert_close(R(h, "n", "r"), torch.cat([n, r], -1))
        torch.testing.assert_close(R(h, "z"), z)


def test_the_mask_meets_the_first_rows() -> None:
    torch.manual_seed(0)
    h, mask = torch.randn(2, H), torch.rand(B, H)
    d, masked = direction(3), direction(3, mask)
    masked = Direction(d.weight_ih, d.weight_hh, d.bias_ih, d.bias_hh, mask=mask)
    torch.testing.assert_close(
        RecurrentProduct(GRU, masked)(h), RecurrentProduct(GRU, d)(h * mask[:2])
    )


def test_layer_norm_is_per_gate_and_the_bias_comes_after() -> None:
    torch.manual_seed(0)
    x, d = torch.randn(B, I), direction(4, normed=True)
    assert d.norm_ih is not None and d.bias_ih is not None
    expected = []
    for k in range(4):
        rows = slice(k * H, (k + 1) * H)
        product = x @ d.weight_ih[rows].T
        expected.append(F.layer_norm(product, (H,), d.norm_ih[rows], d.bias_ih[rows]))
    torch.testing.assert_close(input_product(LSTM, d, x), torch.cat(expected, -1))


def test_a_cell_without_recurrence_must_not_ask_for_it() -> None:
    with pytest.raises(RuntimeError, match="recurrent = False"):
        no_recurrence(torch.zeros(B, H))


@pytest.mark.parametrize("normed", [False, True])
def test_no_time_step_is_refused_on_both_paths(normed: bool) -> None:
    state = (torch.zeros(1, B, H),) * 2
    with pytest.raises(RuntimeError, match="at least one time step"):
        scan(LSTM, torch.zeros(0, B, I), None, state, [direction(4, normed=normed)])
