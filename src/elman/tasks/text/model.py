"""The language model: tokens in, a stack of recurrent layers or several such networks, a score for
every next token out."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.errors import UserError
from elman.layers.regularize import dropout, locked_dropout
from elman.tasks import ensemble
from elman.tasks.kneser_ney import KneserNey
from elman.tasks.reader import recurrent
from elman.tasks.settling import check_settled
from elman.tasks.task import Kept, State
from elman.tasks.text.ngrams.mixing import Gate
from elman.tasks.text.options import TextOptions
from elman.tasks.text.reading import vocabulary_of


class LanguageModel(nn.Module):
    """What foretells the next token: one network, or several together.

    A windowed model, as one with a layer that reads both ways is, sees a window of the text and
    scores only the token after it; any other scores the next token at every step and carries its
    state on: one tensor [D, B, H] for each state of each layer's cell.

    With `mix_ngram` it has, besides, `gate`: what its `Gate` saw when it was validated; and, once
    it is trained, `ngram`. Neither takes part in `forward`.
    """

    gate: Tensor
    ngram: KneserNey | None = None

    def __init__(self, vocabulary_size: int, options: TextOptions) -> None:
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.windowed = options.windowed
        self.both_ways = options.bidirectional[-1]
        if options.mix_ngram:
            seen = torch.from_numpy(Gate().seen)
            self.register_buffer("gate", seen.to(torch.get_default_dtype()))

    @property
    def networks(self) -> list[LanguageNetwork]:
        """All that answer together."""
        raise NotImplementedError

    def each(self, tokens: Tensor, state: State | None = None) -> tuple[list[Tensor], State]:
        """The scores of each network by itself, by which it is trained; see `forward`."""
        raise NotImplementedError

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Scores of the next token and the state after.

        `tokens` [T, B] integers → scores [T, B, V]; of a windowed model [B, V].
        """
        raise NotImplementedError


class LanguageNetwork(LanguageModel):
    """Embedding or one-hot input → `Recurrent` → dropout → linear output over the vocabulary."""

    def __init__(self, vocabulary_size: int, options: TextOptions) -> None:
        super().__init__(vocabulary_size, options)
        assert options.embedding is not None and options.dropout is not None  # by the plan
        self.dropout = options.dropout
        self.input_dropout = options.input_dropout
        self.locked = options.locked_dropout
        self.embedding = (
            nn.Embedding(vocabulary_size, options.embedding) if options.embedding else None
        )
        self.recurrent = recurrent(options, options.embedding or vocabulary_size)
        width = self.recurrent.output_size
        self.output = nn.Linear(width, vocabulary_size)
        if options.tie_weights:
            if self.embedding is None or options.embedding != width:
                raise UserError(
                    f"--tie-weights: the embedding ({options.embedding}) must be as wide as the "
                    f"last layer's output ({width}); give --embedding {width}"
                )
            # The output's scale suits both uses; the embedding's (normal, 1) would swamp softmax.
            self.embedding.weight = self.output.weight

    @property
    def networks(self) -> list[LanguageNetwork]:
        return [self]

    def each(self, tokens: Tensor, state: State | None = None) -> tuple[list[Tensor], State]:
        scores, after = self(tokens, state)
        return [scores], after

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        embedding = None if self.embedding is None else self.embedding.weight
        if self.training and self.input_dropout:
            x = self._drop(self._vectors(tokens, embedding), self.input_dropout)
            y, state = self.recurrent(x, state)  # y [T, B, D*H]
        else:
            y, state = self.recurrent(tokens, state, embedding=embedding)
        if self.windowed:
            y = _ends(y, self.both_ways)
        return self.output(self._drop(y, self.dropout)), state

    def _vectors(self, tokens: Tensor, embedding: Tensor | None) -> Tensor:
        if embedding is not None:
            return F.embedding(tokens, embedding)
        return F.one_hot(tokens, self.vocabulary_size).to(self.output.weight.dtype)

    def _drop(self, x: Tensor, p: float) -> Tensor:
        if self.locked and x.dim() == 3:
            return locked_dropout(x, p, training=self.training)
        return dropout(x, p, training=self.training)


class LanguageNetworks(LanguageModel):
    """Several networks, trained side by side on the same text: a token is as likely as it is on
    average to each. The state is that of the first network's layers, then that of the second's, and
    so on."""

    def __init__(self, vocabulary_size: int, options: TextOptions) -> None:
        super().__init__(vocabulary_size, options)
        alone = replace(options, mix_ngram=False)
        self.members = nn.ModuleList(
            LanguageNetwork(vocabulary_size, alone) for _ in range(options.members or 1)
        )

    @property
    def networks(self) -> list[LanguageNetwork]:
        return [member for member in self.members if isinstance(member, LanguageNetwork)]

    def each(self, tokens: Tensor, state: State | None = None) -> tuple[list[Tensor], State]:
        scores, after = [], []
        states = ensemble.states(state, len(self.members))
        for network, own in zip(self.networks, states, strict=True):
            told, end = network(tokens, own)
            scores.append(told)
            after += end
        return scores, after

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        each, after = self.each(tokens, state)
        return ensemble.together(each), after


def build(kept: Kept, options: TextOptions) -> LanguageModel:
    check_settled(options, "hidden_size", "embedding", "dropout", "weight_drop")
    several = (options.members or 1) > 1
    return (LanguageNetworks if several else LanguageNetwork)(vocabulary_of(kept).size, options)


def _ends(y: Tensor, both: bool) -> Tensor:
    """What the last layer knows once it has read everything: its last step, each way. [B, D*H]"""
    if not both:
        return y[-1]
    width = y.shape[-1] // 2
    return torch.cat([y[-1, :, :width], y[0, :, width:]], -1)
