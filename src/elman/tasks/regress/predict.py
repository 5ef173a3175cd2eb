"""Rows answered with what a trained regressor tells, sequence by sequence, as they come."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from elman.data import columns as naming
from elman.data import table, trajectories
from elman.data.columns import Columns, has_lists
from elman.data.table import BadRows, Row, Table
from elman.data.trajectories import Trajectory
from elman.tasks.regress.data import Encoded, Encoder
from elman.tasks.regress.model import Regressor
from elman.tasks.regress.options import RegressOptions
from elman.tasks.regress.scoring import AT_ONCE, tell

STEPS = 20_000  # held at once, and one sequence more
WHERE = ("sequence", "step")


@dataclass(frozen=True)
class Answering:
    """A trained model with all that it needs to answer data."""

    model: Regressor
    encoder: Encoder
    columns: Columns
    options: RegressOptions
    device: str

    @property
    def answers(self) -> tuple[str, ...]:
        """The columns of what is told."""
        width = len(self.encoder.y.mean)
        if width == 1:
            return ("predicted",)
        return tuple(f"predicted_{n}" for n in trajectories.target_names(self.columns, width))

    def write(self, data: Sequence[str], out: TextIO, bad: BadRows) -> None:
        """A table's rows again with columns more; of other data a row for each step."""
        opened = table.open_item(data, self.columns.header, self.columns.encoding)
        if opened is not None:
            self._write_rows(opened, out, bad)
            return
        writer = table.Writer(out, "csv", (*WHERE, *self.answers), header=True)
        for one in trajectories.tables(data, self.columns):
            for rows, values in self._told(one, bad):
                for step, value in enumerate(np.atleast_2d(values)):
                    writer.write(
                        {"sequence": rows[0].where, "step": step + 1, **self._cells(value)}
                    )

    def _write_rows(self, opened: Table, out: TextIO, bad: BadRows) -> None:
        own = [name for name in opened.columns if name not in self.answers]
        writer = table.Writer(out, opened.form, (*own, *self.answers), header=opened.header)
        for rows, values in self._told(opened, bad):
            if has_lists(rows[0]):
                columns = values.T if values.ndim == 2 else values
                told = {n: _plain(v) for n, v in zip(self.answers, columns, strict=True)}
                writer.write({**rows[0].values, **told})
            else:
                each = np.broadcast_to(values, (len(rows), values.shape[-1]))
                for row, value in zip(rows, each, strict=True):
                    writer.write({**row.values, **self._cells(value)})
            out.flush()

    def _cells(self, value: NDArray[np.float64]) -> dict[str, Any]:
        return {n: _plain(v) for n, v in zip(self.answers, value, strict=True)}

    def _told(self, opened: Table, bad: BadRows) -> Iterator[tuple[list[Row], NDArray[np.float64]]]:
        """Each sequence with what is told of it, [T, O] or [O], in the data's units."""
        columns, _ = naming.settle(opened, self.columns, targets=False)
        at_once = 1 if opened.shown == "standard input" and sys.stdin.isatty() else AT_ONCE
        held: list[tuple[list[Row], Encoded]] = []
        steps = 0
        for rows, trajectory in trajectories.sequences(opened, columns, bad, targets=False):
            encoded = self._encoded(trajectory, bad)
            if encoded is None:
                continue
            held.append((rows, encoded))
            steps += len(trajectory.x)
            if steps >= STEPS or len(held) >= at_once:
                yield from self._answer(held)
                held, steps = [], 0
        if held:
            yield from self._answer(held)

    def _encoded(self, trajectory: Trajectory, bad: BadRows) -> Encoded | None:
        try:
            return self.encoder.encode(trajectory, targets=False)
        except ValueError as error:
            bad.add(trajectory.where, str(error))
            return None

    def _answer(
        self, held: Sequence[tuple[list[Row], Encoded]]
    ) -> Iterator[tuple[list[Row], NDArray[np.float64]]]:
        told = tell(self.model, [encoded for _, encoded in held], self.options, self.device)
        for (rows, _), values in zip(held, told, strict=True):
            yield rows, self.encoder.y.back(values)


def _plain(value: NDArray[np.float64] | np.float64) -> Any:
    """A number, or a list of them, of six digits."""
    if isinstance(value, np.ndarray) and value.ndim:
        return [_plain(v) for v in value]
    return float(f"{float(value):.6g}")
