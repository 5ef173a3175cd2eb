"""Threads share a sweep, and sweep side by side, without changing a bit."""

from __future__ import annotations

import threading

import pytest
import torch
from problems import Problem, every_cell, every_set, needs_kernels

pytestmark = needs_kernels


@every_cell
@every_set
@pytest.mark.parametrize("batch", [2, 17, 40])  # rows too few to share, and enough
@pytest.mark.parametrize("reverse", [False, True])
def test_threads_change_no_bit(instruction_set: str, cell: str, reverse: bool, batch: int) -> None:
    for packed in (False, True):
        size, form = (31, batch, 257 if batch == 2 else 100), "rows" if batch < 40 else "product"
        problem = Problem.draw(cell, size, 0, packed, reverse, form, {"mask", "zoneout"})
        results = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(problem.sequential(problem.run(instruction_set)))
        for other in results[1:]:
            assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_two_threads_at_once_do_not_disturb_each_other() -> None:
    torch.set_num_threads(2)
    problems = [Problem.draw("gru", (31, 17, 100), seed, True, False) for seed in range(2)]
    expected = [p.run() for p in problems]
    wrong: list[int] = []

    def again(k: int) -> None:
        for _ in range(5):
            result = problems[k].run()
            if not all(torch.equal(a, b) for a, b in zip(result, expected[k], strict=True)):
                wrong.append(k)

    threads = [threading.Thread(target=again, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
