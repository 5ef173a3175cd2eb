"""What a classifier says of sequences, its networks and what answers beside them, and how right
that is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.data.batching import padded
from elman.metrics import Loss, Scores
from elman.tasks.classes import Floats, Ints, scores_of, scores_of_several, tally_of
from elman.tasks.classify.data import Labelled, Said
from elman.tasks.classify.model import Classifier, start
from elman.tasks.classify.options import ClassifyOptions
from elman.tasks.classify.thresholds import best_threshold
from elman.tasks.task import Kept, Validation

SCORED = 256  # sequences at once, where none is trained on
SCORED_STEPS = 1 << 18  # steps at once, padding included
MIXES = np.arange(0, 21) / 20  # tried on the validation part


def validate(
    model: nn.Module, dataset: Labelled, options: ClassifyOptions, device: str
) -> Validation:
    """What is chosen by a run's own validation part is chosen here, and kept with the weights: the
    threshold of several labels at once, and how far the networks count. Other data is scored by
    that.

    Few sequences do not tell two models apart by their hits: there the loss says which is better.
    """
    assert isinstance(model, Classifier)
    targets = dataset.targets[dataset.trained :]
    networks, beside = _sides(model, dataset, device)
    together = networks
    if beside is not None:
        if model.mix is not None and dataset.trained:
            model.mix.fill_(best_mix(model, networks, beside, targets))
        together = model.together(networks, beside)
    chances: Floats = model.chances(together).numpy()
    if model.threshold is None:
        scores, tally = scores_of(chances, targets), tally_of(chances.argmax(1), targets)
    else:
        if dataset.trained:
            model.threshold.fill_(best_threshold(chances, targets))
        told = model.answers(chances)
        scores, tally = scores_of_several(chances, told, targets), tally_of(told, targets)
    loss = Loss(scores["nats"] * len(targets), len(targets))
    return Validation(loss, scores, by_score=dataset.folds is None, tally=tally)


def probabilities(
    model: Classifier, inputs: Sequence[NDArray[Any]], device: str, fold: int | None = None,
    *, texts: Sequence[str] = (),
) -> Floats:  # fmt: skip
    """The probability of each class [N, C], for encoded sequences in any order of length, by all
    networks or by what belongs to a fold.

    `texts` are what was encoded; a model with `grams` reads them.
    """
    if not model.grams:
        return _each(inputs, device, partial(model.probabilities, fold=fold))
    if len(texts) != len(inputs):
        raise ValueError(f"{len(texts)} texts of {len(inputs)} sequences: the model reads both")
    own = torch.from_numpy(_each(inputs, device, partial(model.networks, fold=fold)))
    said = model.grams[-1 if fold is None else fold].scores(texts)
    found: Floats = model.chances(model.together(own, torch.from_numpy(said))).numpy()
    return found


def own_probabilities(model: Classifier, dataset: Labelled, device: str) -> Floats:
    """The same for the validation part of a data set [N, C]: with folds, each sequence by what has
    not learnt from it."""
    networks, beside = _sides(model, dataset, device)
    together = networks if beside is None else model.together(networks, beside)
    found: Floats = model.chances(together).numpy()
    return found


def scores_of_side(model: Classifier, dataset: Labelled, device: str, *, networks: bool) -> Scores:
    """The scores of the validation part by the networks alone, or by what answers beside them."""
    own, beside = _sides(model, dataset, device)
    assert beside is not None
    chances: Floats = model.chances(own if networks else beside).numpy()
    targets = dataset.targets[dataset.trained :]
    if model.threshold is None:
        return scores_of(chances, targets)
    return scores_of_several(chances, model.answers(chances), targets)


def start_and_ask(
    model: nn.Module, kept: Kept, options: ClassifyOptions, dataset: Labelled
) -> None:
    """`start`; then what answers beside the networks is asked once, so that the first validation
    takes no longer than the others, by which time is planned."""
    start(model, kept, options, dataset)
    assert isinstance(model, Classifier)
    if model.kernels is not None and len(dataset.check):
        _said_beside(model, dataset, "cpu")


def _sides(model: Classifier, dataset: Labelled, device: str) -> tuple[Tensor, Tensor | None]:
    """What the networks say of the validation part, float64 [N, C], and what answers beside
    them."""
    networks = _scored(dataset, device, model.networks)
    if model.kernels is None and not model.bags and not model.grams:
        return networks, None
    return networks, _said_beside(model, dataset, device)


def _said_beside(model: Classifier, dataset: Labelled, device: str) -> Tensor:
    """What answers beside the networks, [N, C]. It never changes, so it is kept for the next time,
    and for the next model with the same weights there."""
    solved = model.bags if model.kernels is None else model.kernels
    weights = [weight.cpu().clone() for weight in solved.state_dict().values()]
    for known in dataset.said:
        same = known.inputs is dataset.inputs and known.grams is model.grams
        same = same and len(known.weights) == len(weights)
        if same and all(map(torch.equal, known.weights, weights)):
            return known.scores
    if model.grams:
        scores = _of_texts(model, dataset)
    else:
        scores = _scored(dataset, device, partial(_beside, model))
    dataset.said[:] = [Said(dataset.inputs, model.grams, weights, scores)]
    return scores


def _scored(dataset: Labelled, device: str, ask: Callable[..., Tensor]) -> Tensor:
    """What is asked of the validation part, float64 [N, C], of each sequence by what belongs to its
    fold."""
    inputs = dataset.inputs[dataset.trained :]
    if dataset.folds is None:
        return torch.from_numpy(_each(inputs, device, ask))
    found = None
    for k in range(len(dataset.parts)):
        there = np.flatnonzero(dataset.folds == k)
        some = _each([inputs[n] for n in there], device, partial(ask, fold=k))
        found = np.zeros((len(inputs), some.shape[1])) if found is None else found
        found[there] = some
    assert found is not None
    return torch.from_numpy(found)


def _of_texts(model: Classifier, dataset: Labelled) -> Tensor:
    """What a linear model on n-grams says of the validation part, [N, C]."""
    texts = dataset.check.texts
    if dataset.folds is None:
        return torch.from_numpy(model.grams[-1].scores(texts))
    found = np.empty((len(texts), len(dataset.classes)))
    for k in range(len(dataset.parts)):
        there = np.flatnonzero(dataset.folds == k)
        found[there] = model.grams[k].scores([texts[n] for n in there])
    return torch.from_numpy(found)


def _beside(model: Classifier, x: Tensor, lengths: Tensor, fold: int | None = None) -> Tensor:
    scores = model.beside(x, lengths, fold)
    assert scores is not None
    return scores


def _each(
    inputs: Sequence[NDArray[Any]], device: str, ask: Callable[[Tensor, Tensor], Tensor]
) -> Floats:
    """What is asked of encoded sequences, float64 [N, C], in any order of length."""
    parts, order = [], []
    with torch.no_grad():
        for chosen in _scored_together([len(x) for x in inputs]):
            x, lengths = padded([inputs[k] for k in chosen])
            parts.append(ask(x.to(device), lengths).cpu().double().numpy())
            order += chosen
    found = np.concatenate(parts)
    result = np.empty_like(found)
    result[order] = found
    return result


def best_mix(model: Classifier, networks: Tensor, beside: Tensor, targets: Ints) -> float:
    """The share of the networks by which the truth costs least, of equally good ones the nearest to
    a half. One sequence more might have said anything: so much is doubted, or the share would
    follow from one surprise."""
    assert model.mix is not None
    truth, costs = torch.from_numpy(targets), []
    doubt = 1 / (len(targets) + 1)
    for share in MIXES:
        mixed = torch.lerp(beside, networks, float(share))
        if targets.ndim == 2:
            spread = truth * (1 - doubt) + doubt / 2
            cost = F.binary_cross_entropy_with_logits(mixed, spread)
        else:
            cost = F.cross_entropy(mixed, truth, label_smoothing=doubt)
        costs.append(float(cost))
    good = MIXES[np.array(costs) <= min(costs) + 1e-9]
    return float(good[np.abs(good - 0.5).argmin()])


def _scored_together(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The numbers of sequences of about one length, as many as memory surely holds."""
    order, start = sorted(range(len(lengths)), key=lambda k: -lengths[k]), 0
    while start < len(order):
        count = max(1, min(SCORED, SCORED_STEPS // lengths[order[start]]))
        yield order[start : start + count]
        start += count
