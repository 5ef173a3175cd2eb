"""The classifier: layers over the sequence, one vector from all steps, a score for each class."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.tasks.classify.options import ClassifyOptions
from elman.tasks.reader import Pool, Reader

# Rare words are hardly moved by training: where they start large, they are noise to the end.
SPREAD = 0.1


class Classifier(nn.Module):
    """Tokens or vectors → `Reader` → `Pool` → dropout → linear output over the classes.

    `symbols` is the size of the vocabulary, 0 for vectors of `inputs` numbers.
    """

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
        """`x` float32 [B, T, I] or int64 [B, T], `lengths` [B] on the CPU → scores [B, C]."""
        if self.training and self.token_dropout and not x.is_floating_point():
            x = x.masked_fill(torch.rand(x.shape, device=x.device) < self.token_dropout, 0)
        y, alive = self.reader(x, lengths)
        pooled: Tensor = F.dropout(self.pool(y, alive), self.dropout, self.training)
        scores: Tensor = self.output(pooled)
        return scores
