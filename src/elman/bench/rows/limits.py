"""What the machine can do at best: arithmetic, products, and reading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from elman.bench.compare import (
    PEAK,
    PRODUCT,
    PRODUCT_OPERATIONS,
    Bench,
    Entrant,
    Result,
    interleave,
    spread,
    spreads,
)
from elman.bench.where import cache_bytes
from elman.bench.work import PEAK_OPERATIONS, READ_BYTES, Work
from elman.kernels import available, limits
from elman.kernels.limits import Precision

SUMMARY = "arithmetic in registers; product of 2048 x 2048; reading; large matrix x vector"


def run(bench: Bench) -> Iterator[Result]:
    second, third = cache_bytes(2), cache_bytes(3)
    endings: dict[Precision, str] = {"float32": "", "bf16": " bf16"}
    for precision, ending in endings.items():
        variant = ending.strip()
        if limits.multiplies(precision):
            yield rate(bench, f"peak{ending}", replace(PEAK, variant=variant), PEAK_OPERATIONS)
            product = replace(PRODUCT, variant=variant)
            yield rate(bench, f"product{ending}", product, PRODUCT_OPERATIONS)
        elif precision == "float32":
            yield rate(bench, "product", PRODUCT, PRODUCT_OPERATIONS)
    # Half of the second level's caches; of the third as much as is beyond all of the second.
    levels = {
        "L2": bench.threads * second // 2,
        "L3": min(4 * bench.threads * second, third // 2),
        "memory": 4 * third,
    }
    if available().instruction_set is not None:
        for place, size in levels.items():
            work = Work("read", H=int((size / 4) ** 0.5))
            once = 4 * work.H**2
            passes = max(1, READ_BYTES // once)
            yield rate(bench, f"read {place}", work, passes * once, "GB/s")
    # As wide as 4 times the cache; the one beyond the second level must still fit the third.
    for place, size in {"L2": min(4 * second, third // 2), "L3": 4 * third}.items():
        work = Work("mv", H=int((size / 4) ** 0.5))
        yield rate(bench, f"vector > {place}", work, 4 * work.H**2, "GB/s")


def rate(bench: Bench, case: str, work: Work, of_a_call: float, unit: str = "GF/s") -> Result:
    seconds, notes = interleave(bench, [Entrant("machine", "limits", work)])
    found = spread(of_a_call / seconds["machine"]).median
    return Result(
        "limits", case, bench.threads, unit, {"machine": found / 1e9}, spreads(seconds),
        notes=notes,
    )  # fmt: skip
