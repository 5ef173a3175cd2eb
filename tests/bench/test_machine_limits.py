"""What the processor can do at best: sums of what was read, and rates that can be."""

from __future__ import annotations

import time

import pytest
import torch

from elman.bench.peers.limits import prepare
from elman.bench.work import PEAK_OPERATIONS, Work
from elman.kernels import available, half_instruction_sets, instruction_sets, limits
from elman.kernels.native import extension

pytestmark = pytest.mark.skipif(not instruction_sets(), reason="no kernels run here")


@pytest.mark.parametrize("isa", instruction_sets())
@pytest.mark.parametrize("threads", [1, 3])
def test_all_numbers_are_read_once_whatever_the_threads(isa: str, threads: int) -> None:
    generator = torch.Generator().manual_seed(0)
    for count in (1, 15, 16, 127, 128, 129, 5000):
        numbers = torch.randint(-99, 99, (count,), generator=generator).float()
        found = extension().read(isa, threads, numbers.data_ptr(), count)
        assert found == numbers.sum()


@pytest.mark.parametrize("isa", instruction_sets())
def test_operations_grow_with_rounds_and_threads(isa: str) -> None:
    once = extension().multiply_add(isa, 1, 1)
    assert once >= 2 * 4 * 4
    assert extension().multiply_add(isa, 3, 7) == 21 * once


@pytest.mark.parametrize("isa", half_instruction_sets())
def test_operations_of_bf16_do_too(isa: str) -> None:
    once = extension().multiply_add_bf16(isa, 1, 1)
    assert once >= 2 * 2 * 4
    assert extension().multiply_add_bf16(isa, 2, 5) == 10 * once


def test_bf16_is_multiplied_where_an_instruction_set_does() -> None:
    assert limits.multiplies("bf16") == bool(half_instruction_sets())


def test_chains_that_could_be_one_are_not() -> None:
    """A compiler that saw through them would show more than any unit can do."""
    cycle = 1.7e-10  # seconds, of 5.9 GHz
    once = limits.multiply_add("float32", 1)
    best = min(seconds_of(lambda: limits.multiply_add("float32", 100_000)) for _ in range(5))
    lanes = {"portable": 4, "avx2": 8, "avx512": 16}[available().instruction_set or ""]
    per_cycle = once * 100_000 / (best / cycle) / torch.get_num_threads()
    assert per_cycle <= 2 * 2 * lanes  # two units


def seconds_of(call: object) -> float:
    assert callable(call)
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


@pytest.mark.parametrize("variant", ["", "bf16"])
def test_the_adapter_does_the_operations_that_it_is_counted_for(variant: str) -> None:
    made = prepare(Work("fma", variant=variant), 1)
    if made is None:
        assert variant == "bf16" and not limits.multiplies("bf16")
        return
    (done,) = made.once()
    assert done == pytest.approx(PEAK_OPERATIONS, rel=1e-3)
