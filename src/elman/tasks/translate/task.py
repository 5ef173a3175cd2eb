"""The task `translate`: read N symbols, write M."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO, final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman import metrics
from elman.data import doctor, pairs
from elman.data.batching import Buckets
from elman.data.doctor import Page
from elman.data.pairs import PairRoles, Pairs
from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.errors import UserError
from elman.metrics import Loss
from elman.options import part
from elman.tasks import naming
from elman.tasks.decoding import Decoding
from elman.tasks.rivals import Rival
from elman.tasks.task import Budget, Carry, Epoch, Plan, Task, Validation
from elman.tasks.translate import predict
from elman.tasks.translate.data import (
    Batch,
    Batches,
    Paired,
    batch,
    encode,
    make_encoder,
    settled,
)
from elman.tasks.translate.model import Translator
from elman.tasks.translate.options import TranslateOptions
from elman.tasks.translate.plan import plan
from elman.tasks.translate.remarks import remarks
from elman.tasks.translate.rivals import rivals
from elman.tasks.translate.scores import scored, signatures
from elman.tasks.translate.shortlist import Among, cross_entropy
from elman.tasks.translate.writing import Translating, Translation
from elman.wording import counted

SCORED = 64  # pairs at once, where none is trained on
MOST_HELD = 1_500  # pairs kept for validation, so that large data is not scored for minutes
SHOWN = 5  # sentences of a sample

GREEDY = Decoding(beam=1)


@final
@dataclass(frozen=True)
class Translate(Task[TranslateOptions, Paired, Batch]):
    """Pairs that share a side are on one side of the split. Validated by `decoding`, greedily
    while training."""

    name = "translate"
    built_in = ("name:numbers",)
    decoding: Decoding = GREEDY

    def decoded(self, how: Decoding) -> Translate:
        return Translate(how)

    def read(self, data: Sequence[str], options: TranslateOptions, validation: float) -> Paired:
        bad = BadRows(options.skip_bad_rows)
        asked = part(TableOptions, options)
        roles = PairRoles(options.source_column, options.target_column)
        train, test = _parted(pairs.read(data, roles, bad, asked), options.test)
        if options.validation_data is not None:
            check = pairs.read([str(d) for d in options.validation_data], train.roles, bad, asked)
        else:
            share = min(validation, MOST_HELD / max(1, len(train)))
            if share < validation:
                capped = (
                    f"about {MOST_HELD:,} pairs are kept for validation, not {validation:g} of all:"
                    " scoring more takes long; --validation-data gives others"
                )
                train = replace(train, facts=(*train.facts, capped))
            train, check = _parted(train, share)
        missing = (validation and not len(check)) or (options.test and not len(test))
        if missing or not len(train):
            raise UserError(
                f"{data[0]}: too few different pairs to hold some back; give more, larger shares, "
                "--validation-data, or --validation 0"
            )
        levels = (options.source_level or options.level, options.target_level or options.level)
        encoder = make_encoder(
            train.sources, train.targets, levels, limit=options.vocabulary,
            shared=options.shared_vocabulary, lowercase=options.lowercase,
            longest=options.longest, cut=options.cut,
        )  # fmt: skip
        dataset = encode(naming.shown(data), train, check, encoder, None, bad)
        for what, kept in (("training", dataset.train), ("validation", dataset.check)):
            if not len(kept) and (validation or what == "training"):
                first = f"the first left out: {bad.first[0]}"
                raise UserError(f"{dataset.name}: no pair for {what} is left; {first}")
        return (
            replace(dataset, test=encode(dataset.name, Pairs(), test, encoder, 1, bad))
            if options.test
            else dataset
        )

    def losses_apart(self, options: TranslateOptions) -> str:
        if options.scheduled_sampling:
            return "training guesses its inputs"
        return "training smooths its labels" if options.label_smoothing else ""

    def held_out(self, dataset: Paired) -> Paired | None:
        return dataset.tested()

    def unseen(self, data: Sequence[str], preprocessing: Mapping[str, Any], bad: BadRows) -> Paired:
        encoder, roles, written = settled(preprocessing)
        check = pairs.read(data, roles, bad)
        if strange := encoder.strange("".join(check.sources)):
            raise UserError(f"{naming.shown(data)}: sources {strange}")
        return encode(naming.shown(data), Pairs(), check, encoder, written, bad)

    def preprocessing(self, dataset: Paired) -> dict[str, Any]:
        return dataset.preprocessing()

    def examine(self, dataset: Paired) -> Page:
        page = doctor.paired(
            dataset.name, dataset.train, dataset.check,
            [len(ids) - 1 for ids in dataset.sources], [len(ids) - 1 for ids in dataset.targets],
            left_out=dataset.bad.first, left_out_count=dataset.bad.count,
        )  # fmt: skip
        source, target = dataset.encoder.source, dataset.encoder.target
        fact = f"read as {source.level}, {source.size:,} different ones known"
        if target is source:
            fact += ", the same on both sides"
        elif target.level == source.level:
            fact += f" in sources, {target.size:,} in targets"
        else:
            fact += f"; targets as {target.level}, {target.size:,}"
        if dataset.test is not None:
            fact += (
                f"; {counted(len(dataset.test.check), 'pair')} kept from every choice, for the "
                "final scores"
            )
        parted = dataset.encoder.segmentation
        return replace(page, facts=(*page.facts, fact, *([parted] if parted else [])))

    def plan(
        self, dataset: Paired, options: TranslateOptions, budget: Budget
    ) -> Plan[TranslateOptions]:
        return plan(self, dataset, options, budget)

    def build(self, preprocessing: Mapping[str, Any], options: TranslateOptions) -> Translator:
        planned = (
            "hidden_size", "embedding", "dropout", "weight_drop", "token_dropout",
            "label_smoothing", *(["attention"] if options.context == "attention" else []),
        )  # fmt: skip
        for name in planned:
            if getattr(options, name) is None:
                raise UserError(f"options.toml: damaged (no {name} in it)")
        encoder, _, _ = settled(preprocessing)
        source, target = encoder.source, encoder.target
        return Translator(options, (source.size, target.size), (source.unknown, target.unknown))

    def epoch(
        self, dataset: Paired, options: TranslateOptions, batch_size: int, seed: int, epoch: int
    ) -> Epoch[Batch]:
        draw = int(np.random.default_rng((seed, epoch)).integers(2**62))
        lengths = dataset.lengths(range(dataset.trained))
        order = Buckets(lengths, batch_size, seed=draw, tokens=dataset.tokens)
        return Batches(dataset, order, dataset.shortlist(options.shortlist or 0), draw)

    def loss(
        self, model: nn.Module, batch: Batch, carry: Carry, device: str
    ) -> tuple[Tensor, int, Carry]:
        assert isinstance(model, Translator)
        smoothing = model.how.label_smoothing or 0.0 if model.training else 0.0
        source = model.encode(batch.source.to(device), batch.source_lengths)
        before, lengths, among = batch.before.to(device), batch.target_lengths, batch.among
        if among is None:
            scores = model(source, before, lengths)
            total = F.cross_entropy(
                scores, batch.target.to(device), reduction="sum", label_smoothing=smoothing
            )
        else:
            among = Among(*(part.to(device) for part in among))
            scores = model(source, before, lengths, among.ids)
            total = cross_entropy(scores, among, model.output.out_features, smoothing)
        return total, len(batch.target), None

    def validate(
        self, model: nn.Module, dataset: Paired, options: TranslateOptions, device: str
    ) -> Validation:
        held = range(dataset.trained, len(dataset.sources))
        loss = self._loss(model, dataset, held, device)
        best = self._translations(model, dataset, held, device)
        said = [translations[0].text for translations in best]
        scores, tally = scored(said, dataset.check.targets, lowercase=options.lowercase)
        nats = {"nats": loss.mean, "perplexity": metrics.perplexity(loss.mean)}
        counted = signatures(dataset.check.targets, lowercase=options.lowercase)
        return Validation(loss, scores | nats, True, "; ".join(counted), tally)

    def _loss(self, model: nn.Module, dataset: Paired, chosen: Sequence[int], device: str) -> Loss:
        order = Buckets(dataset.lengths(chosen), SCORED, seed=None)
        loss = Loss(0.0, 0)
        with torch.no_grad():
            for k in range(len(order)):
                total, count, _ = self.loss(
                    model, batch(dataset, [chosen[place] for place in order[k]]), None, device
                )
                loss += Loss(float(total), count)
        return loss

    def _translations(
        self, model: nn.Module, dataset: Paired, chosen: Sequence[int], device: str, *,
        attention: bool = False,
    ) -> list[list[Translation]]:  # fmt: skip
        assert isinstance(model, Translator)
        translate = Translating(model, dataset.encoder, dataset.written, self.decoding, device)
        texts = [dataset.source(k) for k in chosen]
        return translate(texts, [dataset.sources[k] for k in chosen], keep_attention=attention)

    def rivals(self, dataset: Paired, options: TranslateOptions, training: Paired) -> list[Rival]:
        return rivals(dataset, training, lowercase=options.lowercase)

    def sample(
        self, model: nn.Module, dataset: Paired, options: TranslateOptions, length: int, seed: int,
        device: str,
    ) -> str:  # fmt: skip
        held = len(dataset.sources) - dataset.trained
        if not length or not held:
            return ""
        draw = np.random.default_rng(seed)
        chosen = dataset.trained + draw.choice(held, min(SHOWN, held), replace=False)
        found = self._translations(model, dataset, chosen.tolist(), device)
        lines = []
        for k, (best, *_) in zip(chosen.tolist(), found, strict=True):
            lines += [
                f"  {dataset.source(k)}",
                f"> {best.text}",
                f"= {dataset.truth(k)}",
                "",
            ]
        return "\n".join(lines)

    def remarks(
        self, model: nn.Module, dataset: Paired, options: TranslateOptions, device: str,
        sample: str, folder: Path,
    ) -> list[str]:  # fmt: skip
        held = range(dataset.trained, len(dataset.sources))
        if not held:
            return []
        assert isinstance(model, Translator)
        looks = model.attention is not None

        def translated(chosen: Sequence[int]) -> list[Translation]:
            found = self._translations(model, dataset, chosen, device, attention=looks)
            return [translations[0] for translations in found]

        return remarks(dataset, translated, folder, lowercase=options.lowercase)

    def predict(
        self, model: nn.Module, preprocessing: Mapping[str, Any], options: TranslateOptions,
        device: str, data: Sequence[str], out: TextIO, bad: BadRows,
    ) -> None:  # fmt: skip
        encoder, roles, written = settled(preprocessing)
        assert isinstance(model, Translator)
        translating = Translating(model, encoder, written, self.decoding, device)
        predict.predict(translating, roles, data, out, bad)


TASK = Translate()


def _parted(whole: Pairs, share: float) -> tuple[Pairs, Pairs]:
    kept, held = pairs.split(whole, share)
    return whole.pick(kept), whole.pick(held)
