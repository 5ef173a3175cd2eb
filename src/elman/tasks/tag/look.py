"""What a tagger is looked at with: sentences that it was not trained on, and their labels."""

from __future__ import annotations

import numpy as np
import torch

from elman.tasks.looking import Look, picked
from elman.tasks.tag.data import Tagged
from elman.tasks.tag.options import TagOptions
from elman.tasks.tag.training import Batch
from elman.wording import counted


def look(dataset: Tagged, options: TagOptions, size: int, seed: int) -> Look[Batch]:
    """Sentences of the validation part, or of the training part where there is none."""
    held = len(dataset.check)
    begin, sentences = (dataset.trained, dataset.check) if held else (0, dataset.train)
    chosen = picked(len(sentences), size, seed)
    numbers = [begin + k for k in chosen]
    labels = torch.from_numpy(np.concatenate([dataset.targets[k] for k in numbers]))
    part = "validation" if held else "training"
    return Look(
        Batch(dataset.encoded.inputs(numbers), labels),
        [list(sentences[k].tokens) for k in chosen],
        f"{counted(len(chosen), 'sentence')} of the {part} part",
        labels=[list(sentences[k].labels) for k in chosen],
        unit="token",
    )
