"""`elman cells`, `elman tasks`, `elman data`: what is known by name."""

from __future__ import annotations

from elman import cells, tasks
from elman.apps.output import print_table
from elman.data.built_in.named import NAMED


def list_cells() -> None:
    """The recurrent cells: name, states, gates, where they come from."""
    rows = [(c.name, " ".join(c.states), " ".join(c.gates), c.summary) for c in cells.all()]
    print_table(("cell", "states", "gates", "what"), rows)


def list_tasks() -> None:
    """The tasks that a model can be trained for."""
    print_table(("task", "what"), [(name, tasks.summary(name)) for name in tasks.names()])


def list_data() -> None:
    """The named data sets: size, where from, what, licence."""
    rows = [
        (f"name:{d.name}", f"{d.size / 1e6:.1f} MB", "downloaded" if d.url else "built in",
         d.summary, d.licence)
        for d in NAMED.values()
    ]  # fmt: skip
    print_table(("data", "size", "where", "what", "licence"), rows)
