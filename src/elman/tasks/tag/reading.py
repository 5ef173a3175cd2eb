"""Sentences with labels, from data to a data set."""

from __future__ import annotations

from collections.abc import Sequence

from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.data.tags import reading as tagged
from elman.data.tags.sentence import Sentence, TagRoles
from elman.errors import UserError
from elman.options import part
from elman.tasks import labelling, naming
from elman.tasks.tag.data import Encoder, Tagged, encoder_from_json, make_encoder, numbers
from elman.tasks.tag.options import TagOptions
from elman.tasks.task import Kept


def read(data: Sequence[str], options: TagOptions, validation: float) -> Tagged:
    """The validation part is the end of the data."""
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
        whole[0], limit=options.vocabulary, lowercase=options.lowercase, longest=options.longest
    )
    return _tagged(data, *whole, labels, encoder, found.roles, found.facts, bad)


def unseen(data: Sequence[str], kept: Kept, bad: BadRows) -> Tagged:
    labels, encoder, roles = settled(kept)
    found = tagged.read(data, roles, bad)
    return _tagged(data, [], found.all, labels, encoder, roles, found.facts, bad)


def overlap(dataset: Tagged, training: Tagged) -> str:
    known, scored = ((tuple(s.tokens) for s in x) for x in (training.train, dataset.check))
    return naming.trained_on(known, scored, "sentence")


def settled(kept: Kept) -> tuple[tuple[str, ...], Encoder, TagRoles]:
    """Labels, encoder and roles of a trained model. UserError where they are damaged."""
    return labelling.settled(kept, "labels", encoder_from_json, TagRoles)


def split(sentences: list[Sentence], share: float) -> tuple[list[Sentence], list[Sentence]]:
    """For training and for validation: `share` of them, at the end, one at least if any.

    Those with a label that stands nowhere else stay in training.
    """
    count = len(sentences) - (max(1, round(share * len(sentences))) if share else 0)
    train, held = sentences[:count], sentences[count:]
    known = {label for sentence in train for label in sentence.labels}
    rare = [s for s in held if not known.issuperset(s.labels)]
    return train + rare, [s for s in held if known.issuperset(s.labels)]


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
