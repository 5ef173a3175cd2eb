"""A search for good settings: trials that are runs, proposed and kept by Optuna.

>>> from elman.tune import tune                                                # doctest: +SKIP
>>> tune("text", "hamlet.txt", minutes=30, search="dropout=0..0.6").winner     # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elman.tune.api import tune

__all__ = ["tune"]


def __getattr__(name: str) -> Any:
    # Loaded when first asked for, as in `elman` itself.
    if name == "tune":
        return importlib.import_module("elman.tune.api").tune
    raise AttributeError(f"module 'elman.tune' has no attribute '{name}'")
