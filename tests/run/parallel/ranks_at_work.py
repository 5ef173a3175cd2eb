"""What each rank of `test_torchrun.py` does: runs that are trained, cut off, and gone on with."""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path
from typing import Any

from elman.run import prepare
from elman.run.api import silent
from elman.run.clock import Clock
from elman.run.options import parse
from elman.run.parallel.joining import joined
from elman.run.train import train


def main(folder: Path, runs: list[dict[str, Any]]) -> None:
    """Each run has a `task`, its `options`, a `name`, and `events` after which it is left."""
    for run in runs:
        task, path, data = run["task"], folder / run["name"], run.get("data", [])
        own, how = parse(task, run["options"] | {"run": path})
        with joined() as ranks:
            job = prepare.new(task, data, own, how, Clock(None), silent, ranks=ranks)
            for _ in islice(train(job), run.get("events")):
                pass
        if "events" in run:
            with joined() as ranks:
                job = prepare.again(path, None, None, Clock(None), silent, ranks=ranks)
                for _ in train(job):
                    pass


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
