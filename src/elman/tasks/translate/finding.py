"""The best translations by one network, or by several that write together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor

from elman.search import Decoder, Hypothesis, Search, Step, search
from elman.tasks import ensemble
from elman.tasks.translate.model import Source, Translator, Written
from elman.tasks.translate.packed import Packed

S = TypeVar("S")
One: TypeAlias = Packed | Translator  # a network that writes


@dataclass(frozen=True)
class Together(Decoder[tuple[Written, ...]]):
    """Several networks: a token is as likely as it is on average to each of them, and attention is
    the average of theirs."""

    decoders: Sequence[One]

    def start(self, sources: Sequence[Source]) -> tuple[Written, ...]:
        """Before the first token, of the same sentences as each has encoded them."""
        pairs = zip(self.decoders, sources, strict=True)
        return tuple(decoder.start(source) for decoder, source in pairs)

    def step(self, tokens: Tensor, state: tuple[Written, ...]) -> Step[tuple[Written, ...]]:
        pairs = zip(self.decoders, state, strict=True)
        steps = [decoder.step(tokens, own) for decoder, own in pairs]
        looked = [step.attention for step in steps if step.attention is not None]
        return Step(
            ensemble.together([step.log_p for step in steps]),
            tuple(step.state for step in steps),
            torch.stack(looked).mean(0) if looked else None,
        )

    def select(self, state: tuple[Written, ...], rows: Tensor) -> tuple[Written, ...]:
        pairs = zip(self.decoders, state, strict=True)
        return tuple(decoder.select(own, rows) for decoder, own in pairs)


def write(
    decoders: Sequence[One], sources: Sequence[Source], end: int, how: Search, *,
    max_lengths: Sequence[int], forbidden_tokens: Collection[int] = (),
    required: Sequence[tuple[int, ...]] = (), forbidden: Sequence[tuple[int, ...]] = (),
    keep_attention: bool = False, streams: Sequence[int] = (), device: str = "cpu",
) -> list[list[Hypothesis]]:  # fmt: skip
    """Of each sentence the best translations, best first, as `search` finds them: in one call where
    it is greedy, of one network, and the weights are packed. `sources` are the same sentences as
    each network has encoded them."""
    first = decoders[0]
    alone = how.beam == 1 and how.temperature == 0 and not required and len(decoders) == 1
    if alone and isinstance(first, Packed):
        return first.greedy(
            sources[0], end, how, max_lengths=max_lengths, forbidden_tokens=forbidden_tokens,
            forbidden=forbidden, keep_attention=keep_attention,
        )  # fmt: skip
    count = len(max_lengths)

    def found(decoder: Decoder[S], state: S) -> list[list[Hypothesis]]:
        return search(
            decoder, state, count, end, end, how, max_lengths=max_lengths,
            forbidden_tokens=forbidden_tokens, required=[required] * count if required else (),
            forbidden=forbidden, keep_attention=keep_attention, streams=streams, device=device,
        )  # fmt: skip

    if len(decoders) == 1:
        return found(first, first.start(sources[0]))
    several = Together(decoders)
    return found(several, several.start(sources))
