"""How right the probabilities of classes are, of one label a sequence or of several at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from elman import metrics
from elman.data.batching import padded
from elman.tasks.classify.model import Classifier
from elman.tasks.labelling import Counted
from elman.tasks.task import Scores

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SCORED = 256  # sequences at once, where none is trained on
SCORED_STEPS = 1 << 18  # steps at once, padding included
LEAST = 1e-12  # no probability is taken for less
THRESHOLDS = np.arange(5, 96) / 100  # tried on the validation part


def probabilities(model: Classifier, inputs: Sequence[NDArray[Any]], device: str) -> Floats:
    """The probability of each class [N, C], for encoded sequences in any order of length."""
    parts, order = [], []
    with torch.no_grad():
        for chosen in _scored_together([len(x) for x in inputs]):
            x, lengths = padded([inputs[k] for k in chosen])
            parts.append(model.probabilities(x.to(device), lengths).cpu().numpy())
            order += chosen
    found = np.concatenate(parts)
    result = np.empty_like(found)
    result[order] = found
    return result


def _scored_together(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The numbers of sequences of about one length, as many as memory surely holds."""
    order, start = sorted(range(len(lengths)), key=lambda k: -lengths[k]), 0
    while start < len(order):
        count = max(1, min(SCORED, SCORED_STEPS // lengths[order[start]]))
        yield order[start : start + count]
        start += count


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


def scores_of(chances: Floats, targets: Ints) -> Scores:
    """Accuracy, macro F1, nats and calibration error of probabilities [N, C]."""
    accuracy, macro_f1 = metrics.from_confusion(confusion_of(chances, targets))
    own = chances[np.arange(len(targets)), targets]
    nats = float(-np.log(np.maximum(own, LEAST)).mean())
    error = metrics.calibration_error(chances.max(1), chances.argmax(1) == targets)
    return {"accuracy": accuracy, "macro_f1": macro_f1, "nats": nats, "calibration_error": error}


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


def best_threshold(chances: Floats, targets: Ints) -> float:
    """The probability from which labels are told that gives the best micro F1, of equally good ones
    the nearest to a half; that, where there is no label."""
    if not targets.any():
        return 0.5
    there = targets > 0
    # Hits and answers from each threshold on: labels are counted by the highest that they reach.
    reached = np.searchsorted(THRESHOLDS, chances, side="right")
    size = len(THRESHOLDS) + 1
    said = np.bincount(reached.ravel(), minlength=size)[::-1].cumsum()[::-1][1:]
    hit = np.bincount(reached[there], minlength=size)[::-1].cumsum()[::-1][1:]
    f1 = 2 * hit / (said + there.sum())
    good = THRESHOLDS[f1 >= f1.max() - 1e-12]
    return float(good[np.abs(good - 0.5).argmin()])


def best_set(targets: Ints) -> NDArray[np.bool_]:
    """The labels that, told of every sequence, give the best micro F1, bool [C]: the k most
    frequent ones."""
    often = targets.sum(0)
    order = np.argsort(-often, kind="stable")
    sizes = np.arange(1, len(often) + 1)
    f1 = 2 * often[order].cumsum() / (sizes * len(targets) + often.sum())
    chosen = np.zeros(len(often), dtype=np.bool_)
    chosen[order[: int(f1.argmax()) + 1]] = True
    return chosen
