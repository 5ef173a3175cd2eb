"""The task `text`: learn a language model from text, and write."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman import cells, decode, metrics
from elman.data import batching, source
from elman.data.text import Corpus, encode_corpus, encode_with
from elman.data.vocabulary import Vocabulary, from_json
from elman.errors import UserError
from elman.metrics import Loss
from elman.tasks.task import Budget, Carry, Epoch, Plan, Scores, Task
from elman.tasks.text import memorisation, ngram
from elman.tasks.text.model import LanguageModel, State
from elman.tasks.text.options import TextOptions
from elman.tasks.text.plan import make_plan

SCORED = 1_000_000  # at most so many tokens are scored
SCORED_WINDOWS = 20_000  # and so many windows of a model that reads both ways
SCORING_STREAMS, SCORING_STEPS, WARMUP = 16, 256, 256

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
    summary = "a language model that writes: characters, bytes, words or BPE"
    built_in = ("name:topics",)

    def read(self, data: Sequence[str], options: TextOptions, validation: float) -> TextData:
        corpus = encode_corpus(
            source.resolve(data),
            level=options.level,
            limit=options.vocabulary,
            lowercase=options.lowercase,
            strip_digits=options.strip_digits,
        )
        tokens = len(corpus.ids)
        cut = int(tokens * (1 - validation))
        if cut < 2:
            raise UserError(
                f"{corpus.sources[0].shown}: too little text: {tokens} token(s), of which {cut} "
                "for training; give at least 2"
            )
        if validation and tokens - cut < 2:
            raise UserError(
                f"{corpus.sources[0].shown}: too little text: {tokens} tokens leave "
                f"{tokens - cut} for validation; give more text, or --validation 0"
            )
        return TextData(corpus, cut)

    def unseen(self, data: Sequence[str], preprocessing: Mapping[str, Any]) -> TextData:
        return TextData(encode_with(self._vocabulary(preprocessing), source.resolve(data)), 0)

    def stored(self, dataset: TextData, data: Sequence[str]) -> tuple[list[str], dict[str, Path]]:
        stored, copies = [], {}
        for number, item in enumerate(data):
            spooled = [s for s in dataset.corpus.sources if s.digest and s.shown == item]
            if item == "-" or spooled:
                name = f"input-{number}.txt"
                copies[name] = next(s.path for s in dataset.corpus.sources if s.digest)
                stored.append(name)
            else:
                stored.append(item if item.startswith("name:") else str(Path(item).absolute()))
        return stored, copies

    def stem(self, data: Sequence[str]) -> str:
        first = data[0].removeprefix("name:")
        return "stdin" if first == "-" else Path(first).name.split(".")[0] or "text"

    def preprocessing(self, dataset: TextData) -> dict[str, Any]:
        return {
            "vocabulary": dataset.vocabulary.to_json(),
            "sha256": dataset.corpus.sha256,
            "tokens": dataset.tokens,
            "cut": dataset.cut,
        }

    def describe(self, dataset: TextData) -> str:
        corpus, vocabulary = dataset.corpus, dataset.vocabulary
        unit = "bytes" if vocabulary.level == "bytes" else "characters"
        more = len(corpus.sources) - 1
        shown = corpus.sources[0].shown + (f" and {more} more" if more else "")
        tokens = "" if dataset.tokens == corpus.characters else f"{dataset.tokens:,} tokens, "
        return (
            f"{shown}: {corpus.characters:,} {unit}, {tokens}{vocabulary.size:,} symbols; "
            f"the last {dataset.tokens - dataset.cut:,} tokens for validation"
        )

    def plan(self, dataset: TextData, options: TextOptions, budget: Budget) -> Plan[TextOptions]:
        for name in options.cell:
            cells.get(name)
        if options.windowed and options.sequence_length >= dataset.cut:
            raise UserError(
                f"--sequence-length {options.sequence_length}: the training part has only "
                f"{dataset.cut:,} tokens; give a value below that"
            )

        def speed(candidate: Plan[TextOptions]) -> float:
            return self._speed(dataset, candidate)

        return make_plan(dataset.cut, dataset.vocabulary.size, options, budget, speed)

    def build(self, preprocessing: Mapping[str, Any], options: TextOptions) -> LanguageModel:
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

    @torch.no_grad()
    def validate(
        self, model: nn.Module, dataset: TextData, options: TextOptions, device: str
    ) -> Loss:
        ids, start = dataset.corpus.ids, dataset.cut
        loss = Loss(0.0, 0)
        if options.windowed:
            # The first tokens of a text have no full window before them and are left out.
            steps = options.sequence_length
            first = max(0, start - steps)
            stop = min(dataset.tokens, first + steps + scored_tokens(dataset, options))
            for x, y in batching.Windows(ids, first, stop, 256, steps, seed=None):
                scores, _ = model(x.to(device))
                total = F.cross_entropy(scores, y.to(device), reduction="sum")
                loss += Loss(total.item(), y.numel())
            return loss
        # Token `start` is scored too where something precedes it.
        begin = max(0, start - 1)
        stop = min(dataset.tokens, begin + 1 + scored_tokens(dataset, options))
        streams = batching.Scoring(ids, begin, stop, SCORING_STREAMS, SCORING_STEPS, warmup=WARMUP)
        state: State | None = None
        for x, y, scored in streams:
            scores, state = model(x.to(device), state)
            each = F.cross_entropy(scores.flatten(0, 1), y.to(device).flatten(), reduction="none")
            kept = each[scored.to(device).flatten()]
            loss += Loss(kept.double().sum().item(), kept.numel())
        return loss

    def scores(self, dataset: TextData, loss: Loss) -> Scores:
        return scores_of(dataset, loss.mean)

    def baseline(
        self, dataset: TextData, options: TextOptions, training: TextData | None = None
    ) -> tuple[str, Scores]:
        train = training or dataset
        begin = max(0, dataset.cut - 1)  # the very first token of a text is not scored
        result = ngram.baseline(
            train.corpus.ids,
            train.cut,
            dataset.corpus.ids,
            begin + 1,
            begin + 1 + scored_tokens(dataset, options),
            dataset.vocabulary.size,
            highest_order=ngram.HIGHEST_ORDER[dataset.vocabulary.level],
        )
        return str(result), scores_of(dataset, result.loss.mean)

    def sample(
        self, model: nn.Module, dataset: TextData, options: TextOptions, length: int, seed: int,
        device: str,
    ) -> str:  # fmt: skip
        writer = Writer(stepper(model, options, device), dataset.vocabulary)
        begin = dataset.corpus.ids.read(dataset.cut, options.sequence_length)[: 1 << 10]
        if len(begin) == 0:
            begin = dataset.corpus.ids.read(0, 1)
        cursor = decode.start(writer.step, None, begin.tolist())
        return "".join(
            piece for piece, _ in writer.write(cursor, length, decode.Sampling(seed=seed))
        )

    def remarks(self, dataset: TextData, sample: str) -> list[str]:
        ids = dataset.vocabulary.encode(sample)
        training = dataset.corpus.ids
        if len(ids) == 0:
            return []
        found = memorisation.memorisation(ids, training)
        copied = training.read(found.training_start, found.length)
        share = found.training_start / len(training)
        text = json.dumps(dataset.vocabulary.decode(copied.tolist()), ensure_ascii=False)
        return [
            f"Memorisation: the longest span that the last sample copies from the text is "
            f"{found.length:,} tokens, at token {found.training_start:,} ({share:.1%} of the way): "
            f"`{text}`. {found.copied_share:.0%} of the sample stands in copies of {found.span} "
            "tokens or more."
        ]

    def writer(
        self, model: nn.Module, preprocessing: Mapping[str, Any], options: TextOptions, device: str
    ) -> Writer:
        return Writer(stepper(model, options, device), self._vocabulary(preprocessing))

    @staticmethod
    def _vocabulary(preprocessing: Mapping[str, Any]) -> Vocabulary:
        vocabulary = preprocessing.get("vocabulary")
        if not isinstance(vocabulary, dict):
            raise UserError("preprocessing.json: damaged (no vocabulary in it)")
        return from_json(vocabulary)

    def _speed(self, dataset: TextData, plan: Plan[TextOptions]) -> float:
        """Tokens trained in a second with this plan: the best of two steps, after one to warm up."""
        model = LanguageModel(dataset.vocabulary.size, plan.options).train()
        epoch = self.epoch(dataset, plan.options, plan.batch_size, 0, 0)
        best = 0.0
        for k in range(3):
            began = time.perf_counter()
            total, count, _ = self.loss(model, epoch[k % len(epoch)], None, "cpu")
            total.backward()
            if k:
                best = max(best, count / (time.perf_counter() - began))
            model.zero_grad()
        return best


TASK = Text()


@dataclass(frozen=True)
class Writer:
    """A language model that writes: text in and out, `decode` in between."""

    step: decode.Step[Any]
    vocabulary: Vocabulary

    def read(
        self, prompt: str, after: decode.Cursor[Any] | None = None
    ) -> decode.Cursor[Any]:
        """The place after `prompt`, going on from `after`. Unknown symbols are read as `<unk>`.

        Without a prompt and a place to go on from, the text begins as after a line break, or,
        where the model has never seen one, after its most frequent symbol.
        """
        ids = self.vocabulary.encode(prompt).tolist()
        if after is not None:
            return decode.advance(self.step, after, ids) if ids else after
        if not ids:
            covered = not self.vocabulary.covers("\n")
            ids = (self.vocabulary.encode("\n").tolist() if covered else []) or [1]
        return decode.start(self.step, None, ids)

    def write(
        self, cursor: decode.Cursor[Any], length: int, sampling: decode.Sampling, prompt: str = ""
    ) -> Iterator[tuple[str, decode.Cursor[Any]]]:
        """`length` tokens as text, piece by piece as they are made, each with the place after it.

        `prompt` is what the text follows, for the space before its first word.
        """
        decoder = self.vocabulary.decoder()
        for token in self.vocabulary.encode(prompt).tolist():
            decoder.push(token)
        unknown = self.vocabulary.unknown
        forbidden = () if unknown is None else (unknown,)
        for token, cursor in decode.generate(self.step, cursor, length, sampling, forbidden):
            yield decoder.push(token), cursor
        yield decoder.flush(), cursor


def scored_tokens(dataset: TextData, options: TextOptions) -> int:
    """How many tokens of the validation part are scored, at most."""
    return min(dataset.tokens - dataset.cut, SCORED_WINDOWS if options.windowed else SCORED)


def scores_of(dataset: TextData, nats: float) -> Scores:
    """Nats a token, perplexity, and bits a character: comparable between all ways to cut a text."""
    tokens_per_character = dataset.tokens / dataset.corpus.characters
    return {
        "nats": nats,
        "perplexity": metrics.perplexity(nats),
        "bits": metrics.bits(nats) * tokens_per_character,
    }


def stepper(
    model: nn.Module, options: TextOptions, device: str
) -> decode.Step[Any]:
    """A `decode.Step` over a language model.

    Its state is the recurrent state; of a model that reads both ways, the last window of tokens.
    """

    @torch.no_grad()
    def carried(ids: Tensor, state: State | None) -> tuple[Tensor, State]:
        scores, state = model(ids.to(device)[:, None], state)
        return scores[-1, 0], state

    @torch.no_grad()
    def windowed(ids: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        seen = ids if state is None else torch.cat([state, ids])
        seen = seen[-options.sequence_length :]
        scores, _ = model(seen.to(device)[:, None])
        return scores[0], seen

    return windowed if options.windowed else carried

