"""The task `classify`: read a sequence, name its class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO, final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.data import doctor
from elman.data.doctor import Page
from elman.data.labelled import examples
from elman.data.labelled import files as labelled_files
from elman.data.labelled.examples import Examples
from elman.data.labelled.roles import LabelRoles, Wanted, roles_from_json
from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.data.texts import segmentation, vectors
from elman.data.texts.vocabulary import Words
from elman.errors import UserError
from elman.options import part
from elman.tasks import labelling, naming
from elman.tasks.classify import bag as bags
from elman.tasks.classify import folds, grams_bag, mistakes, planning, scaling
from elman.tasks.classify.answering import Answering, predict
from elman.tasks.classify.batches import Batch, batches
from elman.tasks.classify.data import (
    Encoder,
    Labelled,
    check_classes,
    check_widths,
    classes_of,
    counted,
    encoder_from_json,
    make_encoder,
    numbers,
    shape_of_kernels,
    with_all,
    without_single,
)
from elman.tasks.classify.grams_bag import GramsBag
from elman.tasks.classify.kernels import shape_from_json
from elman.tasks.classify.model import Classifier, Member
from elman.tasks.classify.options import ClassifyOptions
from elman.tasks.classify.rivals import Cut, Items, rivals
from elman.tasks.classify.scoring import validated
from elman.tasks.naming import trained_on
from elman.tasks.pace import epoch_seconds, expectation
from elman.tasks.rivals import Rival
from elman.tasks.task import Budget, Carry, Epoch, Plan, Task, Validation


@final
class Classify(Task[ClassifyOptions, Labelled, Batch]):
    """The validation part is drawn class by class, the same for the same data."""

    name = "classify"
    built_in = ("name:unicode",)

    def read(self, data: Sequence[str], options: ClassifyOptions, validation: float) -> Labelled:
        bad = BadRows(options.skip_bad_rows)
        asked = LabelRoles(
            text_columns=options.text_column, label_columns=options.label_column, scan=options.scan
        )
        wanted = Wanted(part(TableOptions, options), multi=options.multi_label)
        parts = labelled_files.parts(data) if options.validation_data is None else None
        train = labelled_files.read(data if parts is None else parts.train, asked, bad, wanted)
        held = None if options.validation_data is None else [str(options.validation_data)]
        if parts is not None:
            train = replace(train, facts=(*parts.facts, *train.facts))
            held = parts.held if validation else None
        check = None if held is None else labelled_files.read(held, train.roles, bad)
        return self.dataset(naming.shown(data), train, check, options, validation, bad)

    def dataset(
        self, name: str, train: Examples, check: Examples | None, options: ClassifyOptions,
        validation: float, bad: BadRows,
    ) -> Labelled:  # fmt: skip
        """A data set of sequences in memory; without `check` a share is held back to validate, or
        few sequences are dealt into folds."""
        several, whole, fold = train.roles.several, train, None
        if check is not None and options.folds:
            raise UserError(f"--folds {options.folds}: {name} has a part for validation already")
        if check is None:
            count = folds.wanted(len(train), validation, options.folds)
            if count:
                fold = folds.deal(train, count)
                check = train.pick(np.flatnonzero(fold >= 0))
            else:
                if validation and several is None:
                    whole = train = without_single(train, bad)
                kept, held = examples.split(train, validation)
                train, check = train.pick(kept), train.pick(held)
        # Of several labels at once a rare one may be in the validation part alone.
        classes = classes_of([label for labels in whole.each for label in labels])
        if several is not None and several.form == "columns":
            classes = train.roles.label_columns or ()
        check_classes(name, train, classes)
        if validation and not len(check):
            if fold is not None and len(whole) > 2 and len(set(whole.contents())) == 1:
                raise UserError(f"{name}: all {len(whole)} sequences are alike; nothing to learn")
            raise UserError(
                f"{name}: {len(whole)} sequences are too few to score a network by others than it "
                "learns from; give more of each class, or --validation 0"
                if fold is not None
                else f"{name}: {len(train)} sequences are too few to hold {validation:.0%} of them "
                "back; give more, a larger --validation, --folds 5, or --validation 0"
            )
        for half in (train, check):
            check_widths(half)
        found = scaling.Found(options.scaling or "channel")
        if train.vectors and options.scaling is None:
            found = scaling.find(
                [v[: options.longest] for v in train.vectors],
                numbers(train, classes, several=several is not None), len(classes),
            )  # fmt: skip
        encoder = make_encoder(
            train, level=options.level, limit=options.vocabulary, lowercase=options.lowercase,
            longest=options.longest, scaled=found.scaling,
        )  # fmt: skip
        told = [found.told] if found.told and not encoder.pictured else []
        if encoder.pictured and options.scaling is None:
            encoder = replace(encoder, scaling="channel")
        if fold is not None:
            told += folds.told(train, fold, options.folds, validation)
        made = replace(
            _labelled(name, train, check, classes, encoder, train.roles, bad),
            folds=None if fold is None else fold[fold >= 0], training_folds=fold, told=tuple(told),
        )  # fmt: skip
        made = replace(made, kernels=shape_of_kernels(made, options))
        return replace(made, bags=counted(made, options.bag))

    def unseen(
        self, data: Sequence[str], preprocessing: Mapping[str, Any], bad: BadRows
    ) -> Labelled:
        classes, encoder, roles = settled(preprocessing)
        parts = labelled_files.parts(data)
        check = labelled_files.read(data if parts is None else parts.test, roles, bad)
        return _labelled(naming.shown(data), Examples(), check, classes, encoder, roles, bad)

    def preprocessing(self, dataset: Labelled) -> dict[str, Any]:
        return dataset.preprocessing()

    def examine(self, dataset: Labelled) -> Page:
        check, lengths = dataset.check, dataset.lengths.tolist()
        if dataset.folds is not None:  # all of them stand in the training part
            check, lengths = Examples(), lengths[: dataset.trained]
        full = [len(v) for v in (*dataset.train.vectors, *check.vectors)]
        page = doctor.labelled(
            dataset.name, dataset.train, check, full or lengths, dataset.encoder.longest,
            dataset.classes, dataset.bad.first, dataset.bad.count,
        )  # fmt: skip
        if dataset.folds is not None:
            counts = f"{len(dataset.folds):,} for validation in {len(dataset.parts)} folds"
            headline = page.headline.replace("0 for validation", counts, 1)
            page = replace(page, headline=headline)
        page = replace(page, facts=(*page.facts, *dataset.told))
        known = dataset.encoder.vocabulary
        if known is None:
            return page
        facts = [f"read as {known.level}, {known.size:,} different ones known"]
        if isinstance(known, Words) and known.spaced:
            facts.append(segmentation.TOLD)
        return replace(page, facts=(*page.facts, *facts))

    def plan(
        self, dataset: Labelled, options: ClassifyOptions, budget: Budget
    ) -> Plan[ClassifyOptions]:
        settled = planning.settle(dataset, options, budget.batch_size, budget.learning_rate)
        chosen, batch, passes = settled.options, settled.batch_size, settled.passes
        if chosen.members is None:
            alone, count = replace(chosen, members=1), 1
            if budget.epochs is None:
                first = self.epoch(dataset, alone, batch, 0, 0)
                each = epoch_seconds(self, _model(dataset, alone), first, budget.device)
                count = planning.members(budget.seconds, passes, each)
            chosen = replace(alone, members=count)
        epoch = self.epoch(dataset, chosen, batch, 0, 0)
        expected = expectation(self, _model(dataset, chosen), epoch, budget, passes)
        why = f"{planning.told(chosen)}: {expected}"
        return Plan(chosen, batch, settled.learning_rate, why, passes)

    def build(self, preprocessing: Mapping[str, Any], options: ClassifyOptions) -> Classifier:
        needed = ["hidden_size", "embedding", "dropout", "weight_drop", "token_dropout", "pooling",
                  "bidirectional"]  # fmt: skip
        if options.fronted:
            needed += ["convolution_width", "convolution_stride"]
        for name in needed:
            if getattr(options, name) is None:
                raise UserError(f"options.toml: damaged (no {name} in it)")
        classes, encoder, roles = settled(preprocessing)
        known, several = encoder.vocabulary, roles.several is not None
        size = known.size if known else 0
        kept, shape = preprocessing.get("bag"), preprocessing.get("kernels")
        try:
            every = kept if isinstance(kept, list) else [kept] if kept is not None else []
            of_ngrams = [one for one in every if one["kind"] == GramsBag.kind]
            grams = [grams_bag.from_json(one, len(classes), several=several) for one in of_ngrams]
            counts = [
                bags.from_json(one, size, len(classes), several=several)
                for one in every
                if one["kind"] != GramsBag.kind
            ]
            fixed = None if shape is None else shape_from_json(shape, encoder.inputs)
            if sum(map(bool, (counts, grams, fixed))) > 1 or (grams and not known):
                raise ValueError("two models beside the network")
            if len(every) not in (0, _parts(options)):
                raise ValueError("counts of another number of folds")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise UserError(f"preprocessing.json: damaged ({error})") from None
        return Classifier(
            options, len(classes), encoder.inputs, size, counts, several=several, kernels=fixed,
            grams=grams,
        )  # fmt: skip

    def start(
        self, model: nn.Module, preprocessing: Mapping[str, Any], options: ClassifyOptions,
        dataset: Labelled,
    ) -> None:  # fmt: skip
        """Word vectors in the place of the embedding's random start, where their file has them, and
        what is solved rather than trained."""
        assert isinstance(model, Classifier)
        if model.kernels is not None:
            trained = dataset.trained
            model.kernels.fit(
                dataset.inputs[:trained], dataset.targets[:trained], with_all(dataset)
            )
        if options.vectors is None:
            return
        known = settled(preprocessing)[1].vocabulary
        assert isinstance(known, Words)  # by the plan
        values, found = vectors.read_vectors(options.vectors, known.symbols)
        for member in model.members:
            assert isinstance(member, Member) and member.reader.embedding is not None
            with torch.no_grad():
                weight = member.reader.embedding.weight
                weight[torch.from_numpy(found)] = torch.from_numpy(values[found])

    def epoch(
        self, dataset: Labelled, options: ClassifyOptions, batch_size: int, seed: int, epoch: int
    ) -> Epoch[Batch]:
        return batches(dataset, options, batch_size, seed, epoch)

    def loss(
        self, model: nn.Module, batch: Batch, carry: Carry, device: str
    ) -> tuple[Tensor, int, Carry]:
        assert isinstance(model, Classifier)
        scores = model.each(batch.x.to(device), batch.lengths, batch.parts)  # [M, B, C]
        each = torch.stack(batch.y.to(device).chunk(batch.parts))
        y = each.repeat(len(scores) // batch.parts, *[1] * (each.ndim - 1))  # [M, B, …]
        weights = None if batch.weights is None else batch.weights.to(device)
        if y.ndim == 3:
            spread = y.to(scores.dtype) * (1 - batch.smoothing) + batch.smoothing / 2
            total = F.binary_cross_entropy_with_logits(
                scores, spread, pos_weight=weights, reduction="sum"
            )
        else:
            total = F.cross_entropy(
                scores.flatten(0, 1), y.flatten(), weight=weights, reduction="sum",
                label_smoothing=batch.smoothing,
            )  # fmt: skip
        return total / len(scores), scores.shape[1], None

    def validate(
        self, model: nn.Module, dataset: Labelled, options: ClassifyOptions, device: str
    ) -> Validation:
        """What is chosen by a run's own validation part is chosen here, and kept with the weights:
        the threshold of several labels at once, and how far the networks count. Other data is
        scored by that."""
        assert isinstance(model, Classifier)
        return validated(model, dataset, device)

    def rivals(
        self, dataset: Labelled, options: ClassifyOptions, training: Labelled
    ) -> list[Rival]:
        trained = training.trained
        parts = [(np.arange(trained), np.arange(len(dataset.check)))]
        known = [bag for bag in training.bags if isinstance(bag, GramsBag)]
        if dataset is training:
            parts = dataset.cuts()
        else:
            known = known[-1:]
        cuts = [Cut(*part, known[k] if known else None) for k, part in enumerate(parts)]
        return rivals(
            Items(training.train.texts or training.train.vectors, training.targets[:trained]),
            Items(dataset.check.texts or dataset.check.vectors, dataset.targets[dataset.trained :]),
            cuts,
            dataset.classes,
        )

    def overlap(self, dataset: Labelled, training: Labelled) -> str:
        known = set(training.train.contents())
        seen = sum(content in known for content in dataset.check.contents())
        return trained_on(seen, len(dataset.check), "sequence")

    def sample(
        self, model: nn.Module, dataset: Labelled, options: ClassifyOptions, length: int,
        seed: int, device: str,
    ) -> str:  # fmt: skip
        return ""

    def remarks(
        self, model: nn.Module, dataset: Labelled, options: ClassifyOptions, device: str,
        sample: str, folder: Path,
    ) -> list[str]:  # fmt: skip
        assert isinstance(model, Classifier)
        return mistakes.remarks(model, dataset, device, folder)

    def predict(
        self, model: nn.Module, preprocessing: Mapping[str, Any], options: ClassifyOptions,
        device: str, data: Sequence[str], out: TextIO, bad: BadRows,
    ) -> None:  # fmt: skip
        assert isinstance(model, Classifier)
        classes, encoder, roles = settled(preprocessing)
        predict(Answering(model, encoder, classes, roles, device), data, out, bad)


TASK = Classify()


def _labelled(
    name: str, train: Examples, check: Examples, classes: tuple[str, ...], encoder: Encoder,
    roles: LabelRoles, bad: BadRows,
) -> Labelled:  # fmt: skip
    inputs = []
    for half in (train, check):
        sequences: Sequence[Any] = half.texts or half.vectors
        for sequence, where in zip(sequences, half.where, strict=True):
            try:
                inputs.append(encoder.encode(sequence))
            except ValueError as error:
                raise UserError(f"{where}: {error}") from None
    several = roles.several is not None
    targets = np.concatenate([numbers(half, classes, several=several) for half in (train, check)])
    return Labelled(name, train, check, inputs, targets, classes, encoder, roles, bad)


def settled(preprocessing: Mapping[str, Any]) -> tuple[tuple[str, ...], Encoder, LabelRoles]:
    """Classes, encoder and roles of a trained model. UserError where they are damaged."""
    labels, encoder, roles = labelling.kept(preprocessing, "classes")
    return labels, encoder_from_json(encoder), roles_from_json(roles)


def _model(dataset: Labelled, options: ClassifyOptions) -> Classifier:
    """The networks alone, by which time is measured."""
    known = dataset.encoder.vocabulary
    return Classifier(
        options, len(dataset.classes), dataset.encoder.inputs, known.size if known else 0,
        several=dataset.several,
    )  # fmt: skip


def _parts(options: ClassifyOptions) -> int:
    """How many bags there are: one, or one a fold and one of everything."""
    return options.folds + 1 if options.folds else 1
