"""The task `classify`: read a sequence, name its class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TextIO, final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.data import doctor
from elman.data.batching import Buckets, padded
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
from elman.metrics import Loss
from elman.options import given, part
from elman.tasks import labelling, naming
from elman.tasks.classify import bag as bags
from elman.tasks.classify import mistakes
from elman.tasks.classify.answering import Answering, predict
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
    without_single,
)
from elman.tasks.classify.model import Classifier, Member
from elman.tasks.classify.options import ClassifyOptions
from elman.tasks.classify.scoring import (
    best_set,
    best_threshold,
    probabilities,
    scores_of,
    scores_of_several,
)
from elman.tasks.naming import trained_on
from elman.tasks.pace import expectation
from elman.tasks.rivals import Rival
from elman.tasks.task import Budget, Carry, Epoch, Plan, Task, Validation

SHOWN = 5  # labels of a baseline that are named


class Batch(NamedTuple):
    """Padded sequences and their classes."""

    x: Tensor  # [B, T, I] float32, or [B, T] int64
    lengths: Tensor  # [B]
    y: Tensor  # [B], or [B, C] of several labels at once
    weights: Tensor | None = None  # [C], of the classes in the loss; of each label where it is
    smoothing: float = 0.0


@dataclass(frozen=True)
class Batches:
    """The training batches of one epoch."""

    dataset: Labelled
    order: Buckets
    weights: Tensor | None
    smoothing: float

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, k: int) -> Batch:
        chosen = self.order[k]
        x, lengths = padded([self.dataset.inputs[n] for n in chosen])
        y = torch.from_numpy(self.dataset.targets[chosen])
        return Batch(x, lengths, y, self.weights, self.smoothing)


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
        """A data set of sequences in memory; without `check` a share is held back to validate."""
        several = train.roles.several
        if check is None:
            if validation and several is None:
                train = without_single(train, bad)
            whole = train
            kept, held = examples.split(train, validation)
            train, check = train.pick(kept), train.pick(held)
            # Of several labels at once a rare one may be in the validation part alone.
            classes = classes_of([label for labels in whole.each for label in labels])
        else:
            classes = classes_of([label for labels in train.each for label in labels])
        if several is not None and several.form == "columns":
            classes = train.roles.label_columns or ()
        check_classes(name, train, classes)
        if validation and not len(check):
            raise UserError(
                f"{name}: {len(train)} sequences are too few to hold {validation:.0%} of them "
                "back; give more, a larger --validation, or --validation 0"
            )
        for half in (train, check):
            check_widths(half)
        encoder = make_encoder(
            train, level=options.level, limit=options.vocabulary, lowercase=options.lowercase,
            longest=options.longest,
        )  # fmt: skip
        made = _labelled(name, train, check, classes, encoder, train.roles, bad)
        return replace(made, bag=counted(made, options.bag))

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
        full = [len(v) for v in (*dataset.train.vectors, *dataset.check.vectors)]
        lengths = full or dataset.lengths.tolist()
        page = doctor.labelled(
            dataset.name, dataset.train, dataset.check, lengths, dataset.encoder.longest,
            dataset.classes, dataset.bad.first, dataset.bad.count,
        )  # fmt: skip
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
        texts = dataset.encoder.vocabulary is not None
        batch = budget.batch_size or max(8, min(64, dataset.trained // 50))
        rate = budget.learning_rate or (2e-3 if texts else 4e-3)
        chosen = replace(
            options,
            hidden_size=options.hidden_size or (128,),
            embedding=_embedding(dataset, options),
            dropout=given(options.dropout, 0.5 if texts else 0.2),
            weight_drop=options.weight_drop or 0.0,
            token_dropout=given(options.token_dropout, _hidden_tokens(dataset.encoder)),
            pooling=options.pooling or ("max" if texts else "last"),
            bag="none" if dataset.bag is None else dataset.bag.kind,
            validation_data=naming.lasting(options.validation_data),
            vectors=naming.lasting(options.vectors),
        )
        passes = 20 if texts else 60
        known = dataset.encoder.vocabulary
        model = Classifier(
            chosen, len(dataset.classes), dataset.encoder.inputs, known.size if known else 0,
            several=dataset.several,
        )  # fmt: skip
        epoch = self.epoch(dataset, chosen, batch, 0, 0)
        assert chosen.hidden_size
        units = ", ".join(map(str, chosen.hidden_size))
        why = (
            f"{'/'.join(chosen.cell)} of {units} units, {chosen.pooling} of all steps, "
            f"dropout {chosen.dropout:g}{_beside(chosen)}: "
            + expectation(self, model, epoch, budget, passes)
        )
        return Plan(chosen, batch, rate, why, passes)

    def build(self, preprocessing: Mapping[str, Any], options: ClassifyOptions) -> Classifier:
        for name in ("hidden_size", "embedding", "dropout", "weight_drop", "token_dropout"):
            if getattr(options, name) is None:
                raise UserError(f"options.toml: damaged (no {name} in it)")
        if options.pooling is None:
            raise UserError("options.toml: damaged (no pooling in it)")
        classes, encoder, roles = settled(preprocessing)
        known, several = encoder.vocabulary, roles.several is not None
        size = known.size if known else 0
        bag = None
        if (kept := preprocessing.get("bag")) is not None:
            try:
                bag = bags.from_json(kept, size, len(classes), several=several)
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise UserError(f"preprocessing.json: damaged ({error})") from None
        return Classifier(options, len(classes), encoder.inputs, size, bag, several=several)

    def start(
        self, model: nn.Module, preprocessing: Mapping[str, Any], options: ClassifyOptions
    ) -> None:
        """Word vectors in the place of the embedding's random start, where their file has them."""
        if options.vectors is None:
            return
        known = settled(preprocessing)[1].vocabulary
        assert isinstance(model, Classifier) and isinstance(known, Words)  # by the plan
        values, found = vectors.read_vectors(options.vectors, known.symbols)
        for member in model.members:
            assert isinstance(member, Member) and member.reader.embedding is not None
            with torch.no_grad():
                weight = member.reader.embedding.weight
                weight[torch.from_numpy(found)] = torch.from_numpy(values[found])

    def epoch(
        self, dataset: Labelled, options: ClassifyOptions, batch_size: int, seed: int, epoch: int
    ) -> Epoch[Batch]:
        draw = int(np.random.default_rng((seed, epoch)).integers(2**62))
        lengths = dataset.lengths[: dataset.trained]
        weights = None
        if options.class_weights:
            weights = torch.from_numpy(_weights(dataset)).float()
        order = Buckets(lengths, batch_size, seed=draw)
        return Batches(dataset, order, weights, options.label_smoothing)

    def loss(
        self, model: nn.Module, batch: Batch, carry: Carry, device: str
    ) -> tuple[Tensor, int, Carry]:
        assert isinstance(model, Classifier)
        scores = model.each(batch.x.to(device), batch.lengths)  # [M, B, C]
        weights = None if batch.weights is None else batch.weights.to(device)
        if batch.y.ndim == 2:
            y = batch.y.to(device, scores.dtype) * (1 - batch.smoothing) + batch.smoothing / 2
            each = F.binary_cross_entropy_with_logits(
                scores, y.expand_as(scores), pos_weight=weights, reduction="sum"
            )
            return each / len(scores), len(batch.y), None
        total = F.cross_entropy(
            scores.flatten(0, 1), batch.y.to(device).repeat(len(scores)), weight=weights,
            reduction="sum", label_smoothing=batch.smoothing,
        )  # fmt: skip
        return total / len(scores), len(batch.y), None

    def validate(
        self, model: nn.Module, dataset: Labelled, options: ClassifyOptions, device: str
    ) -> Validation:
        """Of several labels at once, the threshold is chosen here on a run's own validation part,
        and kept with the weights; other data is scored by that."""
        assert isinstance(model, Classifier)
        targets = dataset.targets[dataset.trained :]
        chances = probabilities(model, dataset.inputs[dataset.trained :], device)
        if model.threshold is None:
            scores = scores_of(chances, targets)
        else:
            if dataset.trained:
                model.threshold.fill_(best_threshold(chances, targets))
            scores = scores_of_several(chances, model.answers(chances), targets)
        return Validation(Loss(scores["nats"] * len(targets), len(targets)), scores, by_score=True)

    def rivals(
        self, dataset: Labelled, options: ClassifyOptions, training: Labelled
    ) -> list[Rival]:
        learnt, targets = training.targets[: training.trained], dataset.targets[dataset.trained :]
        if dataset.several:
            chosen = best_set(learnt)
            shares = (learnt.sum(0) + 0.5) / (len(learnt) + 1)
            said = np.tile(chosen, (len(targets), 1))
            scores = scores_of_several(np.tile(shares, (len(targets), 1)), said, targets)
            labels = ", ".join(f'"{dataset.classes[k]}"' for k in np.flatnonzero(chosen)[:SHOWN])
            more = f" and {chosen.sum() - SHOWN} more" if chosen.sum() > SHOWN else ""
            name = f"always {labels}{more}, of all sets the best"
        else:
            counts = np.bincount(learnt, minlength=len(dataset.classes)).astype(np.float64)
            scores = scores_of(np.tile(counts / counts.sum(), (len(targets), 1)), targets)
            name = f'always "{dataset.classes[int(counts.argmax())]}", the majority class'
        return [Rival(name, scores)]

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


