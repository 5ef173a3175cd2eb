"""Labelled sequences where files or folders name the classes, or each line does.

reviews/pos/1.txt    a folder for each class, with a text or an image in each file
film.pos film.neg    a text in each line, the ending names the class
film.txt             __label__pos a fine film
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from elman.data import source
from elman.data.archives import printable
from elman.data.encodings.encodings import Unreadable, found
from elman.data.labelled import arrays as labelled_arrays
from elman.data.labelled.examples import Examples
from elman.data.labelled.roles import LabelRoles, Wanted
from elman.data.labelled.several import Labels, Several
from elman.data.labelled.tables import MARKED, checked
from elman.data.pictures import images
from elman.data.pictures.images import Bytes
from elman.data.source import Source
from elman.data.tables import table
from elman.data.tables.arriving import ENCODING
from elman.data.tables.content import BadRows
from elman.data.tables.delimited import split_lines
from elman.data.tables.reading import Reading
from elman.errors import UserError

UNLABELLED = ("unsup", "unlabelled", "unlabeled")  # folders of texts that have no class
SHOWN = 3  # files that a fact names
SPACE = " "  # between labels where marks part them


def folder(sources: Sequence[Source], roles: LabelRoles, wanted: Wanted, bad: BadRows) -> Examples:
    """A folder for each class, a text in each file."""
    sources, facts = _of_classes(sources, bad)
    texts, roles, read_as = _texts(sources, roles, wanted)
    facts = ("taken: the folder of each file as its class", *facts, *read_as)
    result = Examples(facts=facts, roles=roles)
    for one in sources:
        try:
            result.texts.append(checked("".join(texts(one)).strip(), "the text"))
        except UserError as error:
            bad.refuse(str(error))
        except ValueError as error:
            bad.add(one.shown, str(error))
        else:
            result.labels.append(_class(one))
            result.where.append(one.shown)
    return result


def pictures(
    sources: Sequence[Source], roles: LabelRoles, wanted: Wanted, bad: BadRows
) -> Examples:
    """A folder for each class, an image in each file, all of one size."""
    facts: tuple[str, ...] = ()
    if wanted.labelled:
        sources, facts = _of_classes(sources, bad)
    labels: list[str] = []
    where: list[str] = []
    taken: list[Bytes] = []
    for one in sources:
        try:
            picture = images.read_picture(one.path)
            if taken and picture.shape != taken[0].shape:
                raise ValueError(
                    f"{images.size(picture)} pixels, where {where[0]} has {images.size(taken[0])}"
                )
        except ValueError as error:
            bad.add(one.shown, str(error))
        else:
            if picture.size * (len(taken) + 1) > images.LARGEST:
                raise UserError(f"{one.shown}: more than {images.LARGEST:,} pixels in all")
            taken.append(picture)
            labels.append(_class(one))
            where.append(one.shown)
    if not taken:
        return Examples(roles=roles)
    made = labelled_arrays.of_arrays(sources[0], np.stack(taken), labels, roles)
    told = "taken: the folder of each image as its class, its brightness alone"
    beside = dict.fromkeys(fact for one in sources for fact in one.facts)
    return replace(made, where=where, facts=(told, *facts, *beside, *made.facts))


def lines(sources: Sequence[Source], roles: LabelRoles, wanted: Wanted, bad: BadRows) -> Examples:
    """A file for each class, named by its ending or else by its name, a text in each line."""
    names = [table.ending(one).lstrip(".") for one in sources]
    if len(set(names)) < len(names):
        names = [one.path.name.split(".")[0] for one in sources]
    if wanted.labelled and len(set(names)) < len(names):
        raise UserError("files of lines, one for each class, must differ in name or ending")
    texts, roles, read_as = _texts(sources, roles, wanted)
    told = (f"taken: a class for each file: {', '.join(names)}",) if wanted.labelled else ()
    beside = dict.fromkeys(fact for one in sources for fact in one.facts)
    result = Examples(facts=(*told, *read_as, *beside), roles=roles)
    for one, name in zip(sources, names, strict=True):
        for number, line in enumerate(split_lines(one.shown, texts(one)), start=1):
            if not (text := line.strip()):
                continue
            where = f"{one.shown}, line {number:,}"
            try:
                result.texts.append(checked(text, "the line"))
            except ValueError as error:
                bad.add(where, str(error))
            else:
                result.labels.append(name)
                result.where.append(where)
    return result


def marked(one: Source, roles: LabelRoles, wanted: Wanted, bad: BadRows) -> Examples:
    """Lines of text with the labels that `__label__` marks, one or several a line."""
    texts, roles, read_as = _texts([one], roles, wanted)
    fresh = not roles.marked
    result = Examples(
        facts=("taken: the labels that __label__ marks in each line", *read_as, *one.facts),
        roles=replace(roles, marked=True),
    )
    sets: list[Labels] = []
    for number, line in enumerate(split_lines(one.shown, texts(one)), start=1):
        if not line.strip():
            continue
        labels = tuple(dict.fromkeys(MARKED.findall(line)))
        where = f"{one.shown}, line {number:,}"
        try:
            text = checked(MARKED.sub("", line).strip(), "the text")
            if wanted.labelled and not labels and roles.several is None:
                raise ValueError("no label; begin the line with __label__ and its class")
            if not fresh and roles.several is None and len(labels) > 1:
                raise ValueError("several labels, where the model tells one")
        except ValueError as error:
            bad.add(where, str(error))
            continue
        result.texts.append(text)
        result.where.append(where)
        sets.append(labels)
    if not wanted.labelled:
        return result
    many = max(map(len, sets), default=1) > 1
    if many and wanted.multi is False:
        raise UserError(f"{one.shown}: several labels in a line; leave out --multi-label=false")
    how = Several("cell", SPACE) if fresh and (many or wanted.multi) else roles.several
    result.labels.extend(SPACE.join(labels) for labels in sets)
    told = ("several labels at once",) if how is not None and fresh else ()
    return replace(
        result, sets=sets if how is not None else [], facts=(*result.facts, *told),
        roles=replace(result.roles, several=how),
    )  # fmt: skip


def _of_classes(sources: Sequence[Source], bad: BadRows) -> tuple[list[Source], tuple[str, ...]]:
    """Those files that lie in the folder of a class, and what is told of the others. A few that lie
    beside folders of classes, as lists in what was downloaded, are none; others are bad ones."""
    below: dict[Path, Counter[Path]] = {}  # by folder, how many files lie below each of its own
    for one in sources:
        within = one.path.parent
        for folder in within.parents:
            below.setdefault(folder, Counter())[within] += 1
    loose = Counter(one.path.parent for one in sources)
    taken, beside, left = [], [], 0
    for one in sources:
        classes = below.get(one.path.parent)
        if classes and len(classes) > 1 and loose[one.path.parent] < classes.total():
            beside.append(f"{one.path.parent.name}/{one.path.name}")
        elif classes:
            bad.add(one.shown, "lies beside the folders of the classes, in none of them")
        elif _class(one).lower() in UNLABELLED:
            left += 1
        else:
            taken.append(one)
    facts = []
    if beside:
        more = f" and {len(beside) - SHOWN:,} more" if len(beside) > SHOWN else ""
        told = ", ".join(map(printable, beside[:SHOWN])) + more
        facts.append(f"not used: {told}, beside the folders of the classes")
    if left:
        facts.append(f"not used: {left:,} files in folders named as those without a class are")
    return taken, tuple(facts)


def _class(one: Source) -> str:
    return one.path.absolute().parent.name


def _texts(
    sources: Sequence[Source], roles: LabelRoles, wanted: Wanted
) -> tuple[Callable[[Source], Iterator[str]], LabelRoles, tuple[str, ...]]:
    """What reads the text of each source, the roles with its encoding, and what is to be told."""
    asked, told = wanted.asked.encoding, ""
    expected = roles.encoding
    if asked is None and roles.table is None:
        expected, told = _encoding(sources)
    if roles.table is None:
        roles = replace(roles, table=Reading(encoding=asked or expected or source.UTF8))

    def texts(one: Source) -> Iterator[str]:
        return source.read_text([one], encoding=asked, expected=expected, instead=ENCODING)

    return texts, roles, (f"read as {told}",) if told else ()


def _encoding(sources: Sequence[Source]) -> tuple[str, str]:
    """The encoding of those that are not UTF-8, by all of them together, and how it is told."""
    odd = []
    for one in sources:
        try:
            if source.encoding_of(one).told:
                odd.append(one)
        except UserError:  # it will be told when it is read
            continue
    if not odd:
        return "", ""
    try:
        own = found(chain.from_iterable(one.blocks() for one in odd))
    except Unreadable:
        return "", ""
    some = "" if len(odd) == len(sources) else f"{len(odd):,} of {len(sources):,} files: "
    return own.encoding, some + own.told
