"""A layer that reads tokens beside one that reads vectors of its own width."""

from __future__ import annotations

from collections.abc import Iterator

from elman.bench.compare import Bench, Entrant, Goal, Result, interleave, medians, spread, spreads

SUMMARY = "train, embedding and layer; ratio: vectors over tokens"
REACH = 1.4


def run(bench: Bench) -> Iterator[Result]:
    for cell in bench.cells("tokens"):
        for H in bench.sizes(64, 128, 256, 512):
            entrants = [
                Entrant("vectors", "elman", bench.grid("train", cell, H)),
                *(
                    Entrant(name, name, bench.grid("tokens", cell, H))
                    for name in ["elman", *bench.rivals("torch")]
                ),
            ]
            seconds, notes = interleave(bench, entrants)
            ratio = spread(seconds["vectors"] / seconds["elman"])
            middle = medians(seconds)
            yield Result(
                "tokens", f"{cell} {H}", bench.threads, "ms",
                {e.name: middle[e.name] * 1e3 if e.name in middle else None for e in entrants},
                spreads(seconds), ratio, (Goal("vectors over tokens", REACH, ratio.median),),
                notes=notes,
            )  # fmt: skip