def _weights(dataset: Labelled) -> NDArray[np.float64]:
    """What lets each class count alike, or each of several labels where it is and where it is not;
    1 for labels that are everywhere or nowhere."""
    targets = dataset.targets[: dataset.trained]
    if dataset.several:
        there = targets.sum(0)
        absent = len(targets) - there
        return np.where((there > 0) & (absent > 0), absent / np.maximum(there, 1), 1.0)
    counts = np.bincount(targets, minlength=len(dataset.classes))
    weights: NDArray[np.float64] = counts.mean() / counts
    return weights


def _beside(options: ClassifyOptions) -> str:
    """What answers beside one network."""
    others = f", {options.members} networks" if options.members > 1 else ""
    return others + ("" if options.bag == "none" else f", naive Bayes of {options.bag}")


def _hidden_tokens(encoder: Encoder) -> float:
    """Share of the tokens read as <unk>: of words more, as most of them are rare."""
    if encoder.vocabulary is None:
        return 0.0
    return 0.3 if isinstance(encoder.vocabulary, Words) else 0.1


def _embedding(dataset: Labelled, options: ClassifyOptions) -> int:
    known = dataset.encoder.vocabulary
    if options.vectors is not None:
        if not isinstance(known, Words):
            raise UserError(f"--vectors {options.vectors}: needs texts read as words")
        table_of, _ = vectors.read_vectors(options.vectors, known.symbols)
        return int(table_of.shape[1])
    if options.embedding is not None:
        return options.embedding
    return 0 if known is None or known.size <= 64 else 128
