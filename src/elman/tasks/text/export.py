"""What leaves of a language model, which writes.

    vocabulary  of its level: symbols, or bytes, or what `tokenizers` writes
    begin       ids that are read where there is no prompt; they are no part of the text
    forbidden   ids that are never written
    window      None, or how many of the newest tokens a model that reads both ways is given

One program `model`: `tokens` [B, T] → `scores` [B, T, V] of the next token at each step; of a model
with a window [B, V]. From scores a token is chosen as `elman.decode` does: see `distribution`,
`choose` and `uniform` there.

Question: {"prompt", "length", "temperature", "top_k", "top_p", "repetition_penalty", "seed"};
answer: the text that is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from elman.data.texts.vocabulary import Vocabulary
from elman.decode import Sampling
from elman.errors import UserError
from elman.export.building import Builder
from elman.export.program import Array, Arrays, Export, Program, Raw
from elman.options import make
from elman.tasks import leaving
from elman.tasks.task import Kept
from elman.tasks.text.model import LanguageModel, LanguageNetwork
from elman.tasks.text.options import TextOptions
from elman.tasks.text.reading import vocabulary_of
from elman.tasks.text.writing.writer import beginning, writer_of


def export(model: nn.Module, kept: Kept, options: TextOptions) -> Export:
    """UserError: a mixture with an n-gram model."""
    assert isinstance(model, LanguageModel)
    if model.ngram is not None:
        raise UserError(
            "--mix-ngram: the counts of an n-gram model cannot leave; "
            "train without it, or give the run folder itself"
        )
    vocabulary = vocabulary_of(kept)
    surroundings = {
        "vocabulary": vocabulary.to_json(),
        "begin": beginning(vocabulary),
        "forbidden": [] if vocabulary.unknown is None else [vocabulary.unknown],
        "window": options.sequence_length if options.windowed else None,
    }
    return Export(
        "text", {"model": program(model)}, surroundings, {"model": Original(model)},
        Raw(partial(drawn, vocabulary), partial(answered, model, vocabulary, options)),
    )  # fmt: skip


def program(model: LanguageModel) -> Program:
    """`tokens` [B, T] → `scores` [B, T, V], with states; of a windowed model [B, V]."""
    build = Builder(model)
    tokens = build.ids("tokens", ("B", "T"), model.vocabulary_size)
    networks = model.networks
    each = [
        _scores(build, network, tokens, leaving.prefix(k, len(networks)))
        for k, network in enumerate(networks)
    ]
    return build.done(build.named(leaving.together(build, each), "scores"))


def _scores(build: Builder, network: LanguageNetwork, tokens: str, prefix: str) -> str:
    if network.embedding is None:
        x = build.one_hot(tokens, network.vocabulary_size)
    else:
        x = build.lookup(tokens, network.embedding.weight)
    y, _ = build.stack(network.recurrent, x, carried=not network.windowed, prefix=prefix)
    if network.windowed:
        y = leaving.ends(build, y, None, both_ways=network.both_ways)
    return build.linear(y, network.output)


def drawn(vocabulary: Vocabulary, draw: np.random.Generator, count: int) -> list[Any]:
    """Prompts of known symbols and of others, the first one empty."""
    prompts = [vocabulary.decode(draw.integers(0, vocabulary.size, 12)) for _ in range(count)]
    strange = ["", "The 3 çats didn't\n sleep.", "我喜欢苹果 🍎 and\u200b 12"]
    return [
        {"prompt": prompt, "length": 20, "temperature": float(draw.integers(3)) / 2, "top_k": 5 * k,
         "top_p": 0.9, "repetition_penalty": 1.2, "seed": k}
        for k, prompt in enumerate([*strange, *prompts][:count])
    ]  # fmt: skip


def answered(
    model: LanguageModel, vocabulary: Vocabulary, options: TextOptions, questions: Sequence[Any]
) -> list[Any]:
    write = writer_of(model, vocabulary, options, "cpu")
    answers = []
    for question in questions:
        asked = dict(question)
        prompt, length = asked.pop("prompt"), asked.pop("length")
        pieces = write.write(write.read(prompt), length, make(Sampling, asked))
        answers.append("".join(piece for piece, _ in pieces))
    return answers


@dataclass(frozen=True)
class Original:
    """The model itself, as a `Runner`."""

    model: LanguageModel

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        tokens = torch.from_numpy(inputs["tokens"]).T
        stacks = [network.recurrent for network in self.model.networks]
        before = None if states is None else leaving.stacked(stacks, states)
        scores, after = self.model(tokens, before)
        if self.model.windowed:
            return {"scores": scores.numpy()}, {}
        return {"scores": scores.transpose(0, 1).numpy()}, leaving.unstacked(stacks, after)
