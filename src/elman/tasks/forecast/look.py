"""What a forecaster is looked at with: windows before times that it was not trained on."""

from __future__ import annotations

import numpy as np

from elman.tasks.forecast.data import Batch, Panel
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.looking import Look, picked
from elman.wording import counted


def look(dataset: Panel, options: ForecastOptions, size: int, seed: int) -> Look[Batch]:
    """Windows of the validation part, or of the training part where there is none. A step is told
    by how long before the first time to be forecast it lies."""
    windows = dataset.check if len(dataset.check) else dataset.train
    part = "validation" if len(dataset.check) else "training"
    chosen = windows[np.array(picked(len(windows), size, seed))]
    how = dataset.settings
    # Smoothing begins with the end of the first seasons; recursive networks read on into the
    # horizon.
    ahead = how.horizon - 1 if options.steps_ahead == "recursive" and not options.segment else 0
    stride = options.segment or 1
    before = [dataset.history(int(s), int(t))[-how.look_back :] for s, t in chosen]
    return Look(
        dataset.batch(chosen),
        [[f"{k:+d}" for k in range(-how.look_back, ahead)] for _ in chosen],
        f"{counted(len(chosen), 'window')} of {counted(how.look_back, 'value')} before times of "
        f"the {part} part",
        quantities={"value": before},
        unit="value",
        stride=stride,
    )
