"""Trained models for the rooms: each loaded once, the few latest kept, used by one at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from elman.run import api
from elman.run.trained import Run

KEPT = 3  # models


@dataclass(frozen=True)
class Model:
    """A trained model. Whoever uses it holds `lock`, outside the event loop."""

    run: Run
    lock: threading.Lock = field(default_factory=threading.Lock)


_models: OrderedDict[tuple[Path, int], Model] = OrderedDict()
_loading = threading.Lock()


def loaded(path: Path) -> Model:
    """The model of a run as it is now, its best so far; for worker threads. UserError: damaged, or
    none is there yet."""
    with _loading:
        weights = path / "model.safetensors"
        key = (path, weights.stat().st_mtime_ns if weights.is_file() else 0)
        model = _models.pop(key, None) or Model(api.load(path))
        _models[key] = model
        while len(_models) > KEPT:
            _models.popitem(last=False)
        return model
