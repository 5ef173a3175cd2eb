"""Training on sequences of different lengths, packed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from elman.bench.compare import Bench, Result, beside_peers
from elman.bench.work import lengths

SUMMARY = "train, lengths 1..T: share of the peak"


def run(bench: Bench) -> Iterator[Result]:
    for precision in bench.precisions("packed"):
        for cell, H in product(bench.cells("packed"), bench.sizes(64, 128, 256, 512)):
            work = bench.grid("packed", cell, H)
            alive = sum(lengths(work)) / (work.B * work.T)
            yield beside_peers(
                bench, "packed", work, precision, "torch",
                operations=3 * work.operations * alive, share=None, ratio=3.0,
            )  # fmt: skip
