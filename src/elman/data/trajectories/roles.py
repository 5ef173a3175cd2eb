"""What the columns of a table are for: options of tasks that read such tables, kept with models.

It imports no numpy, so that `--help` comes at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NONE = ("none", "")  # names of a column that stand for no column


@dataclass(frozen=True)
class Columns:
    """Which columns, keys or arrays hold what; None is guessed. Kept with a model.

    Parameters
    ----------
    sequence_column
        Columns whose cells together tell sequences apart, in tables of a step a row, or none:
        all rows are one sequence. Guessed and told if not given.
    time_column
        Column of the times by which the steps of a sequence are put in order, or none: they stay as
        they stand. Guessed and told if not given.
    input_columns
        Columns, keys or arrays of the inputs: torque,wind. Guessed and told if not given.
    target
        Those of the values to be told; guessed and told if not given.
    state_columns
        Those whose values at the first step of a sequence make the first state, if it is given;
        those that begin with initial_, and h0, if not named.
    static_columns
        Those whose values, one for a sequence, make the first state, if it is encoded; those that
        begin with static_ if not named.
    every_step
        Tell a value at every step, rather than one a sequence; guessed and told if not given.
    """

    sequence_column: tuple[str, ...] | None = None
    time_column: str | None = None
    input_columns: tuple[str, ...] | None = None
    target: tuple[str, ...] | None = field(default=None, metadata={"aliases": ("target_columns",)})
    state_columns: tuple[str, ...] | None = None
    static_columns: tuple[str, ...] | None = None
    every_step: bool | None = None

    @property
    def sequence(self) -> tuple[str, ...]:
        return tuple(name for name in self.sequence_column or () if name not in NONE)

    @property
    def time(self) -> str:
        """Empty where there is none."""
        return "" if self.time_column in NONE else self.time_column or ""

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.input_columns or ()

    @property
    def targets(self) -> tuple[str, ...]:
        return self.target or ()

    @property
    def states(self) -> tuple[str, ...]:
        return self.state_columns or ()

    @property
    def statics(self) -> tuple[str, ...]:
        return self.static_columns or ()
