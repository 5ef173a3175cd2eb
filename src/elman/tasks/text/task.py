"""The task `text`: learn a language model from text, and write."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from elman import cells, decode, metrics
from elman.data import batching, doctor, source
from elman.data.doctor import Page
from elman.data.tables.content import BadRows
from elman.data.texts.text import Corpus, TextReading, TokenFile, encode_corpus, encode_with
from elman.data.texts.vocabulary import Vocabulary, from_json
from elman.errors import UserError
from elman.options import make
from elman.tasks.rivals import Rival
from elman.tasks.task import Budget, Carry, Epoch, Plan, Scores, Task, Validation
from elman.tasks.text import memorisation, ngram, scoring
from elman.tasks.text.model import LanguageModel
from elman.tasks.text.options import TextOptions
from elman.tasks.text.plan import COUNTED, SCORED, make_plan
from elman.tasks.text.writer import Writer, stepper
from elman.wording import counted

LONGEST_PROMPT = 1_000  # tokens before a sample
COMPARED = 100_000_000  # tokens in which copies are sought: 3 s

Batch: TypeAlias = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class TextData:
    """A text as token ids: training in front of `cut`, validation from there on."""

    corpus: Corpus
    cut: int

    @property
    def vocabulary(self) -> Vocabulary:
        return self.corpus.vocabulary

    @property
    def tokens(self) -> int:
        return len(self.corpus.ids)


@final
class Text(Task[TextOptions, TextData, Batch]):
    """Predict the next token; every score is of text that the model has not been trained on."""

    name = "text"
    built_in = ("name:topics",)

    def read(self, data: Sequence[str], options: TextOptions, validation: float) -> TextData:
        corpus = encode_corpus(
            source.resolve(data),
            level=options.level,
            limit=options.vocabulary,
            lowercase=options.lowercase,
            strip_digits=options.strip_digits,
            reading=TextReading(encoding=options.encoding, column=options.column),
        )
        tokens = len(corpus.ids)
        cut = int(tokens * (1 - validation))
        if cut < 2:
            raise UserError(
                f"{corpus.sources[0].shown}: too little text: {counted(tokens, 'token')}, "
                f"of which {cut} for training; give at least 2"
            )
        if validation and tokens - cut < 2:
            raise UserError(
                f"{corpus.sources[0].shown}: too little text: {tokens} tokens leave "
                f"{tokens - cut} for validation; give more text, or --validation 0"
            )
        return TextData(corpus, cut)

    def unseen(
        self, data: Sequence[str], preprocessing: Mapping[str, Any], bad: BadRows
    ) -> TextData:
        corpus = encode_with(
            self._vocabulary(preprocessing),
            source.resolve(data),
            reading=_kept(preprocessing),
            bad=bad,
        )
        return TextData(corpus, 0)

    def preprocessing(self, dataset: TextData) -> dict[str, Any]:
        return {
            "vocabulary": dataset.vocabulary.to_json(),
            "reading": asdict(dataset.corpus.kept()),
            "sha256": dataset.corpus.sha256,
            "tokens": dataset.tokens,
            "cut": dataset.cut,
        }

    def examine(self, dataset: TextData) -> Page:
        corpus, vocabulary = dataset.corpus, dataset.vocabulary
        unit = "byte" if vocabulary.level == "bytes" else "character"
        more = len(corpus.sources) - 1
        shown = corpus.sources[0].shown + (f" and {more} more" if more else "")
        tokens = (
            "" if dataset.tokens == corpus.characters else f"{counted(dataset.tokens, 'token')}, "
        )
        headline = (
            f"{shown}: {counted(corpus.characters, unit)}, {tokens}"
            f"{counted(vocabulary.size, 'symbol')}; "
            f"the last {counted(dataset.tokens - dataset.cut, 'token')} for validation"
        )
        if vocabulary.level == "bytes":  # it may be no text
            return Page(headline, facts=corpus.facts())
        share = 1 - dataset.cut / dataset.tokens
        page = doctor.prose(headline, corpus.reading.text(corpus.sources), share)
        return replace(page, facts=(*corpus.facts(), *page.facts))

    def plan(self, dataset: TextData, options: TextOptions, budget: Budget) -> Plan[TextOptions]:
        for name in options.cell:
            cells.get(name)
        if options.windowed and options.sequence_length >= dataset.cut:
            raise UserError(
                f"--sequence-length {options.sequence_length}: the training part has only "
                f"{dataset.cut:,} tokens; give a value below that"
            )

        def speed(candidate: Plan[TextOptions]) -> float:
            return self._speed(dataset, candidate, budget.device)

        return make_plan(dataset.cut, dataset.vocabulary.size, options, budget, speed)

    def build(self, preprocessing: Mapping[str, Any], options: TextOptions) -> LanguageModel:
        for name in ("hidden_size", "embedding", "dropout", "weight_drop"):
            if getattr(options, name) is None:
                raise UserError(f"options.toml: damaged (no {name} in it)")
        return LanguageModel(self._vocabulary(preprocessing).size, options)

    def epoch(
        self, dataset: TextData, options: TextOptions, batch_size: int, seed: int, epoch: int
    ) -> Epoch[Batch]:
        ids, steps = dataset.corpus.ids, options.sequence_length
        draw = np.random.default_rng((seed, epoch))
        if options.windowed:
            order = int(draw.integers(2**62))
            return batching.Windows(ids, 0, dataset.cut, batch_size, steps, seed=order)
        batch_size, steps = batching.fit(dataset.cut, batch_size, steps)
        offset = int(draw.integers(steps)) if epoch else 0
        return batching.Streams(ids, 0, dataset.cut, batch_size, steps, offset=offset)

    def loss(
        self, model: nn.Module, batch: Batch, carry: Carry, device: str
    ) -> tuple[Tensor, int, Carry]:
        x, y = (part.to(device) for part in batch)
        scores, state = model(x, carry)
        total = F.cross_entropy(scores.flatten(0, -2), y.flatten(), reduction="sum")
        windowed = scores.dim() == 2
        after = None if windowed else [tuple(s.detach() for s in layer) for layer in state]
        return total, y.numel(), after

    def validate(
        self, model: nn.Module, dataset: TextData, options: TextOptions, device: str
    ) -> Validation:
        ids, (first, stop) = dataset.corpus.ids, scored(dataset, options)
        if options.windowed:
            loss = scoring.windowed(model, ids, first, stop, device, options.sequence_length)
        else:
            loss = scoring.carried(model, ids, first, stop, device)
        return Validation(loss, scores_of(dataset, loss.mean))

    def rivals(self, dataset: TextData, options: TextOptions, training: TextData) -> list[Rival]:
        first, stop = scored(dataset, options)
        result = ngram.baseline(
            training.corpus.ids,
            training.cut,
            dataset.corpus.ids,
            first,
            stop,
            dataset.vocabulary.size,
            highest_order=ngram.HIGHEST_ORDER[dataset.vocabulary.level],
            train_limit=options.counted or COUNTED,
            limit=stop - first,
        )
        return [Rival(str(result), scores_of(dataset, result.loss.mean))]

    def sample(
        self, model: nn.Module, dataset: TextData, options: TextOptions, length: int, seed: int,
        device: str,
    ) -> str:  # fmt: skip
        writer = Writer(stepper(model, options, device), dataset.vocabulary, model)
        ids = dataset.corpus.ids
        before = ids.read(dataset.cut, min(options.sequence_length, LONGEST_PROMPT))
        cursor = writer.start((before if len(before) else ids.read(0, 1)).tolist())
        pieces = writer.write(cursor, length, decode.Sampling(seed=seed))
        return "".join(piece for piece, _ in pieces)

    def remarks(
        self, model: nn.Module, dataset: TextData, options: TextOptions, device: str, sample: str,
        folder: Path,
    ) -> list[str]:  # fmt: skip
        ids = dataset.vocabulary.encode(sample)
        if len(ids) == 0:
            return []
        training = Start(dataset.corpus.ids, min(dataset.cut, COMPARED))
        whole = len(training) == dataset.cut
        where = "the training text" if whole else f"the first {COMPARED:,} tokens of the text"
        found = memorisation.memorisation(ids, training)
        copied = training.read(found.training_start, found.length)
        share = found.training_start / len(training)
        text = json.dumps(dataset.vocabulary.decode(copied.tolist()), ensure_ascii=False)
        return [
            f"Memorisation: the longest span that the last sample copies from {where} is "
            f"{counted(found.length, 'token')}, at token {found.training_start:,} "
            f"({share:.1%} of the way): `{text}`. {found.copied_share:.0%} of the sample stands in "
            f"copies of {found.span} tokens or more."
        ]

    def writer(
        self, model: nn.Module, preprocessing: Mapping[str, Any], options: TextOptions, device: str
    ) -> Writer:
        return Writer(stepper(model, options, device), self._vocabulary(preprocessing), model)

    @staticmethod
    def _vocabulary(preprocessing: Mapping[str, Any]) -> Vocabulary:
        vocabulary = preprocessing.get("vocabulary")
        if not isinstance(vocabulary, dict):
            raise UserError("preprocessing.json: damaged (no vocabulary in it)")
        return from_json(vocabulary)

    def _speed(self, dataset: TextData, plan: Plan[TextOptions], device: str) -> float:
        """Tokens trained in a second with this plan: the best of two steps after a first."""
        model = LanguageModel(dataset.vocabulary.size, plan.options).to(device).train()
        epoch = self.epoch(dataset, plan.options, plan.batch_size, 0, 0)
        best = 0.0
        for k in range(3):
            began = time.perf_counter()
            total, count, _ = self.loss(model, epoch[k % len(epoch)], None, device)
            torch.autograd.backward(total)
            if device != "cpu":
                torch.accelerator.synchronize()
            if k:
                best = max(best, count / (time.perf_counter() - began))
            model.zero_grad()
        return best


TASK = Text()


def _kept(preprocessing: Mapping[str, Any]) -> TextReading:
    return make(TextReading, preprocessing.get("reading", {}), where="preprocessing.json")


@dataclass(frozen=True)
class Start:
    """The first `limit` tokens of a text."""

    ids: TokenFile
    limit: int

    def __len__(self) -> int:
        return min(len(self.ids), self.limit)

    def read(self, start: int, count: int) -> NDArray[np.int64]:
        return self.ids.read(start, max(0, min(count, len(self) - start)))


def scored(dataset: TextData, options: TextOptions) -> tuple[int, int]:
    """The tokens of the validation part that are scored: those with enough text before them."""
    first = max(dataset.cut, options.sequence_length if options.windowed else 1)
    if dataset.cut == 0:  # not a training's validation part, but a text that the user asks about
        return first, dataset.tokens
    return first, min(dataset.tokens, first + (options.scored or SCORED))


def scores_of(dataset: TextData, nats: float) -> Scores:
    """Nats a token, perplexity, and bits a character, for comparing ways to cut a text.

    A token is taken for as many characters as it is on average in the whole text. Words leave
    whitespace and rare words unscored, so their bits are too low by what those would cost.
    """
    tokens_per_character = dataset.tokens / dataset.corpus.characters
    return {
        "nats": nats,
        "perplexity": metrics.perplexity(nats),
        "bits": metrics.bits(nats) * tokens_per_character,
    }
