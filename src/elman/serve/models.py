"""The runs that are served, each by the name of its folder."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from elman.errors import UserError, unknown_name
from elman.run import api, folder
from elman.run.trained import Run
from elman.serve.contract import Engine, Refused
from elman.serve.engine import open_engine

Use: TypeAlias = Literal["completions", "predict", "forecast", "translate", "audio", "compose"]

USES: Mapping[str, Use] = {
    "text": "completions", "classify": "predict", "tag": "predict", "regress": "predict",
    "forecast": "forecast", "translate": "translate", "speech": "audio", "music": "compose",
}  # fmt: skip
ADDRESSES: Mapping[Use, str] = {
    "completions": "/v1/completions", "predict": "/predict", "forecast": "/forecast",
    "translate": "/translate", "audio": "/v1/audio/transcriptions", "compose": "/compose",
}  # fmt: skip


@dataclass(frozen=True)
class Served:
    """A run under its name; `engine` where it writes."""

    name: str
    run: Run
    created: int  # seconds since 1970
    engine: Engine | None = None

    @property
    def use(self) -> Use:
        """What clients may ask of it."""
        return USES[self.run.task]


class Models:
    """The runs that are served."""

    def __init__(self, served: Sequence[Served]) -> None:
        self.by_name = {one.name: one for one in served}

    def names(self, use: Use) -> tuple[str, ...]:
        """The names of those that can be used so."""
        return tuple(name for name, one in self.by_name.items() if one.use == use)

    def get(self, name: str) -> Served:
        """The model of that name. Refused with 404 where there is none."""
        if name not in self.by_name:
            told = str(unknown_name("model", name[:60], self.by_name))
            raise Refused(404, "model_not_found", told, "model")
        return self.by_name[name]

    def used(self, name: str, use: Use) -> Served:
        """The model of that name. Refused where there is none, or it cannot be used so."""
        found = self.get(name)
        if found.use != use:
            told = f'"{name}" is a model of {found.run.task}: ask {ADDRESSES[found.use]}'
            raise Refused(404, "wrong_model", told, "model")
        return found

    def writing(self, name: str) -> tuple[Served, Engine]:
        """A model that writes text, and its engine. Refused as for `used`."""
        found = self.used(name, "completions")
        assert found.engine is not None
        return found, found.engine

    def close(self) -> None:
        """Ends the engines."""
        for one in self.by_name.values():
            if one.engine is not None:
                one.engine.close()
        gc.unfreeze()


def load(runs: Mapping[str, Path], device: str) -> Models:
    """The models of these runs. UserError: a folder that is no run, or a damaged one."""
    models = Models([_served(name, path, device) for name, path in runs.items()])
    # What is loaded by now stays. Else the garbage collector looks through all of it again and
    # again, as each token makes objects: with many texts at once a third of all tokens.
    gc.freeze()
    return models


def _served(name: str, path: Path, device: str) -> Served:
    run = api.load(path, device=device)
    if run.task not in USES:
        raise UserError(f"{path}: runs of the task {run.task} are not served")
    created = int((path / folder.OPTIONS).stat().st_mtime)
    engine = open_engine(run) if USES[run.task] == "completions" else None
    return Served(name, run, created, engine)
