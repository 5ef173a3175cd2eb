"""Labelled sequences from whatever files hold them.

reviews.csv          a table with a column of text, or of numbers, and one of labels
train-images-idx3…   images, their labels in the file of that name beside it
digits.npz           arrays x and y
reviews/             a folder for each class, with a text or an image in each file
film.pos film.neg    a text in each line, the ending names the class
film.txt             __label__pos a fine film
mnist/, reviews/     train-images…, t10k-images…; or train/ and test/ with such in them
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from elman.data import source
from elman.data.forms import forms
from elman.data.labelled import arrays as labelled_arrays
from elman.data.labelled import class_files
from elman.data.labelled.examples import Examples, joined
from elman.data.labelled.roles import ALL, LabelRoles, Wanted
from elman.data.labelled.tables import read_table
from elman.data.pictures import idx, images
from elman.data.source import Source
from elman.data.tables import table
from elman.data.tables.content import BadRows

MARK = b"__label__"
TRAIN = ("train", "training")
VALID, TEST = ("valid", "validation", "val", "dev"), ("test", "testing", "t10k", "eval")


def read(data: Sequence[str], roles: LabelRoles, bad: BadRows, wanted: Wanted = ALL) -> Examples:
    """Everything that the items of data hold. UserError: nothing, or not such data.

    `roles` are what is known of other data.
    """
    parts: list[Examples] = []
    for kind, sources in _items(data, lines=not wanted.labelled and not roles.of_table):
        parts.append(_read_one(kind, sources, roles, wanted, bad))
        roles = parts[-1].roles  # what was understood of one holds for the next
    examples = joined(parts)
    if not len(examples):
        raise bad.nothing_left(f"{data[0]}: holds no sequences")
    return examples


class Parts(NamedTuple):
    """A folder's parts, each as items of data, and what is to be told; `test` is to score on."""

    train: list[str]
    held: list[str]
    test: list[str]
    facts: tuple[str, ...]


def parts(data: Sequence[str]) -> Parts | None:
    """The parts of a folder that holds the one for training and the one for validation or test, as
    files or folders; None where the data is no such folder."""
    folder = Path(data[0]) if len(data) == 1 and not data[0].startswith("name:") else None
    if folder is None or data[0] == "-" or not folder.is_dir():
        return None
    entries = [e for e in sorted(folder.iterdir()) if not e.name.startswith(".")]
    entries = [e for e in entries if not ("label" in e.name and "idx1" in e.name)]

    def named(words: Sequence[str]) -> list[Path]:
        return [e for e in entries if set(re.split(r"[-_. ]", e.name.lower())) & set(words)]

    train, valid, test = named(TRAIN), named(VALID), named(TEST)
    held = valid or test
    if not train or not held or len({e.is_dir() for e in (*train, *held)}) > 1:
        return None
    lists = [[str(e) for e in part] for part in (train, held, test or valid)]
    facts = [f"taken: {_shown(train)} for training, {_shown(held)} for validation"]
    if valid and test:
        facts.append(f"not used: {_shown(test)}, to be scored by elman evaluate RUN {test[0]}")
    used = {*train, *valid, *test}
    if others := [e for e in entries if e not in used]:
        facts.append(f"not used: {_shown(others)}")
    return Parts(lists[0], lists[1], lists[2], tuple(facts))


def _shown(entries: Sequence[Path]) -> str:
    names = ", ".join(e.name + "/" * e.is_dir() for e in entries[:3])
    return names + (f" and {len(entries) - 3} more" if len(entries) > 3 else "")


def kind_of(one: Source) -> str:
    """What a file holds, by its name or its first bytes: pictures, npz, idx, marked, table or
    lines."""
    kind = table.ending(one)
    if kind in images.PICTURES:
        return "pictures"
    if kind == ".npz":
        return "npz"
    if kind in table.ENDINGS or one.shown.startswith("name:"):
        return "table"
    if forms.form_of(one.path, one.shown) is not None:
        return "table"
    if next(one.blocks(), b"").removeprefix(BOM_UTF8).lstrip().startswith(MARK):
        return "marked"
    if kind == source.COPIED:
        return "table"
    return "idx" if idx.is_idx(one) else "lines"


def _items(data: Sequence[str], *, lines: bool) -> Iterator[tuple[str, list[Source]]]:
    """The sources in groups that are read together, each with the kind of its files.

    A single file of an unknown name is one of `lines`, or else a table.
    """
    pictures: list[Source] = []
    lined: list[Source] = []
    for item in data:
        folder = Path(item)
        if item != "-" and not item.startswith("name:") and folder.is_dir():
            found = images.pictures_below(folder)
            yield ("pictures", found) if found else ("folder", list(source.resolve([item])))
            continue
        for one in source.resolve([item]):
            match kind_of(one):
                case "pictures":
                    pictures.append(one)
                case "lines":
                    lined.append(one)
                case kind:
                    yield kind, [one]
    if pictures:
        yield "pictures", pictures
    if lined:
        yield "lines" if lines or len(lined) > 1 else "table", lined


def _read_one(
    kind: str, sources: list[Source], roles: LabelRoles, wanted: Wanted, bad: BadRows
) -> Examples:
    match kind:
        case "folder":
            return class_files.folder(sources, roles, wanted, bad)
        case "pictures":
            return class_files.pictures(sources, roles, wanted, bad)
        case "lines":
            return class_files.lines(sources, roles, wanted, bad)
        case "marked":
            return class_files.marked(sources[0], roles, wanted, bad)
        case "idx":
            return labelled_arrays.read_idx(sources[0], roles, labelled=wanted.labelled)
        case "npz":
            return labelled_arrays.read_npz(sources[0], roles, labelled=wanted.labelled)
        case _:
            return read_table(sources[0], roles, wanted, bad)
