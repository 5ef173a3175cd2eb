"""Sequences with values, from data to a data set with the linear answers to its training part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.data.tables.reading import Reading, reading_from_json
from elman.data.trajectories import trajectories
from elman.data.trajectories.roles import Columns
from elman.data.trajectories.trajectories import Trajectories, Trajectory
from elman.errors import UserError
from elman.options import make, part
from elman.tasks import naming
from elman.tasks.folds import drawn
from elman.tasks.regress.data import Encoded, Encoder, Measured, Values, encoder_from_json
from elman.tasks.regress.linear import answer
from elman.tasks.regress.options import RegressOptions
from elman.tasks.task import Kept
from elman.wording import counted

AHEAD = 8  # inputs ahead that linear answers read beside layers that read both ways
LEAST_LEFT = 1e-3  # deviations: what is left over is scaled by no less
PARTS, LONGEST_PART = 10, 200  # of a single sequence: how many at least, and their steps
FOLDS = 5
# Sequences below which there are folds: with values at every step, with one.
FEW = {True: 40, False: 200}


def read(data: Sequence[str], options: RegressOptions, validation: float) -> Measured:
    """The validation part is drawn by whole sequences, the same for the same data."""
    bad = BadRows(options.skip_bad_rows)
    asked = part(TableOptions, options)
    train = trajectories.read(data, part(Columns, options), bad, asked)
    check = None
    if options.validation_data is not None:
        named = [str(options.validation_data)]
        check = trajectories.read(named, train.columns, bad, asked, train.reading)
    return in_memory(naming.shown(data), train, check, options, validation, bad)


def in_memory(
    name: str, train: Trajectories, check: Trajectories | None, options: RegressOptions,
    validation: float, bad: BadRows,
) -> Measured:  # fmt: skip
    """A data set of these sequences; without `check` a share is held back to validate."""
    columns = train.columns
    _check(options, columns, name)
    options = replace(options, initial_state=first_state(options, columns))
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


def unseen(data: Sequence[str], kept: Kept, bad: BadRows) -> Measured:
    columns, encoder, reading = settled(kept)
    check = trajectories.read(data, columns, bad, known=reading)
    train = Trajectories(columns=columns, reading=reading)
    return measured(naming.shown(data), train, check, encoder, bad)


def overlap(dataset: Measured, training: Measured) -> str:
    if dataset.folds:
        return ""
    known, scored = ([x.digest() for x in y.items] for y in (training.train, dataset.check))
    return naming.trained_on(known, scored, "sequence")


def settled(kept: Kept) -> tuple[Columns, Encoder, Reading]:
    """Columns, encoder and reading of a trained model. UserError where they are damaged."""
    columns, encoder = columns_from_json(kept.get("columns")), encoder_of(kept)
    return columns, encoder, reading_from_json(kept.get("reading"))


def encoder_of(kept: Kept) -> Encoder:
    """The encoder of a trained model. UserError where it is damaged."""
    return encoder_from_json(kept.get("encoder") or {})


def encoded(encoder: Encoder, items: Sequence[Trajectory], *, targets: bool = True
            ) -> list[Encoded]:  # fmt: skip
    """All of them. UserError: one that does not fit the encoder."""
    found = []
    for item in items:
        try:
            found.append(encoder.encode(item, targets=targets))
        except ValueError as error:
            raise UserError(f"{item.where}: {error}") from None
    return encoder.with_linear(found)


def measured(
    name: str, train: Trajectories, check: Trajectories, encoder: Encoder, bad: BadRows
) -> Measured:
    """A data set of other sequences for a trained model."""
    inputs = encoded(encoder, (*train.items, *check.items))
    return Measured(name, train, check, inputs, encoder, bad)


def learning(
    name: str, train: Trajectories, check: Trajectories, options: RegressOptions, bad: BadRows,
) -> Measured:  # fmt: skip
    """A data set to learn from, with the best linear answers to its training part.

    With folds, as many as `options` say, all sequences are for both parts, and there is a linear
    answer to the others of each fold. Parts of one sequence, cut, are in one fold.
    """
    folds = options.folds or 0
    columns = train.columns
    knows = {"given": "state", "encoded": "static"}.get(options.initial_state or "", "")
    encoder = Encoder.of(train.items, every_step=bool(columns.every_step), knows=knows)
    inputs, digests = encoded(encoder, train.items), [item.digest() for item in train.items]
    inside = np.full(len(inputs), -1)
    if folds:
        whole = [item.digest() for item in check.items]
        pieces = [
            len(trajectories.cut([item], options.cut)) if options.cut else 1 for item in check.items
        ]
        inside = np.repeat(drawn(whole, folds), pieces)
    parts = (
        [np.flatnonzero(inside != k) for k in range(folds)] if folds else [np.arange(len(inputs))]
    )
    learnt = tuple(
        answer.learn(
            encoder.sequences([inputs[n] for n in part]), [digests[n] for n in part],
            every_step=encoder.every_step, ahead=AHEAD if any(options.bidirectional) else 0,
            near=options.feedback,
        )
        for part in parts
    )  # fmt: skip
    wanted = options.linear
    if wanted is None:
        wanted = sum(one.worth_a_path for one in learnt) > len(learnt) / 2
    if wanted:
        encoder = replace(encoder, linear=tuple(one.free for one in learnt))
        inputs = encoder.with_linear(inputs)
        encoder = replace(encoder, left=_left(inputs, parts))
    if folds:
        inputs = [item._replace(fold=int(k)) for item, k in zip(inputs, inside, strict=True)]
        return Measured(name, train, train, [*inputs, *inputs], encoder, bad, folds, learnt)
    inputs += encoded(encoder, check.items)
    return Measured(name, train, check, inputs, encoder, bad, 0, learnt)


def _left(inputs: Sequence[Encoded], parts: Sequence[NDArray[np.int64]]) -> Values:
    """The root of the mean square of what each linear answer leaves over in its part, [L, O]."""
    rows = []
    for k, own in enumerate(parts):
        gaps = np.concatenate([np.atleast_2d(inputs[n].y - inputs[n].linear[k]) for n in own])
        rows.append(np.sqrt((gaps.astype(np.float64) ** 2).mean(0)))
    left: Values = np.maximum(np.stack(rows), LEAST_LEFT)
    return left


def columns_from_json(data: Any) -> Columns:
    """The columns that a trained model reads. UserError where they are damaged."""
    if not isinstance(data, dict):
        raise UserError("preprocessing.json: damaged (no columns in it)")
    where = "preprocessing.json"
    columns = make(Columns, {k: v for k, v in data.items() if v is not None}, where=where)
    for name in ("sequence_column", "input_columns", "target"):  # never guessed from other data
        if getattr(columns, name) is None:
            raise UserError(f"{where}: damaged (no {name} in it)")
    return columns


def _check(options: RegressOptions, columns: Columns, shown: str) -> None:
    """UserError for options that these columns do not serve."""
    if options.feedback and not columns.every_step:
        raise UserError("--feedback: needs a target at every step; there is one a sequence")
    if not columns.inputs and not options.feedback:
        raise UserError(
            f"{shown}: no column is left for an input; name some with --input-columns, or give "
            "--feedback"
        )
    start = first_state(options, columns)
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


def first_state(
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
    if not open_ or steps < 2 * PARTS or first_state(options, whole.columns) == "given":
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
