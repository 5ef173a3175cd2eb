"""How fast a long table is read, and how much memory that takes.

    python bench/reading.py [--rows 1000000] [--kinds series,shuffled,numbers,texts]
                            [--series 1000] [--folder FOLDER]

It writes tables of so many rows, reads each in a process of its own, and prints seconds, and the
peak of its resident set (of which NumPy and the modules of Elman take the first):

    series     unique_id,ds,y: days of series after one another, read as by `elman train forecast`
    shuffled   the same in random order
    numbers    sixteen numbers and a label in a row, read as by `elman train classify`
    texts      sentences of twelve words with their labels, the same

Reading as `classify` does includes that a part is held back, and that all is encoded. The tables
lie in a temporary folder below FOLDER, one at a time: 30 to 130 bytes a row.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

KINDS = ("series", "shuffled", "numbers", "texts")
AT_ONCE = 100_000  # rows that are written at once
STEPS, WORDS = 16, 12


def written(path: Path, kind: str, rows: int, series: int) -> None:
    """A table of so many rows."""
    draw = np.random.default_rng(0)
    with path.open("wb") as file:
        if kind in ("numbers", "texts"):
            names = ",".join(f"x{k}" for k in range(STEPS)) if kind == "numbers" else "text"
            file.write(f"label,{names}\n".encode())
            file.writelines(line.encode() for line in labelled(draw, kind, rows))
        else:
            file.write(b"unique_id,ds,y\n")
            file.writelines(timed(draw, kind, rows, series))


def timed(draw: np.random.Generator, kind: str, rows: int, series: int) -> Iterator[bytes]:
    """Days of series, many lines at once."""
    each = rows // series
    days = (np.datetime64("1990-01-01") + np.arange(each)).astype("S10")
    order = np.arange(each * series)
    if kind == "shuffled":
        draw.shuffle(order)
    for start in range(0, len(order), AT_ONCE):
        k = order[start : start + AT_ONCE]
        y = draw.normal(150_000, 10_000, len(k)).astype(int).clip(100_000, 199_999)
        parts = [
            b"series_", digits(k // each, len(str(series - 1))), b",", letters(days[k % each]),
            b",", digits(y // 1000, 3), b".", digits(y % 1000, 3), b"\n",
        ]  # fmt: skip
        yield np.concatenate(
            [np.broadcast_to(np.frombuffer(part, np.uint8), (len(k), len(part)))
             if isinstance(part, bytes) else part for part in parts],
            axis=1,
        ).tobytes()  # fmt: skip


def digits(numbers: NDArray[np.int64], count: int) -> NDArray[np.uint8]:
    """The last digits of whole numbers, as letters, [numbers, count]."""
    places = 10 ** np.arange(count - 1, -1, -1)
    return (numbers[:, None] // places % 10 + ord("0")).astype(np.uint8)


def letters(words: NDArray[np.bytes_]) -> NDArray[np.uint8]:
    """Words that are equally long, [words, letters]."""
    return words.view(np.uint8).reshape(len(words), -1)


def labelled(draw: np.random.Generator, kind: str, rows: int) -> Iterator[str]:
    """Sequences of three classes, which say something of them."""
    alphabet = np.array(list("etaoinshrdlucmfwygpbvkxqjz"))
    words = ["".join(draw.choice(alphabet, draw.integers(2, 10))) for _ in range(20_000)]
    for start in range(0, rows, AT_ONCE):
        count = min(AT_ONCE, rows - start)
        labels = draw.integers(0, 3, count)
        if kind == "numbers":
            values = draw.normal(labels[:, None], 1, (count, STEPS)).tolist()
            parts = [",".join(f"{value:.3f}" for value in row) for row in values]
        else:
            drawn = (len(words) * draw.random((count, WORDS)) ** 2).astype(int)
            drawn[:, 0] = labels
            parts = [" ".join(words[k] for k in row) for row in drawn.tolist()]
        for label, part in zip(labels.tolist(), parts, strict=True):
            yield f"{label},{part}\n"


def peak_mb() -> float:
    """The peak of the resident set of this process, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def read(path: str, kind: str) -> None:
    """Read one table, and print what it took."""
    from elman.data.tables.content import BadRows
    from elman.data.time_series import series
    from elman.data.time_series.options import SeriesOptions

    if kind in ("numbers", "texts"):
        from elman.tasks.classify import reading
        from elman.tasks.classify.options import ClassifyOptions

    before = peak_mb()
    began, worked = time.perf_counter(), time.process_time()
    if kind in ("numbers", "texts"):
        rows = len(reading.read([path], ClassifyOptions(), 0.1).inputs)
    else:
        rows = sum(len(one) for one in series.read([path], SeriesOptions(), BadRows(False)).series)
    seconds, worked = time.perf_counter() - began, time.process_time() - worked
    grown = peak_mb() - before
    print(
        f"{kind}: {rows:,} rows, {Path(path).stat().st_size / 1e6:.0f} MB, in {seconds:.2f} s, "
        f"{worked:.2f} s of a core; peak {peak_mb():.0f} MB, {before:.0f} MB of it before, "
        f"{grown * (1 << 20) / rows:.0f} bytes a row",
        flush=True,
    )


def main() -> int:
    """0 where all could be read."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--read", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        read(*given.read)
        return 0
    failed = 0
    for kind in given.kinds.split(","):
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            path = Path(folder, f"{kind}.csv")
            written(path, kind, given.rows, given.series)
            command = [sys.executable, __file__, "--read", str(path), kind]
            failed |= bool(subprocess.run(command, check=False).returncode)
    return failed


if __name__ == "__main__":
    sys.exit(main())
