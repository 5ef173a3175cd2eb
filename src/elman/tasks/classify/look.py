"""What a classifier is looked at with: sequences that it was not trained on, and their labels."""

from __future__ import annotations

import numpy as np
import torch

from elman.data.batching import padded
from elman.tasks.classify.data import Labelled
from elman.tasks.classify.options import ClassifyOptions
from elman.tasks.classify.training import Batch
from elman.tasks.looking import Look, numbered, picked
from elman.wording import counted


def look(dataset: Labelled, options: ClassifyOptions, size: int, seed: int) -> Look[Batch]:
    """Sequences of the validation part, or of the training part where there is none.

    With folds the validation part is among what networks are trained on, and it is told.
    """
    held = len(dataset.check)
    begin, count = (dataset.trained, held) if held else (0, dataset.trained)
    chosen = [begin + k for k in picked(count, size, seed)]
    sequences = [dataset.inputs[k] for k in chosen]
    x, lengths = padded(sequences)
    batch = Batch(x, lengths, torch.from_numpy(dataset.targets[np.array(chosen)]))
    vocabulary, part = dataset.encoder.vocabulary, "validation" if held else "training"
    if vocabulary is None:
        unit = "row" if dataset.encoder.pictured else "step"
        steps = numbered([len(one) for one in sequences])
    else:
        unit = "character" if vocabulary.level == "characters" else "token"
        steps = [[vocabulary.symbol(int(token)) for token in one] for one in sequences]
    shared = "; most of the networks were trained on some" if dataset.folds is not None else ""
    return Look(
        batch,
        steps,
        f"{counted(len(chosen), 'sequence')} of the {part} part{shared}",
        labels=[[_label(dataset, k)] for k in chosen],
        unit=unit,
        stride=options.stride if vocabulary is None else 1,
    )


def _label(dataset: Labelled, k: int) -> str:
    target = dataset.targets[k]
    if not dataset.several:
        return dataset.classes[int(target)]
    return ", ".join(name for name, there in zip(dataset.classes, target, strict=True) if there)
