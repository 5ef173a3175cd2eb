"""How fast a long table of series is read, and how much memory that takes.

    python bench/reading.py [--rows 1000000] [--series 1000]

It writes `unique_id,ds,y` in order and shuffled, reads each in a process of its own, and prints
seconds, and the peak of its resident set (of which NumPy and the modules of Elman take the first).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def written(path: Path, rows: int, series: int, *, shuffled: bool) -> None:
    """A table of so many rows, days of series after one another."""
    draw = np.random.default_rng(0)
    each = rows // series
    days = (np.datetime64("1990-01-01") + np.arange(each)).astype(str)
    values = draw.normal(100, 10, (series, each)).round(3).astype(str)
    lines = [
        f"series_{s},{d},{y}" for s in range(series) for d, y in zip(days, values[s], strict=True)
    ]
    if shuffled:
        lines = [lines[k] for k in draw.permutation(len(lines))]
    path.write_text("\n".join(["unique_id,ds,y", *lines]) + "\n")


def peak_mb() -> float:
    """The peak of the resident set of this process, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def read(path: str) -> None:
    """Read one table, and print what it took."""
    from elman.data.tables.content import BadRows
    from elman.data.time_series import series
    from elman.data.time_series.options import SeriesOptions

    before = peak_mb()
    began, worked = time.perf_counter(), time.process_time()
    found = series.read([path], SeriesOptions(), BadRows(False))
    seconds, worked = time.perf_counter() - began, time.process_time() - worked
    values = sum(len(one) for one in found.series)
    print(
        f"{Path(path).stem}: {len(found.series):,} series, {values:,} values in {seconds:.2f} s, "
        f"{worked:.2f} s of a core; "
        f"peak {peak_mb():.0f} MB, {before:.0f} MB of it before"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--read", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        read(given.read)
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in ("in_order", "shuffled"):
            path = Path(folder, f"{name}.csv")
            written(path, given.rows, given.series, shuffled=name == "shuffled")
            subprocess.run([sys.executable, __file__, "--read", str(path)], check=True)


if __name__ == "__main__":
    main()
