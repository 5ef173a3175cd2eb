"""Gated linear recurrences on a CPU: Elman's sweeps against a parallel scan in log space.

    python bench/linear.py [--cells mingru minlstm hgrn] [--steps 512 … 65536] [--threads 1 2]

A round times the scan in log space and Elman right after one another, forward and backward from
the input's share of the gates on, `W x`, in float32. `ratio` is the time of the one over that of
the other, `layer` the same with the products of W, I = H, in both; medians over the rounds, and the
quartiles of the ratio for the noise. `ns` is Elman's time for one step of one unit: it stays where
it is if the cost is linear in T. `error` is the largest distance of an output from float64, as a
share of the largest output, of the scan in log space and of Elman. A scan in log space needs
values above zero, and HGRN's are not: there Elman is timed alone.

The scan: Feng et al. 2024, arXiv:2410.01201, appendix B.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from elman import cells, kernels
from elman.kernels import linear
from elman.layers.linear import linear_scan
from elman.layers.scan import LinearStepwise

STEPS = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
START = 0.5  # the initial state of every unit: its logarithm is taken


@dataclass(frozen=True)
class Row:
    """What was measured for one cell and length; None where there is no scan in log space."""

    cell: str
    threads: int
    T: int
    B: int
    H: int
    seconds: float  # of Elman, forward and backward
    log_seconds: float | None
    ratio: tuple[float, float, float] | None  # lower quartile, median, upper quartile
    layer_ratio: float | None
    error: float | None
    log_error: float | None

    @property
    def ns(self) -> float:
        """Nanoseconds for one step of one unit."""
        return self.seconds / (self.T * self.B * self.H) * 1e9

    def __str__(self) -> str:
        start = f"{self.threads:7} {self.cell:8} {self.T:6} | {self.ns:6.2f} |"
        if self.ratio is None:
            return start
        low, ratio, high = self.ratio
        return (
            f"{start} {ratio:6.1f} ({low:.1f} - {high:.1f}) | {self.layer_ratio:5.1f} | "
            f"{self.log_error:.0e} {self.error:.0e}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cells", nargs="+", choices=linear.GATES, default=list(linear.GATES))
    parser.add_argument("--steps", nargs="+", type=int, default=STEPS)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print(f"Elman's kernels: {kernels.available()}; B {options.batch}, H {options.hidden}")
    print(
        "threads cell          T |     ns |  ratio (quartiles) | layer | error, log space and Elman"
    )
    for threads in options.threads:
        torch.set_num_threads(threads)
        sizes = (options.batch, options.hidden)
        for row in rows(options.cells, options.steps, *sizes, options.repeats):
            print(row, flush=True)


def rows(cells: Sequence[str], steps: Sequence[int], B: int, H: int, repeats: int) -> Iterator[Row]:
    """One row for each cell and number of steps, with the threads that PyTorch has now."""
    for cell in cells:
        for T in steps:
            yield measure(cell, T, B, H, repeats)


def measure(cell: str, T: int, B: int, H: int, repeats: int) -> Row:
    G = linear.GATES[cell]
    W = torch.randn(G * H, H) / H**0.5
    x, dy = torch.randn(T * B, H, requires_grad=True), torch.randn(T * B, H)
    Wx = F.linear(x, W).detach().requires_grad_()
    W.requires_grad_()
    sizes, h = torch.full((T,), B), torch.full((B, H), START)

    replay = LinearStepwise(cells.get(cell), sizes, reverse=False)

    def ours(Wx: Tensor) -> Tensor:
        return linear_scan(cell, Wx, sizes, h, None, replay, reverse=False)[0]

    def theirs(Wx: Tensor) -> Tensor:
        return in_log_space(cell, Wx.view(T, B, G * H)).flatten(0, 1)

    def sweep(scan: Callable[[Tensor], Tensor]) -> Callable[[], object]:
        return lambda: torch.autograd.grad(scan(Wx), Wx, dy)

    def layer(scan: Callable[[Tensor], Tensor]) -> Callable[[], object]:
        return lambda: torch.autograd.grad(scan(F.linear(x, W)), [x, W], dy)

    compared = cell in LOG_GATES
    jobs = [sweep(ours), *((sweep(theirs), layer(ours), layer(theirs)) if compared else ())]
    calls = max(1, round(1e6 / (T * B * H)))  # so that Elman is measured for milliseconds
    for job in jobs:
        job()
    seconds = np.array([[timed(job, calls) for job in jobs] for _ in range(repeats)])
    medians = np.median(seconds, axis=0)
    where = (cell, torch.get_num_threads(), T, B, H)
    if not compared:
        return Row(*where, medians[0], None, None, None, None, None)
    low, ratio, high = np.quantile(seconds[:, 1] / seconds[:, 0], [0.25, 0.5, 0.75])
    with torch.no_grad():
        exact = theirs(Wx.double())
        errors = [((f(Wx) - exact).abs().max() / exact.max()).item() for f in (ours, theirs)]
    layers = float(np.median(seconds[:, 3] / seconds[:, 2]))
    return Row(*where, medians[0], medians[1], (low, ratio, high), layers, *errors)


def in_log_space(cell: str, Wx: Tensor) -> Tensor:
    """h [T, B, H] for `Wx` [T, B, G*H], by sums of logarithms over all steps at once."""
    log_keep, log_enter, a = LOG_GATES[cell](Wx)
    log_next = torch.where(a >= 0, (a.relu() + 0.5).log(), F.logsigmoid(a))
    log_start = Wx.new_full((1, *a.shape[1:]), START).log()
    kept = F.pad(log_keep.cumsum(0), (0, 0, 0, 0, 1, 0))  # [1 + T, B, H]
    entered = torch.cat([log_start, log_enter + log_next])
    return (kept + (entered - kept).logcumsumexp(0)).exp()[1:]


def log_mingru(Wx: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    Wz, Wn = Wx.chunk(2, -1)
    return F.logsigmoid(-Wz), F.logsigmoid(Wz), Wn


def log_minlstm(Wx: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    Wf, Wi, Wn = Wx.chunk(3, -1)
    difference = F.softplus(-Wf) - F.softplus(-Wi)
    return -F.softplus(difference), -F.softplus(-difference), Wn


# log keep, log enter, and what g is taken of, each [T, B, H].
LOG_GATES = {"mingru": log_mingru, "minlstm": log_minlstm}


def timed(job: Callable[[], object], calls: int) -> float:
    """Seconds for one call."""
    start = time.perf_counter()
    for _ in range(calls):
        job()
    return (time.perf_counter() - start) / calls


if __name__ == "__main__":
    main()
