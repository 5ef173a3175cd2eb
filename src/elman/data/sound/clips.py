"""A clip: a stretch of a recording, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

Mode: TypeAlias = Literal["transcribe", "classify"]
Part: TypeAlias = Literal["", "train", "validation", "test"]


@dataclass(frozen=True)
class Recording:
    """Where samples lie: a file, or a member of an archive (zip, tar), which is not unpacked."""

    path: Path
    member: str = ""

    @property
    def shown(self) -> str:
        """What messages call it."""
        return f"{self.path}, {self.member}" if self.member else str(self.path)

    @property
    def stem(self) -> str:
        """Its name without folder and ending."""
        return Path(self.member or self.path).stem


@dataclass(frozen=True)
class Clip:
    """A stretch of a recording, with its transcript, or its label, or neither."""

    where: str  # what messages call it: the recording, or the line of the file that names it
    recording: Recording
    start: float = 0.0  # seconds, from 0
    stop: float | None = None  # seconds, above start; None: the end of the recording
    text: str | None = None
    label: str | None = None
    speaker: str = ""  # empty where it is not known
    part: Part = ""  # of which the data itself says that it is, as train.tsv or test/ do
