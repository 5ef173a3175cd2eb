"""The classifier: layers over the sequence, one vector from all steps, a score for each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.data.texts import vectors
from elman.data.texts.vocabulary import Words
from elman.layers.regularize import dropout
from elman.tasks.classify.beside import kept_beside
from elman.tasks.classify.curves.kernels import KernelScores, Shape
from elman.tasks.classify.data import Labelled, with_all
from elman.tasks.classify.options import ClassifyOptions
from elman.tasks.classify.reading import settled
from elman.tasks.classify.words.bag import Bag, BagScores
from elman.tasks.classify.words.grams_bag import GramsBag
from elman.tasks.reader import Pool, Reader, front
from elman.tasks.settling import check_settled
from elman.tasks.task import Kept

# Rare words are hardly moved by training: where they start large, they are noise to the end.
SPREAD = 0.1


class Member(nn.Module):
    """Tokens or vectors → `Convolutions` → `Reader` → `Pool` → dropout → linear output.

    The convolutions are there if they are asked for. The mean over all steps of what they put out
    goes to the output too, beside what the recurrent layers make of it, as in LSTM-FCN (Karim et
    al. 2018, arXiv:1709.05206), whose recurrent layer reads the sequence itself.
    """

    def __init__(self, options: ClassifyOptions, classes: int, inputs: int, symbols: int) -> None:
        super().__init__()
        assert options.embedding is not None and options.token_dropout is not None
        assert options.pooling is not None and options.dropout is not None  # by the task's plan
        self.token_dropout, self.dropout = options.token_dropout, options.dropout
        self.front = None if symbols else front(options, inputs)
        inputs = inputs if self.front is None else self.front.output_size
        self.reader = Reader(options, inputs, symbols, options.embedding, SPREAD)
        width = self.reader.output_size
        self.pool = Pool(options.pooling, width, both_ways=self.reader.both_ways)
        width += 0 if self.front is None else self.front.output_size
        self.output = nn.Linear(width, classes)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        if self.training and self.token_dropout and not x.is_floating_point():
            x = x.masked_fill(torch.rand(x.shape, device=x.device) < self.token_dropout, 0)
        seen = []
        if self.front is not None:
            x, lengths = self.front(x, lengths)
            seen = [x.sum(1) / lengths.to(x.device)[:, None]]
        y, alive = self.reader(x, lengths)
        pooled = dropout(
            torch.cat([*seen, self.pool(y, alive)], -1), self.dropout, training=self.training
        )
        scores: Tensor = self.output(pooled)
        return scores


class Classifier(nn.Module):
    """Networks that each learn alone, and beside them, where there are any, `bags`, naive Bayes of
    texts, `grams`, a linear model on their n-grams, or `kernels`, one on fixed convolutions of
    numbers.

    The answer is the geometric mean of their probabilities: of the networks among themselves
    (Lakshminarayanan, Pritzel and Blundell 2017, arXiv:1612.01474, who take the arithmetic one),
    then of both sides, a product of experts (Hinton 2002, doi:10.1162/089976602760128018). Were
    they trained on their common answer, the networks would hardly learn: counts alone explain the
    very texts that were counted. Beside `bags` both sides count alike; beside `grams` and `kernels`
    the networks have the share `mix`, a tensor that is kept with the weights. What `grams` say is
    said of texts, not of tokens, so it is no part of `forward`: `scores` puts both together.

    With `folds` there are so many networks for each of these, network m for fold m % folds, and
    a bag or linear model for each fold and one of everything. What belongs to a fold has learnt
    from all sequences outside it, and answers alone where these are scored.

    With `several` labels at once each has a probability of its own, the logistic function of its
    score, and those from `threshold` are the answer: a tensor that is kept with the weights.

    `symbols` is the size of the vocabulary, 0 for vectors of `inputs` numbers.
    """

    threshold: Tensor | None  # of several labels at once
    mix: Tensor | None  # beside grams and kernels

    def __init__(
        self, options: ClassifyOptions, classes: int, inputs: int, symbols: int,
        bags: Sequence[Bag] = (), *, several: bool = False, kernels: Shape | None = None,
        grams: Sequence[GramsBag] = (),
    ) -> None:  # fmt: skip
        super().__init__()
        self.folds = options.folds or 0
        parts = max(1, self.folds)
        self.members = nn.ModuleList(
            Member(options, classes, inputs, symbols) for _ in range((options.members or 1) * parts)
        )
        self.bags = nn.ModuleList(map(BagScores, bags))
        self.grams = tuple(grams)
        self.kernels = None
        if kernels is not None:
            self.kernels = KernelScores(kernels, classes, parts + (parts > 1))
        self.register_buffer("threshold", torch.tensor(0.5) if several else None)
        mixed = kernels is not None or self.grams
        self.register_buffer("mix", torch.tensor(0.5) if mixed else None)

    def each(self, x: Tensor, lengths: Tensor, parts: int = 1) -> Tensor:
        """The scores of each network by itself, [M, B, C]; what they are trained on.

        `x`, `lengths` are of [parts * B] sequences, of which network m reads part m % parts.
        """
        xs, ends = x.chunk(parts), lengths.chunk(parts)
        return torch.stack([
            member(xs[m % parts][:, : int(ends[m % parts].max())], ends[m % parts])
            for m, member in enumerate(self.members)
        ])  # fmt: skip

    def forward(self, x: Tensor, lengths: Tensor, fold: int | None = None) -> Tensor:
        """`x` float32 [B, T, I] or int64 [B, T], `lengths` [B] on the CPU → scores [B, C].

        Tokens are 0 where there is padding. With `fold` what belongs to it answers, else all.
        """
        scores, beside = self.networks(x, lengths, fold), self.beside(x, lengths, fold)
        return scores if beside is None else self.together(scores, beside)

    def networks(self, x: Tensor, lengths: Tensor, fold: int | None = None) -> Tensor:
        """The common scores of the networks [B, C], logarithms or, of several labels, log odds."""
        chosen = range(len(self.members)) if fold is None else range(
            fold, len(self.members), self.folds
        )  # fmt: skip
        scores = torch.stack([self.members[m](x, lengths) for m in chosen])
        if self.threshold is not None:  # a mean of scores is a geometric one of odds
            return scores.mean(0)
        return torch.log_softmax(torch.log_softmax(scores, -1).mean(0), -1)

    def beside(self, x: Tensor, lengths: Tensor, fold: int | None = None) -> Tensor | None:
        """The same of what answers beside them, [B, C]; None where nothing does."""
        part = -1 if fold is None else fold
        if self.kernels is not None:
            scores: Tensor = self.kernels(x, lengths, part)
        elif self.bags:
            scores = self.bags[part](x)
        else:
            return None
        return scores if self.threshold is not None else torch.log_softmax(scores, -1)

    def together(self, networks: Tensor, beside: Tensor) -> Tensor:
        """Both, mixed."""
        if self.mix is None:
            return (networks + beside) / 2
        return torch.lerp(beside, networks, self.mix.to(networks))

    def chances(self, scores: Tensor) -> Tensor:
        """The probability of each class, float64 [B, C]; of several labels at once, of each."""
        scores = scores.double()
        return torch.softmax(scores, -1) if self.threshold is None else torch.sigmoid(scores)

    def probabilities(self, x: Tensor, lengths: Tensor, fold: int | None = None) -> Tensor:
        """The probabilities that all answer together, or all that belong to a fold, [B, C]."""
        return self.chances(self(x, lengths, fold))

    def answers(self, chances: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of several labels at once are told, of their probabilities."""
        assert self.threshold is not None
        told: NDArray[np.bool_] = chances >= float(self.threshold)
        return told


