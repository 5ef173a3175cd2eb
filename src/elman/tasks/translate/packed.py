"""A translator whose decoder's weights were packed once, to write in the extension."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from elman.kernels.writer import Limits, Linear, Reach, Writer
from elman.kernels.writer import Source as Read
from elman.layers import streaming
from elman.layers.precision import half_is_asked
from elman.search import Decoder, Hypothesis, Search, Step
from elman.tasks.translate.model import Source, Translator, Written

REACHES: dict[str, Reach] = {"first": "nothing", "each": "context", "attention": "attention"}


@dataclass(frozen=True)
class Packed(Decoder[Written]):
    """The decoder of a translator as it was when this was made; reference: `model`."""

    model: Translator
    writer: Writer

    def start(self, source: Source) -> Written:
        return self.model.start(source._replace(
            memory=source.memory.contiguous(), keys=source.keys.contiguous(),
            context=source.context.contiguous(),
        ))  # fmt: skip

    def step(self, tokens: Tensor, state: Written) -> Step[Written]:
        source, before, found, sentences = state
        made = self.writer.step(
            _read(source), tokens, sentences, _rows(before), found if self.model.fed else None
        )
        after = [tuple(s[None] for s in part) for part in made.state]
        read = found if made.read is None else made.read
        return Step(made.log_p, Written(source, after, read, sentences), made.shares)

    def select(self, state: Written, rows: Tensor) -> Written:
        return self.model.select(state, rows)

    def greedy(
        self, source: Source, end: int, how: Search, *, max_lengths: Sequence[int],
        forbidden_tokens: Collection[int], forbidden: Sequence[tuple[int, ...]],
        keep_attention: bool,
    ) -> list[list[Hypothesis]]:  # fmt: skip
        """What `search` finds with a beam of one, in one call."""
        most = torch.tensor(max_lengths, dtype=torch.int64)
        limits = Limits(
            end, end, most.clamp(max=how.min_length), most, how.no_repeat, forbidden_tokens,
            forbidden,
        )  # fmt: skip
        read = _read(self.start(source).source)._replace(state=_rows(source.state))
        found = []
        for one in self.writer.greedy(read, limits, keep_shares=keep_attention):
            n = len(one.tokens) + one.finished
            score = one.log_p / float(((5 + n) / 6) ** how.length_penalty)
            found.append(
                [Hypothesis(tuple(one.tokens), one.log_p, score, one.shares, one.finished)]
            )
        return found


def packed(model: Translator) -> Packed | str:
    """The model with packed weights, or why there is none, in a few words."""
    if reason := _why_not(model):
        return reason
    attention = model.attention
    query = v = None
    if attention is not None and attention.query is not None and attention.score is not None:
        query, v = _linear(attention.query), attention.score.weight.detach()[0].contiguous()
    writer = Writer(
        streaming.weights(model.decoder), model.target.weight.detach().contiguous(),
        _linear(model.readout), _linear(model.output), REACHES[model.how.context],
        memory_size=model.encoder.output_size, query=query, v=v, fed=bool(model.fed),
    )  # fmt: skip
    return Packed(model, writer)


def _why_not(model: Translator) -> str | None:
    parts = [*model.parameters()]
    if any(p.dtype != torch.float32 or not p.is_cpu for p in parts):
        return "the weights are not float32 on a CPU"
    if half_is_asked(parts[0]):
        return "products are to be in bf16"
    return streaming.why_not(model.decoder)


def _read(source: Source) -> Read:
    return Read(source.alive.sum(1), source.memory, source.keys, source.context, [])


def _rows(state: Sequence[tuple[Tensor, ...]]) -> list[tuple[Tensor, ...]]:
    """States [1, N, H] as [N, H]."""
    return [tuple(s[0].contiguous() for s in part) for part in state]


def _linear(layer: nn.Linear) -> Linear:
    bias = None if layer.bias is None else layer.bias.detach()
    return Linear(layer.weight.detach().contiguous(), bias)
