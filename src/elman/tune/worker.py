"""A process that works on a search: `python -m elman.tune.worker FOLDER MOST`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from elman.run.many.processes import obey
from elman.tune import study, work

STORAGE = "ELMAN_STORAGE"  # variable of the environment: the database, with its password


def main(path: Path, most: int | None) -> None:
    """Work until nothing is left."""
    work.complete(study.read(path, os.environ.get(STORAGE)), most, lambda: None)


if __name__ == "__main__":
    sys.exit(obey(lambda: main(Path(sys.argv[1]), int(sys.argv[2]) or None)))
