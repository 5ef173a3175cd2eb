"""The task `translate`: read N symbols, write M."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TextIO, final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman import metrics
from elman.data import pairs
from elman.data.batching import Buckets, padded
from elman.data.doctor import Page
from elman.data.pairs import Pairs, Reading
from elman.data.table import BadRows
from elman.errors import UserError
from elman.metrics import Loss
from elman.options import given, make
from elman.tasks import naming
from elman.tasks.pace import epoch_seconds
from elman.tasks.task import Budget, Carry, Epoch, Plan, Scores, Task, Validation
from elman.tasks.translate import baseline, pictures, predict
from elman.tasks.translate.data import (
    Encoder,
    Ints,
    Paired,
    encoder_from_json,
    make_encoder,
)
from elman.tasks.translate.model import Translator
from elman.tasks.translate.options import Decoding, TranslateOptions
from elman.tasks.translate.scores import INSTALL, scores_of, signatures
from elman.tasks.translate.writing import Translating, Translation

SCORED = 64  # pairs at once, where none is trained on
SHOWN = 5  # sentences of a sample
MOST_EPOCHS = 30


class Batch(NamedTuple):
    """Pairs side by side: tokens of the source, those before each of the target's, and these."""

    source: Tensor  # [B, S] int64
    source_lengths: Tensor  # [B]
    before: Tensor  # [B, T] int64, begins with the end's id
    target_lengths: Tensor  # [B]
    target: Tensor  # [N] int64, sentence after sentence


def batch(dataset: Paired, chosen: Sequence[int]) -> Batch:
    """These pairs."""
    source, source_lengths = padded([dataset.sources[k] for k in chosen])
    targets = [dataset.targets[k] for k in chosen]
    before, target_lengths = padded([np.append(ids[-1:], ids[:-1]) for ids in targets])
    target = torch.from_numpy(np.concatenate(targets))
    return Batch(source, source_lengths, before, target_lengths, target)


@dataclass(frozen=True)
class Batches:
    """The training batches of one epoch."""

    dataset: Paired
    order: Buckets

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, k: int) -> Batch:
        return batch(self.dataset, self.order[k].tolist())


