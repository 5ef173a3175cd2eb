"""The cells, found from the files of this folder: each lists its own in `CELLS`."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from elman.cells.cell import Cell
from elman.errors import unknown_name

__all__ = ["Cell", "all", "get", "known", "names"]


def all() -> tuple[Cell, ...]:
    """Every registered cell, in the order of files and of `CELLS` in each."""
    return tuple(_registry().values())


def names() -> tuple[str, ...]:
    """The name of every registered cell."""
    return tuple(_registry())


def get(cell: str | Cell) -> Cell:
    """The cell of that name; a `Cell` is given back as it is. UserError: no such name."""
    if isinstance(cell, Cell):
        return cell
    if cell not in _registry():
        raise unknown_name("cell", cell, names())
    return _registry()[cell]


def known(cell: Cell) -> str | None:
    """The name of a cell that is registered; None of any other, even of one of the same name."""
    own = _registry().get(cell.name)
    return cell.name if own is cell or own == cell else None


@functools.cache
def _registry() -> dict[str, Cell]:
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    found = [importlib.import_module(f"{__name__}.{name}") for name in modules if name != "cell"]
    return {cell.name: cell for module in found for cell in module.CELLS}
