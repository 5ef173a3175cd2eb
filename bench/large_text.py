"""How long a large text takes to be encoded, by one process and by several, and after a kill.

    python bench/large_text.py [--megabytes 10000] [--level words] [--processes 1,2]
                               [--folder FOLDER]

Writes a text of so many megabytes, different words in random order, and encodes it anew by each
number of processes: seconds, megabytes a second, and the largest resident memory of all processes
together, read ten times a second. Then it is encoded by the last number once more, killed
(`kill -9`) when half of it is sealed, and gone on with. Printed as one JSON object. Exit code 1
where the results differ in a byte, or the memory is more than 300 MB and 250 more a process. Linux
only. The text and all that is made of it lie in a temporary folder below FOLDER and need 4 times
the size of the text.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from memory import resident_mb, write_text

from elman.data.texts.work import SEGMENT

ENCODE = """
import sys
from pathlib import Path
from elman.data.source import resolve
from elman.data.telling import telling
from elman.data.texts.text import encode_corpus
data, cache, level, processes = sys.argv[1:]
with telling(lambda stage: print(stage, file=sys.stderr)):
    encode_corpus(resolve([data]), level=level, processes=int(processes), cache=Path(cache))
"""
BASE_MB, PROCESS_MB = 300, 250


class Encoding:
    """A process that encodes, and the memory of it and of those that it has started."""

    def __init__(self, text: Path, cache: Path, level: str, processes: int) -> None:
        command = [sys.executable, "-c", ENCODE, *map(str, (text, cache, level, processes))]
        self._began = time.monotonic()
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self._cache = cache
        self.peak_mb = 0.0

    def ended(self, segments: int | None = None) -> float:
        """Seconds until it has ended or, by `kill -9`, so many segments are sealed."""
        while self._process.poll() is None:
            pid = self._process.pid
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
            every = sum(map(resident_mb, (pid, *map(int, children.split()))))
            self.peak_mb = max(self.peak_mb, every)
            if segments and len(list(self._cache.glob("*.work/*.segment"))) >= segments:
                self._process.kill()
            time.sleep(0.1)
        if self._process.returncode != (-9 if segments else 0):
            raise SystemExit(f"encoding ended with {self._process.returncode}")
        return time.monotonic() - self._began


def made(cache: Path) -> list[str]:
    """Digests of what a cache holds."""
    paths = sorted(cache.glob("*.*"))
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.is_file()]


def measured(
    folder: Path, megabytes: int, level: str, counts: Sequence[int]
) -> tuple[dict[str, object], bool]:
    """What there is to tell, and whether all holds."""
    text = folder / "text.txt"
    write_text(text, megabytes)
    told: dict[str, object] = {"megabytes": megabytes, "level": level}
    results, fits = [], True
    for count in counts:
        run = Encoding(text, folder / f"cache{count}", level, count)
        seconds = run.ended()
        fits &= run.peak_mb <= BASE_MB + count * PROCESS_MB
        results.append(made(folder / f"cache{count}"))
        told[f"{count} processes"] = {
            "seconds": round(seconds, 1), "MB a second": round(megabytes / seconds, 2),
            "peak MB": round(run.peak_mb),
        }  # fmt: skip
    half = max(1, megabytes * 1_000_000 // SEGMENT // 2)
    before = Encoding(text, folder / "killed", level, counts[-1]).ended(half)
    after = Encoding(text, folder / "killed", level, counts[-1]).ended()
    results.append(made(folder / "killed"))
    told["killed at half"] = {"seconds": round(before, 1), "seconds to go on": round(after, 1)}
    told["the same"] = all(result == results[0] for result in results)
    return told, fits and bool(told["the same"])


def main() -> int:
    """0 where all encode the same within the memory that they may take."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=10_000)
    parser.add_argument("--level", default="words", choices=["characters", "words", "bpe"])
    parser.add_argument("--processes", default="1,2")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    counts = list(map(int, asked.processes.split(",")))
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        told, holds = measured(Path(folder), asked.megabytes, asked.level, counts)
    print(json.dumps(told))
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
