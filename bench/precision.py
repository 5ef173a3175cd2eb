"""The same runs with products in bf16 and in float32: what scores differ by, beside what seeds do.

    python bench/precision.py [--tasks text classify tag] [--seeds 5] [--data TEXT]

Each pair of runs has the same task, data, size, epochs and seed. Lines are printed as pairs end.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import elman

# Sizes are fixed, so that both runs of a pair do the same work.
TASKS: dict[str, dict[str, Any]] = {
    "text": {"hidden_size": 192, "epochs": 6, "batch_size": 16, "learning_rate": 5e-3},
    "classify": {"epochs": 8, "batch_size": 32, "learning_rate": 3e-3},
    "tag": {"epochs": 8, "batch_size": 16, "learning_rate": 3e-3},
}


def score(task: str, data: list[str], precision: str, seed: int, place: Path) -> tuple[str, float]:
    run = elman.train(
        task, *data, **TASKS[task], precision=precision, seed=seed,
        run=place / f"{task}-{precision}-{seed}", sample=0,
    )  # fmt: skip
    name, value = next(iter(run.scores.items()))
    return name, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", nargs="*", default=[], help="of text; built in if not given")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for task in asked.tasks:
            data = asked.data if task == "text" else []
            both: dict[str, list[float]] = {"bf16": [], "float32": []}
            for seed in range(1, asked.seeds + 1):
                for precision, scores in both.items():
                    name, value = score(task, data, precision, seed, Path(folder))
                    scores.append(value)
                print(task, seed, name, *(f"{p} {s[-1]:.4f}" for p, s in both.items()), flush=True)
            gaps = [a - b for a, b in zip(both["bf16"], both["float32"], strict=True)]
            spread = statistics.stdev(both["float32"])
            error = statistics.stdev(gaps) / len(gaps) ** 0.5
            print(
                f"{task}: {name} {statistics.mean(both['bf16']):.4f} in bf16, "
                f"{statistics.mean(both['float32']):.4f} in float32, difference "
                f"{statistics.mean(gaps):+.4f} ± {error:.4f}; seeds spread by {spread:.4f}"
            )


if __name__ == "__main__":
    main()
