"""Libraries that only some forms of tables need: one line where they are missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from elman.errors import UserError

EXTRA = "pip install 'elman[tables]'"


def library(module: str, name: str, shown: str) -> ModuleType:
    """A module of the extra. UserError, with how to install it, where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise UserError(f"{shown}: needs {name} to be read; {EXTRA}") from None
