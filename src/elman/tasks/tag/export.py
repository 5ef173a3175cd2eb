"""What leaves of a tagger, which gives each token of a sentence its label.

    labels     by their numbers
    words      the vocabulary of tokens: a token, in lower case where it says so, is looked up whole
    letters    the vocabulary of letters, None where letters are not read
    spelt      letters read of a token; of a longer one as many of its beginning as of its end
    longest    tokens of a sentence; a longer one is read in parts of so many
    reading    where tokens stand in the tables that it was trained on

Program `spelling`: `letters` [B, T] of different tokens, `lengths` → `spelt` [B, C] of each, what
several networks see of it one after the other.
Program `tagger`: `tokens` [B, T], `spelt` [B, T, C] of each, `lengths` → `scores` [B, T, L] of the
labels; the greatest is the answer. What stands at padding is to be left out.

Question: a list of tokens; answer: a list of their labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from elman.data.tags.sentence import Sentence
from elman.export.building import Builder
from elman.export.program import Array, Arrays, Export, Program, Raw, Runner
from elman.tasks import leaving
from elman.tasks.ensemble import together
from elman.tasks.tag import answering
from elman.tasks.tag.data import LETTERS, Encoder
from elman.tasks.tag.model import Tagger, Taggers
from elman.tasks.tag.options import TagOptions
from elman.tasks.tag.reading import settled
from elman.tasks.task import Kept


def export(model: nn.Module, kept: Kept, options: TagOptions) -> Export:
    assert isinstance(model, Tagger | Taggers)
    own = model.members if isinstance(model, Taggers) else [model]
    networks = [network for network in own if isinstance(network, Tagger)]
    spelt = networks[0].spelling is not None
    labels, encoder, roles = settled(kept)
    surroundings = {
        "labels": list(labels),
        "words": encoder.words.to_json(),
        "letters": encoder.letters.to_json() if spelt else None,
        "spelt": LETTERS,
        "longest": encoder.longest,
        "reading": asdict(roles),
    }
    programs: dict[str, Program] = {}
    originals: dict[str, Runner] = {}
    if spelt:
        programs["spelling"] = spelling(Builder(model), networks)
        originals["spelling"] = Spelling(networks)
    programs["tagger"] = tagger(Builder(model), networks)
    originals["tagger"] = Tagging(networks)
    raw = Raw(partial(drawn, encoder), partial(answered, model, encoder, labels))
    return Export("tag", programs, surroundings, originals, raw)


def drawn(encoder: Encoder, draw: np.random.Generator, count: int) -> list[Any]:
    """Sentences of known tokens, and of others; one is as long as it may be, and longer."""
    known = encoder.words.symbols
    strange = ["Zürich-2", "x" * 40, "苹果", "e\u0301t\u00e9", "ΟΔΥΣΣΕΥΣ", "don't"]
    lengths = [min(encoder.longest, 300) + 7, *(int(n) for n in draw.integers(1, 30, count))]
    return [
        [str(draw.choice(strange if draw.random() < 0.3 else known)) for _ in range(n)]
        for n in lengths[:count]
    ]


def answered(
    model: nn.Module, encoder: Encoder, labels: Sequence[str], questions: Sequence[Any]
) -> list[Any]:
    parts = encoder.cut([Sentence("", list(tokens), []) for tokens in questions])
    encoded = encoder.encode([part.tokens for part in parts])
    answers = answering.answered(model, encoded, range(len(parts)), "cpu")
    said = (labels[k] for answer in answers for k in answer.best)
    return [[next(said) for _ in tokens] for tokens in questions]


def spelling(build: Builder, networks: Sequence[Tagger]) -> Program:
    """What all networks see of a token's letters, one after the other."""
    assert networks[0].spelling is not None
    letters = build.ids("letters", ("B", "T"), networks[0].spelling.symbols)
    lengths, ends = build.lengths(), []
    for network in networks:
        assert network.spelling is not None
        y = leaving.read(build, network.spelling, letters, lengths)
        ends.append(leaving.pooled(build, network.ends, y, lengths))
    return build.done(build.named(build.concat(*ends), "spelt"))


def tagger(build: Builder, networks: Sequence[Tagger]) -> Program:
    tokens = build.ids("tokens", ("B", "T"), networks[0].embedding.num_embeddings)
    first, width = networks[0].spelling, 0
    spelt = ""
    if first is not None:
        width = first.output_size
        spelt = build.numbers("spelt", "B", "T", len(networks) * width)
    lengths, each = build.lengths(), []
    for k, network in enumerate(networks):
        x = build.lookup(tokens, network.embedding.weight)
        if spelt:
            own = build.slice(spelt, k * width, (k + 1) * width) if len(networks) > 1 else spelt
            x = build.concat(x, own)
        each.append(build.linear(leaving.read(build, network.reader, x, lengths), network.output))
    return build.done(build.named(leaving.together(build, each), "scores"))


@dataclass(frozen=True)
class Spelling:
    """The layers over letters, as a `Runner`."""

    networks: Sequence[Tagger]

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        letters, lengths = (torch.from_numpy(inputs[name]) for name in ("letters", "lengths"))
        ends = []
        for network in self.networks:
            assert network.spelling is not None
            ends.append(network.ends(*network.spelling(letters, lengths)))
        return {"spelt": torch.cat(ends, -1).numpy()}, {}


@dataclass(frozen=True)
class Tagging:
    """What reads the sentence, as a `Runner`."""

    networks: Sequence[Tagger]

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        tokens, lengths = (torch.from_numpy(inputs[name]) for name in ("tokens", "lengths"))
        each = []
        spelt = [torch.zeros(*tokens.shape, 0)] * len(self.networks)
        if "spelt" in inputs:
            spelt = list(torch.from_numpy(inputs["spelt"]).chunk(len(self.networks), -1))
        for network, own in zip(self.networks, spelt, strict=True):
            x = torch.cat([F.embedding(tokens, network.embedding.weight), own], -1)
            each.append(network.output(network.reader(x, lengths)[0]))
        return {"scores": (together(each) if len(each) > 1 else each[0]).numpy()}, {}
