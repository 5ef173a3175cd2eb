"""What the columns of a table are for: options of tasks that read such tables, kept with models.

It imports no numpy, so that `--help` comes at once.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Columns:
    """Which columns, keys or arrays hold what; None is guessed. Kept with a model.

    Without a `sequence_column`, "", all rows are one sequence.

    Parameters
    ----------
    sequence_column
        Column that tells sequences apart, in tables of a step a row; guessed and told if not given.
    input_columns
        Columns, keys or arrays of the inputs: torque,wind. Guessed and told if not given.
    target_columns
        Those of the values to be told; guessed and told if not given.
    state_columns
        Those whose values at the first step of a sequence make the first state, if it is given;
        those that begin with initial_, and h0, if not named.
    static_columns
        Those whose values, one for a sequence, make the first state, if it is encoded; those that
        begin with static_ if not named.
    header
        Whether tables begin with the names of their columns; guessed and told if not given.
    encoding
        Encoding of tables: utf-8, gb18030, latin-1.
    every_step
        Tell a value at every step, rather than one a sequence; guessed and told if not given.
    """

    sequence_column: str | None = None
    input_columns: tuple[str, ...] | None = None
    target_columns: tuple[str, ...] | None = None
    state_columns: tuple[str, ...] | None = None
    static_columns: tuple[str, ...] | None = None
    header: bool | None = None
    encoding: str = "utf-8"
    every_step: bool | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.input_columns or ()

    @property
    def targets(self) -> tuple[str, ...]:
        return self.target_columns or ()

    @property
    def states(self) -> tuple[str, ...]:
        return self.state_columns or ()

    @property
    def statics(self) -> tuple[str, ...]:
        return self.static_columns or ()
