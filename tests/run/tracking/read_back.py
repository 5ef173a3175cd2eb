"""What a tracker's files hold, read by its own package: the values of each name, by step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TypeAlias

Points: TypeAlias = dict[str, list[tuple[int, float]]]


def tensorboard(run: Path) -> Points:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    read = EventAccumulator(str(run / "tensorboard"), size_guidance={"tensors": 0}).Reload()
    return {
        tag: [(event.step, float(make_ndarray(event.tensor_proto))) for event in read.Tensors(tag)]
        for tag in read.Tags()["tensors"]
    }


def wandb(run: Path) -> Points:
    found: Points = {}
    for file in sorted(run.glob("wandb/offline-run-*/*.wandb")):
        command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(file)]
        told = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        last: dict[str, float] = {}
        for record in map(json.loads, told.splitlines()):
            last |= record.get("summary", {}).get("update", {})
            if record["type"] == "history":
                item = record["history"]["item"]
                for name, value in item.items():
                    found.setdefault(name, []).append((item["_step"], value))
        found |= {name: [(0, value)] for name, value in last.items() if name.startswith("final/")}
    return found


def mlflow(run: Path) -> Points:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{run / 'mlflow/mlflow.db'}")
    (kept,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
    return {
        name: [(m.step, m.value) for m in client.get_metric_history(kept.info.run_id, name)]
        for name in kept.data.metrics
    }


def trackio(run: Path) -> Points:
    program = (
        "import json; from trackio.sqlite_storage import SQLiteStorage as S\n"
        "(run,) = S.get_runs('elman'); print(json.dumps(S.get_logs('elman', run)))"
    )
    environment = {**os.environ, "TRACKIO_DIR": str(run / "trackio")}
    command = [sys.executable, "-c", program]
    told = subprocess.run(command, capture_output=True, check=True, text=True, env=environment)
    found: Points = {}
    for record in json.loads(told.stdout.splitlines()[-1]):
        for name, value in record.items():
            found.setdefault(name, []).append((record["step"], value))
    return found


READERS = {"tensorboard": tensorboard, "mlflow": mlflow, "wandb": wandb, "trackio": trackio}
