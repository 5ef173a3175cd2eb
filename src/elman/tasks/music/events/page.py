"""What people read of pieces as events."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from elman.data.doctor import Page
from elman.tasks.music.events.data import EventData
from elman.tasks.music.options import MusicOptions
from elman.wording import counted


def examine(dataset: EventData) -> Page:
    warnings = [*dataset.bad.told("file or piece", "files or pieces"), *dataset.warnings]
    held = f", {len(dataset.test):,} for the final scores" if dataset.test is not None else ""
    every = [*dataset.train, *dataset.check, *(dataset.test or ())]
    notes, tokens = sum(t.notes for t in every), sum(len(t) for t in every)
    return Page(
        f"{dataset.name}: {counted(len(dataset.train), 'piece')} for training, "
        f"{len(dataset.check):,} for validation{held}; {counted(notes, 'note')} in "
        f"{counted(tokens, 'token')}",
        tuple(warnings), dataset.facts,
    )  # fmt: skip


def sample(
    model: nn.Module, dataset: EventData, options: MusicOptions, length: int, seed: int, device: str
) -> str:
    return ""


def remarks(
    model: nn.Module, dataset: EventData, options: MusicOptions, device: str, sample: str,
    folder: Path,
) -> list[str]:  # fmt: skip
    return []
