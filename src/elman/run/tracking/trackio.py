"""Trackio: a database in RUN/trackio, unless TRACKIO_DIR names another place."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping

from elman.run.tracking.tracker import PROJECT, Outcome, Told


class _Trackio:
    def __init__(self, told: Told) -> None:
        os.environ.setdefault("TRACKIO_DIR", str(told.path.resolve() / "trackio"))
        import trackio  # which reads the folder when it is imported

        self.id = told.id or f"{told.path.name}-{uuid.uuid4().hex[:6]}"
        self._step = 0
        self._run = trackio.init(
            project=PROJECT, name=self.id, resume="allow", config=dict(told.options), embed=False,
            auto_log_gpu=False, auto_log_cpu=False,
        )  # fmt: skip

    def note(self, step: int, time: float, values: Mapping[str, float]) -> None:
        self._step = step
        self._run.log(dict(values), step=step)

    def flush(self) -> None:
        """A thread of its own writes."""

    def end(self, outcome: Outcome, scores: Mapping[str, float]) -> None:
        if scores:
            self._run.log(dict(scores), step=self._step)
        self._run.finish()


opened = _Trackio
