"""What a regressor is looked at with: sequences it was not trained on, and what they measure."""

from __future__ import annotations

from elman.tasks.looking import Look, numbered, picked
from elman.tasks.regress.data import Measured
from elman.tasks.regress.options import RegressOptions
from elman.tasks.regress.training import Batch, batch_of
from elman.wording import counted


def look(dataset: Measured, options: RegressOptions, size: int, seed: int) -> Look[Batch]:
    """Sequences of the validation part, or of the training part where there is none. With feedback
    the true values of the step before are read."""
    held = dataset.held
    items = held or dataset.inputs[: dataset.trained]
    part = "validation" if held else "training"
    chosen = [items[k] for k in picked(len(items), size, seed)]
    values = [dataset.encoder.y.back(item.y) for item in chosen]
    return Look(
        batch_of(chosen, options),
        numbered([len(item.x) for item in chosen]),
        f"{counted(len(chosen), 'sequence')} of the {part} part",
        quantities={
            name: [value[..., k] for value in values] for k, name in enumerate(dataset.targets)
        },
        unit="row",
    )
