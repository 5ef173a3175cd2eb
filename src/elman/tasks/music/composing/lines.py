"""Frames as lines of text: the names of the notes that sound.

C5   G4   E4   C3        voices, the highest first; - where one is silent
C3 E4 G4                 a roll, from below
"""

from __future__ import annotations

import torch
from torch import Tensor

from elman.tasks.music.composing.rules import name_of

SILENT = "-"
WIDTH = 4  # of a voice's column


def line_of(frame: Tensor, lowest: int) -> str:
    """One frame, bool [P] or int64 [V], in which note 0 is the pitch `lowest`."""
    if frame.dtype == torch.bool:
        names = [name_of(note + lowest) for note in frame.nonzero()[:, 0].tolist()]
        return " ".join(names) or SILENT
    names = [name_of(note + lowest) if note >= 0 else SILENT for note in frame.tolist()]
    return " ".join(name.ljust(WIDTH) for name in names).rstrip()
