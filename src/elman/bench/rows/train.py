"""Training of one layer over the whole grid."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from elman.bench.compare import Bench, Result, beside_peers

SUMMARY = "forward, backward, input gradient: share of the peak"
SIZES = (32, 64, 128, 256, 512, 1024)
# The share to reach, by cell and size.
REACH = {
    "lstm": dict(zip(SIZES, (0.40, 0.60, 0.75, 0.82, 0.88, 0.88), strict=True)),
    "gru": dict(zip(SIZES, (0.30, 0.50, 0.70, 0.80, 0.86, 0.86), strict=True)),
    "rnn": dict(zip(SIZES, (0.20, 0.40, 0.60, 0.75, 0.84, 0.84), strict=True)),
}


def run(bench: Bench) -> Iterator[Result]:
    for precision in bench.precisions("train"):
        for cell, H in product(bench.cells("train"), bench.sizes(*SIZES)):
            work = bench.grid("train", cell, H)
            yield beside_peers(
                bench, "train", work, precision, "torch", "keras", "jax",
                operations=3 * work.operations, share=REACH[cell].get(H), ratio=1.0,
            )  # fmt: skip
