"""Which column of pairs is the source, which the target, and how their tables are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from elman.data.tables.reading import Reading, reading_from_json
from elman.options import make

Form: TypeAlias = Literal["lines", "table"]


@dataclass(frozen=True)
class PairRoles:
    """Which column is what, by name or number; None is guessed. Kept with a model, and `table`, how
    tables are written.

    Of two aligned files the first is column 1, the second column 2. Columns of one form say nothing
    of the other, and are guessed there.
    """

    source_column: str | None = None
    target_column: str | None = None
    form: Form | None = None
    table: Reading | None = None

    @property
    def encoding(self) -> str:
        """What data of the same kind is expected to be in, if not UTF-8."""
        return "" if self.table is None else self.table.encoding

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "source_column": self.source_column, "target_column": self.target_column,
            "form": self.form, "table": None if self.table is None else self.table.to_json(),
        }  # fmt: skip


def roles_from_json(data: Mapping[str, Any]) -> PairRoles:
    """The roles that gave this `to_json`. UserError where they are damaged."""
    own = {name: value for name, value in data.items() if name != "table" and value is not None}
    made = make(PairRoles, own, where="preprocessing.json: damaged reading")
    kept = data.get("table")
    return made if kept is None else replace(made, table=reading_from_json(kept))


def of_form(roles: PairRoles, form: Form) -> PairRoles:
    """The same for data of this form, of which columns of the other form say nothing."""
    if roles.form in (None, form):
        return roles
    return PairRoles(table=None if roles.table is None else Reading(roles.table.encoding))
