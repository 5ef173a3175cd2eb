"""Options that the user left open: settled before training, there in every run folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from elman.errors import UserError

Options = TypeVar("Options")

HELD = ("validation_data", "test_data")  # options that name data beside that of the training


def settle(options: Options, **choices: Any) -> Options:
    """The options with these choices where they are open, and the data to validate or test on by a
    path that is the same file wherever the run is read again."""
    settled = {name: x for name, x in choices.items() if getattr(options, name) is None}
    for name in HELD:
        held = getattr(options, name, None)
        if held is not None:
            several = isinstance(held, tuple)
            settled[name] = tuple(map(lasting, held)) if several else lasting(held)
    made: Options = replace(options, **settled)  # type: ignore[type-var]
    return made


def check_settled(options: object, *names: str) -> None:
    """UserError: one of these is open, in a run folder that is damaged."""
    for name in names:
        if getattr(options, name) is None:
            raise UserError(f"options.toml: damaged (no {name} in it)")


def lasting(path: Path) -> Path:
    """The same file, wherever the run is read again."""
    return path if str(path).startswith("name:") else path.absolute()
