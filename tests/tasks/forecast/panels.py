"""Small panels in files, read as a run reads them, and networks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from elman.run.options import parse
from elman.tasks.forecast import reading
from elman.tasks.forecast.data import Panel
from elman.tasks.forecast.model import make, widths_of
from elman.tasks.forecast.networks.network import Network
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.trials import ways

SMALL: dict[str, Any] = {"hidden_size": 5, "look_back": 7, "horizon": 4, "season": 3}


def file_of(path: Path, columns: NDArray[np.float64]) -> Path:
    """A table with a series a column."""
    names = [f"s{k}" for k in range(columns.shape[1])]
    rows = [",".join(f"{v:.9g}" for v in row) for row in columns]
    path.write_text("\n".join([",".join(names), *rows]) + "\n")
    return path


def read(path: Path, held: float, **options: Any) -> tuple[Panel, ForecastOptions]:
    own, _ = parse("forecast", SMALL | options)
    assert isinstance(own, ForecastOptions)
    return reading.read([str(path)], own, held), own


def network(data: Panel, own: ForecastOptions) -> Network:
    torch.manual_seed(1)
    settled = ways.settled(data, own)
    return make(settled, data.settings, widths_of(data.fitted, 0)).eval()
