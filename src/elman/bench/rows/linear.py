"""Gated linear recurrences: Elman's sweeps beside a parallel scan in log space, in PyTorch."""

from __future__ import annotations

from collections.abc import Iterator

from elman.bench.compare import Bench, Entrant, Goal, Result, interleave, medians, spread, spreads
from elman.bench.work import Work

SUMMARY = "train, one step of one unit; +W: with W x; ratio: log space, the best, over elman"
STEPS = (512, 4096, 65_536)
HIDDEN = 128
RIVALS = {"torch": "torch", "torch-compile": "comp."}  # and their columns
LOG_SPACE = ("mingru", "minlstm")  # the scan needs values above zero
REACH = 5.0
FLAT = 1.5  # a step's time in the longest sequence over that in the shortest


def run(bench: Bench) -> Iterator[Result]:
    for cell in bench.cells("linear"):
        for H in bench.options.sizes or (HIDDEN,):
            yield from lengths_of(bench, cell, H)


def lengths_of(bench: Bench, cell: str, H: int) -> Iterator[Result]:
    """All lengths in the same rounds, as they are held against each other."""
    steps = STEPS[:2] if bench.options.quick else STEPS
    columns = {
        RIVALS.get(name, name) + suffix: (name, variant)
        for variant, suffix in {"": "", "layer": "+W"}.items()
        for name in ["elman", *bench.rivals(*RIVALS)]
    }
    entrants = [
        Entrant(f"{column} {T}", name, Work("linear", cell, H, B=1, T=T, variant=variant))
        for T in steps
        for column, (name, variant) in columns.items()
        if name == "elman" or cell in LOG_SPACE
    ]
    seconds, notes = interleave(bench, entrants)
    middle = medians(seconds)
    for T in steps:
        ours = seconds[f"elman {T}"]
        theirs = [f"{column} {T}" for column in RIVALS.values() if f"{column} {T}" in seconds]
        best = min(theirs, key=middle.__getitem__, default=None)
        ratio = None if best is None else spread(seconds[best] / ours)
        goals = [] if ratio is None else [Goal("log space over elman", REACH, ratio.median)]
        if steps[-1] == T:
            slower = spread(ours / T / (seconds[f"elman {steps[0]}"] / steps[0])).median
            goals.append(Goal(f"step over that of {steps[0]} steps", FLAT, slower, at_most=True))
        here = {c: seconds[f"{c} {T}"] for c in columns if f"{c} {T}" in seconds}
        yield Result(
            "linear", f"{cell} {H} {short(T)}", bench.threads, "ns",
            {c: middle[f"{c} {T}"] / (T * H) * 1e9 if c in here else None for c in columns},
            spreads(here), ratio, tuple(goals), notes=notes if steps[0] == T else (),
        )  # fmt: skip


def short(steps: int) -> str:
    return f"{steps // 1024}k" if steps >= 1024 else str(steps)
