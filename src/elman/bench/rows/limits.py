"""What the machine can do at best."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from elman.bench.compare import PRODUCT, PRODUCT_OPERATIONS, Bench, Entrant, Result, interleave
from elman.bench.compare import medians as medians_of
from elman.bench.where import cache_bytes
from elman.bench.work import Work

SUMMARY = "product of 2048 x 2048; large matrix x vector"


def run(bench: Bench) -> Iterator[Result]:
    second, third = cache_bytes(2), cache_bytes(3)
    # As wide as 4 times the cache; the one beyond the second level must still fit the third.
    beyond = {"beyond L2": min(4 * second, third // 2), "beyond L3": 4 * third}
    for place, size in beyond.items():
        work = Work("mv", H=int((size / 4) ** 0.5))
        seconds, notes = interleave(bench, [Entrant("mv", "limits", work)])
        rate = float(np.median(4 * work.H**2 / seconds["mv"]))
        yield Result(
            "limits", f"vector {place}", bench.threads, "GB/s", {"machine": rate / 1e9},
            medians_of(seconds), notes=notes,
        )  # fmt: skip
    seconds, notes = interleave(bench, [Entrant("mm", "limits", PRODUCT)])
    rate = float(np.median(PRODUCT_OPERATIONS / seconds["mm"]))
    yield Result(
        "limits", "product", bench.threads, "GF/s", {"machine": rate / 1e9}, medians_of(seconds),
        product=rate, notes=notes,
    )  # fmt: skip
