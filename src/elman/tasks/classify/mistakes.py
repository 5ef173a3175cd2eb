"""What a classifier gets right and wrong, class by class, and its most confident mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from elman.tasks import labelling
from elman.tasks.classify import pictures
from elman.tasks.classify.data import Labelled
from elman.tasks.classify.model import Classifier
from elman.tasks.classify.scoring import (
    Floats,
    Ints,
    confusion_of,
    counted,
    counted_each,
    own_probabilities,
)

WORST = 5  # mistakes shown


def remarks(model: Classifier, dataset: Labelled, device: str, folder: Path) -> list[str]:
    """Lines of Markdown on the validation part; the confusion matrix is drawn into `folder`."""
    if not len(dataset.check):
        return []
    targets = dataset.targets[dataset.trained :]
    chances = own_probabilities(model, dataset, device)
    if model.threshold is not None:
        return _of_several(model, float(model.threshold), dataset, chances, targets)
    confusion = confusion_of(chances, targets)
    lines = [*labelling.table(counted(confusion, dataset.classes), "class", "sequences"), ""]
    hit = chances.argmax(1) == targets
    if pictures.draw(confusion, dataset.classes, chances.max(1), hit, folder):
        lines += ["![true classes by predicted ones, and calibration](confusion.png)", ""]
    wrong = np.flatnonzero(~hit)
    worst = wrong[np.argsort(-chances[wrong].max(1))][:WORST]
    if len(worst):
        lines += ["Mistakes made with most confidence:", ""]
    for k in worst:
        said = dataset.classes[int(chances[k].argmax())]
        lines.append(
            f"- {dataset.check.where[k]} is {dataset.check.labels[k]}, read as {said} "
            f"({chances[k].max():.0%}){_content(dataset, k)}"
        )
    return lines


def _of_several(
    model: Classifier, threshold: float, dataset: Labelled, chances: Floats, targets: Ints
) -> list[str]:
    said, there = model.answers(chances), targets > 0
    lines = [
        *labelling.table(counted_each(said, targets, dataset.classes), "label", "sequences"), "",
        f"A label is told from a probability of {threshold:.2f} on: the best micro F1 on the "
        "validation part, by which it was chosen.", "",
    ]  # fmt: skip
    sure = np.where(said == there, 0, np.where(there, 1 - chances, chances))
    worst = [int(k) for k in np.argsort(-sure.max(1), kind="stable")[:WORST] if sure[k].max() > 0]
    if worst:
        lines += ["Mistakes made with most confidence:", ""]
    for k in worst:
        c = int(sure[k].argmax())
        label, held = dataset.classes[c], ", ".join(dataset.check.each[k]) or "none"
        lines.append(
            f"- {dataset.check.where[k]} has the labels {held}; {label} was given "
            f"{chances[k, c]:.0%}{_content(dataset, k)}"
        )
    return lines


def _content(dataset: Labelled, k: int) -> str:
    texts = dataset.check.texts
    return f": `{texts[k][:80]!r}`" if texts else ""
