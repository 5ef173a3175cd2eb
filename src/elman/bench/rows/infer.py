"""One layer without gradients."""

from __future__ import annotations

from collections.abc import Iterator

from elman.bench.compare import Bench, Entrant, Result, beside_peers
from elman.bench.rows.train import SIZES

SUMMARY = "forward only: share of the product's rate"
REACH = {"lstm": 0.85, "gru": 0.80}  # from H = 256 on


def run(bench: Bench) -> Iterator[Result]:
    for cell in bench.cells("infer"):
        for H in bench.sizes(*SIZES):
            work = bench.grid("infer", cell, H)
            names = ["elman", *bench.rivals("torch", "keras", "jax", "onnx")]
            yield beside_peers(
                bench, "infer", f"{cell} {H}", [Entrant(name, name, work) for name in names],
                operations=work.operations, share=REACH.get(cell) if H >= 256 else None, ratio=1.0,
            )  # fmt: skip
