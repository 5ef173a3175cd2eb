"""The task `classify`: read a sequence, name its class."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TextIO, final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from elman import metrics
from elman.data import doctor, examples, vectors
from elman.data.batching import Buckets, padded
from elman.data.doctor import Page
from elman.data.examples import Examples, Reading
from elman.data.tables.content import BadRows
from elman.data.vocabulary import Words
from elman.errors import UserError
from elman.metrics import Loss
from elman.options import given
from elman.tasks import labelling, naming, prediction
from elman.tasks.classify import bag as bags
from elman.tasks.classify import pictures
from elman.tasks.classify.data import (
    Encoder,
    Labelled,
    check_widths,
    classes_of,
    counted,
    encoder_from_json,
    make_encoder,
    numbers,
)
from elman.tasks.classify.model import Classifier, Member
from elman.tasks.classify.options import ClassifyOptions
from elman.tasks.labelling import Counted
from elman.tasks.pace import epoch_seconds
from elman.tasks.prediction import Answer
from elman.tasks.task import Budget, Carry, Epoch, Plan, Scores, Task, Validation

SCORED = 256  # sequences at once, where none is trained on
SCORED_STEPS = 1 << 18  # steps at once, padding included
WORST = 5  # confident mistakes shown in the report


class Batch(NamedTuple):
    """Padded sequences and their classes."""

    x: Tensor  # [B, T, I] float32, or [B, T] int64
    lengths: Tensor  # [B]
    y: Tensor  # [B]
    weights: Tensor | None = None  # [C], of the classes in the loss
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
        asked = Reading(
            text_column=options.text_column, label_column=options.label_column,
            header=options.header, encoding=options.encoding, scan=options.scan,
        )  # fmt: skip
        train = examples.read(data, asked, bad)
        check = None
        if options.validation_data is not None:
            check = examples.read([str(options.validation_data)], train.reading, bad)
        return self.dataset(naming.shown(data), train, check, options, validation, bad)

    def dataset(
        self, name: str, train: Examples, check: Examples | None, options: ClassifyOptions,
        validation: float, bad: BadRows,
    ) -> Labelled:  # fmt: skip
        """A data set of sequences in memory; without `check` a share is held back to validate."""
        if check is None:
            if validation:
                train = _without_single(train, bad)
            kept, held = examples.split(train, validation)
            train, check = train.pick(kept), train.pick(held)
        classes = classes_of(train.labels)
        if len(classes) < 2:
            told = f'one class only, "{classes[0]}"' if classes else "no class left"
            raise UserError(f"{name}: {told}; nothing to learn")
        if validation and not len(check):
            raise UserError(
                f"{name}: {len(train)} sequences are too few to hold {validation:.0%} of them "
                "back; give more, a larger --validation, or --validation 0"
            )
        for part in (train, check):
            check_widths(part)
        encoder = make_encoder(
            train, level=options.level, limit=options.vocabulary, lowercase=options.lowercase,
            longest=options.longest,
        )  # fmt: skip
        made = _labelled(name, train, check, classes, encoder, train.reading, bad)
        return replace(made, bag=counted(made, options.bag))

    def unseen(
        self, data: Sequence[str], preprocessing: Mapping[str, Any], bad: BadRows
    ) -> Labelled:
        classes, encoder, reading = _settled(preprocessing)
        check = examples.read(data, reading, bad)
        return _labelled(naming.shown(data), Examples(), check, classes, encoder, reading, bad)

    def preprocessing(self, dataset: Labelled) -> dict[str, Any]:
        return dataset.preprocessing()

    def examine(self, dataset: Labelled) -> Page:
        full = [len(v) for v in (*dataset.train.vectors, *dataset.check.vectors)]
        lengths = full or dataset.lengths.tolist()
        page = doctor.labelled(
            dataset.name, dataset.train, dataset.check, lengths, dataset.encoder.longest,
            dataset.bad.first, dataset.bad.count,
        )  # fmt: skip
        known = dataset.encoder.vocabulary
        if known is None:
            return page
        fact = f"read as {known.level}, {known.size:,} different ones known"
        return replace(page, facts=(*page.facts, fact))

    def plan(
        self, dataset: Labelled, options: ClassifyOptions, budget: Budget
    ) -> Plan[ClassifyOptions]:
        texts = dataset.encoder.vocabulary is not None
        batch = budget.batch_size or max(8, min(64, dataset.trained // 50))
        rate = budget.learning_rate or (2e-3 if texts else 4e-3)
        settled = replace(
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
        epochs = budget.epochs
        if epochs is None:
            assert budget.seconds is not None
            most = 20 if texts else 60
            known = dataset.encoder.vocabulary
            model = Classifier(
                settled, len(dataset.classes), dataset.encoder.inputs, known.size if known else 0
            )
            epoch = self.epoch(dataset, settled, batch, 0, 0)
            each = epoch_seconds(self, model, epoch, budget.device)
            epochs = max(1, min(most, int(0.8 * budget.seconds / each)))
        assert settled.hidden_size
        units = ", ".join(map(str, settled.hidden_size))
        why = (
            f"{'/'.join(settled.cell)} of {units} units, {settled.pooling} of all steps, "
            f"dropout {settled.dropout:g}{_beside(settled)}: {epochs} epochs"
        )
        return Plan(settled, batch, rate, why, epochs)

    def build(self, preprocessing: Mapping[str, Any], options: ClassifyOptions) -> Classifier:
        for name in ("hidden_size", "embedding", "dropout", "weight_drop", "token_dropout"):
            if getattr(options, name) is None:
                raise UserError(f"options.toml: damaged (no {name} in it)")
        if options.pooling is None:
            raise UserError("options.toml: damaged (no pooling in it)")
        classes, encoder, _ = _settled(preprocessing)
        known = encoder.vocabulary
        size = known.size if known else 0
        bag = None
        if (kept := preprocessing.get("bag")) is not None:
            try:
                bag = bags.from_json(kept, size, len(classes))
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise UserError(f"preprocessing.json: damaged ({error})") from None
        return Classifier(options, len(classes), encoder.inputs, size, bag)

    def start(
        self, model: nn.Module, preprocessing: Mapping[str, Any], options: ClassifyOptions
    ) -> None:
        """Word vectors in the place of the embedding's random start, where their file has them."""
        if options.vectors is None:
            return
        known = _settled(preprocessing)[1].vocabulary
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
            counts = np.bincount(dataset.targets[: dataset.trained], minlength=len(dataset.classes))
            weights = torch.from_numpy(counts.mean() / counts).float()
        order = Buckets(lengths, batch_size, seed=draw)
        return Batches(dataset, order, weights, options.label_smoothing)

    def loss(
        self, model: nn.Module, batch: Batch, carry: Carry, device: str
    ) -> tuple[Tensor, int, Carry]:
        assert isinstance(model, Classifier)
        scores = model.each(batch.x.to(device), batch.lengths)  # [M, B, C]
        weights = None if batch.weights is None else batch.weights.to(device)
        total = F.cross_entropy(
            scores.flatten(0, 1), batch.y.to(device).repeat(len(scores)), weight=weights,
            reduction="sum", label_smoothing=batch.smoothing,
        )  # fmt: skip
        return total / len(scores), len(batch.y), None

    def validate(
        self, model: nn.Module, dataset: Labelled, options: ClassifyOptions, device: str
    ) -> Validation:
        targets = dataset.targets[dataset.trained :]
        chances = probabilities(model, dataset.inputs[dataset.trained :], device)
        scores = scores_of(chances, targets)
        return Validation(Loss(scores["nats"] * len(targets), len(targets)), scores, by_score=True)

    def baseline(
        self, dataset: Labelled, options: ClassifyOptions, training: Labelled
    ) -> tuple[str, Scores]:
        counts = np.bincount(
            training.targets[: training.trained], minlength=len(dataset.classes)
        ).astype(np.float64)
        targets = dataset.targets[dataset.trained :]
        chances = np.tile(counts / counts.sum(), (len(targets), 1))
        name = f'always "{dataset.classes[int(counts.argmax())]}", the majority class'
        known = set(training.train.contents())
        if dataset is not training and (seen := sum(c in known for c in dataset.check.contents())):
            name += f"; WARNING: {seen:,} of {len(targets):,} sequences were trained on"
        return name, scores_of(chances, targets)

    def sample(
        self, model: nn.Module, dataset: Labelled, options: ClassifyOptions, length: int,
        seed: int, device: str,
    ) -> str:  # fmt: skip
        return ""

    def remarks(
        self, model: nn.Module, dataset: Labelled, options: ClassifyOptions, device: str,
        sample: str, folder: Path,
    ) -> list[str]:  # fmt: skip
        check = dataset.check
        if not len(check):
            return []
        targets = dataset.targets[dataset.trained :]
        chances = probabilities(model, dataset.inputs[dataset.trained :], device)
        confusion = confusion_of(chances, targets)
        lines = [*labelling.table(_counted(confusion, dataset.classes), "class", "sequences"), ""]
        hit = chances.argmax(1) == targets
        if pictures.draw(confusion, dataset.classes, chances.max(1), hit, folder):
            lines += ["![true classes by predicted ones, and calibration](confusion.png)", ""]
        wrong = np.flatnonzero(~hit)
        worst = wrong[np.argsort(-chances[wrong].max(1))][:WORST]
        if len(worst):
            lines += ["Mistakes made with most confidence:", ""]
        for k in worst:
            said = dataset.classes[int(chances[k].argmax())]
            content = f": `{check.texts[k][:80]!r}`" if check.texts else ""
            lines.append(
                f"- {check.where[k]} is {check.labels[k]}, read as {said} "
                f"({chances[k].max():.0%}){content}"
            )
        return lines

    def predict(
        self, model: nn.Module, preprocessing: Mapping[str, Any], options: ClassifyOptions,
        device: str, data: Sequence[str], out: TextIO, bad: BadRows,
    ) -> None:  # fmt: skip
        classes, encoder, reading = _settled(preprocessing)
        answer = Answering(model, encoder, classes, device)
        tables = prediction.tables(data, reading, texts=encoder.vocabulary is not None)
        if tables:
            prediction.answer_rows(tables, answer, out, bad)
        else:
            read = examples.read(data, reading, bad, labelled=False)
            prediction.answer_examples(read, answer, out, bad)


