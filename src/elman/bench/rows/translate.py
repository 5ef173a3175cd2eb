"""The encoder-decoder of the task `translate`: whole training steps, and sentences written."""

from __future__ import annotations

from collections.abc import Iterator

from elman.bench.compare import Bench, Entrant, Goal, Result, interleave, medians, spread, spreads
from elman.bench.sentences import target_tokens
from elman.bench.work import Work

SUMMARY = "thousands of target tokens trained on, or sentences written, a second; elman over best"
LENGTH = 13  # tokens a side, on average
# How the source reaches the decoder, and how sentences are searched for; and who can do it.
FORMS = {
    "first": ("torch",), "attention": ("torch", "joey"), "fed": ("torch", "joey"),
}  # fmt: skip
SEARCHES = ("greedy", "beam")


def run(bench: Bench) -> Iterator[Result]:
    B = 8 if bench.options.quick else 64
    for cell in bench.cells("translate"):
        for H in bench.sizes(256, 512):
            for form, peers in FORMS.items():
                work = Work("translate", cell, H, B, LENGTH, form)
                yield race(bench, work, target_tokens(work) / 1000, "k", peers)
            for search in SEARCHES:
                work = Work("write-sentences", cell, H, B, LENGTH, search)
                yield race(bench, work, B, "/s", ("torch", "joey"))


def race(bench: Bench, work: Work, units: float, unit: str, peers: tuple[str, ...]) -> Result:
    """`units` are done by one call."""
    entrants = [Entrant(name, name, work) for name in ["elman", *bench.rivals(*peers)]]
    seconds, notes = interleave(bench, entrants)
    middle = medians(seconds)
    theirs = [name for name in seconds if name != "elman"]
    best = min(theirs, key=middle.__getitem__, default=None)
    ratio = None if best is None else spread(seconds[best] / seconds["elman"])
    goals = () if ratio is None else (Goal(f"times as fast as {best}", 1.0, ratio.median),)
    return Result(
        "translate", f"{work.cell} {work.variant[:6]} {work.H}", bench.threads, unit,
        {e.name: units / middle[e.name] if e.name in middle else None for e in entrants},
        spreads(seconds), ratio, goals, notes=notes,
    )  # fmt: skip
