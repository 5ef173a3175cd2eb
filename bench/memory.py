"""How much memory training takes on a long text: it is encoded and read a stretch at a time.

    python bench/memory.py [--megabytes 1000] [--minutes 5] [--folder FOLDER]

Writes a text of so many megabytes, different words in random order, trains on it with
`elman train text`, and reads the resident memory of that process twenty times a second. Printed as
one JSON object: the seconds until training began (making the text left out), and in MB the memory
at the start, which is that of Python with PyTorch and Elman loaded, the peak above it, and the
bound that the peak must keep, 300. Exit code 1 where it does not. Linux only. The text and all that
is made of it lie in a temporary folder below FOLDER and need 2.1 times the size of the text.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

BOUND_MB = 300
LOADED = "import elman.run.api; print(open('/proc/self/status').read())"


def write_text(path: Path, megabytes: int, seed: int = 0) -> None:
    """Words drawn from 50,000 by Zipf's law, twelve a line: the same text for the same seed."""
    draw = np.random.default_rng(seed)
    letters = np.array(list("etaoinshrdlucmfwygpbvkxqjz"))
    words = np.array(["".join(draw.choice(letters, draw.integers(1, 11))) for _ in range(50_000)])
    likely = 1 / np.arange(2, len(words) + 2)
    left = megabytes * 1_000_000
    with path.open("wb") as file:
        while left > 0:
            lines = draw.choice(words, (10_000, 12), p=likely / likely.sum())
            block = "\n".join(" ".join(line) for line in lines).encode() + b"\n"
            left -= file.write(block[:left])


def loaded_mb() -> float:
    """Resident memory of Python once PyTorch and Elman are loaded."""
    command = [sys.executable, "-c", LOADED]
    told = subprocess.run(command, capture_output=True, check=True, text=True)
    return in_status(told.stdout)


def resident_mb(pid: int) -> float:
    """Resident memory of a process now; 0 once it has ended."""
    try:
        return in_status(Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    except OSError:
        return 0.0


def in_status(text: str) -> float:
    """VmRSS in MB; 0 where a process that has ended has none. The peak that the system itself
    keeps would not do: a new process inherits that of the one that started it."""
    sizes = [int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS:")]
    return sizes[0] / 1024 if sizes else 0.0


def measure(
    text: Path, minutes: float, folder: Path, options: Sequence[str] = ()
) -> dict[str, float]:
    """Train on `text` in so many minutes, encoding included; what was measured, by name.

    Raises CalledProcessError where training fails.
    """
    start, cache, run = loaded_mb(), folder / "cache", folder / "run"
    began, peak, encoded = time.perf_counter(), 0.0, 0.0
    command = [
        sys.executable, "-m", "elman", "train", "text", str(text), "--run", str(run),
        "--minutes", str(minutes), *options,
    ]  # fmt: skip
    environment = os.environ | {"ELMAN_CACHE": str(cache)}
    with subprocess.Popen(command, env=environment) as process:
        while process.poll() is None:
            peak = max(peak, resident_mb(process.pid))
            if not encoded and (run / "options.toml").exists():
                encoded = time.perf_counter() - began
            time.sleep(0.05)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return {
        "text_mb": text.stat().st_size / 1e6,
        "seconds_until_training": round(encoded, 1),
        "seconds": round(time.perf_counter() - began, 1),
        "start_mb": round(start, 1),
        "peak_above_start_mb": round(peak - start, 1),
        "bound_mb": BOUND_MB,
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--megabytes", type=int, default=1000)
    arguments.add_argument("--minutes", type=float, default=5.0)
    arguments.add_argument("--folder", type=Path, default=None)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        text = Path(name, "text.txt")
        write_text(text, given.megabytes)
        result = measure(text, given.minutes, Path(name))
    print(json.dumps(result))
    sys.exit(result["peak_above_start_mb"] >= BOUND_MB)


if __name__ == "__main__":
    main()
