"""Labelled sequences, from data to a data set: what validates it, classes, how it is encoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from elman.data.labelled import examples
from elman.data.labelled import files as labelled_files
from elman.data.labelled.examples import Examples
from elman.data.labelled.roles import LabelRoles, Wanted, roles_from_json
from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.errors import UserError
from elman.options import part
from elman.tasks import folds, labelling, naming
from elman.tasks.classify.beside import counted, shape_of_kernels
from elman.tasks.classify.curves import scaling
from elman.tasks.classify.data import Encoder, Labelled, encoder_from_json, make_encoder, numbers
from elman.tasks.classify.options import ClassifyOptions
from elman.tasks.task import Kept


def read(data: Sequence[str], options: ClassifyOptions, validation: float) -> Labelled:
    """The validation part is drawn class by class, the same for the same data."""
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
    return dataset(naming.shown(data), train, check, options, validation, bad)


def dataset(
    name: str, train: Examples, check: Examples | None, options: ClassifyOptions,
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
            fold = folds.dealt(train.each, train.contents(), count)
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
            train.vectors, numbers(train, classes, several=several is not None), len(classes),
            options.longest,
        )  # fmt: skip
    encoder = make_encoder(
        train, level=options.level, limit=options.vocabulary, lowercase=options.lowercase,
        longest=options.longest, scaled=found.scaling,
    )  # fmt: skip
    told = [found.told] if found.told and not encoder.pictured else []
    if encoder.pictured and options.scaling is None:
        encoder = replace(encoder, scaling="channel")
    if fold is not None:
        told += folds.told(train.each, fold, options.folds, validation)
    made = replace(
        _labelled(name, train, check, classes, encoder, train.roles, bad),
        folds=None if fold is None else fold[fold >= 0], training_folds=fold, told=tuple(told),
    )  # fmt: skip
    made = replace(made, kernels=shape_of_kernels(made, options))
    return replace(made, bags=counted(made, options.bag))


def unseen(data: Sequence[str], kept: Kept, bad: BadRows) -> Labelled:
    classes, encoder, roles = settled(kept)
    parts = labelled_files.parts(data)
    check = labelled_files.read(data if parts is None else parts.test, roles, bad)
    return _labelled(naming.shown(data), Examples(), check, classes, encoder, roles, bad)


def overlap(dataset: Labelled, training: Labelled) -> str:
    return naming.trained_on(training.train.contents(), dataset.check.contents(), "sequence")


def settled(kept: Kept) -> tuple[tuple[str, ...], Encoder, LabelRoles]:
    """Classes, encoder and roles of a trained model. UserError where they are damaged."""
    labels, encoder, roles = labelling.kept(kept, "classes")
    return labels, encoder_from_json(encoder), roles_from_json(roles)


def classes_of(labels: Sequence[str]) -> tuple[str, ...]:
    """The different labels, numbers in the order of their values."""

    def order(label: str) -> tuple[bool, float, str]:
        number = label.removeprefix("-").replace(".", "", 1).isdecimal()
        return not number, float(label) if number else 0.0, label

    return tuple(sorted(set(labels), key=order))


def check_classes(name: str, train: Examples, classes: Sequence[str]) -> None:
    """UserError where there is nothing to learn."""
    if train.roles.several is None:
        if len(classes) < 2:
            told = f'one class only, "{classes[0]}"' if classes else "no class left"
            raise UserError(f"{name}: {told}; nothing to learn")
    elif len({frozenset(labels) for labels in train.each}) < 2:
        told = train.labels[0] if train.labels and train.labels[0] else "none"
        raise UserError(f'{name}: the same labels everywhere, "{told}"; nothing to learn')


def check_widths(examples: Examples) -> None:
    """UserError unless all vectors are equally wide."""
    for vectors, where in zip(examples.vectors, examples.where, strict=False):  # none of texts
        if vectors.shape[1] != examples.vectors[0].shape[1]:
            raise UserError(
                f"{where}: steps of {vectors.shape[1]} values, where the first sequence has "
                f"{examples.vectors[0].shape[1]}"
            )


def without_single(read: Examples, bad: BadRows) -> Examples:
    """The same without sequences that are alone in their class: learnt, they could not be scored,
    and scored, they would not have been learnt."""
    counts = Counter(read.labels)
    single = [k for k, label in enumerate(read.labels) if counts[label] == 1]
    for k in single:
        bad.add(read.where[k], f'the only sequence of the class "{read.labels[k]}"')
    return read.pick([k for k in range(len(read)) if k not in set(single)]) if single else read


def _labelled(
    name: str, train: Examples, check: Examples, classes: tuple[str, ...], encoder: Encoder,
    roles: LabelRoles, bad: BadRows,
) -> Labelled:  # fmt: skip
    inputs = []
    known = encoder.vocabulary
    narrow = None if known is None else np.min_scalar_type(known.size)
    for half in (train, check):
        sequences: Sequence[Any] = half.texts or half.vectors
        for sequence, where in zip(sequences, half.where, strict=True):
            try:
                encoded = encoder.encode(sequence)
                inputs.append(encoded if narrow is None else encoded.astype(narrow))
            except ValueError as error:
                raise UserError(f"{where}: {error}") from None
    several = roles.several is not None
    targets = np.concatenate([numbers(half, classes, several=several) for half in (train, check)])
    return Labelled(name, train, check, inputs, targets, classes, encoder, roles, bad)
