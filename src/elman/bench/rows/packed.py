"""Training on sequences of different lengths, packed."""

from __future__ import annotations

from collections.abc import Iterator

from elman.bench.compare import Bench, Entrant, Result, beside_peers
from elman.bench.work import lengths

SUMMARY = "train, lengths 1..T: share of the product's rate"


def run(bench: Bench) -> Iterator[Result]:
    for cell in bench.cells("packed"):
        for H in bench.sizes(64, 128, 256, 512):
            work = bench.grid("packed", cell, H)
            alive = sum(lengths(work)) / (work.B * work.T)
            names = ["elman", *bench.rivals("torch")]
            yield beside_peers(
                bench, "packed", f"{cell} {H}", [Entrant(name, name, work) for name in names],
                operations=3 * work.operations * alive, share=None, ratio=3.0,
            )  # fmt: skip
