"""What regularisation inside the recurrence costs."""

from __future__ import annotations

from collections.abc import Iterator

from elman.bench.compare import Bench, Entrant, Goal, Result, interleave, spread, spreads

SUMMARY = "train, time over that of the plain layer"
VARIANTS = {  # and their columns
    "zoneout": "zoneout", "variational": "variat.", "weight-drop": "w.drop", "layer-norm": "norm",
}  # fmt: skip
REACH = 1.3


def run(bench: Bench) -> Iterator[Result]:
    for cell in bench.cells("regularised"):
        for H in bench.sizes(128, 256, 512):
            entrants = [
                Entrant(column, "elman", bench.grid("regularised", cell, H, variant))
                for variant, column in {"plain": "plain", **VARIANTS}.items()
            ]
            seconds, notes = interleave(bench, entrants)
            times = {
                column: spread(seconds[column] / seconds["plain"]) for column in VARIANTS.values()
            }
            goals = [
                Goal(f"{variant} over plain", REACH, times[column].median, True)
                for variant, column in VARIANTS.items()
            ]
            yield Result(
                "regularised", f"{cell} {H}", bench.threads, "x",
                {column: times[column].median for column in VARIANTS.values()},
                spreads(seconds), goals=tuple(goals), notes=notes,
            )  # fmt: skip
