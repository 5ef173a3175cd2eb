"""A language model with packed weights, which writes many tokens in one call of C++.

`decode.generate` is the reference: the same tokens, but where rounding decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import TypeAlias

from torch import Tensor, nn

from elman import decode
from elman.decode import Cursor, Sampling
from elman.errors import UserError
from elman.kernels.stream import Stream
from elman.layers import streaming
from elman.tasks.ensemble import together
from elman.tasks.task import State
from elman.tasks.text.model import LanguageModel, LanguageNetwork, LanguageNetworks

Writing: TypeAlias = Callable[
    [Cursor[State], int, Sampling, Collection[int]], Iterator[tuple[int, Cursor[State]]]
]
MOST_TOKENS = 64  # of one call, between which Ctrl-C is heard
MIXED = "it is mixed with an n-gram model"
SHORT, LONG = 0.05, 0.2  # seconds of one call: below it may grow, above it shrinks


def stream(model: nn.Module | None, weights: decode.Weights) -> Stream | str:
    """The model as its weights are now, which it copies; or why it cannot be streamed.

    UserError: `weights` cannot hold them.
    """
    if not isinstance(model, LanguageModel):
        return "it is not Elman's language model"
    if model.ngram is not None:
        return MIXED
    if not isinstance(model, LanguageNetwork):
        return "it is several networks"
    why = streaming.why_not(model.recurrent)
    if why is None and model.windowed:
        why = "it reads each window anew"
    if why is not None:
        return why
    embedding, output = model.embedding, model.output
    try:
        return Stream(
            streaming.weights(model.recurrent),
            tokens=model.vocabulary_size if embedding is None else _plain(embedding.weight),
            output=(_plain(output.weight), _plain(output.bias)),
            storage=weights,
        )
    except ValueError as error:
        raise UserError(f"--weights {weights}: {error}") from error


def writing(model: nn.Module | None, weights: decode.Weights) -> Writing | str:
    """What writes as `decode.generate` does, by streams of the model or of each of its networks; or
    why it cannot be streamed. UserError: `weights` cannot hold them."""
    if isinstance(model, LanguageNetworks):
        step = stepper(model, weights)
        return step if isinstance(step, str) else partial(decode.generate, step)
    packed = stream(model, weights)
    return packed if isinstance(packed, str) else partial(generate, packed)


def stepper(model: nn.Module | None, weights: decode.Weights) -> decode.Step[State] | str:
    """A `decode.Step` of several networks, by a stream of each, from a state on that is there; or
    why there is none."""
    if not isinstance(model, LanguageNetworks):
        return "it is one network"
    if model.ngram is not None:
        return MIXED
    streams = []
    for network in model.networks:
        packed = stream(network, weights)
        if isinstance(packed, str):
            return packed
        streams.append(packed)
    return partial(_step, streams)


def _step(streams: Sequence[Stream], ids: Tensor, state: State) -> tuple[Tensor, State]:
    layers = len(state) // len(streams)
    scores, after = [], State()
    for k, each in enumerate(streams):
        own = [tuple(s[0].contiguous() for s in layer) for layer in state[k * layers :][:layers]]
        told, ends = each.read(ids, own)
        scores.append(told[-1])
        after += [tuple(s[None] for s in layer) for layer in ends]  # [D = 1, B = 1, H]
    return together(scores), after


def _plain(parameter: Tensor) -> Tensor:
    return parameter.detach().contiguous()


def generate(
    model: Stream,
    cursor: Cursor[State],
    length: int,
    sampling: Sampling,
    forbidden: Collection[int] = (),
) -> Iterator[tuple[int, Cursor[State]]]:
    """As `decode.generate`, some tokens at a time: the first alone, so that it is there at once."""
    seed, count = decode.seed_of(sampling), 1
    while length > 0:
        began = time.perf_counter()
        made = model.generate(
            min(count, length),
            cursor.logits.contiguous(),
            [tuple(s[0].contiguous() for s in layer) for layer in cursor.state],
            cursor.position,
            seed=seed,
            seen=cursor.seen,
            forbidden=forbidden,
            temperature=sampling.temperature,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            repetition_penalty=sampling.repetition_penalty,
        )
        seconds = time.perf_counter() - began
        # Row by row, as a cursor holds them: each state [D = 1, B = 1, H].
        rows = [[s[:, None, None].unbind() for s in layer] for layer in made.states]
        for t, (token, logits) in enumerate(zip(made.tokens, made.logits.unbind(), strict=True)):
            state = [tuple(s[t] for s in layer) for layer in rows]
            cursor = decode.moved(cursor, [token], logits, state)
            yield token, cursor
        if made.error is not None:
            raise made.error
        length -= len(made.tokens)
        if seconds < SHORT:
            count = min(2 * count, MOST_TOKENS)
        elif seconds > LONG:
            count = max(count // 2, 1)
