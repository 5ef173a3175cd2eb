"""Everybody in turn, round by round; ratios are taken within a round, and their median told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from elman.bench import rows
from elman.bench.options import BenchOptions
from elman.bench.peers import BY_NAME
from elman.bench.processes import Refused, Workers
from elman.bench.work import PEAK_OPERATIONS, Work
from elman.errors import RunError
from elman.kernels import limits
from elman.kernels.limits import Precision

Seconds = npt.NDArray[np.float64]  # [rounds], of one call

PRODUCT = Work("mm", H=2048)
PEAK = Work("fma")
SHARE = "share of the product"
PRODUCT_OPERATIONS = 2.0 * PRODUCT.H**3
# Outputs and input gradients of peers are sums in other orders: 1e-5 of the largest apart or so.
# Those of products in bf16 were up to 8e-3 apart at H 64, that type having 8 bits. A gate in the
# wrong place is 1e-1 apart.
TOLERANCE: Mapping[Precision, float] = {"float32": 1e-3, "bf16": 3e-2}
# In bf16: who stands beside torch.nn under autocast, which may be slower than without it.
HALF_RIVALS = ("torch-bf16", "torch")
HALF_OVER_FLOAT32 = 1.7  # how many times as fast as our own float32, from H 256 on


class Entrant(NamedTuple):
    """One of those in a race: the name of its column, whose process, and what it does there."""

    name: str
    peer: str
    work: Work


@dataclass(frozen=True)
class Goal:
    """A number of the table of targets, and what was reached."""

    what: str
    reach: float
    reached: float
    at_most: bool = False  # else at least

    @property
    def met(self) -> bool:
        return self.reached <= self.reach if self.at_most else self.reached >= self.reach


class Spread(NamedTuple):
    """The median over the rounds, and the quartiles."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Result:
    """One line of the table. A value is None where its entrant could not run; `notes` say why."""

    row: str
    case: str  # "lstm 256"
    threads: int
    # Of the values: "%" of the peak, or of the product where there is no peak, "ms", "us", "ns",
    # "x" times, "GF/s", "GB/s", and a second: "k" (thousands), "/s".
    unit: str
    values: Mapping[str, float | None]
    seconds: Mapping[str, Spread]  # of one call, in the row stream of one step
    ratio: Spread | None = None
    goals: tuple[Goal, ...] = ()
    # Operations a second in the same rounds: of the product, and of arithmetic in registers.
    product: float | None = None
    peak: float | None = None
    notes: tuple[str, ...] = ()
    precision: Precision = "float32"


@dataclass(frozen=True)
class Bench:
    """What a row gets: the options, and the processes of one number of threads."""

    options: BenchOptions
    workers: Workers
    threads: int
    peers: tuple[str, ...]  # the rivals at hand
    say: Callable[[str], None]

    @property
    def repeats(self) -> int:
        return self.options.repeats or (3 if self.options.quick else 9)

    @property
    def turn(self) -> float:
        """Seconds that a turn should take: so often the work is repeated."""
        return 0.01 if self.options.quick else 0.05

    def cells(self, row: str) -> tuple[str, ...]:
        """Those of the row's own that were asked for, else all of them."""
        own = rows.CELLS[row]
        if self.options.cells is None:
            return own[:1] if self.options.quick else own
        return tuple(cell for cell in self.options.cells if cell in own)

    def precisions(self, row: str) -> tuple[Precision, ...]:
        """Those of the row's own that were asked for, else those that the processor multiplies."""
        own = rows.PRECISIONS if row in rows.IN_BF16 else rows.PRECISIONS[:1]
        asked: tuple[str, ...]
        if self.options.precision is not None:
            asked = self.options.precision
        elif self.options.quick or not limits.multiplies("bf16"):
            asked = ("float32",)
        else:
            asked = own
        return tuple(precision for precision in own if precision in asked)

    def sizes(self, *usual: int) -> tuple[int, ...]:
        """What was asked for, else what a row usually takes."""
        if self.options.sizes is None and self.options.quick:
            return tuple(H for H in usual if H in (64, 256))
        return self.options.sizes or usual

    def grid(self, kind: str, cell: str, H: int, variant: str = "") -> Work:
        """A point of the grid: larger layers get more rows, the largest fewer steps."""
        steps = 16 if self.options.quick else 32 if H >= 1024 else 64
        return Work(kind, cell, H, B=32 if H <= 128 else 64, T=steps, variant=variant)

    def rivals(self, *able: str) -> list[str]:
        """Those of `able` that are at hand."""
        return [peer for peer in able if peer in self.peers]


