"""What hears, as the task `speech` makes it: whole training steps, and transcripts written."""

from __future__ import annotations

from collections.abc import Iterator

from elman.bench.clips import seconds_of_sound
from elman.bench.compare import Bench, Entrant, Goal, Result, interleave, medians, spread, spreads
from elman.bench.work import Work

SUMMARY = (
    "seconds of sound trained on, or written, a second, from samples on; mel: those whose spectrum "
    "alone is made, t.mel by torch; or the spectrum's part of our time"
)
# Clips of a batch, and the seconds of the longest; the shortest have 0.3 of these.
LONG, SHORT, QUICK = (12, 10), (32, 3), (4, 2)
KINDS = {"train": "hear", "write": "transcribe"}
PART = 0.5  # of the time that the spectrum takes at most: what learns is what takes the time


def run(bench: Bench) -> Iterator[Result]:
    parts = []
    for cell in bench.cells("speech"):
        for H, suffix, (B, longest) in cases(bench):
            for case, kind in KINDS.items():
                work = Work(kind, cell, H, B, longest)
                speed, part = race(bench, f"{cell} {case}{suffix} {H}", work)
                parts.append(part)
                yield speed
    yield from parts


def cases(bench: Bench) -> Iterator[tuple[int, str, tuple[int, int]]]:
    """Sizes, what is added to their names, and clips."""
    for H in bench.sizes(128, 256):
        yield H, "", QUICK if bench.options.quick else LONG
    if not bench.options.quick and bench.options.sizes is None:
        yield 256, "-s", SHORT


def race(bench: Bench, case: str, work: Work) -> tuple[Result, Result]:
    """How fast it is, and what part the spectrum has in that, from the same rounds."""
    spectrum = Work("features", work.cell, work.H, work.B, work.T)
    rivals = bench.rivals("torch")
    entrants = [
        *(Entrant(name, name, work) for name in ["elman", *rivals]),
        Entrant("mel", "elman", spectrum),
        *(Entrant(f"{name[0]}.mel", name, spectrum) for name in rivals),
    ]
    seconds, notes = interleave(bench, entrants)
    middle, sound = medians(seconds), seconds_of_sound(work)
    ratio = spread(seconds["torch"] / seconds["elman"]) if "torch" in seconds else None
    goals = () if ratio is None else (Goal("times as fast as torch", 1.0, ratio.median),)
    speed = Result(
        "speech", case, bench.threads, "/s",
        {e.name: sound / middle[e.name] if e.name in middle else None for e in entrants},
        spreads(seconds), ratio, goals, notes=notes,
    )  # fmt: skip
    part = spread(seconds["mel"] / seconds["elman"]).median
    return speed, Result(
        "speech", case, bench.threads, "%", {"mel": part}, {"mel": spread(seconds["mel"])},
        goals=(Goal("part of the spectrum", PART, part, at_most=True),),
    )  # fmt: skip
