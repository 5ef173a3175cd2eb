"""MLflow: a database in RUN/mlflow, unless MLFLOW_TRACKING_URI names another place."""

from __future__ import annotations

import os
import re
import time as clock
from collections.abc import Mapping

from elman.run.tracking.tracker import PROJECT, Outcome, Told

STATUS: Mapping[Outcome, str] = {
    "finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"
}  # fmt: skip
AT_ONCE = 100  # parameters in one call
LONGEST = 6000  # characters of one


class _MLflow:
    def __init__(self, told: Told) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow.entities import Param
        from mlflow.tracking import MlflowClient

        own = told.path / "mlflow"
        place = os.environ.get("MLFLOW_TRACKING_URI")
        if place is None:
            own.mkdir(exist_ok=True)
        self._client = MlflowClient(place or f"sqlite:///{own.resolve() / 'mlflow.db'}")
        self._step = 0
        self.id = told.id
        if self.id:
            self._client.update_run(self.id, status="RUNNING")
            return
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        found = self._client.get_experiment_by_name(name)
        files = None if place else (own.resolve() / "artifacts").as_uri()
        experiment = found.experiment_id if found else self._client.create_experiment(name, files)
        self.id = self._client.create_run(experiment, run_name=told.path.name).info.run_id
        given = [Param(key, str(value)[:LONGEST]) for key, value in told.options.items()]
        for start in range(0, len(given), AT_ONCE):
            self._client.log_batch(self.id, params=given[start : start + AT_ONCE])

    def note(self, step: int, time: float, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        self._step = step
        names = {re.sub(r"[^\w\-. /]", "_", name): value for name, value in values.items()}
        noted = [Metric(name, value, int(time * 1000), step) for name, value in names.items()]
        self._client.log_batch(self.id, metrics=noted)

    def flush(self) -> None:
        """Every batch is written at once."""

    def end(self, outcome: Outcome, scores: Mapping[str, float]) -> None:
        if scores:
            self.note(self._step, clock.time(), scores)
        self._client.set_terminated(self.id, STATUS[outcome])


opened = _MLflow
