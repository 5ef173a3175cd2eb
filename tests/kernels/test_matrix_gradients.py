"""The gradients of matrices, by themselves: sums of products over however many rows."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from elman.kernels import half_instruction_sets, instruction_sets, sweeps
from elman.kernels.sweeps import HALF, SINGLE, Met, Numbers

BUILDS = [(name, SINGLE) for name in instruction_sets()]
BUILDS += [(name, HALF) for name in half_instruction_sets()]


def numbers_of(shape: tuple[int, ...], numbers: Numbers, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(numbers.operand)


@pytest.mark.parametrize(("name", "numbers"), BUILDS, ids=[name for name, _ in BUILDS])
@given(
    rows=st.one_of(st.integers(1, 200), st.integers(1000, 3000)),  # one stretch of them, and more
    gates=st.integers(1, 300),
    columns=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    gap=st.integers(0, 40),
    seed=st.integers(0, 2**32),
)
def test_a_gradient_is_the_sum_of_all_rows(
    name: str, numbers: Numbers, rows: int, gates: int, columns: tuple[int, int], gap: int,
    seed: int,
) -> None:  # fmt: skip
    wide = numbers_of((rows, gates + gap), numbers, seed)
    d, total = wide[:, :gates], torch.full((gates,), torch.nan)
    x, h = (numbers_of((rows, k), numbers, seed + 1 + k) for k in columns)
    to_x, to_h = (torch.full((gates, k), torch.nan) for k in columns)
    sweeps.matrix_gradients(
        d, torch.ones(rows, dtype=torch.int64), input=Met(x, to_x), state=Met(h, to_h),
        total=total, numbers=numbers, instruction_set=name,
    )  # fmt: skip
    for found, a in ((to_x, x), (to_h, h), (total[:, None], torch.ones(rows, 1))):
        exact, scale = d.double().T @ a.double(), d.double().abs().T @ a.double().abs()
        assert ((found - exact).abs() <= 1e-6 * scale + 1e-30).all()