def build(kept: Kept, options: ClassifyOptions) -> Classifier:
    check_settled(
        options, "hidden_size", "embedding", "dropout", "weight_drop", "token_dropout", "pooling",
        "bidirectional",
    )  # fmt: skip
    if options.fronted:
        check_settled(options, "convolution_width", "convolution_stride")
    classes, encoder, roles = settled(kept)
    several = roles.several is not None
    beside = kept_beside(kept, options, encoder, len(classes), several=several)
    return Classifier(
        options, len(classes), encoder.inputs, encoder.vocabulary.size if encoder.vocabulary else 0,
        beside.bags, several=several, kernels=beside.kernels, grams=beside.grams,
    )  # fmt: skip


def networks_alone(dataset: Labelled, options: ClassifyOptions) -> Classifier:
    """A new model of the networks without what answers beside them, by which time is measured."""
    known = dataset.encoder.vocabulary
    return Classifier(
        options, len(dataset.classes), dataset.encoder.inputs, known.size if known else 0,
        several=dataset.several,
    )  # fmt: skip


def start(model: nn.Module, kept: Kept, options: ClassifyOptions, dataset: Labelled) -> None:
    """Word vectors in the place of the embedding's random start, where their file has them, and
    what is solved rather than trained."""
    assert isinstance(model, Classifier)
    if model.kernels is not None:
        trained = dataset.trained
        model.kernels.fit(dataset.inputs[:trained], dataset.targets[:trained], with_all(dataset))
    if options.vectors is None:
        return
    known = settled(kept)[1].vocabulary
    assert isinstance(known, Words)  # by the plan
    values, found = vectors.read_vectors(options.vectors, known.symbols)
    for member in model.members:
        assert isinstance(member, Member) and member.reader.embedding is not None
        with torch.no_grad():
            weight = member.reader.embedding.weight
            weight[torch.from_numpy(found)] = torch.from_numpy(values[found])
