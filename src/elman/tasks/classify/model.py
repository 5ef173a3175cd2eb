"""The classifier: layers over the sequence, one vector from all steps, a score for each class."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.tasks.classify.bag import Bag, BagScores
from elman.tasks.classify.options import ClassifyOptions
from elman.tasks.reader import Pool, Reader

# Rare words are hardly moved by training: where they start large, they are noise to the end.
SPREAD = 0.1


class Member(nn.Module):
    """Tokens or vectors → `Reader` → `Pool` → dropout → linear output over the classes."""

    def __init__(self, options: ClassifyOptions, classes: int, inputs: int, symbols: int) -> None:
        super().__init__()
        assert options.embedding is not None and options.token_dropout is not None
        assert options.pooling is not None and options.dropout is not None  # by the task's plan
        self.token_dropout, self.dropout = options.token_dropout, options.dropout
        self.reader = Reader(options, inputs, symbols, options.embedding, SPREAD)
        width = self.reader.output_size
        self.pool = Pool(options.pooling, width, both_ways=self.reader.both_ways)
        self.output = nn.Linear(width, classes)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        if self.training and self.token_dropout and not x.is_floating_point():
            x = x.masked_fill(torch.rand(x.shape, device=x.device) < self.token_dropout, 0)
        y, alive = self.reader(x, lengths)
        pooled: Tensor = F.dropout(self.pool(y, alive), self.dropout, self.training)
        scores: Tensor = self.output(pooled)
        return scores


class Classifier(nn.Module):
    """Networks that each learn alone, and naive Bayes beside them where there is a `bag`.

    The answer is the geometric mean of their probabilities: of the networks among themselves
    (Lakshminarayanan, Pritzel and Blundell 2017, arXiv:1612.01474, who take the arithmetic one),
    then of both sides, a product of experts (Hinton 2002, doi:10.1162/089976602760128018). Were
    they trained on their common answer, the networks would hardly learn: counts alone explain the
    very texts that were counted.

    With `several` labels at once each has a probability of its own, the logistic function of its
    score, and those from `threshold` are the answer: a tensor that is kept with the weights.

    `symbols` is the size of the vocabulary, 0 for vectors of `inputs` numbers.
    """

    threshold: Tensor | None  # of several labels at once

    def __init__(
        self, options: ClassifyOptions, classes: int, inputs: int, symbols: int,
        bag: Bag | None = None, *, several: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.members = nn.ModuleList(
            Member(options, classes, inputs, symbols) for _ in range(options.members)
        )
        self.bag = None if bag is None else BagScores(bag)
        self.register_buffer("threshold", torch.tensor(0.5) if several else None)

    def each(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The scores of each network by itself, [M, B, C]; what they are trained on."""
        return torch.stack([member(x, lengths) for member in self.members])

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """`x` float32 [B, T, I] or int64 [B, T], `lengths` [B] on the CPU → scores [B, C].

        Tokens are 0 where there is padding.
        """
        if self.threshold is not None:  # a mean of scores is a geometric one of odds
            scores = self.each(x, lengths).mean(0)
            return scores if self.bag is None else (scores + self.bag(x)) / 2
        scores = torch.log_softmax(self.each(x, lengths), -1).mean(0)
        if self.bag is None:
            return scores
        return (torch.log_softmax(scores, -1) + torch.log_softmax(self.bag(x), -1)) / 2

    def probabilities(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The probability of each class, float64 [B, C]; of several labels at once, of each."""
        scores = self(x, lengths).double()
        return torch.softmax(scores, -1) if self.threshold is None else torch.sigmoid(scores)

    def answers(self, chances: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of several labels at once are told, of their probabilities."""
        assert self.threshold is not None
        told: NDArray[np.bool_] = chances >= float(self.threshold)
        return told
