"""What leaves of a tagger, which gives each token of a sentence its label.

    labels     by their numbers
    words      the vocabulary of tokens: a token, in lower case where it says so, is looked up whole
    letters    the vocabulary of letters, None where letters are not read
    spelt      letters read of a token; of a longer one as many of its beginning as of its end
    longest    tokens of a sentence; a longer one is read in parts of so many
    reading    where tokens stand in the tables that it was trained on

Program `spelling`: `letters` [B, T] of different tokens, `lengths` → `spelt` [B, C] of each.
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
from elman.tasks.tag import answering
from elman.tasks.tag.data import LETTERS, Encoder
from elman.tasks.tag.model import Tagger
from elman.tasks.tag.options import TagOptions
from elman.tasks.tag.reading import settled
from elman.tasks.task import Kept


def export(model: nn.Module, kept: Kept, options: TagOptions) -> Export:
    assert isinstance(model, Tagger)
    labels, encoder, roles = settled(kept)
    surroundings = {
        "labels": list(labels),
        "words": encoder.words.to_json(),
        "letters": None if model.spelling is None else encoder.letters.to_json(),
        "spelt": LETTERS,
        "longest": encoder.longest,
        "reading": asdict(roles),
    }
    programs: dict[str, Program] = {}
    originals: dict[str, Runner] = {}
    if model.spelling is not None:
        programs["spelling"], originals["spelling"] = spelling(model), Spelling(model)
    programs["tagger"], originals["tagger"] = tagger(model), Tagging(model)
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
    model: Tagger, encoder: Encoder, labels: Sequence[str], questions: Sequence[Any]
) -> list[Any]:
    parts = encoder.cut([Sentence("", list(tokens), []) for tokens in questions])
    encoded = encoder.encode([part.tokens for part in parts])
    answers = answering.answered(model, encoded, range(len(parts)), "cpu")
    said = (labels[k] for answer in answers for k in answer.best)
    return [[next(said) for _ in tokens] for tokens in questions]


def spelling(model: Tagger) -> Program:
    assert model.spelling is not None
    build, reader = Builder(model), model.spelling
    letters = build.ids("letters", ("B", "T"), reader.symbols)
    lengths = build.lengths()
    y = leaving.read(build, reader, letters, lengths)
    return build.done(build.named(leaving.pooled(build, model.ends, y, lengths), "spelt"))


def tagger(model: Tagger) -> Program:
    build = Builder(model)
    tokens = build.ids("tokens", ("B", "T"), model.embedding.num_embeddings)
    x = build.lookup(tokens, model.embedding.weight)
    if model.spelling is not None:
        x = build.concat(x, build.numbers("spelt", "B", "T", model.spelling.output_size))
    y = leaving.read(build, model.reader, x, build.lengths())
    return build.done(build.linear(y, model.output, "scores"))


@dataclass(frozen=True)
class Spelling:
    """The layer over letters, as a `Runner`."""

    model: Tagger

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        assert self.model.spelling is not None
        letters, lengths = (torch.from_numpy(inputs[name]) for name in ("letters", "lengths"))
        return {"spelt": self.model.ends(*self.model.spelling(letters, lengths)).numpy()}, {}


@dataclass(frozen=True)
class Tagging:
    """What reads the sentence, as a `Runner`."""

    model: Tagger

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        x = F.embedding(torch.from_numpy(inputs["tokens"]), self.model.embedding.weight)
        if self.model.spelling is not None:
            x = torch.cat([x, torch.from_numpy(inputs["spelt"])], -1)
        y, _ = self.model.reader(x, torch.from_numpy(inputs["lengths"]))
        return {"scores": self.model.output(y).numpy()}, {}
