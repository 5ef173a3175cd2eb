"""The tagger: what is seen of each token, layers over the sentence, a score for each label."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.tasks.networks import NetworkOptions
from elman.tasks.reader import Pool, Reader
from elman.tasks.tag.options import TagOptions


class Inputs(NamedTuple):
    """Sentences side by side. W different tokens are in them, each spelt once."""

    tokens: Tensor  # [B, T] int64, ids
    lengths: Tensor  # [B], on the CPU
    places: Tensor  # [B, T], which of the W each token is
    letters: Tensor  # [W, L] int64, ids
    sizes: Tensor  # [W], letters of each, on the CPU

    def to(self, device: str) -> Inputs:
        """The same for a model on that device."""
        tokens, places, letters = (x.to(device) for x in (self.tokens, self.places, self.letters))
        return Inputs(tokens, self.lengths, places, letters, self.sizes)


class Tagger(nn.Module):
    """Token embedding, and the ends of a layer over its letters → `Reader` → dropout → linear.

    Letters read both ways follow Lample et al. 2016, arXiv:1603.01360. `symbols` and `alphabet`
    are the sizes of the vocabularies of tokens and of letters.
    """

    def __init__(self, options: TagOptions, labels: int, symbols: int, alphabet: int) -> None:
        super().__init__()
        assert options.embedding is not None and options.characters is not None
        assert options.token_dropout is not None and options.dropout is not None  # by the plan
        self.token_dropout, self.dropout = options.token_dropout, options.dropout
        self.embedding = nn.Embedding(symbols, options.embedding)
        self.spelling: Reader | None = None
        width = options.embedding
        if options.characters:
            small = NetworkOptions(
                options.cell[:1], (options.characters,), bidirectional=(True,), dropout=0.0,
                weight_drop=0.0,
            )  # fmt: skip
            self.spelling = Reader(small, 0, alphabet, options.characters)
            self.ends = Pool("last", self.spelling.output_size, both_ways=True)
            width += self.spelling.output_size
        self.reader = Reader(options, width)
        self.output = nn.Linear(self.reader.output_size, labels)

    def forward(self, x: Inputs) -> Tensor:
        """→ scores [N, C] of the N real tokens, sentence after sentence; padding has none."""
        tokens = x.tokens
        if self.training and self.token_dropout:
            dropped = torch.rand(tokens.shape, device=tokens.device) < self.token_dropout
            tokens = tokens.masked_fill(dropped, 0)
        vectors: Tensor = self.embedding(tokens)
        if self.spelling is not None:
            spelt = self.ends(*self.spelling(x.letters, x.sizes))  # [W, 2 * characters]
            vectors = torch.cat([vectors, F.embedding(x.places, spelt)], -1)
        y, real = self.reader(vectors, x.lengths)
        scores: Tensor = self.output(F.dropout(y[real], self.dropout, self.training))
        return scores
