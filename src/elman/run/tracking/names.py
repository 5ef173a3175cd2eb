"""The trackers that there are, and whether they are installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from elman.errors import UserError, unknown_name

TRACKERS = ("tensorboard", "mlflow", "wandb", "trackio")  # packages, modules and extras alike


def check_known(names: Sequence[str]) -> None:
    """UserError for a tracker that there is none of, or that is named twice."""
    for name in names:
        if name not in TRACKERS:
            raise unknown_name("tracker", name, TRACKERS)
    if len(set(names)) < len(names):
        raise UserError(f"--track {','.join(names)}: names one tracker twice; give each once")


def check_installed(names: Sequence[str]) -> None:
    """UserError, with how to install it, for a tracker that is not there."""
    for name in names:
        found = importlib.util.find_spec(name)
        # A folder of that name where the user stands, as wandb makes one, is no package.
        if found is None or found.origin is None:
            raise UserError(f"--track {name}: not installed; pip install 'elman[{name}]'")
