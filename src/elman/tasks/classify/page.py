"""What people read of a classifier: the data doctor's page, and what it got right and wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from elman.data import doctor
from elman.data.doctor import Page
from elman.data.labelled.examples import Examples
from elman.data.texts import segmentation
from elman.data.texts.vocabulary import Words
from elman.tasks import confusion, labelling
from elman.tasks.classes import Floats, Ints, confusion_of, counted, counted_each, mistakes
from elman.tasks.classify.curves import pictures as curve_pictures
from elman.tasks.classify.curves.stretches import SHARE, weights
from elman.tasks.classify.data import Labelled
from elman.tasks.classify.model import Classifier
from elman.tasks.classify.options import ClassifyOptions
from elman.tasks.classify.scores import own_probabilities, probabilities, scores_of_side

WORST = 5  # mistakes shown
RIGHT = 4  # classes of which a sequence is drawn
DRAWN = 6  # sequences in all


def examine(dataset: Labelled) -> Page:
    """What was read, on one page; what matters first."""
    check, lengths = dataset.check, dataset.lengths.tolist()
    if dataset.folds is not None:  # all of them stand in the training part
        check, lengths = Examples(), lengths[: dataset.trained]
    full = [len(v) for v in (*dataset.train.vectors, *check.vectors)]
    page = doctor.labelled(
        dataset.name, dataset.train, check, full or lengths, dataset.encoder.longest,
        dataset.classes, dataset.bad.told("row"),
    )  # fmt: skip
    if dataset.folds is not None:
        counts = f"{len(dataset.folds):,} for validation in {len(dataset.parts)} folds"
        headline = page.headline.replace("0 for validation", counts, 1)
        page = replace(page, headline=headline)
    page = replace(page, facts=(*page.facts, *dataset.told))
    known = dataset.encoder.vocabulary
    if known is None:
        return page
    facts = [f"read as {known.level}, {known.size:,} different ones known"]
    if isinstance(known, Words) and known.spaced:
        facts.append(segmentation.TOLD)
    return replace(page, facts=(*page.facts, *facts))


def remarks(
    model: nn.Module, dataset: Labelled, options: ClassifyOptions, device: str, sample: str,
    folder: Path,
) -> list[str]:  # fmt: skip
    """The validation part class by class, the sequences that tell most, and what was got wrong."""
    assert isinstance(model, Classifier)
    if not len(dataset.check):
        return []
    targets = dataset.targets[dataset.trained :]
    chances = own_probabilities(model, dataset, device)
    sides = _sides(model, dataset, device)
    if model.threshold is not None:
        return [*sides, *_of_several(model, float(model.threshold), dataset, chances, targets)]
    counts = confusion_of(chances, targets)
    table = labelling.table(counted(counts, dataset.classes), "class", "sequences")
    lines = [*sides, *table, ""]
    hit = chances.argmax(1) == targets
    if dataset.check.vectors and not dataset.encoder.pictured:
        shown = [_curve(model, dataset, device, k, chances) for k in _telling(chances, targets)]
        if curve_pictures.draw(shown, folder):
            lines += [
                "![sequences with the stretches that decided](stretches.png)", "",
                f"The ground is the darker the further the probability of the class that was read "
                f"falls where {SHARE:.0%} of the steps around are replaced by a straight line. Of "
                f"the values of a step {curve_pictures.CHANNELS} are drawn at most.", "",
            ]  # fmt: skip
    if confusion.draw(counts, dataset.classes, chances.max(1), hit, folder):
        lines += ["![true classes by predicted ones, and calibration](confusion.png)", ""]
    worst = mistakes(chances, targets)[:WORST]
    if worst:
        lines += ["Mistakes made with most confidence:", ""]
    for k in worst:
        said = dataset.classes[int(chances[k].argmax())]
        lines.append(
            f"- {dataset.check.where[k]} is {dataset.check.labels[k]}, read as {said} "
            f"({chances[k].max():.0%}){_content(dataset, k)}"
        )
    return lines


def _sides(model: Classifier, dataset: Labelled, device: str) -> list[str]:
    """What the networks and the linear model beside them are worth by themselves."""
    if model.mix is None:
        return []
    linear = "words and letters" if model.grams else "fixed convolutions"
    scored = {
        name: scores_of_side(model, dataset, device, networks=name == "networks")
        for name in ("networks", f"a linear model on {linear}")
    }
    told = "; ".join(
        f"{name} alone: " + ", ".join(f"{key.replace('_', ' ')} {value:.4f}"
                                      for key, value in scores.items())
        for name, scores in scored.items()
    )  # fmt: skip
    return [
        f"Both sides of the answer: {told}. The networks count for {float(model.mix):.0%} of it: "
        "so the truth costs least on the validation part.", "",
    ]  # fmt: skip


def _telling(chances: Floats, targets: Ints) -> list[int]:
    """Which sequences are drawn: of each of the first classes, of those that were read right, the
    one in the middle by how surely, then the surest mistakes."""
    hit = chances.argmax(1) == targets
    sure = chances.max(1)
    found: list[int] = []
    for c in np.argsort(-np.bincount(targets), kind="stable")[:RIGHT].tolist():
        there = np.flatnonzero(hit & (targets == c))
        if len(there):
            found.append(int(there[np.argsort(sure[there], kind="stable")[len(there) // 2]]))
    return [*found, *mistakes(chances, targets)[: DRAWN - len(found)]]


def _curve(
    model: Classifier, dataset: Labelled, device: str, k: int, chances: Floats
) -> curve_pictures.Curve:
    """Sequence k of the validation part, by what has not learnt from it."""
    fold = None if dataset.folds is None else int(dataset.folds[k])

    def ask(sequences: Sequence[NDArray[Any]]) -> Floats:
        return probabilities(model, sequences, device, fold)

    said = int(chances[k].argmax())
    is_, read = dataset.check.labels[k], dataset.classes[said]
    title = f"{is_}, read as {read} ({chances[k, said]:.0%})"
    return curve_pictures.Curve(
        dataset.check.vectors[k][: dataset.encoder.longest], title, is_ == read,
        weights(ask, dataset.inputs[dataset.trained + k]),
    )  # fmt: skip


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