class Race:
    """Entrants made ready, in a block: when it ends, they are freed."""

    def __init__(self, bench: Bench, entrants: Sequence[Entrant]) -> None:
        self._bench = bench
        self._running: list[tuple[Entrant, int, int]] = []  # and its number, and calls a turn
        self.notes: list[str] = []
        references: dict[Work, tuple[Precision, list[list[float]]]] = {}
        for entrant in entrants:
            bench.say(f"{entrant.name} {_described(entrant.work)}")
            try:
                made = bench.workers[entrant.peer].make(entrant.work)
            except Refused as error:
                if entrant.peer in ("elman", "elman-bf16", "limits"):
                    raise RunError(f"{_described(entrant.work)}: {error}") from None
                self.notes.append(f"{entrant.name}: left out ({error})")
                continue
            if made.sample:
                precision = BY_NAME[entrant.peer].precision
                first, reference = references.setdefault(entrant.work, (precision, made.sample))
                if not agree(reference, made.sample, max(TOLERANCE[first], TOLERANCE[precision])):
                    self.notes.append(f"{entrant.name}: left out (its results are others)")
                    continue
            calls = max(1, round(bench.turn / max(made.seconds, 1e-9)))
            self._running.append((entrant, made.number, calls))

    def __enter__(self) -> Race:
        return self

    def __exit__(self, *error: object) -> None:
        self._bench.workers.drop()

    def round(self) -> dict[str, float]:
        """Everybody once, in turn: seconds of a call by the entrant's name."""
        seconds = {}
        for entrant, number, calls in self._running:
            try:
                seconds[entrant.name] = self._bench.workers[entrant.peer].run(number, calls)
            except Refused as error:
                raise RunError(f"{entrant.name} {_described(entrant.work)}: {error}") from None
            time.sleep(BY_NAME[entrant.peer].pause)
        return seconds


def agree(
    ours: list[list[float]], theirs: list[list[float]], tolerance: float = TOLERANCE["float32"]
) -> bool:
    """Whether samples of the same results are the same, but for so many parts of the largest."""
    if len(ours) != len(theirs):
        return False
    return all(
        bool(np.abs(np.subtract(a, b)).max() <= tolerance * np.abs(a).max())
        for a, b in zip(ours, theirs, strict=True)
    )


def interleave(
    bench: Bench, entrants: Sequence[Entrant]
) -> tuple[dict[str, Seconds], tuple[str, ...]]:
    """The seconds of everybody in every round, and what is to be said of those left out."""
    with Race(bench, entrants) as race:
        rounds = [race.round() for _ in range(bench.repeats)]
        notes = tuple(race.notes)
    return {name: np.array([r[name] for r in rounds]) for name in rounds[0]}, notes


def beside_peers(
    bench: Bench, row: str, work: Work, precision: Precision, *rivals: str,
    operations: float, share: float | None, ratio: float,
) -> Result:  # fmt: skip
    """Ourselves and `rivals` at `work`, of `operations` a call, and the limits in the same rounds.

    Values are shares of the peak; the ratio is the best rival's time, by its median, over ours.
    Goals in float32: `share` of the product, a share of 1, and `ratio`. In bf16 the rivals are
    torch.nn's with and without autocast, and the goals other ones.
    """
    half = precision == "bf16"
    ours = "elman-bf16" if half else "elman"
    theirs = bench.rivals(*(HALF_RIVALS if half else rivals))
    variant = "bf16" if half else ""
    entrants = [Entrant(name, name, work) for name in [ours, *theirs, *(["elman"] * half)]]
    measures = [Entrant("mm", "limits", replace(PRODUCT, variant=variant))]
    if limits.multiplies(precision):
        measures.append(Entrant("fma", "limits", replace(PEAK, variant=variant)))
    seconds, notes = interleave(bench, [*entrants, *measures])
    product = PRODUCT_OPERATIONS / seconds.pop("mm")
    peak = PEAK_OPERATIONS / seconds.pop("fma") if "fma" in seconds else None
    limit = product if peak is None else peak
    middle = medians(seconds)
    best = min((name for name in theirs if name in seconds), key=middle.__getitem__, default=None)
    found = None if best is None else spread(seconds[best] / seconds[ours])
    goals = []
    if best is not None and found is not None:
        reach = half_ratio(work) if half else ratio
        goals.append(Goal(f"times as fast as {best}", reach, found.median))
    if half and work.H >= 256:
        times = spread(seconds["elman"] / seconds[ours]).median
        goals.append(Goal("times as fast as elman in float32", HALF_OVER_FLOAT32, times))
    if not half and share is not None:
        reached = float(np.median(operations / seconds[ours] / product))
        goals.append(Goal(SHARE, share, reached))
    shares = {name: float(np.median(operations / s / limit)) for name, s in seconds.items()}
    return Result(
        row, f"{work.cell} {work.H}", bench.threads, "%",
        {e.name: shares.get(e.name) for e in entrants},
        spreads(seconds), found, tuple(goals), float(np.median(product)),
        None if peak is None else float(np.median(peak)), notes, precision,
    )  # fmt: skip


def half_ratio(work: Work) -> float:
    """How many times as fast as the best of torch.nn, with and without autocast, bf16 is to be."""
    if work.H < 128:
        return 1.0
    if work.cell == "lstm":
        return 1.3 if work.H < 256 else 1.1
    return 2.0 if work.H < 256 else 1.4 if work.H < 512 else 1.2


def spread(values: Seconds) -> Spread:
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    return Spread(float(median), float(low), float(high))


def spreads(seconds: Mapping[str, Seconds]) -> dict[str, Spread]:
    return {name: spread(s) for name, s in seconds.items()}


def medians(seconds: Mapping[str, Seconds]) -> dict[str, float]:
    return {name: float(np.median(s)) for name, s in seconds.items()}


def _described(work: Work) -> str:
    return " ".join(filter(None, (work.kind, work.cell, str(work.H), work.variant)))