@final
@dataclass(frozen=True)
class Translate(Task[TranslateOptions, Paired, Batch]):
    """Pairs that share a side are on one side of the split. Validated by `decoding`, greedily
    while training."""

    name = "translate"
    built_in = ("name:numbers",)
    decoding: Decoding = Decoding(beam=1)

    def decoded(self, decoding: Decoding) -> Translate:
        """The same task, by other decoding."""
        return Translate(decoding)

    def read(self, data: Sequence[str], options: TranslateOptions, validation: float) -> Paired:
        bad = BadRows(options.skip_bad_rows)
        asked = Reading(options.source_column, options.target_column, options.encoding)
        train = pairs.read(data, asked, bad)
        if options.validation_data is not None:
            check = pairs.read([str(d) for d in options.validation_data], train.reading, bad)
        else:
            kept, held = pairs.split(train, validation)
            train, check = train.pick(kept), train.pick(held)
        if not len(train) or (validation and not len(check)):
            raise UserError(
                f"{data[0]}: too few pairs to hold {validation:.0%} of them back; give more, a "
                "larger --validation, --validation-data, or --validation 0"
            )
        levels = (options.source_level or options.level, options.target_level or options.level)
        encoder = make_encoder(
            train.sources, train.targets, levels, limit=options.vocabulary,
            shared=options.shared_vocabulary, lowercase=options.lowercase,
            longest=options.longest, cut=options.cut,
        )  # fmt: skip
        return _paired(naming.shown(data), train, check, encoder, None, bad)

    def unseen(self, data: Sequence[str], preprocessing: Mapping[str, Any]) -> Paired:
        encoder, reading, written = _settled(preprocessing)
        bad = BadRows(False, advice="mend it")
        check = pairs.read(data, reading, bad)
        return _paired(naming.shown(data), Pairs(), check, encoder, written, bad)

    def stored(self, dataset: Paired, data: Sequence[str]) -> tuple[list[str], dict[str, Path]]:
        if "-" in data:
            raise UserError("standard input cannot be read again to go on: give a file")
        return [d if d.startswith("name:") else str(Path(d).absolute()) for d in data], {}

    def stem(self, data: Sequence[str]) -> str:
        return Path(data[0].removeprefix("name:")).name.split(".")[0] or "translate"

    def preprocessing(self, dataset: Paired) -> dict[str, Any]:
        return dataset.preprocessing()

    def examine(self, dataset: Paired) -> Page:
        known = dataset.encoder
        sides = f"{known.source.level} ({known.source.size:,})"
        if known.target is not known.source:
            sides += f" to {known.target.level} ({known.target.size:,})"
        else:
            sides += ", the same on both sides"
        headline = (
            f"{dataset.name}: {len(dataset.train):,} pairs for training, "
            f"{len(dataset.check):,} for validation"
        )
        return Page(headline, (), (f"read as {sides}",))

    def plan(
        self, dataset: Paired, options: TranslateOptions, budget: Budget
    ) -> Plan[TranslateOptions]:
        size = budget.batch_size or max(8, min(64, dataset.trained // 100))
        rate = budget.learning_rate or 2e-3
        settled = replace(
            options,
            hidden_size=options.hidden_size or (256,),
            embedding=options.embedding or 256,
            dropout=given(options.dropout, 0.3),
            weight_drop=given(options.weight_drop, 0.0),
            token_dropout=given(options.token_dropout, 0.05),
            validation_data=None
            if options.validation_data is None
            else tuple(Path(naming.lasting(path) or "") for path in options.validation_data),
        )
        epochs = budget.epochs
        if epochs is None:
            assert budget.seconds is not None
            epoch = self.epoch(dataset, settled, size, 0, 0)
            model = self.build(dataset.preprocessing(), settled)
            each = epoch_seconds(self, model, epoch, budget.device)
            epochs = max(1, min(MOST_EPOCHS, int(0.8 * budget.seconds / each)))
        assert settled.hidden_size
        how = {
            "first": "the encoder's last state as first state",
            "each": "the encoder's last state at every step",
            "attention": f"{settled.attention} attention",
        }
        why = (
            f"{'/'.join(settled.cell)} of {', '.join(map(str, settled.hidden_size))} units, "
            f"{how[settled.context]}, dropout {settled.dropout:g}: {epochs} epochs"
        )
        return Plan(settled, size, rate, why, epochs)

    def build(self, preprocessing: Mapping[str, Any], options: TranslateOptions) -> Translator:
        for name in ("hidden_size", "embedding", "dropout", "weight_drop", "token_dropout"):
            if getattr(options, name) is None:
                raise UserError(f"options.toml: damaged (no {name} in it)")
        encoder, _, _ = _settled(preprocessing)
        return Translator(options, (encoder.source.size, encoder.target.size))

    def epoch(
        self, dataset: Paired, options: TranslateOptions, batch_size: int, seed: int, epoch: int
    ) -> Epoch[Batch]:
        draw = int(np.random.default_rng((seed, epoch)).integers(2**62))
        return Batches(dataset, Buckets(_lengths(dataset, range(dataset.trained)), batch_size, seed=draw))

    def loss(
        self, model: nn.Module, batch: Batch, carry: Carry, device: str
    ) -> tuple[Tensor, int, Carry]:
        assert isinstance(model, Translator)
        smoothing = model.how.label_smoothing if model.training else 0.0
        scores = _scores(model, batch, device)
        total = F.cross_entropy(
            scores, batch.target.to(device), reduction="sum", label_smoothing=smoothing
        )
        return total, len(batch.target), None

    def validate(
        self, model: nn.Module, dataset: Paired, options: TranslateOptions, device: str
    ) -> Validation:
        held = range(dataset.trained, len(dataset.sources))
        loss = self._loss(model, dataset, held, device)
        best = self._translations(model, dataset, held, device)
        said = [translations[0].text for translations in best]
        scores = scores_of(said, dataset.check.targets, lowercase=options.lowercase)
        nats = {"nats": loss.mean, "perplexity": metrics.perplexity(loss.mean)}
        return Validation(loss, scores | nats)

    def _loss(
        self, model: nn.Module, dataset: Paired, chosen: Sequence[int], device: str
    ) -> Loss:
        order = Buckets(_lengths(dataset, chosen), SCORED, seed=None)
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
        texts = [_text(dataset, k) for k in chosen]
        return translate(texts, [dataset.sources[k] for k in chosen], keep_attention=attention)

    def baseline(
        self, dataset: Paired, options: TranslateOptions, training: Paired
    ) -> tuple[str, Scores]:
        known = [range(training.trained), range(dataset.trained, len(dataset.sources))]
        sources, asked = ([d.sources[k] for k in part] for d, part in zip((training, dataset), known))
        nearest = baseline.most_similar(sources, asked, dataset.encoder.source.size + 1)
        true = dataset.check.targets
        candidates = {
            "the translation of the most similar source": [
                training.train.targets[k] for k in nearest
            ],
            "the source itself": dataset.check.sources,
        }
        scored = {
            name: scores_of(said, true, lowercase=options.lowercase)
            for name, said in candidates.items()
        }
        first = next(iter(scored.values()))
        decides = next(iter(first))
        names = sorted(scored, key=lambda name: -scored[name][decides])
        told = f"{names[0]}; {names[1]}: {decides} {scored[names[1]][decides]:.4f}"
        known_targets = [training.targets[k] for k in known[0]]
        nats = baseline.unigram_nats(
            known_targets, [dataset.targets[k] for k in known[1]], dataset.encoder.target.size + 1
        )
        own = {"nats": nats, "perplexity": metrics.perplexity(nats)}
        return f"{told}; nats by how often a token comes", scored[names[0]] | own

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
            lines += [f"  {_text(dataset, k)}", f"> {best.text}", f"= {_true(dataset, k)}", ""]
        return "\n".join(lines)

    def remarks(
        self, model: nn.Module, dataset: Paired, options: TranslateOptions, device: str,
        sample: str, folder: Path,
    ) -> list[str]:  # fmt: skip
        return []

    def predict(
        self, model: nn.Module, preprocessing: Mapping[str, Any], options: TranslateOptions,
        device: str, data: Sequence[str], out: TextIO, bad: BadRows,
    ) -> None:  # fmt: skip
        encoder, reading, written = _settled(preprocessing)
        assert isinstance(model, Translator)
        translating = Translating(model, encoder, written, self.decoding, device)
        predict.predict(translating, reading, data, out, bad)


TASK = Translate()


def _scores(model: Translator, batch: Batch, device: str) -> Tensor:
    source = model.encode(batch.source.to(device), batch.source_lengths)
    scores: Tensor = model(source, batch.before.to(device), batch.target_lengths)
    return scores


def _lengths(dataset: Paired, chosen: Sequence[int]) -> Ints:
    """By which pairs are batched: that of the target, and of equal ones that of the source."""
    most = dataset.encoder.longest + 2
    return np.array(
        [len(dataset.targets[k]) * most + len(dataset.sources[k]) for k in chosen], dtype=np.int64
    )


def _text(dataset: Paired, k: int) -> str:
    return [*dataset.train.sources, *dataset.check.sources][k]


def _true(dataset: Paired, k: int) -> str:
    return dataset.check.targets[k - dataset.trained]


def _paired(
    name: str, train: Pairs, check: Pairs, encoder: Encoder, written: int | None, bad: BadRows
) -> Paired:
    """The pairs encoded, without those that cannot be."""
    parts, sources, targets = list[Pairs](), list[Ints](), list[Ints]()
    for part in (train, check):
        kept = []
        for k, (ours, theirs) in enumerate(zip(part.sources, part.targets, strict=True)):
            ids = encoder.source_ids(ours), encoder.target_ids(theirs)
            wrong = next((i for i in ids if isinstance(i, str)), None)
            if wrong is not None:
                bad.add(part.where[k], wrong)
                continue
            kept.append(k)
            sources.append(ids[0])
            targets.append(ids[1])
        parts.append(part.pick(kept))
    if not sources:
        raise UserError(f"{name}: no pair is left")
    written = written or max(map(len, targets))
    return Paired(name, *parts, sources, targets, encoder, written, bad)


def _settled(preprocessing: Mapping[str, Any]) -> tuple[Encoder, Reading, int]:
    """Encoder, reading and longest translation of a model. UserError where they are damaged."""
    encoder, reading = preprocessing.get("encoder"), preprocessing.get("reading")
    written = preprocessing.get("written")
    if (
        not isinstance(encoder, dict)
        or not isinstance(reading, dict)
        or not isinstance(written, int)
        or not 1 <= written <= 1 << 20
    ):
        raise UserError("preprocessing.json: damaged (no encoder, reading or length in it)")
    made = make(Reading, {k: v for k, v in reading.items() if v is not None}, where="reading")
    return encoder_from_json(encoder), made, written
