"""What hears is looked at with: clips that it was not trained on."""

from __future__ import annotations

import torch

from elman.tasks.looking import Look, picked
from elman.tasks.speech.data import SpeechData
from elman.tasks.speech.options import SpeechOptions
from elman.tasks.speech.training import Batch, batch
from elman.wording import counted


def look(dataset: SpeechData, options: SpeechOptions, size: int, seed: int) -> Look[Batch]:
    """Clips of the validation part, or of the training part where there is none; a step is told by
    its time in seconds."""
    part = dataset.check if len(dataset.check) else dataset.train
    chosen = picked(len(part), size, seed)
    hearing = dataset.encoder.hearing
    lengths = torch.from_numpy(dataset.lengths(part)[chosen])
    frames = hearing.features().frames(lengths).tolist()
    labels = [part.clips[k].text or part.clips[k].label or "" for k in chosen]
    named = "validation" if len(dataset.check) else "training"
    return Look(
        batch(dataset, part, chosen),
        [[f"{hearing.seconds(t):.2f} s" for t in range(count)] for count in frames],
        f"{counted(len(chosen), 'clip')} of the {named} part",
        labels=[[label] for label in labels],
        unit="frame",
        stride=options.stride,
    )
