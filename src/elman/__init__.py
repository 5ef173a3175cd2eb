"""Elman: recurrent networks, from a file to a trained, evaluated model that writes.

>>> run = elman.train("text", "hamlet.txt", minutes=5)        # doctest: +SKIP
>>> elman.load(run.path).generate("To be", 500)               # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elman import nn
    from elman.estimators import Forecaster, SequenceClassifier, SequenceRegressor, Spectrum
    from elman.importing.loading import load_foreign
    from elman.layers.fuse import fuse, fused, unfuse
    from elman.run.api import Run, load, resume, train

__all__ = [
    "Forecaster", "Run", "SequenceClassifier", "SequenceRegressor", "Spectrum", "fuse", "fused",
    "load", "load_foreign", "nn", "resume", "train", "unfuse",
]  # fmt: skip
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Loaded when first asked for: PyTorch takes seconds, and `elman --help` must not.
    if name == "nn":
        return importlib.import_module("elman.nn")
    if name in ("fuse", "fused", "unfuse"):
        return getattr(importlib.import_module("elman.layers.fuse"), name)
    if name == "load_foreign":
        return importlib.import_module("elman.importing.loading").load_foreign
    if name in ("Forecaster", "SequenceClassifier", "SequenceRegressor", "Spectrum"):
        return getattr(importlib.import_module("elman.estimators"), name)
    if name in __all__:
        return getattr(importlib.import_module("elman.run.api"), name)
    raise AttributeError(f"module 'elman' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
