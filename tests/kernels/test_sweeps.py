"""The sweeps against the reference in float64, through every edge that they have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from problems import (
    FORMS,
    Problem,
    bound_of,
    every_cell,
    every_half,
    every_set,
    forms,
    needs_kernels,
    numbers_of,
    seeds,
    sizes,
    some,
    what_sits_inside,
)

from elman import kernels
from elman.kernels import sweeps
from elman.kernels.sweeps import HALF, Input, Inside

pytestmark = needs_kernels


@every_cell
@every_set
@some
@given(sizes, seeds, st.booleans(), st.booleans(), forms)
def test_a_sweep_is_the_reference(
    instruction_set: str,
    cell: str,
    size: tuple[int, int, int],
    seed: int,
    packed: bool,
    reverse: bool,
    form: str,
) -> None:
    problem = Problem.draw(cell, size, seed, packed, reverse, form)
    problem.check(instruction_set, bound_of(instruction_set))


@every_cell
@every_set
@some
@given(sizes, seeds, st.booleans(), st.booleans(), forms, what_sits_inside)
def test_with_anything_inside_it_is_the_reference(
    instruction_set: str,
    cell: str,
    size: tuple[int, int, int],
    seed: int,
    packed: bool,
    reverse: bool,
    form: str,
    inside: set[str],
) -> None:
    if "norm" in inside and size[2] < 7:
        return  # one value is normed to zero, and its scale amplifies nothing but rounding
    problem = Problem.draw(cell, size, seed, packed, reverse, form, inside)
    # Few values may lie close together by chance: then layer norm amplifies their rounding.
    few = "norm" in inside and size[2] < 33
    bound = bound_of(instruction_set)
    problem.check(instruction_set, 100 * bound if few else bound)


@every_set
def test_rows_of_a_large_batch_are_those_of_a_small_one(instruction_set: str) -> None:
    whole = Problem.draw("lstm", (2, 300, 33), 1, form="rows")  # more rows than one job takes
    y, h, c, *_ = whole.run(instruction_set)
    rows = slice(131, 136)
    part = sweeps.forward(
        "lstm",
        Input(whole.input.x.view(2, 300, -1)[:, rows].reshape(10, -1)),
        torch.full((2,), 5),
        tuple(s[rows].contiguous() for s in whole.state),
        whole.R,
        whole.bias_ih + whole.bias_hh,
        numbers=numbers_of(instruction_set),
        instruction_set=instruction_set,
    )
    assert torch.equal(part.y.view(2, 5, -1), y.view(2, 300, -1)[:, rows])
    assert torch.equal(part.state[0], h[rows]) and torch.equal(part.state[1], c[rows])


@every_cell
@pytest.mark.parametrize("form", FORMS)
def test_training_changes_no_bit_and_no_input(cell: str, form: str) -> None:
    p = Problem.draw(cell, (3, 40, 7), 2, form=form, inside={"zoneout"})
    before = p.input.x.clone()
    n = p.bias_hh[-7:].clone() if cell == "gru" else None
    arguments = (p.input, p.sizes, p.state, p.R, p.bias_ih, n, p.inside)
    alone = sweeps.forward(cell, *arguments)
    assert alone.kept is None
    stored = sweeps.forward(cell, *arguments, store=True)
    assert torch.equal(alone.y, stored.y) and torch.equal(p.input.x, before)


@pytest.mark.parametrize("instruction_set", kernels.instruction_sets())
@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_activations_within_4_units_of_the_last_place(instruction_set: str, name: str) -> None:
    patterns = np.arange(0, 2**32, 4099, dtype=np.uint64).astype(np.uint32)  # NaN, inf, denormals
    edges = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, 9.02, 88.0, 3.4e38]
    x = np.concatenate([patterns.view(np.float32), np.array(edges, np.float32)])
    y = sweeps.activate(name, torch.from_numpy(x), instruction_set).numpy().astype(np.float64)
    with np.errstate(all="ignore"):
        a = x.astype(np.float64)
        exact = np.tanh(a) if name == "tanh" else 1 / (1 + np.exp(-a))
        unit = np.spacing(np.abs(exact).astype(np.float32))
    smallest = 2.0**-126  # below it lie the denormals, which may become zero
    with np.errstate(invalid="ignore"):
        assert np.array_equal(np.isnan(y), np.isnan(x))
        error = np.abs(y - exact)[~np.isnan(x)]
    allowed = np.maximum(4 * unit[~np.isnan(x)], smallest)
    assert (error <= allowed).all()


@every_half
@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_activations_of_bf16_are_off_by_a_ten_thousandth_of_themselves(
    instruction_set: str, name: str
) -> None:
    patterns = np.arange(0, 2**32, 4099, dtype=np.uint64).astype(np.uint32)
    edges = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, 9.02, 88.0, 3.4e38]
    x = np.concatenate([patterns.view(np.float32), np.array(edges, np.float32)])
    y = sweeps.activate(name, torch.from_numpy(x), instruction_set, HALF).numpy()
    with np.errstate(all="ignore"):
        a = x.astype(np.float64)
        exact = np.tanh(a) if name == "tanh" else 1 / (1 + np.exp(-a))
    assert np.array_equal(np.isnan(y), np.isnan(x))
    known = ~np.isnan(x)
    error = np.abs(y.astype(np.float64) - exact)[known]
    assert (error <= 1e-4 * np.abs(exact[known]) + 2.0**-126).all()


def test_what_does_not_fit_is_refused_before_it_is_read() -> None:
    p = Problem.draw("lstm", (3, 4, 7), 3, form="rows")
    Wx = p.input.x
    wide = torch.zeros(7, 28).T
    for changes, message in (
        ({"input": Input(Wx.double())}, "Wx must be float32"),
        ({"input": Input(Wx[:, :-1].contiguous())}, r"Wx must be contiguous \[12, 28\]"),
        ({"input": Input(Wx, torch.zeros(28, 27))}, r"x must be contiguous \[12, 27\]"),
        ({"input": Input(Wx, ids=torch.zeros(12))}, "ids must be int64"),
        ({"inside": Inside(torch.zeros(4, 6))}, r"mask must be contiguous \[4, 7\]"),
        ({"inside": Inside(norm=torch.zeros(7))}, r"norm must be contiguous \[28\]"),
        ({"inside": Inside(keep=(torch.zeros(1, 7),))}, "2 states, got 1 shares"),
        ({"R": wide}, "not contiguous"),
        ({"state": p.state[:1]}, "2 states, got 1"),
        ({"sizes": p.sizes.int()}, "int64"),
        ({"sizes": torch.tensor([4, 3, 4])}, "never grow"),
        ({"sizes": torch.tensor([4, 4, 0])}, "stay above 0"),
        ({"sizes": torch.tensor([4, 4])}, "sum to the number of rows"),
    ):
        given: dict[str, Any] = {"input": p.input, "sizes": p.sizes, "state": p.state, "R": p.R}
        with pytest.raises(ValueError, match=message):
            sweeps.forward("lstm", **(given | changes))
    with pytest.raises(IndexError, match="out of range"):
        outside = Input(Wx, ids=torch.tensor([0, 12] * 6))
        sweeps.forward("lstm", outside, p.sizes, p.state, p.R)
