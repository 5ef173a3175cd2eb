"""Libraries that only some forms of data need: one line where they are missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from elman.errors import UserError


def library(module: str, name: str, shown: str, extra: str = "tables") -> ModuleType:
    """A module of an extra. UserError, with how to install it, where it is missing."""
    try:
        return importlib.import_module(module)
    except (ImportError, OSError):  # OSError: a library beneath it is missing
        raise UserError(f"{shown}: needs {name} to be read; pip install 'elman[{extra}]'") from None
