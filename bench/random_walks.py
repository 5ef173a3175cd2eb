"""Random walks: nobody can foresee more of them than the last value tells; no verdict may claim it.

    python bench/random_walks.py [--count 20] [--first 1] [--minutes 0.2]

Each is a run without options but the minutes, on walks of 60 to 5,000 steps, one or several side
by side, with steps of either kind, as sums or, like prices, as shares, with a drift or without,
dated or not, some with `--log`. A line for each, and how many were said to be a gain; exit code 1
if any was.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import elman


class Walk(NamedTuple):
    """Walks side by side [T, S], and how they are handed over."""

    values: NDArray[np.float64]
    dates: tuple[str, ...]  # of each step; empty for none
    log: bool

    @property
    def told(self) -> str:
        dated = f"from {self.dates[0]}" if self.dates else "not dated"
        return f"{self.values.shape[1]} of {len(self.values):,} steps, {dated}" + (
            ", --log" if self.log else ""
        )


def drawn(seed: int) -> Walk:
    """The walks of this number."""
    draw = np.random.default_rng(seed)
    T, S = int(np.exp(draw.uniform(np.log(60), np.log(5000)))), int(draw.choice([1, 1, 1, 3, 8]))
    steps = draw.normal(size=(T, S)) if draw.random() < 0.5 else draw.standard_t(4, size=(T, S))
    steps += draw.choice([0.0, 0.05, 0.2])
    prices = bool(draw.random() < 0.5)
    values = 100 * np.exp(0.01 * steps.cumsum(0)) if prices else 100 + steps.cumsum(0)
    match draw.choice(["none", "days", "months", "sessions"]):
        case "days":
            dates = np.datetime64("2005-01-01") + np.arange(T)
        case "months" if T < 1500:
            dates = np.datetime64("1900-01") + np.arange(T)
        case "sessions":
            dates = np.busday_offset("2001-01-01", np.arange(T), roll="forward")
        case _:
            dates = np.zeros(0, dtype="datetime64[D]")
    return Walk(values, tuple(map(str, dates)), prices and bool(draw.random() < 0.5))


def write(walk: Walk, path: Path) -> None:
    """As a table: a column of dates, where there are some, and one for each walk."""
    names = [f"s{k}" for k in range(walk.values.shape[1])]
    rows = [names, *([f"{v:.7g}" for v in row] for row in walk.values)]
    if walk.dates:
        rows = [[d, *row] for d, row in zip(("ds", *walk.dates), rows, strict=True)]
    path.write_text("\n".join(map(",".join, rows)) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="number of the first walk")
    parser.add_argument("--minutes", type=float, default=0.2)
    asked = parser.parse_args()
    claims = 0
    for seed in range(asked.first, asked.first + asked.count):
        walk = drawn(seed)
        with tempfile.TemporaryDirectory() as folder:
            path, run = Path(folder) / "walk.csv", Path(folder) / "run"
            write(walk, path)
            trained = elman.train(
                "forecast", path, run=run, minutes=asked.minutes, threads=1, log=walk.log or None
            )
            verdict = trained.folder.verdict()
            claims += bool(verdict.gained)
            print(f"{seed}: {walk.told}: {verdict.told}", flush=True)
    print(f"{claims} of {asked.count} said to be foreseen")
    return int(claims > 0)


if __name__ == "__main__":
    sys.exit(main())
