"""The task `tag`: read a sentence, give each token its label."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TextIO, final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.data import source
from elman.data.batching import Buckets
from elman.data.doctor import Page
from elman.data.tables.arriving import Arriving
from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.data.tags import reading as tagged
from elman.data.tags.sentence import Opened, Sentence, TagRoles
from elman.errors import UserError
from elman.metrics import Loss
from elman.options import given, part
from elman.tasks import labelling, naming, prediction
from elman.tasks.naming import trained_on
from elman.tasks.pace import expectation
from elman.tasks.rivals import Rival
from elman.tasks.tag import page, spans
from elman.tasks.tag.data import (
    Encoded,
    Encoder,
    Ints,
    Tagged,
    encoder_from_json,
    make_encoder,
    numbers,
    split,
)
from elman.tasks.tag.model import Inputs, Tagger
from elman.tasks.tag.options import TagOptions
from elman.tasks.tag.rivals import rivals
from elman.tasks.tag.scoring import scores_of, tally_of, tokens_by_label
from elman.tasks.task import Budget, Carry, Epoch, Plan, Task, Validation

SCORED = 64  # sentences at once, where none is trained on
SCORED_TOKENS = 1 << 16  # tokens at once, padding included
WORST = 8  # confident mistakes shown in the report
PASSES = 20


class Batch(NamedTuple):
    """Sentences side by side, and the labels of their tokens, sentence after sentence."""

    inputs: Inputs
    labels: Tensor  # [N] int64


@dataclass(frozen=True)
class Batches:
    """The training batches of one epoch."""

    dataset: Tagged
    order: Buckets

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, k: int) -> Batch:
        chosen = self.order[k]
        labels = np.concatenate([self.dataset.targets[n] for n in chosen])
        return Batch(self.dataset.encoded.inputs(chosen), torch.from_numpy(labels))


@final
class Tag(Task[TagOptions, Tagged, Batch]):
    """The validation part is the end of the data."""

    name = "tag"
    built_in = ("name:python-tags",)

    def read(self, data: Sequence[str], options: TagOptions, validation: float) -> Tagged:
        bad = BadRows(options.skip_bad_rows)
        asked = part(TableOptions, options)
        roles = TagRoles(options.token_column, options.label_column, options.sentence_column)
        found = tagged.read(data, roles, bad, asked)
        if options.validation_data is not None:
            other = [str(options.validation_data)]
            whole = found.all, tagged.read(other, found.roles, bad, asked).all
        else:
            whole = split(found.all, validation)
        if not whole[0]:
            raise UserError(f"{data[0]}: nothing left for training; give more data")
        if validation and not whole[1]:
            raise UserError(
                f"{data[0]}: nothing left for validation: the last sentences have labels that "
                "stand nowhere else; give --validation-data, or --validation 0"
            )
        labels = tuple(sorted({label for s in whole[0] for label in s.labels}))
        if len(labels) < 2:
            raise UserError(f'{data[0]}: one label only, "{labels[0]}"; nothing to learn')
        encoder = make_encoder(
            whole[0], limit=options.vocabulary, lowercase=options.lowercase,
            longest=options.longest,
        )  # fmt: skip
        return _tagged(data, *whole, labels, encoder, found.roles, found.facts, bad)

    def unseen(self, data: Sequence[str], preprocessing: Mapping[str, Any], bad: BadRows) -> Tagged:
        labels, encoder, roles = _settled(preprocessing)
        found = tagged.read(data, roles, bad)
        return _tagged(data, [], found.all, labels, encoder, roles, found.facts, bad)

    def preprocessing(self, dataset: Tagged) -> dict[str, Any]:
        return dataset.preprocessing()

    def examine(self, dataset: Tagged) -> Page:
        return page.examine(dataset)

    def plan(self, dataset: Tagged, options: TagOptions, budget: Budget) -> Plan[TagOptions]:
        batch = budget.batch_size or max(4, min(16, dataset.trained // 50))
        rate = budget.learning_rate or 3e-3
        letters = dataset.encoded.letters
        spelt = bool(letters) and np.mean([len(token) for token in letters]) > 2
        settled = replace(
            options,
            hidden_size=options.hidden_size or (128,),
            embedding=options.embedding or 64,
            characters=given(options.characters, 32 if spelt else 0),
            dropout=given(options.dropout, 0.3),
            weight_drop=given(options.weight_drop, 0.0),
            token_dropout=given(options.token_dropout, 0.1),
            validation_data=naming.lasting(options.validation_data),
        )
        epoch = self.epoch(dataset, settled, batch, 0, 0)
        model = self.build(dataset.preprocessing(), settled)
        assert settled.hidden_size
        units = ", ".join(map(str, settled.hidden_size))
        why = (
            f"{'/'.join(settled.cell)} of {units} units, tokens as {settled.embedding} numbers"
            + (f" and {2 * settled.characters} from their letters" if settled.characters else "")
            + f", dropout {settled.dropout:g}: "
            + expectation(self, model, epoch, budget, PASSES)
        )
        return Plan(settled, batch, rate, why, PASSES)

    def build(self, preprocessing: Mapping[str, Any], options: TagOptions) -> Tagger:
        for name in (
            "hidden_size", "embedding", "characters", "dropout", "weight_drop", "token_dropout"
        ):  # fmt: skip
            if getattr(options, name) is None:
                raise UserError(f"options.toml: damaged (no {name} in it)")
        labels, encoder, _ = _settled(preprocessing)
        return Tagger(options, len(labels), encoder.words.size, encoder.letters.size)

    def epoch(
        self, dataset: Tagged, options: TagOptions, batch_size: int, seed: int, epoch: int
    ) -> Epoch[Batch]:
        draw = int(np.random.default_rng((seed, epoch)).integers(2**62))
        return Batches(dataset, Buckets(dataset.lengths[: dataset.trained], batch_size, seed=draw))

    def loss(
        self, model: nn.Module, batch: Batch, carry: Carry, device: str
    ) -> tuple[Tensor, int, Carry]:
        scores = model(batch.inputs.to(device))
        total = F.cross_entropy(scores, batch.labels.to(device), reduction="sum")
        return total, len(batch.labels), None

    def validate(
        self, model: nn.Module, dataset: Tagged, options: TagOptions, device: str
    ) -> Validation:
        held = range(dataset.trained, len(dataset.targets))
        answers = answered(model, dataset.encoded, held, device, dataset.targets)
        nats = sum(float(a.nats.sum()) for a in answers)
        tokens = sum(len(a.nats) for a in answers)
        said = [[dataset.labels[k] for k in a.best] for a in answers]
        loss = Loss(nats, tokens)
        scores = scores_of(dataset.check, said, dataset.labels, loss)
        tally = tally_of(dataset.check, said, dataset.labels)
        return Validation(loss, scores, by_score=True, tally=tally)

    def rivals(self, dataset: Tagged, options: TagOptions, training: Tagged) -> list[Rival]:
        return rivals(training.train, dataset.check, dataset.labels)

    def overlap(self, dataset: Tagged, training: Tagged) -> str:
        known = {tuple(s.tokens) for s in training.train}
        seen = sum(tuple(s.tokens) in known for s in dataset.check)
        return trained_on(seen, len(dataset.check), "sentence")

    def sample(
        self, model: nn.Module, dataset: Tagged, options: TagOptions, length: int, seed: int,
        device: str,
    ) -> str:  # fmt: skip
        return ""

    def remarks(
        self, model: nn.Module, dataset: Tagged, options: TagOptions, device: str, sample: str,
        folder: Path,
    ) -> list[str]:  # fmt: skip
        if not dataset.check:
            return []
        held = range(dataset.trained, len(dataset.targets))
        answers = answered(model, dataset.encoded, held, device)
        said = [[dataset.labels[k] for k in a.best] for a in answers]
        true = [s.labels for s in dataset.check]
        if spans.prefixed(dataset.labels):
            lines = labelling.table(
                spans.count(true, said, by_prefix=True).each(), "label", "spans"
            )
        else:
            lines = labelling.table(tokens_by_label(true, said).each(), "label", "tokens")
        lines += ["", *page.confused(true, said)]
        known = np.concatenate([dataset.encoded.ids[dataset.encoded.tokens[k]] > 0 for k in held])
        hit = np.concatenate([answers[k - held.start].best == dataset.targets[k] for k in held])
        if not known.all():
            right = f"{hit[~known].mean():.1%} of {(~known).sum():,} unknown tokens"
            if known.any():
                right += f" and {hit[known].mean():.1%} of the others"
            lines += [f"Right are the labels of {right}.", ""]
        worst = sorted(page.mistakes(dataset.check, said, [a.confidence for a in answers]))
        if worst:
            lines += ["Mistakes made with most confidence, one of a sentence:", ""]
        return lines + [mistake.told() for mistake in reversed(worst[-WORST:])]

    def predict(
        self, model: nn.Module, preprocessing: Mapping[str, Any], options: TagOptions, device: str,
        data: Sequence[str], out: TextIO, bad: BadRows,
    ) -> None:  # fmt: skip
        labels, encoder, roles = _settled(preprocessing)
        if list(data) == ["-"]:
            shown = "standard input"
            arriving = Arriving(shown, sys.stdin.buffer, roles.encoding)
            opened = tagged.open_stream(shown, arriving, roles)
            _predict(opened, arriving, encoder, model, device, labels, out, bad)
            return
        for k, one in enumerate(source.resolve(data)):
            opened = tagged.open_file(one, roles, labelled=False)
            if k and opened.roles.form == "conll":
                out.write("\n")  # else the sentence before would go on
            _predict(opened, None, encoder, model, device, labels, out, bad)


TASK = Tag()


class Answer(NamedTuple):
    """What the model says of each token of a sentence."""

    best: Ints  # [T], numbers of labels
    confidence: NDArray[np.float64]  # [T], in [0, 1]
    nats: NDArray[np.float64]  # [T], of the true labels; empty where they are not given


def answered(
    model: nn.Module, encoded: Encoded, chosen: Sequence[int], device: str,
    targets: Sequence[Ints] | None = None,
) -> list[Answer]:  # fmt: skip
    """The answers for these sentences, in their order."""
    lengths = np.array([len(encoded.tokens[k]) for k in chosen], dtype=np.int64)
    most = max(1, SCORED_TOKENS // int(lengths.max(initial=1)))
    batches = Buckets(lengths, min(SCORED, most), seed=None)
    result: dict[int, Answer] = {}
    with torch.no_grad():
        for k in range(len(batches)):
            places = batches[k]
            scores = model(encoded.inputs(chosen[place] for place in places).to(device))
            chances = torch.log_softmax(scores.double(), -1).cpu().numpy()  # [N, C]
            best = chances.argmax(1)
            sure = np.exp(chances[np.arange(len(best)), best])
            nats = np.empty(0)
            if targets is not None:
                own = np.concatenate([targets[chosen[place]] for place in places])
                nats = -chances[np.arange(len(own)), own]
            ends = np.cumsum(lengths[places])
            for place, end in zip(places, ends, strict=True):
                its = slice(end - lengths[place], end)
                result[int(place)] = Answer(best[its], sure[its], nats[its])
    return [result[place] for place in range(len(chosen))]


def _tagged(
    data: Sequence[str], train: list[Sentence], check: list[Sentence], labels: tuple[str, ...],
    encoder: Encoder, roles: TagRoles, facts: tuple[str, ...], bad: BadRows,
) -> Tagged:  # fmt: skip
    cut = sum(len(s.tokens) > encoder.longest for s in (*train, *check))
    train, check = encoder.cut(train), encoder.cut(check)
    targets = numbers([*train, *check], labels)
    encoded = encoder.encode([s.tokens for s in (*train, *check)])
    name = naming.shown(data)
    return Tagged(name, train, check, encoded, targets, labels, encoder, roles, facts, cut, bad)


def _settled(preprocessing: Mapping[str, Any]) -> tuple[tuple[str, ...], Encoder, TagRoles]:
    """Labels, encoder and reading of a trained model. UserError where they are damaged."""
    return labelling.settled(preprocessing, "labels", encoder_from_json, TagRoles)


# ---- Prediction ----------------------------------------------------------------------------


def _predict(
    opened: Opened, arriving: Arriving | None, encoder: Encoder, model: nn.Module, device: str,
    labels: Sequence[str], out: TextIO, bad: BadRows,
) -> None:  # fmt: skip
    """The file again, with the answers beside its tokens."""
    for block in prediction.together(opened.pieces(bad), arriving, SCORED):
        sentences = [piece.sentence for piece in block if piece.sentence is not None]
        parts = encoder.cut(sentences)
        encoded = encoder.encode([part.tokens for part in parts])
        answers = answered(model, encoded, range(len(parts)), device)
        said = (labels[k] for answer in answers for k in answer.best)
        for piece in block:
            tokens = piece.sentence.tokens if piece.sentence is not None else []
            out.write(piece.answered(list(itertools.islice(said, len(tokens)))))
        out.flush()
