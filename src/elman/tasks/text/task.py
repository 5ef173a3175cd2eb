"""The task `text`: learn a language model from text, and write."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman import cells, decode
from elman.data import batching, doctor, source
from elman.data.doctor import Page
from elman.data.tables.content import BadRows
from elman.data.texts.text import TextReading, encode_corpus, encode_with
from elman.data.texts.vocabulary import Vocabulary, from_json
from elman.errors import UserError
from elman.options import make
from elman.tasks.adapting import Adapting
from elman.tasks.rivals import Rival
from elman.tasks.task import Budget, Carry, Epoch, Plan, Scores, Task, Validation
from elman.tasks.text import dynamic, likeness, memorisation, mixing, scoring
from elman.tasks.text.data import Start, TextData, scored, scores_of
from elman.tasks.text.likeness import Likeness
from elman.tasks.text.mixing import Gate
from elman.tasks.text.model import LanguageModel
from elman.tasks.text.options import TextOptions
from elman.tasks.text.plan import make_plan
from elman.tasks.text.rivals import learn, rivals
from elman.tasks.text.scoring import Costs
from elman.tasks.text.writer import Writer, stepper
from elman.wording import counted

LONGEST_PROMPT = 1_000  # tokens before a sample
COMPARED = 100_000_000  # tokens in which copies are sought: 3 s

Batch: TypeAlias = tuple[Tensor, Tensor]


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
        first, stop = scored(dataset, options)
        blocks = self._costs(model, dataset, options, device)
        if not isinstance(model, LanguageModel) or model.ngram is None:
            found = scoring.summed(blocks, first, stop)
            return Validation(found.loss, scores_of(dataset, found.loss.mean), tally=found.tally)
        network, gate = scoring.in_order(blocks, first, stop), Gate()
        mixed, alone = mixing.together(
            gate, model.ngram, network, dataset.corpus.ids, first, stop
        )  # fmt: skip
        model.gate.copy_(torch.from_numpy(gate.seen))
        found = scoring.summed([network], first, stop)
        further = {"ngram_nats": float(alone.mean()), "mixture_nats": float(mixed.mean())}
        scores = scores_of(dataset, found.loss.mean) | further
        return Validation(found.loss, scores, tally=found.tally)

    def adapted(
        self, model: nn.Module, dataset: TextData, options: TextOptions, training: TextData,
        device: str, how: Adapting,
    ) -> Scores:  # fmt: skip
        if options.windowed:
            raise UserError("--dynamic: not for a model that reads both ways, window by window")
        ids, (first, stop) = dataset.corpus.ids, scored(dataset, options)
        sizes = dynamic.sizes(model, training.corpus.ids, training.cut, device)
        pace = dynamic.Pace(sizes, how.dynamic_rate)
        costs = scoring.in_order(
            dynamic.scored(model, ids, first, stop, device, pace), first, stop
        )  # fmt: skip
        found = {"dynamic_nats": float(costs.nats.mean())}
        if isinstance(model, LanguageModel) and model.ngram is not None:
            mixed, _ = mixing.together(Gate(), model.ngram, costs, ids, first, stop)
            found["dynamic_mixture_nats"] = float(mixed.mean())
        return found

    def keep(self, dataset: TextData, options: TextOptions, folder: Path) -> None:
        if options.mix_ngram and not (folder / mixing.FILE).exists():
            mixing.keep(learn(dataset, options).model, folder)

    def restore(self, model: nn.Module, options: TextOptions, folder: Path) -> None:
        if options.mix_ngram and isinstance(model, LanguageModel):
            model.ngram = mixing.kept(folder, model.vocabulary_size)

    def rivals(self, dataset: TextData, options: TextOptions, training: TextData) -> list[Rival]:
        return rivals(dataset, options, training)

    def sample(
        self, model: nn.Module, dataset: TextData, options: TextOptions, length: int, seed: int,
        device: str,
    ) -> str:  # fmt: skip
        writer = self._writer(model, dataset.vocabulary, options, device)
        ids = dataset.corpus.ids
        before = ids.read(dataset.cut, min(options.sequence_length, LONGEST_PROMPT))
        cursor = writer.start((before if len(before) else ids.read(0, 1)).tolist())
        pieces = writer.write(cursor, length, decode.Sampling(seed=seed))
        return "".join(piece for piece, _ in pieces)

    def remarks(
        self, model: nn.Module, dataset: TextData, options: TextOptions, device: str, sample: str,
        folder: Path,
    ) -> list[str]:  # fmt: skip
        return [
            *self._memorised(dataset, sample),
            *self._likeness(model, dataset, options, device),
            *_next(options, folder),
        ]

    def _memorised(self, dataset: TextData, sample: str) -> list[str]:
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

    def _likeness(
        self, model: nn.Module, dataset: TextData, options: TextOptions, device: str
    ) -> list[str]:
        """How like the held-out text it writes, from places spread over the training text."""
        if dataset.cut == dataset.tokens:
            return []
        writer, ids = self._writer(model, dataset.vocabulary, options, device), dataset.corpus.ids
        vocabulary = dataset.vocabulary
        length = likeness.LENGTH[vocabulary.level]

        def write(k: int) -> str:
            read = min(options.sequence_length, LONGEST_PROMPT, dataset.cut)
            place = (dataset.cut - read) * k // likeness.SAMPLES
            cursor = writer.start(ids.read(place, read).tolist())
            pieces = writer.write(cursor, length, decode.Sampling(seed=k))
            return "".join(piece for piece, _ in pieces)

        found = likeness.likeness(write, vocabulary, ids, dataset.cut, dataset.tokens)
        return [f"What it writes: {found}" if isinstance(found, Likeness) else found]

    def writer(
        self, model: nn.Module, preprocessing: Mapping[str, Any], options: TextOptions, device: str
    ) -> Writer:
        return self._writer(model, self._vocabulary(preprocessing), options, device)

    @staticmethod
    def _writer(
        model: nn.Module, vocabulary: Vocabulary, options: TextOptions, device: str
    ) -> Writer:
        return Writer(stepper(model, options, device), vocabulary, model)

    def _costs(
        self, model: nn.Module, dataset: TextData, options: TextOptions, device: str
    ) -> Iterator[Costs]:
        """What the scored tokens cost."""
        ids, (first, stop) = dataset.corpus.ids, scored(dataset, options)
        if options.windowed:
            return scoring.windowed(model, ids, first, stop, device, options.sequence_length)
        return scoring.carried(model, ids, first, stop, device)

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


def _next(options: TextOptions, folder: Path) -> list[str]:
    """What has not been tried yet, with its command."""
    lines, place = [], shlex.quote(str(folder))
    if not options.mix_ngram:
        config = shlex.quote(str(folder / "options.toml"))
        lines.append(
            "Network and n-gram model as one are mostly better than either: "
            f"`elman train text --config {config} --mix-ngram`."
        )
    if not options.windowed:
        lines.append(
            "A text that differs from the one trained on is foretold better by a model that goes "
            f"on learning from what it has read: `elman evaluate {place} DATA --dynamic`."
        )
    return lines


def _kept(preprocessing: Mapping[str, Any]) -> TextReading:
    return make(TextReading, preprocessing.get("reading", {}), where="preprocessing.json")
