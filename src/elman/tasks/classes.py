"""How right the probabilities of classes are, of one label a sequence or of several at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from elman import metrics
from elman.chance import Tally, shares
from elman.metrics import Scores
from elman.tasks.labelling import Counted

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST = 1e-12  # no probability is taken for less


# ---- One label each ------------------------------------------------------------------------


def confusion_of(chances: Floats, targets: Ints) -> Ints:
    """Counts [C, C], true classes by predicted ones."""
    classes = chances.shape[1]
    return np.bincount(targets * classes + chances.argmax(1), minlength=classes * classes).reshape(
        classes, classes
    )


def counted(confusion: Ints, classes: Sequence[str]) -> list[Counted]:
    """Each class with its counts."""
    there, said, hit = confusion.sum(1), confusion.sum(0), confusion.diagonal()
    return [Counted(*each) for each in zip(classes, there, said, hit, strict=True)]


def tally_of(said: Ints | NDArray[np.bool_], targets: Ints) -> Tally:
    """What the first score is counted from: the accuracy of classes [N], or the micro F1 of several
    labels at once [N, C]."""
    if targets.ndim == 1:
        return shares("sequence", (said == targets).astype(np.float64), np.ones(len(targets)))
    hits = 2.0 * ((said > 0) & (targets > 0)).sum(1)
    return shares("sequence", hits, (said.sum(1) + targets.sum(1)).astype(np.float64))


def scores_of(chances: Floats, targets: Ints) -> Scores:
    """Accuracy, macro F1, nats and calibration error of probabilities [N, C]."""
    accuracy, macro_f1 = metrics.from_confusion(confusion_of(chances, targets))
    own = chances[np.arange(len(targets)), targets]
    nats = float(-np.log(np.maximum(own, LEAST)).mean())
    error = metrics.calibration_error(chances.max(1), chances.argmax(1) == targets)
    return {"accuracy": accuracy, "macro_f1": macro_f1, "nats": nats, "calibration_error": error}


def mistakes(chances: Floats, targets: Ints) -> list[int]:
    """The sequences that are read wrong, the surest first; of equally sure ones the first."""
    wrong = np.flatnonzero(chances.argmax(1) != targets)
    found: list[int] = wrong[np.argsort(-chances[wrong].max(1), kind="stable")].tolist()
    return found


# ---- Several at once -----------------------------------------------------------------------


def counted_each(said: NDArray[np.bool_], targets: Ints, classes: Sequence[str]) -> list[Counted]:
    """Each label with its counts, of answers and truth [N, C]."""
    there, hit = targets.sum(0), (said & (targets > 0)).sum(0)
    return [Counted(*each) for each in zip(classes, there, said.sum(0), hit, strict=True)]


def scores_of_several(chances: Floats, said: NDArray[np.bool_], targets: Ints) -> Scores:
    """Scores of probabilities, answers and truth, each [N, C].

    Micro F1 counts all labels together; macro F1 is the mean of the labels' own, but for those that
    are neither there nor said. `exact` is the share of sequences all of whose labels are right,
    `nats` what the set of labels of a sequence costs, and the calibration error how far
    probabilities are from how often they come true.
    """
    there, hit = targets > 0, said & (targets > 0)
    both = said.sum(0) + there.sum(0)
    each = 2 * hit.sum(0)[both > 0] / both[both > 0]
    truth = np.where(there, chances, 1 - chances)
    return {
        "micro_f1": float(2 * hit.sum() / max(both.sum(), 1)),
        "macro_f1": float(each.mean()) if len(each) else 0.0,
        "exact": float((said == there).all(1).mean()),
        "nats": float(-np.log(np.maximum(truth, LEAST)).sum(1).mean()),
        "calibration_error": metrics.calibration_error(chances.ravel(), there.ravel()),
    }
