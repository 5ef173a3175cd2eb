"""Pairs of texts, from data to a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from elman.data.pairs import reading as pairs
from elman.data.pairs.pairs import Pairs
from elman.data.pairs.roles import PairRoles, roles_from_json
from elman.data.pairs.split import split
from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.errors import UserError
from elman.options import part
from elman.tasks import naming
from elman.tasks.task import Kept
from elman.tasks.translate.data import Encoder, Paired, encode, encoder_from_json, make_encoder
from elman.tasks.translate.options import TranslateOptions

MOST_HELD = 1_500  # pairs kept for validation, so that large data is not scored for minutes


def read(data: Sequence[str], options: TranslateOptions, validation: float) -> Paired:
    """Pairs that share a side are on one side of the split."""
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


def unseen(data: Sequence[str], kept: Kept, bad: BadRows) -> Paired:
    encoder, roles, written = settled(kept)
    check = pairs.read(data, roles, bad)
    if strange := encoder.strange("".join(check.sources)):
        raise UserError(f"{naming.shown(data)}: sources {strange}")
    return encode(naming.shown(data), Pairs(), check, encoder, written, bad)


def held_out(dataset: Paired) -> Paired | None:
    return dataset.tested()


def settled(kept: Kept) -> tuple[Encoder, PairRoles, int]:
    """Encoder, reading and longest translation of a model. UserError where they are damaged."""
    encoder, reading = kept.get("encoder"), kept.get("reading")
    written = kept.get("written")
    if (
        not isinstance(encoder, dict)
        or not isinstance(reading, dict)
        or not isinstance(written, int)
        or not 1 <= written <= 1 << 20
    ):
        raise UserError("preprocessing.json: damaged (no encoder, reading or length in it)")
    made = roles_from_json(reading)
    return encoder_from_json(encoder), made, written


def _parted(whole: Pairs, share: float) -> tuple[Pairs, Pairs]:
    kept, held = split(whole, share)
    return whole.pick(kept), whole.pick(held)
