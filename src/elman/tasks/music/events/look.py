"""What a network of events is looked at with: pieces it was not trained on, token by token."""

from __future__ import annotations

import numpy as np
import torch

from elman.tasks.looking import Look, picked
from elman.tasks.music.events.data import EventData
from elman.tasks.music.events.training import Batch
from elman.tasks.music.options import MusicOptions
from elman.wording import counted

MOST = 512  # tokens of a piece, from its beginning


def look(dataset: EventData, options: MusicOptions, size: int, seed: int) -> Look[Batch]:
    """Beginnings of pieces of the validation part, or of the training part where there is none, all
    as long as the shortest of them."""
    held, known = dataset.check or dataset.train, dataset.tokenizer
    part = "validation" if dataset.check else "training"
    chosen = [held[k] for k in picked(len(held), size, seed)]
    steps = min(MOST, *(tune.foretold for tune in chosen)) if chosen else 0
    rows = np.stack([tune.ids[: steps + 1] for tune in chosen]).astype(np.int64)
    x, y = torch.from_numpy(rows[:, :-1].T.copy()), torch.from_numpy(rows[:, 1:].T.copy())
    shown = [[str(known.tokens[int(token)]) for token in row] for row in rows]
    every = torch.ones_like(x, dtype=torch.bool)
    return Look(
        Batch(x, y, every, torch.ones(len(chosen), dtype=torch.bool)),
        [row[:-1] for row in shown],
        f"{counted(len(chosen), 'piece')} of the {part} part, {counted(steps, 'token')} of each",
        labels=[row[1:] for row in shown],
        unit="token",
        truncation=options.sequence_length,
    )
