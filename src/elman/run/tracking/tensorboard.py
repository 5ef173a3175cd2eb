"""TensorBoard: event files in RUN/tensorboard, for `tensorboard --logdir runs`."""

from __future__ import annotations

import time as clock
from collections.abc import Mapping

from elman.run.tracking.tracker import Outcome, Told


class _TensorBoard:
    id = ""  # it has none: files in one folder are one run

    def __init__(self, told: Told) -> None:
        from tensorboard.summary import Writer

        self._writer = Writer(str(told.path / "tensorboard"))
        self._step = 0

    def note(self, step: int, time: float, values: Mapping[str, float]) -> None:
        self._step = step
        for name, value in values.items():
            self._writer.add_scalar(name, value, step, wall_time=time)

    def flush(self) -> None:
        self._writer.flush()

    def end(self, outcome: Outcome, scores: Mapping[str, float]) -> None:
        self.note(self._step, clock.time(), scores)
        self._writer.close()


opened = _TensorBoard
