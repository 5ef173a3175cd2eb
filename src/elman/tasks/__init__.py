"""The tasks, found from the folders here: each has its options in options.py, without PyTorch, and
its `TASK` in task.py."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from elman.errors import unknown_name


def names() -> tuple[str, ...]:
    """The name of every task."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if m.ispkg))


def get(name: str) -> Any:
    """The task of that name. Raises UserError where there is none."""
    return importlib.import_module(f"{__name__}.{_known(name)}.task").TASK


def summary(name: str) -> str:
    """What a task is for, in a line: the docstring of its folder, read without PyTorch."""
    return (importlib.import_module(f"{__name__}.{_known(name)}").__doc__ or "").strip()


def options(name: str) -> type[Any]:
    """The class of a task's options: NameOptions in its options.py, loaded without PyTorch."""
    module = importlib.import_module(f"{__name__}.{_known(name)}.options")
    kind: type[Any] = getattr(module, f"{name.capitalize()}Options")
    return kind


def search_of(name: str) -> type[Any] | None:
    """The options by which a task's answers are searched for: DECODING in its options.py, loaded
    without PyTorch; None where there is no search."""
    module = importlib.import_module(f"{__name__}.{_known(name)}.options")
    kind: type[Any] | None = getattr(module, "DECODING", None)
    return kind


def searched(name: str) -> tuple[str, ...]:
    """The options that a search for good settings varies where nothing is said: SEARCHED in its
    options.py, loaded without PyTorch."""
    module = importlib.import_module(f"{__name__}.{_known(name)}.options")
    found: tuple[str, ...] = module.SEARCHED
    return found


def composing_of(name: str) -> type[Any] | None:
    """The options by which a task's models compose: COMPOSING in its options.py, loaded without
    PyTorch; None where they do not."""
    module = importlib.import_module(f"{__name__}.{_known(name)}.options")
    kind: type[Any] | None = getattr(module, "COMPOSING", None)
    return kind


def _known(name: str) -> str:
    if name not in names():
        raise unknown_name("task", name, names())
    return name
