"""The tagger: what is seen of each token, layers over the sentence, a score for each label."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.layers.regularize import dropout
from elman.tasks.ensemble import together
from elman.tasks.networks import NetworkOptions
from elman.tasks.reader import Pool, Reader
from elman.tasks.settling import check_settled
from elman.tasks.tag.data import Inputs
from elman.tasks.tag.options import TagOptions
from elman.tasks.tag.reading import settled
from elman.tasks.task import Kept


@final
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

    def each(self, x: Inputs) -> list[Tensor]:
        """The scores of each network by itself, by which it is trained."""
        return [self(x)]

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
        scores: Tensor = self.output(dropout(y[real], self.dropout, training=self.training))
        return scores


@final
class Taggers(nn.Module):
    """Several taggers, trained side by side, whose probabilities are averaged."""

    def __init__(self, options: TagOptions, labels: int, symbols: int, alphabet: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(
            Tagger(options, labels, symbols, alphabet) for _ in range(options.members)
        )

    def each(self, x: Inputs) -> list[Tensor]:
        """The scores of each network by itself, by which it is trained."""
        return [member(x) for member in self.members]

    def forward(self, x: Inputs) -> Tensor:
        """→ scores [N, C] of the N real tokens, sentence after sentence; padding has none."""
        return together(self.each(x))


def build(kept: Kept, options: TagOptions) -> Tagger | Taggers:
    check_settled(
        options, "hidden_size", "embedding", "characters", "dropout", "weight_drop",
        "token_dropout",
    )  # fmt: skip
    labels, encoder, _ = settled(kept)
    made = Taggers if options.members > 1 else Tagger
    return made(options, len(labels), encoder.words.size, encoder.letters.size)
