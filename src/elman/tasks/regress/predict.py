"""Rows answered with what a trained regressor tells, sequence by sequence, as they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TextIO, cast

import numpy as np
from numpy.typing import NDArray
from torch import nn

from elman.data.tables import table
from elman.data.tables.arriving import STANDARD_INPUT, Arriving, standard_input
from elman.data.tables.content import BadRows
from elman.data.tables.reading import Reading
from elman.data.tables.table import Row, Table
from elman.data.tables.writer import Writer
from elman.data.trajectories import columns as naming
from elman.data.trajectories import trajectories
from elman.data.trajectories.columns import has_lists
from elman.data.trajectories.roles import Columns
from elman.data.trajectories.trajectories import Trajectory
from elman.tasks import prediction
from elman.tasks.regress.data import Encoded, Encoder
from elman.tasks.regress.model import Regressor
from elman.tasks.regress.options import RegressOptions
from elman.tasks.regress.reading import settled
from elman.tasks.regress.scores import AT_ONCE, tell
from elman.tasks.task import Kept

ARRAYS = "number"  # what the sequences of an .npz are counted by
STEPS = 20_000  # held at once, and one sequence more
WHERE = ("sequence", "step")


class Held(NamedTuple):
    """A sequence to be answered: its rows, the row of each step, and what the network reads."""

    rows: list[Row]
    order: NDArray[np.int64]
    encoded: Encoded


def predict(
    model: nn.Module, kept: Kept, options: RegressOptions, device: str, data: Sequence[str],
    out: TextIO, bad: BadRows,
) -> None:  # fmt: skip
    columns, encoder, reading = settled(kept)
    answering = Answering(cast(Regressor, model), encoder, columns, reading, options, device)
    answering.write(data, out, bad)


@dataclass(frozen=True)
class Answering:
    """A trained model with all that it needs to answer data."""

    model: Regressor
    encoder: Encoder
    columns: Columns
    reading: Reading
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
        """The rows of tables again with columns more; of arrays a row for each step.

        UserError: tables that differ in form or columns, or that have columns of those names.
        """
        if list(data) == ["-"]:
            arriving = standard_input(self.reading.encoding)
            stream = table.open_stream(STANDARD_INPUT, arriving, known=self.reading, blanks=True)
            self._write_rows(stream, self._writer(stream, out), out, bad, arriving)
            return
        found = list(trajectories.tables(data, known=self.reading))
        if any(one.unit == ARRAYS for one in found):
            writer = Writer(out, "csv", (*WHERE, *self.answers), header=True)
            for one in found:
                self._write_steps(one, writer, bad)
            return
        writer = self._writer(found[0], out)
        prediction.check_alike(found)
        for one in found:
            self._write_rows(one, writer, out, bad, None)

    def _writer(self, opened: Table, out: TextIO) -> Writer:
        prediction.check_new(self.answers, opened)
        return Writer(
            out, opened.form, (*opened.columns, *self.answers), header=opened.header,
            dialect=opened.dialect, head=opened.head,
        )  # fmt: skip

    def _write_steps(self, opened: Table, writer: Writer, bad: BadRows) -> None:
        for rows, values in self._told(opened, bad, None):
            for step, value in enumerate(np.atleast_2d(values), start=1):
                writer.write({"sequence": rows[0].where, "step": step, **self._cells(value)})

    def _write_rows(
        self, opened: Table, writer: Writer, out: TextIO, bad: BadRows, arriving: Arriving | None
    ) -> None:
        apart: list[tuple[Row, dict[str, Any]]] = []  # of sequences whose rows may lie apart
        for rows, values in self._told(opened, bad, arriving):
            if has_lists(rows[0]):
                columns = values.T if values.ndim == 2 else values
                told = {n: _plain(v) for n, v in zip(self.answers, columns, strict=True)}
                writer.write({**rows[0].values, **told})
                continue
            there = sum(bool(row.values) for row in rows)
            each = iter(np.broadcast_to(values, (there, values.shape[-1])))
            answers = [(row, self._cells(next(each)) if row.values else {}) for row in rows]
            if arriving is None and self.columns.time:
                apart += answers
                continue
            for row, cells in answers:
                if row.values:
                    writer.write({**row.values, **cells})
                else:  # a blank line
                    out.write("\n")
            out.flush()
        for row, cells in sorted(apart, key=lambda answer: answer[0].number):
            writer.write({**row.values, **cells})

    def _cells(self, value: NDArray[np.float64]) -> dict[str, Any]:
        return {n: _plain(v) for n, v in zip(self.answers, value, strict=True)}

    def _told(
        self, opened: Table, bad: BadRows, arriving: Arriving | None
    ) -> Iterator[tuple[list[Row], NDArray[np.float64]]]:
        """Each sequence with what is told of it, [T, O] or [O], in the data's units.

        As many at once as are there: who sends some and waits gets their answers. A sequence of
        rows has ended when the next begins.
        """
        columns, _ = naming.settle(opened, self.columns, targets=False)
        gathered = arriving is None and bool(columns.time)
        held: list[Held] = []
        steps = 0
        for rows, (trajectory, order) in trajectories.sequences(
            opened, columns, bad, targets=False, gathered=gathered
        ):
            encoded = self._encoded(trajectory, bad)
            if encoded is None:
                continue
            held.append(Held(rows, order, encoded))
            steps += len(trajectory.x)
            waiting = arriving is not None and arriving.waiting()
            if steps >= STEPS or len(held) >= AT_ONCE or waiting:
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

    def _answer(self, held: Sequence[Held]) -> Iterator[tuple[list[Row], NDArray[np.float64]]]:
        inputs = self.encoder.with_linear([one.encoded for one in held])
        told = tell(self.model, inputs, self.options, self.device)
        for (rows, order, _), values in zip(held, told, strict=True):
            back = self.encoder.y.back(values)
            if back.ndim == 2 and not has_lists(rows[0]):  # to the rows as they stand
                back = back[np.argsort(order)]
            yield rows, back


def _plain(value: NDArray[np.float64] | np.float64) -> Any:
    """A number, or a list of them, of six digits."""
    if isinstance(value, np.ndarray) and value.ndim:
        return [_plain(v) for v in value]
    return float(f"{float(value):.6g}")