@dataclass(frozen=True)
class Answering:
    """A trained model and what it needs to answer."""

    model: nn.Module
    encoder: Encoder
    classes: Sequence[str]
    device: str
    columns = ("predicted", "probability")

    def __call__(self, sequences: Sequence[Any]) -> list[Answer]:
        answers: list[Answer] = []
        inputs, places = [], []
        for k, sequence in enumerate(sequences):
            try:
                inputs.append(self.encoder.encode(sequence))
                places.append(k)
                answers.append("")
            except ValueError as error:
                answers.append(str(error))
        if inputs:
            found = probabilities(self.model, inputs, self.device)
            for k, chances in zip(places, found, strict=True):
                best = int(chances.argmax())
                rounded = math.floor(float(chances[best]) * 1e6) / 1e6
                answers[k] = {"predicted": self.classes[best], "probability": rounded}
        return answers


TASK = Classify()


def probabilities(
    model: nn.Module, inputs: Sequence[NDArray[Any]], device: str
) -> NDArray[np.float64]:
    """The probability of each class [N, C], for encoded sequences in any order of length."""
    parts, order = [], []
    with torch.no_grad():
        for chosen in _scored_together([len(x) for x in inputs]):
            x, lengths = padded([inputs[k] for k in chosen])
            scores = model(x.to(device), lengths)
            parts.append(torch.softmax(scores.double(), -1).cpu().numpy())
            order += chosen
    found = np.concatenate(parts)
    result = np.empty_like(found)
    result[order] = found
    return result


