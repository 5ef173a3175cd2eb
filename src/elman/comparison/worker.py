"""A process that works on a comparison: `python -m elman.comparison.worker FOLDER SEEDS`."""

from __future__ import annotations

import sys
from pathlib import Path

from elman.comparison import place, work
from elman.run.api import silent
from elman.run.many.processes import obey


def main(path: Path, seeds: int) -> None:
    """Work until nothing is left."""
    work.complete(place.read(path), seeds, silent)


if __name__ == "__main__":
    sys.exit(obey(lambda: main(Path(sys.argv[1]), int(sys.argv[2]))))
