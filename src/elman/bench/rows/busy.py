"""Training beside one spinning process a core."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from elman.bench.compare import Bench, Entrant, Goal, Race, Result, spread, spreads
from elman.bench.options import usable_cores
from elman.bench.processes import neighbours

SUMMARY = "train beside a spinning process a core: busy over quiet"
REACH = 2.5


def run(bench: Bench) -> Iterator[Result]:
    for cell in bench.cells("busy"):
        for H in bench.sizes(256):
            work = bench.grid("train", cell, H)
            entrants = [Entrant(name, name, work) for name in ["elman", *bench.rivals("torch")]]
            quiet, busy = [], []
            with Race(bench, entrants) as race:
                for _ in range(bench.repeats):
                    quiet.append(race.round())
                    with neighbours(usable_cores()):
                        busy.append(race.round())
                notes = tuple(race.notes)
            slower = {
                name: spread(
                    np.array([b[name] / q[name] for b, q in zip(busy, quiet, strict=True)])
                )
                for name in quiet[0]
            }
            seconds = {name: np.array([b[name] for b in busy]) for name in quiet[0]}
            ours = slower["elman"]
            yield Result(
                "busy", f"{cell} {H}", bench.threads, "x",
                {e.name: slower[e.name].median if e.name in slower else None for e in entrants},
                spreads(seconds),
                goals=(Goal("busy over quiet", REACH, ours.median, at_most=True),),
                notes=notes,
            )  # fmt: skip
