"""Greedy writing in one call of the extension, with weights that were packed once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from elman.kernels.writer import Limits, Linear, Reach, Writer
from elman.kernels.writer import Source as Read
from elman.layers import streaming
from elman.layers.precision import half_is_asked
from elman.search import Hypothesis, Search
from elman.tasks.translate.model import Source, Translator

REACHES: dict[str, Reach] = {"first": "nothing", "each": "context", "attention": "attention"}


class Greedy(NamedTuple):
    """A translator as it was when this was made; reference: `search` with a beam of one."""

    writer: Writer
    length_penalty: float
    no_repeat: int
    min_length: int

    def __call__(
        self, source: Source, lengths: Tensor, start: int, end: int, *,
        max_lengths: Sequence[int], forbidden_tokens: Collection[int] = (),
        forbidden: Sequence[tuple[int, ...]] = (), keep_attention: bool = False,
    ) -> list[list[Hypothesis]]:  # fmt: skip
        """What `search` gives for a source that was encoded from tokens of these lengths [B]."""
        most = torch.tensor(max_lengths, dtype=torch.int64)
        state = [tuple(s[0].contiguous() for s in part) for part in source.state]
        read = Read(lengths, source.memory.contiguous(), source.keys.contiguous(),
                    source.context.contiguous(), state)  # fmt: skip
        limits = Limits(start, end, most.clamp(max=self.min_length), most, self.no_repeat,
                        forbidden_tokens, forbidden)  # fmt: skip
        found = self.writer.greedy(read, limits, keep_shares=keep_attention)
        return [
            [Hypothesis(tuple(one.tokens), one.log_p, self._score(one.log_p, n), one.shares,
                        one.finished)]
            for one in found
            for n in [len(one.tokens) + one.finished]
        ]  # fmt: skip

    def _score(self, log_p: float, n: int) -> float:
        return log_p / float(((5 + n) / 6) ** self.length_penalty)


def greedy(model: Translator, how: Search) -> Greedy | str:
    """The writer for this way to search, or why there is none, in a few words."""
    if reason := _why_not(model, how):
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
    return Greedy(writer, how.length_penalty, how.no_repeat, how.min_length)


def _why_not(model: Translator, how: Search) -> str | None:
    if how.temperature > 0:
        return "what is drawn is drawn in Python"
    if how.beam > 1:
        return "a beam is searched in Python"
    parts = [*model.parameters()]
    if any(p.dtype != torch.float32 or not p.is_cpu for p in parts):
        return "the weights are not float32 on a CPU"
    if half_is_asked(parts[0]):
        return "products are to be in bf16"
    return streaming.why_not(model.decoder)


def _linear(layer: nn.Linear) -> Linear:
    bias = None if layer.bias is None else layer.bias.detach()
    return Linear(layer.weight.detach().contiguous(), bias)