def _scored_together(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The numbers of sequences of about one length, as many as memory surely holds."""
    order, start = sorted(range(len(lengths)), key=lambda k: -lengths[k]), 0
    while start < len(order):
        count = max(1, min(SCORED, SCORED_STEPS // lengths[order[start]]))
        yield order[start : start + count]
        start += count


def confusion_of(chances: NDArray[np.float64], targets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts [C, C], true classes by predicted ones."""
    classes = chances.shape[1]
    return np.bincount(targets * classes + chances.argmax(1), minlength=classes * classes).reshape(
        classes, classes
    )


def _counted(confusion: NDArray[np.int64], classes: Sequence[str]) -> list[Counted]:
    """Each class with its counts."""
    there, said, hit = confusion.sum(1), confusion.sum(0), confusion.diagonal()
    return [Counted(*each) for each in zip(classes, there, said, hit, strict=True)]


def scores_of(chances: NDArray[np.float64], targets: NDArray[np.int64]) -> Scores:
    """Accuracy, macro F1, nats and calibration error of probabilities [N, C]."""
    accuracy, macro_f1 = metrics.from_confusion(confusion_of(chances, targets))
    own = chances[np.arange(len(targets)), targets]
    nats = float(-np.log(np.maximum(own, 1e-12)).mean())
    error = metrics.calibration_error(chances.max(1), chances.argmax(1) == targets)
    return {"accuracy": accuracy, "macro_f1": macro_f1, "nats": nats, "calibration_error": error}


def _labelled(
    name: str, train: Examples, check: Examples, classes: tuple[str, ...], encoder: Encoder,
    reading: Reading, bad: BadRows,
) -> Labelled:  # fmt: skip
    inputs = []
    for part in (train, check):
        sequences: Sequence[Any] = part.texts or part.vectors
        for sequence, where in zip(sequences, part.where, strict=True):
            try:
                inputs.append(encoder.encode(sequence))
            except ValueError as error:
                raise UserError(f"{where}: {error}") from None
    targets = np.concatenate([numbers(train, classes), numbers(check, classes)])
    return Labelled(name, train, check, inputs, targets, classes, encoder, reading, bad)


def _settled(preprocessing: Mapping[str, Any]) -> tuple[tuple[str, ...], Encoder, Reading]:
    """Classes, encoder and reading of a trained model. UserError where they are damaged."""
    return labelling.settled(preprocessing, "classes", encoder_from_json, Reading)


def _without_single(read: Examples, bad: BadRows) -> Examples:
    """The same without sequences that are alone in their class: learnt, they could not be scored,
    and scored, they would not have been learnt."""
    counts = Counter(read.labels)
    single = [k for k, label in enumerate(read.labels) if counts[label] == 1]
    for k in single:
        bad.add(read.where[k], f'the only sequence of the class "{read.labels[k]}"')
    return read.pick([k for k in range(len(read)) if k not in set(single)]) if single else read


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
