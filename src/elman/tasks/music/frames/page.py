"""What people read of pieces in frames."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from elman.data.doctor import Page
from elman.tasks.music.frames.data import FrameData
from elman.tasks.music.options import MusicOptions
from elman.wording import counted


def examine(dataset: FrameData) -> Page:
    warnings = [*dataset.bad.told("file or piece", "files or pieces"), *dataset.warnings]
    held = f", {len(dataset.test):,} for the final scores" if dataset.test is not None else ""
    steps = sum(len(s) for s in (*dataset.train, *dataset.check, *(dataset.test or ())))
    return Page(
        f"{dataset.name}: {counted(len(dataset.train), 'piece')} for training, "
        f"{len(dataset.check):,} for validation{held}, {counted(steps, 'step')}",
        tuple(warnings), dataset.facts,
    )  # fmt: skip


def sample(
    model: nn.Module, dataset: FrameData, options: MusicOptions, length: int, seed: int, device: str
) -> str:
    return ""


def remarks(
    model: nn.Module, dataset: FrameData, options: MusicOptions, device: str, sample: str,
    folder: Path,
) -> list[str]:  # fmt: skip
    return []
