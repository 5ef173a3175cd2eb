"""One layer without gradients."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from elman.bench.compare import Bench, Result, beside_peers
from elman.bench.rows.train import SIZES

SUMMARY = "forward only: share of the peak"
REACH = {"lstm": 0.85, "gru": 0.80}  # from H = 256 on


def run(bench: Bench) -> Iterator[Result]:
    for precision in bench.precisions("infer"):
        for cell, H in product(bench.cells("infer"), bench.sizes(*SIZES)):
            work = bench.grid("infer", cell, H)
            yield beside_peers(
                bench, "infer", work, precision, "torch", "keras", "jax", "onnx",
                operations=work.operations, share=REACH.get(cell) if H >= 256 else None, ratio=1.0,
            )  # fmt: skip
