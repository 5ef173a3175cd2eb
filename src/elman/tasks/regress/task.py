"""The task `regress`: read a sequence, tell a value at every step or one at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TextIO, cast, final

import numpy as np
import torch
from torch import Tensor, nn

from elman.data.batching import Buckets
from elman.data.doctor import Page
from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.data.tables.reading import reading_from_json
from elman.data.trajectories import trajectories
from elman.data.trajectories.roles import Columns
from elman.data.trajectories.trajectories import Trajectories
from elman.errors import UserError
from elman.metrics import Loss
from elman.options import part
from elman.tasks import naming
from elman.tasks.naming import trained_on
from elman.tasks.pace import expectation
from elman.tasks.regress import advice, doctor, pictures, predict
from elman.tasks.regress.data import (
    Batch,
    Measured,
    batch_of,
    columns_from_json,
    encoder_from_json,
    learning,
    measured,
)
from elman.tasks.regress.model import Regressor
from elman.tasks.regress.options import RegressOptions
from elman.tasks.regress.rivals import rivals
from elman.tasks.regress.scoring import ONE_STEP, errors, summed_loss, tally_of, tell
from elman.tasks.rivals import Rival
from elman.tasks.task import Budget, Carry, Epoch, Plan, Task, Validation
from elman.wording import counted

RATE, RATED = 1e-2, 64  # learning rate, of layers of so many units; less where they are more
PASSES, FEWEST_PASSES = 300, 3
UPDATES = 6_000  # of the weights, after which the learning rate has fallen, within those passes
PARTS, LONGEST_PART = 10, 200  # of a single sequence: how many at least, and their steps
FOLDS = 5
FEW = {
    True: 40,
    False: 200,
}  # sequences below which there are folds: with values at every step, one


@dataclass(frozen=True)
class Batches:
    """The training batches of one epoch."""

    dataset: Measured
    order: Buckets
    options: RegressOptions

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, k: int) -> Batch:
        return batch_of([self.dataset.inputs[n] for n in self.order[k]], self.options)


@final
class Regress(Task[RegressOptions, Measured, Batch]):
    """The validation part is drawn by whole sequences, the same for the same data.

    With feedback, the errors without a prefix are those of the network that reads its own values;
    those of `ONE_STEP` are of the one that reads the true values of the step before.
    """

    name = "regress"
    built_in = ("name:pendulum",)

    def read(self, data: Sequence[str], options: RegressOptions, validation: float) -> Measured:
        bad = BadRows(options.skip_bad_rows)
        asked = part(TableOptions, options)
        train = trajectories.read(data, part(Columns, options), bad, asked)
        check = None
        if options.validation_data is not None:
            named = [str(options.validation_data)]
            check = trajectories.read(named, train.columns, bad, asked, train.reading)
        return self.dataset(naming.shown(data), train, check, options, validation, bad)

    def dataset(
        self, name: str, train: Trajectories, check: Trajectories | None, options: RegressOptions,
        validation: float, bad: BadRows,
    ) -> Measured:  # fmt: skip
        """A data set of sequences in memory; without `check` a share is held back to validate."""
        columns = train.columns
        _check(options, columns, name)
        options = replace(options, initial_state=_start(options, columns))
        if check is not None:
            train, check = _cut(train, options), _cut(check, options)
            options = replace(options, folds=0)
            return learning(name, train, check, options, bad)
        options, train = _parted(options, train, validation)
        options = replace(options, folds=_folds(train, options, validation))
        if options.folds:
            return learning(name, _cut(train, options), train, options, bad)
        train, check = _split(train, options, validation)
        return learning(name, train, check, options, bad)

    def unseen(
        self, data: Sequence[str], preprocessing: Mapping[str, Any], bad: BadRows
    ) -> Measured:
        columns = columns_from_json(preprocessing.get("columns"))
        encoder = encoder_from_json(preprocessing.get("encoder") or {})
        reading = reading_from_json(preprocessing.get("reading"))
        check = trajectories.read(data, columns, bad, known=reading)
        train = Trajectories(columns=columns, reading=reading)
        return measured(naming.shown(data), train, check, encoder, bad)

    def preprocessing(self, dataset: Measured) -> dict[str, Any]:
        return dataset.preprocessing()

    def examine(self, dataset: Measured) -> Page:
        return doctor.examine(dataset)

    def plan(
        self, dataset: Measured, options: RegressOptions, budget: Budget
    ) -> Plan[RegressOptions]:
        start = _start(options, dataset.columns)
        batch = budget.batch_size or _batch(dataset.trained)
        rate = budget.learning_rate or RATE * min(1.0, RATED / max(options.hidden_size or (64,)))
        settled = replace(
            options,
            hidden_size=options.hidden_size or (64,),
            dropout=options.dropout or 0.0,
            weight_drop=options.weight_drop or 0.0,
            initial_state=start,
            validation_data=naming.lasting(options.validation_data),
            linear=bool(dataset.encoder.linear),
            folds=dataset.folds,
            members=_members(options.members, dataset.folds),
        )
        model, epoch = (
            Regressor(settled, dataset.encoder),
            self.epoch(dataset, settled, batch, 0, 0),
        )
        passes = max(FEWEST_PASSES, min(PASSES, UPDATES // len(epoch)))
        assert settled.hidden_size
        units = ", ".join(map(str, settled.hidden_size))
        columns = dataset.columns
        from_ = {"given": columns.states, "encoded": columns.statics}.get(start, ())
        beside = f", beside {dataset.learnt[0].kind}" if settled.linear else ""
        many = f"{settled.members} networks, each " if settled.members > 1 else ""
        why = (
            f"{many}{'/'.join(settled.cell)} of {units} units, first state {start}"
            f"{' from ' + ', '.join(from_) if from_ else ''}{beside}: "
            + expectation(self, model, epoch, budget, passes)
        )
        return Plan(settled, batch, rate, why, passes)

    def build(self, preprocessing: Mapping[str, Any], options: RegressOptions) -> Regressor:
        for name in ("hidden_size", "dropout", "weight_drop", "initial_state"):
            if getattr(options, name) is None:
                raise UserError(f"options.toml: damaged (no {name} in it)")
        return Regressor(options, encoder_from_json(preprocessing.get("encoder") or {}))

    def epoch(
        self, dataset: Measured, options: RegressOptions, batch_size: int, seed: int, epoch: int
    ) -> Epoch[Batch]:
        draw = int(np.random.default_rng((seed, epoch)).integers(2**62))
        order = Buckets(dataset.lengths[: dataset.trained], batch_size, seed=draw)
        return Batches(dataset, order, options)

    def loss(
        self, model: nn.Module, batch: Batch, carry: Carry, device: str
    ) -> tuple[Tensor, int, Carry]:
        model = cast(Regressor, model)
        x = batch.with_past() if model.feedback else batch.x
        known, linear = batch.known.to(device), batch.linear.to(device)
        each = model.each(x.to(device), batch.lengths, known, linear)  # [M, B, …]
        true = batch.y.to(device).expand_as(each)
        learning = ~model.asked(batch.folds) | (batch.folds < 0)  # [M, B]
        if each.dim() == 4:
            alive = torch.arange(x.shape[1]) < batch.lengths[:, None]
            learning = learning[..., None] & alive
        learning = learning.to(device)
        told, true = each[learning], true[learning]
        return summed_loss(told, true, batch.loss), max(1, true.numel()), None

    def validate(
        self, model: nn.Module, dataset: Measured, options: RegressOptions, device: str
    ) -> Validation:
        model, held = cast(Regressor, model), dataset.held
        true = [item.y for item in held]
        told = tell(model, held, options, device)
        scores = errors(told, true, dataset.encoder.y).scores()
        if options.feedback:
            near = tell(model, held, options, device, one_step=True)
            scores |= errors(near, true, dataset.encoder.y).scores(ONE_STEP)
        pairs = [
            (torch.from_numpy(a), torch.from_numpy(b)) for a, b in zip(told, true, strict=True)
        ]
        total = sum(summed_loss(a, b, options.loss).item() for a, b in pairs)
        loss, tally = (
            Loss(total, sum(y.size for y in true)),
            tally_of(told, true, dataset.encoder.y),
        )
        return Validation(loss, scores, tally=tally)

    def rivals(self, dataset: Measured, options: RegressOptions, training: Measured) -> list[Rival]:
        return rivals(dataset, training, feedback=options.feedback)

    def overlap(self, dataset: Measured, training: Measured) -> str:
        if dataset.folds:
            return ""
        known = {item.digest() for item in training.train.items}
        seen = sum(item.digest() in known for item in dataset.check.items)
        return trained_on(seen, len(dataset.check.items), "sequence")

    def losses_apart(self, options: RegressOptions) -> str:
        if not options.feedback:
            return ""
        return "in training the network reads true values, in validation its own"

    def sample(
        self, model: nn.Module, dataset: Measured, options: RegressOptions, length: int,
        seed: int, device: str,
    ) -> str:  # fmt: skip
        return ""

    def remarks(
        self, model: nn.Module, dataset: Measured, options: RegressOptions, device: str,
        sample: str, folder: Path,
    ) -> list[str]:  # fmt: skip
        model, held, scale = cast(Regressor, model), dataset.held, dataset.encoder.y
        if not held:
            return []
        true = [item.y for item in held]
        told = tell(model, held, options, device)
        one_step = None
        if options.feedback:
            near = tell(model, held, options, device, one_step=True)
            one_step = errors(near, true, scale)
        lines = [
            "Errors in the units of each target"
            + (", the network reading its own values, and for one step the true ones:"
               if options.feedback else ":"),
            "",
            *pictures.target_table(dataset.targets, errors(told, true, scale), one_step),
            "",
        ]  # fmt: skip
        shown = len(held) if not dataset.encoder.every_step else pictures.SEQUENCES
        names = [item.name or Path(item.where).name for item in dataset.check.items[:shown]]
        drawn = pictures.draw(
            dataset.targets,
            [scale.back(values) for values in told[:shown]],
            [scale.back(values) for values in true[:shown]],
            names,
            folder,
        )
        if drawn:
            lines += ["![true values and predicted ones](predictions.png)", ""]
        if (tally := tally_of(told, true, scale)).unit == "block":
            each = round(float(tally.sums[:, 1].mean()))
            lines += [
                f"Few sequences are scored: gains are counted by their blocks, of about {each:,} "
                "values each, as if these were independent.",
                "",
            ]
        own = errors(told, true, scale).scores()["rmse"]
        found = rivals(dataset, dataset, feedback=options.feedback)
        return lines + advice.next_try(own, found, options, folder)

    def predict(
        self, model: nn.Module, preprocessing: Mapping[str, Any], options: RegressOptions,
        device: str, data: Sequence[str], out: TextIO, bad: BadRows,
    ) -> None:  # fmt: skip
        columns = columns_from_json(preprocessing.get("columns"))
        encoder = encoder_from_json(preprocessing.get("encoder") or {})
        answering = predict.Answering(
            cast(Regressor, model), encoder, columns,
            reading_from_json(preprocessing.get("reading")), options, device,
        )  # fmt: skip
        answering.write(data, out, bad)


TASK = Regress()


def _members(asked: int, folds: int) -> int:
    """As many networks for each fold, and so many in all at least."""
    return -(-asked // folds) * folds if folds else asked


def _batch(sequences: int) -> int:
    """How many are trained on side by side: more where they are many, and each tells little."""
    return max(4, min(64, sequences // 16), min(512, sequences // 300))


def _check(options: RegressOptions, columns: Columns, shown: str) -> None:
    """UserError for options that these columns do not serve."""
    if options.feedback and not columns.every_step:
        raise UserError("--feedback: needs a target at every step; there is one a sequence")
    if not columns.inputs and not options.feedback:
        raise UserError(
            f"{shown}: no column is left for an input; name some with --input-columns, or give "
            "--feedback"
        )
    start = _start(options, columns)
    if options.cut and not columns.every_step:
        raise UserError("--cut: needs a target at every step; there is one a sequence")
    if options.cut and start == "given":
        raise UserError(
            "--cut: a first state is given for the first part of a sequence alone; give "
            "--initial-state zero or learned"
        )
    if start == "given" and not columns.states:
        raise UserError("--initial-state given: name what holds it with --state-columns")
    if start == "encoded" and not columns.statics:
        raise UserError("--initial-state encoded: name what it is made of with --static-columns")


def _start(
    options: RegressOptions, columns: Columns
) -> Literal["zero", "given", "learned", "encoded"]:
    """What sequences start from, chosen by what there is where nobody says."""
    if options.initial_state is not None:
        return options.initial_state
    return "given" if columns.states else "encoded" if columns.statics else "zero"


def _folds(whole: Trajectories, options: RegressOptions, share: float) -> int:
    """How many folds the sequences are validated by; 0 to hold a share of them back."""
    different = len({item.digest() for item in whole.items})
    if options.folds is not None and options.folds > different:
        raise UserError(
            f"--folds {options.folds}: there {'is' if different == 1 else 'are'} "
            f"{counted(different, 'different sequence')}; give fewer"
        )
    if options.folds is not None or not share:
        return (options.folds or 0) if share else 0
    few = different < FEW[bool(whole.columns.every_step)]
    return min(FOLDS, different) if few and different > 1 else 0


def _cut(whole: Trajectories, options: RegressOptions) -> Trajectories:
    if options.cut is None:
        return whole
    return replace(whole, items=trajectories.cut(whole.items, options.cut))


def _parted(
    options: RegressOptions, whole: Trajectories, share: float
) -> tuple[RegressOptions, Trajectories]:
    """A single sequence is cut where nobody says how, so that its end can be kept to validate."""
    steps = len(whole.items[0].x)
    open_ = options.cut is None and whole.columns.every_step and len(whole) == 1 and share > 0
    if not open_ or steps < 2 * PARTS or _start(options, whole.columns) == "given":
        return options, whole
    size = min(LONGEST_PART, steps // PARTS)
    fact = f"one sequence: cut into parts of {size:,} steps, the last for validation (--cut)"
    return replace(options, cut=size), replace(whole, facts=(*whole.facts, fact))


def _split(
    whole: Trajectories, options: RegressOptions, share: float
) -> tuple[Trajectories, Trajectories]:
    """Training and validation part: by whole sequences, or, of a single one, by its parts."""
    if len(whole) == 1 and options.cut:
        parts = _cut(whole, options)
        held = max(1, round(share * len(parts))) if share else 0
        if held < len(parts):
            train = range(len(parts) - held)
            return parts.pick(train), parts.pick(range(len(train), len(parts)))
    kept, checked = trajectories.split(whole.items, share)
    return _cut(whole.pick(kept), options), _cut(whole.pick(checked), options)
