"""The two forms of music, each a table of what it does: `FORM` in form.py of its folder.

    frames/form.py   FORM: Form[FrameData, frames.Batch]
    events/form.py   FORM: Form[EventData, events.Batch]

A data set, and a model, tell their form by an attribute `form`; what a model keeps by its "form".
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

from torch import Tensor, nn

from elman.data.doctor import Page
from elman.errors import UserError
from elman.export.program import Export
from elman.tasks.looking import Look
from elman.tasks.music.data import Parts
from elman.tasks.music.options import FormName, MusicOptions
from elman.tasks.rivals import Rival
from elman.tasks.task import Budget, Carry, Epoch, Kept, Plan, Validation

Data = TypeVar("Data")
Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Form(Generic[Data, Batch]):
    """What is done with music that is read in this way; as the same entries of `Task`, but `read`
    and `unseen` are given pieces."""

    name: FormName
    read: Callable[[Parts, MusicOptions], Data]
    unseen: Callable[[Parts, Kept], Data]
    """Of other pieces for a trained model: all of them are in `Parts.check`."""

    examine: Callable[[Data], Page]
    plan: Callable[[Data, MusicOptions, Budget], Plan[MusicOptions]]
    build: Callable[[Kept, MusicOptions], nn.Module]
    epoch: Callable[[Data, MusicOptions, int, int, int], Epoch[Batch]]
    loss: Callable[[nn.Module, Batch, Carry, str], tuple[Tensor, int, Carry]]
    validate: Callable[[nn.Module, Data, MusicOptions, str], Validation]
    rivals: Callable[[Data, MusicOptions, Data], list[Rival]]
    overlap: Callable[[Data, Data], str]
    sample: Callable[[nn.Module, Data, MusicOptions, int, int, str], str]
    remarks: Callable[[nn.Module, Data, MusicOptions, str, str, Path], list[str]]
    look: Callable[[Data, MusicOptions, int, int], Look[Batch]]
    export: Callable[[nn.Module, Kept, MusicOptions], Export]


def get(name: object) -> Form[Any, Any]:
    """The form of that name. UserError where there is none: the name is out of a file."""
    if name not in get_args(FormName):
        raise UserError("preprocessing.json: damaged (no form of music in it)")
    form: Form[Any, Any] = importlib.import_module(f"elman.tasks.music.{name}.form").FORM
    return form


# ---- As a task needs them: by the data set, the model, or what a model keeps


def examine(dataset: Any) -> Page:
    return get(dataset.form).examine(dataset)


def plan(dataset: Any, options: MusicOptions, budget: Budget) -> Plan[MusicOptions]:
    return get(dataset.form).plan(dataset, options, budget)


def build(kept: Kept, options: MusicOptions) -> nn.Module:
    return get(kept.get("form")).build(kept, options)


def epoch(
    dataset: Any, options: MusicOptions, batch_size: int, seed: int, epoch: int
) -> Epoch[Any]:
    return get(dataset.form).epoch(dataset, options, batch_size, seed, epoch)


def loss(model: nn.Module, batch: Any, carry: Carry, device: str) -> tuple[Tensor, int, Carry]:
    return get(model.form).loss(model, batch, carry, device)


def validate(model: nn.Module, dataset: Any, options: MusicOptions, device: str) -> Validation:
    return get(dataset.form).validate(model, dataset, options, device)


def rivals(dataset: Any, options: MusicOptions, training: Any) -> list[Rival]:
    return get(dataset.form).rivals(dataset, options, training)


def overlap(dataset: Any, training: Any) -> str:
    """What else has to be known of a score on other pieces: what of them it leaves aside, too."""
    seen = get(dataset.form).overlap(dataset, training)
    return "; ".join(line for line in (seen, *dataset.warnings) if line)


def sample(
    model: nn.Module, dataset: Any, options: MusicOptions, length: int, seed: int, device: str
) -> str:
    return get(dataset.form).sample(model, dataset, options, length, seed, device)


def remarks(
    model: nn.Module, dataset: Any, options: MusicOptions, device: str, sample: str, folder: Path
) -> list[str]:
    return get(dataset.form).remarks(model, dataset, options, device, sample, folder)


def look(dataset: Any, options: MusicOptions, size: int, seed: int) -> Look[Any]:
    return get(dataset.form).look(dataset, options, size, seed)


def export(model: nn.Module, kept: Kept, options: MusicOptions) -> Export:
    return get(model.form).export(model, kept, options)
