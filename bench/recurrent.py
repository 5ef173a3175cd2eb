"""Training of one recurrent layer on a CPU: Elman against torch.nn, both against a plain product.

    python bench/recurrent.py [--cells lstm gru rnn] [--sizes 32 … 1024] [--threads 1 2]

A round times torch.nn, Elman and one 2048 x 2048 product right after one another, forward and
backward with the gradient of the input, float32, I = H. `rate` is the useful work, 3 products with
W and R each, per second, as a share of the product's rate in the same round; `ratio` is the time of
torch.nn over that of Elman. Medians over the rounds, and the quartiles of the ratio for the noise.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

import elman.nn
from elman import kernels

LAYERS: dict[str, tuple[type[nn.Module], type[nn.Module], int]] = {
    "lstm": (nn.LSTM, elman.nn.LSTM, 4),
    "gru": (nn.GRU, elman.nn.GRU, 3),
    "rnn": (nn.RNN, elman.nn.RNN, 1),
}
PRODUCT = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cells", nargs="+", choices=LAYERS, default=list(LAYERS))
    parser.add_argument("--sizes", nargs="+", type=int, default=[32, 64, 128, 256, 512, 1024])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    print(f"Elman's kernels: {kernels.available()}")
    print("threads cell     H | product GF/s | torch.nn rate | elman rate | ratio (quartiles)")
    for threads in options.threads:
        torch.set_num_threads(threads)
        for cell in options.cells:
            for H in options.sizes:
                row = measure(cell, H, options.repeats)
                print(f"{threads:7} {cell:4} {H:5} | {row}", flush=True)


def measure(cell: str, H: int, repeats: int) -> str:
    T, B = (32 if H == 1024 else 64), (32 if H <= 128 else 64)
    theirs, ours, G = LAYERS[cell]
    work = 3 * 2 * B * T * G * H * 2 * H  # floating point operations
    x, dy = torch.randn(T, B, H, requires_grad=True), torch.randn(T, B, H)
    calls = max(1, round(2e9 / work))  # so that a measurement takes tens of milliseconds
    a, b = torch.randn(PRODUCT, PRODUCT), torch.randn(PRODUCT, PRODUCT)
    layers = [theirs(H, H), ours(H, H)]
    jobs = [training(layer, x, dy) for layer in layers]
    for job in jobs:
        job()
    seconds = np.empty((repeats, 3))
    for k in range(repeats):
        for which, job in enumerate(jobs):
            seconds[k, which] = timed(job, calls)
        seconds[k, 2] = timed(lambda: torch.mm(a, b), 1)
    product = 2 * PRODUCT**3 / seconds[:, 2]
    rates = np.median(work / seconds[:, :2] / product[:, None], axis=0)
    low, ratio, high = np.quantile(seconds[:, 0] / seconds[:, 1], [0.25, 0.5, 0.75])
    return (
        f"{np.median(product) / 1e9:12.0f} | {rates[0]:13.0%} | {rates[1]:10.0%} | "
        f"{ratio:5.2f} ({low:.2f} - {high:.2f})"
    )


def training(layer: nn.Module, x: torch.Tensor, dy: torch.Tensor) -> Callable[[], None]:
    """One forward and one backward pass."""
    inputs = [x, *layer.parameters()]

    def once() -> None:
        y, _ = layer(x)
        torch.autograd.grad(y, inputs, dy)

    return once


def timed(job: Callable[[], object], calls: int) -> float:
    """Seconds for one call."""
    start = time.perf_counter()
    for _ in range(calls):
        job()
    return (time.perf_counter() - start) / calls


if __name__ == "__main__":
    main()
