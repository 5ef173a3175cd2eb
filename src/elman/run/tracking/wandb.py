"""Weights & Biases: offline in RUN/wandb, unless WANDB_MODE says otherwise."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping

from elman.run.tracking.tracker import PROJECT, Outcome, Told

EXIT_CODES: Mapping[Outcome, int] = {"finished": 0, "failed": 1, "interrupted": 130}


class _Wandb:
    def __init__(self, told: Told) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # it would look up its own host
        import wandb

        self.id = told.id or uuid.uuid4().hex[:8]
        online = os.environ.get("WANDB_MODE") == "online"
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=told.path.name,
            id=self.id,
            resume="allow" if online else None,  # offline it goes on by the id alone
            dir=os.environ.get("WANDB_DIR", str(told.path)),
            mode=None if "WANDB_MODE" in os.environ else "offline",
            config=dict(told.options),
            settings=wandb.Settings(
                console="off", disable_git=True, save_code=False, x_disable_stats=True
            ),
        )

    def note(self, step: int, time: float, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def flush(self) -> None:
        """It writes by itself."""

    def end(self, outcome: Outcome, scores: Mapping[str, float]) -> None:
        self._run.summary.update(dict(scores))
        self._run.finish(exit_code=EXIT_CODES[outcome])


opened = _Wandb
