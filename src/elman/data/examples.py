"""Sequences with a label each: texts or vectors, from whatever files hold them.

reviews.csv          a table with a column of text, or of numbers, and one of labels
train-images-idx3…   images, their labels in the file of that name beside it
digits.npz           arrays x and y
reviews/             a folder for each class, with a text or an image in each file
film.pos film.neg    a text in each line, the ending names the class
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data import images, source
from elman.data.images import Scan
from elman.data.source import Source
from elman.data.tables import table
from elman.data.tables.arriving import ENCODING
from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.data.tables.table import Row, Table
from elman.errors import UserError

Vectors = NDArray[np.float32]

# The usual names of columns, the likeliest first.
LABELS = ("label", "class", "sentiment", "target", "category", "y", "标签", "类别", "情感")
TEXTS = (
    "text", "review", "sentence", "content", "comment", "文本", "评论", "内容", "句子", "title",
)  # fmt: skip
IDS = ("id", "unique_id", "index", "", "unnamed: 0", "编号")  # "": pandas writes its index so
GUESSED_FROM = 1000  # rows
NUMERIC = 0.9  # share of cells that are numbers from which all are meant to be
LONGEST_TEXT = 1 << 20  # characters


@dataclass(frozen=True)
class Reading:
    """How tables and images are to be read; None is guessed. Kept with a model.

    Where a table has no column of sequences, `columns` are the steps of each, in order.
    """

    text_column: str | None = None
    columns: tuple[str, ...] | None = None
    label_column: str | None = None
    header: bool | None = None
    encoding: str = "utf-8"
    scan: Scan = "rows"


@dataclass(frozen=True)
class Examples:
    """Sequences and their labels, in order; `where` says of each where it came from.

    `texts` are strings, or `vectors` arrays [T, I]; the other is empty. `labels` are empty where
    the data holds none, as data to be predicted need not.
    """

    texts: list[str] = field(default_factory=list)
    vectors: list[Vectors] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    facts: tuple[str, ...] = ()  # what was guessed, for the user
    reading: Reading = Reading()

    def __len__(self) -> int:
        return len(self.texts) or len(self.vectors)

    def pick(self, numbers: Sequence[int] | NDArray[np.int64]) -> Examples:
        """Those of these numbers."""

        def of(values: list[Any]) -> list[Any]:
            return [values[k] for k in numbers] if values else []

        return replace(
            self,
            texts=of(self.texts), vectors=of(self.vectors), labels=of(self.labels),
            where=of(self.where),
        )  # fmt: skip

    def contents(self) -> list[bytes]:
        """Of each sequence a digest, equal for equal ones."""
        if self.texts:
            parts = (text.encode(errors="replace") for text in self.texts)
        else:
            parts = (v.tobytes() + str(v.shape).encode() for v in self.vectors)
        return [hashlib.blake2b(part, digest_size=16).digest() for part in parts]

    def digest(self) -> str:
        """Of all sequences and labels together."""
        whole = hashlib.sha256()
        for part in self.contents():
            whole.update(part)
        whole.update("\0".join(self.labels).encode(errors="replace"))
        return whole.hexdigest()


def read(data: Sequence[str], reading: Reading, bad: BadRows, *, labelled: bool = True) -> Examples:
    """Everything that the items of data hold. UserError: nothing, or not such data.

    Without `labelled` a missing label is none, and all labels of the result are empty then.
    """
    parts: list[Examples] = []
    for kind, sources in _items(data, lines=not labelled and not of_table(reading)):
        parts.append(_read_one(kind, sources, reading, bad, labelled))
        reading = parts[-1].reading  # what was guessed of one table holds for the next
    examples = parts[0] if len(parts) == 1 else _joined(parts)
    if not len(examples):
        raise UserError(f"{data[0]}: holds no sequences")
    return examples


def of_table(reading: Reading) -> bool:
    """Whether it tells where the sequences of a table stand, as after reading one."""
    return reading.text_column is not None or reading.columns is not None


def kind_of(one: Source) -> str:
    """What a file holds, by its name or its first bytes: pictures, npz, idx, table or lines."""
    kind = table.ending(one)
    if kind in images.PICTURES:
        return "pictures"
    if kind == ".npz":
        return "npz"
    if kind in table.ENDINGS or kind == source.COPIED or one.shown.startswith("name:"):
        return "table"
    return "idx" if images.is_idx(one) else "lines"


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
    kind: str, sources: list[Source], reading: Reading, bad: BadRows, labelled: bool
) -> Examples:
    match kind:
        case "folder":
            return _folder(_of_classes(sources, bad), reading, bad)
        case "pictures":
            return _pictures(_of_classes(sources, bad) if labelled else sources, reading, bad)
        case "lines":
            return _lines(sources, reading, bad, labelled)
        case "idx":
            return _idx(sources[0], reading, labelled)
        case "npz":
            return _npz(sources[0], reading, labelled)
        case _:
            return _table(sources[0], reading, bad, labelled)


def _joined(parts: Sequence[Examples]) -> Examples:
    if len({bool(part.texts) for part in parts if len(part)}) > 1:
        raise UserError("the data holds texts and vectors; give one kind")
    whole = all(part.labels for part in parts if len(part))
    return Examples(
        [t for p in parts for t in p.texts],
        [v for p in parts for v in p.vectors],
        [label for p in parts for label in p.labels if whole],
        [w for p in parts for w in p.where],
        tuple(dict.fromkeys(fact for p in parts for fact in p.facts)),
        parts[-1].reading,
    )


# ---- Tables --------------------------------------------------------------------------------


def _table(one: Source, reading: Reading, bad: BadRows, labelled: bool) -> Examples:
    opened = table.open_table(one, TableOptions(header=reading.header, encoding=reading.encoding))
    reading, facts = settle(opened, reading, labelled=labelled)
    content = reader(opened, reading)
    result = Examples(facts=facts, reading=reading)
    for row in opened.rows(bad):
        try:
            sequence = content(row)
            label = "" if reading.label_column is None else _label(row, reading.label_column)
            if labelled and not label:
                raise ValueError(f'"{reading.label_column}" is empty')
        except ValueError as error:
            bad.add(row.where, str(error))
            continue
        if isinstance(sequence, str):
            result.texts.append(sequence)
        else:
            result.vectors.append(sequence)
        result.labels.append(label)
        result.where.append(row.where)
    if result.texts and result.vectors:
        raise UserError(
            f'{one.shown}: "{reading.text_column}" holds texts and lists; give one kind'
        )
    if not all(result.labels):
        result.labels.clear()
    return result


def settle(
    opened: Table, reading: Reading, *, labelled: bool = True
) -> tuple[Reading, tuple[str, ...]]:
    """The columns of text and of label, guessed where they are not given; and what was guessed.

    Without `labelled` a label's column may be absent.
    """
    text, label, columns = reading.text_column, reading.label_column, reading.columns
    for name in (text, label, *(columns or ())):
        if name is not None and (labelled or name != label):
            opened.column(name)
    if label not in opened.columns:
        label = None
    guessed = []
    rows = _spread(opened.rows(BadRows(skip=True)), GUESSED_FROM)
    if not rows:
        raise UserError(f"{opened.shown}: holds no rows{' but its header' * opened.header}")
    if label is None and labelled:
        label = _guess_label(opened, rows, text)
        guessed.append(f'labels from column "{label}"')
    if text is None and columns is None:
        text = _guess_text(opened, rows, label)
        columns = None if text is not None else tuple(_others(opened, label))
        what = f'column "{text}"' if text is not None else "all other columns, as numbers"
        guessed.append(f"sequences from {what}")
    settled = replace(
        reading, text_column=text, label_column=label, columns=columns, header=opened.header
    )
    if opened.form in ("csv", "tsv") and reading.header is None:
        guessed.append("with a header" if opened.header else "without a header")
    return settled, (f"taken: {', '.join(guessed)}",) if guessed else ()


def reader(opened: Table, reading: Reading) -> Callable[[Row], str | Vectors]:
    """From a row to its sequence; it raises ValueError, with what is wrong, where there is none."""
    text, columns = reading.text_column, reading.columns or ()
    for name in columns if text is None else (text,):
        opened.column(name)

    def content(row: Row) -> str | Vectors:
        if text is None:
            return _numbers({name: row.values.get(name) for name in columns})
        value = row.values.get(text)
        if isinstance(value, list):
            return _vectors(text, value)
        if isinstance(value, dict):
            raise ValueError(f'"{text}" is neither a text nor a list of numbers')
        return _checked("" if value is None else str(value).strip(), f'"{text}"')

    return content


def _checked(text: str, name: str) -> str:
    if not text:
        raise ValueError(f"{name} is empty")
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"{name} has {len(text):,} characters; cut it into parts")
    return text


def _spread(rows: Iterable[Row], count: int) -> list[Row]:
    """`count` rows or more from all over a table, which may be sorted; all where there are less."""
    kept: list[Row] = []
    every = 1
    for k, row in enumerate(rows):
        if k % every == 0:
            kept.append(row)
        if len(kept) == 2 * count:
            del kept[1::2]
            every *= 2
    return kept


def _others(opened: Table, label: str | None) -> list[str]:
    return [name for name in opened.columns if name != label and name.lower() not in IDS]


def _usual(names: Sequence[str], usual: Sequence[str]) -> str | None:
    """Of these columns the one whose name comes first among the usual ones."""
    named = {name.lower(): name for name in names}
    return next((named[name] for name in usual if name in named), None)


def _guess_label(opened: Table, rows: Sequence[Row], text: str | None) -> str:
    others = _others(opened, text)
    if (name := _usual(others, LABELS)) is not None:
        return name
    best: tuple[int, str] | None = None
    for name in others:
        values = {str(row.values.get(name, "")) for row in rows}
        if 2 <= len(values) <= max(2, len(rows) // 2):
            best = min(best or (len(values), name), (len(values), name))
    if best is None:
        raise UserError(
            f"{opened.shown}: no column looks like labels among "
            f"{', '.join(opened.columns[:20])}; give --label-column"
        )
    return best[1]


def _guess_text(opened: Table, rows: Sequence[Row], label: str | None) -> str | None:
    """The column of sequences; None where all other columns are numbers, one sequence a row."""
    others = _others(opened, label)
    if (usual := _usual(others, TEXTS)) is not None:
        return usual
    for name in others:
        if any(isinstance(row.values.get(name), list) for row in rows):
            return name
    if len(others) > 1 and all(_mostly_numbers(rows, name) for name in others):
        return None
    if not others:
        raise UserError(f"{opened.shown}: one column only; give text and label")
    return max(others, key=lambda name: sum(len(str(row.values.get(name, ""))) for row in rows))


def _mostly_numbers(rows: Sequence[Row], name: str) -> bool:
    """Not all need be: of a cell that is none the line is to be told."""
    return sum(table.is_number(row.values.get(name)) for row in rows) > NUMERIC * len(rows)


def _label(row: Row, column: str) -> str:
    value = row.values.get(column)
    if isinstance(value, list | dict):
        raise ValueError(f'"{column}" is no label but {str(value)[:40]}')
    return "" if value is None else str(value).strip()


def _numbers(cells: Mapping[str, object]) -> Vectors:
    """The numbers of a row's cells as [T, 1]."""
    for name, value in cells.items():
        if value is None or value == "":
            raise ValueError(f'"{name}" is empty')
        if not table.is_number(value):
            raise ValueError(f'"{name}" is {str(value)[:40]!r}, not a number')
    array = _finite(list(cells.values()))
    if array is None:
        name = next(name for name, value in cells.items() if _finite([value]) is None)
        raise ValueError(f'"{name}" is {str(cells[name])[:40]}, not a finite number')
    return array[:, None]


def _vectors(name: str, values: Sequence[object]) -> Vectors:
    """A list of numbers, or of lists of equally many, as [T, I]."""
    array = _finite(values)
    if array is None or array.ndim not in (1, 2) or not array.size:
        raise ValueError(f'"{name}" is no list of finite numbers, or of equally long lists of them')
    return array[:, None] if array.ndim == 1 else array


def _finite(values: Sequence[object]) -> Vectors | None:
    """As float32; None where one is no number, or one that float32 cannot hold."""
    try:
        with np.errstate(over="ignore"):
            array = np.array(values, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        return None
    return array if np.isfinite(array).all() else None


# ---- Files for each class ------------------------------------------------------------------


def _of_classes(sources: Sequence[Source], bad: BadRows) -> list[Source]:
    """Those files that lie in the folder of a class, not above such folders."""
    above = {folder for one in sources for folder in one.path.parent.parents}
    found = []
    for one in sources:
        if one.path.parent in above:
            bad.add(one.shown, "lies beside the folders of the classes, in none of them")
        else:
            found.append(one)
    return found


def _class(one: Source) -> str:
    return one.path.absolute().parent.name


def _folder(sources: Sequence[Source], reading: Reading, bad: BadRows) -> Examples:
    """A folder for each class, a text in each file."""
    result = Examples(facts=("taken: the folder of each file as its class",), reading=reading)
    for one in sources:
        try:
            blocks = source.read_text([one], encoding=reading.encoding, instead=ENCODING)
            result.texts.append(_checked("".join(blocks).strip(), "the text"))
        except UserError as error:
            bad.refuse(str(error))
        except ValueError as error:
            bad.add(one.shown, str(error))
        else:
            result.labels.append(_class(one))
            result.where.append(one.shown)
    return result


def _pictures(sources: Sequence[Source], reading: Reading, bad: BadRows) -> Examples:
    """A folder for each class, an image in each file, all of one size."""
    labels: list[str] = []
    where: list[str] = []
    pictures: list[images.Bytes] = []
    for one in sources:
        try:
            picture = images.read_picture(one.path)
            if pictures and picture.shape != pictures[0].shape:
                raise ValueError(
                    f"{images.size(picture)} pixels, where {where[0]} has "
                    f"{images.size(pictures[0])}"
                )
        except ValueError as error:
            bad.add(one.shown, str(error))
        else:
            if picture.size * (len(pictures) + 1) > images.LARGEST:
                raise UserError(f"{one.shown}: more than {images.LARGEST:,} pixels in all")
            pictures.append(picture)
            labels.append(_class(one))
            where.append(one.shown)
    if not pictures:
        return Examples(reading=reading)
    made = _arrays(sources[0], np.stack(pictures), labels, reading)
    facts = ("taken: the folder of each image as its class, its brightness alone", *made.facts)
    return replace(made, where=where, facts=facts)


def _lines(sources: Sequence[Source], reading: Reading, bad: BadRows, labelled: bool) -> Examples:
    """A file for each class, named by its ending or else by its name, a text in each line."""
    names = [table.ending(one).lstrip(".") for one in sources]
    if len(set(names)) < len(names):
        names = [one.path.name.split(".")[0] for one in sources]
    if labelled and len(set(names)) < len(names):
        raise UserError("files of lines, one for each class, must differ in name or ending")
    facts = (f"taken: a class for each file: {', '.join(names)}",)
    result = Examples(facts=facts if labelled else (), reading=reading)
    for one, name in zip(sources, names, strict=True):
        for number, line in enumerate(table.text_lines(one, reading.encoding), start=1):
            if not (text := line.strip()):
                continue
            where = f"{one.shown}, line {number:,}"
            try:
                result.texts.append(_checked(text, "the line"))
            except ValueError as error:
                bad.add(where, str(error))
            else:
                result.labels.append(name)
                result.where.append(where)
    return result


# ---- Arrays --------------------------------------------------------------------------------


def _idx(one: Source, reading: Reading, labelled: bool) -> Examples:
    pictures = images.read_idx(one)
    if pictures.ndim != 3:
        raise UserError(
            f"{one.shown}: labels, not images; give the file of images, its labels beside it"
        )
    beside = images.labels_beside(one)
    if beside is None or not beside.path.is_file():
        if labelled:
            looked = f"looked for {beside.shown}" if beside else 'its name must hold "images"'
            raise UserError(f"{one.shown}: no labels beside it; {looked}")
        return _arrays(one, pictures, [], reading)
    labels = images.read_idx(beside)
    if labels.ndim != 1:
        raise UserError(f"{beside.shown}: images, not labels")
    return _arrays(one, pictures, [str(value) for value in labels], reading)


def _npz(one: Source, reading: Reading, labelled: bool) -> Examples:
    x, y = images.read_npz(one)
    if y is None:
        if labelled:
            raise UserError(f"{one.shown}: holds no labels; name their array y")
        return _arrays(one, x, [], reading)
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8", "replace")
    if y.dtype.kind not in "biufU":
        raise UserError(f"{one.shown}: labels of type {y.dtype}; needs numbers or texts")
    return _arrays(one, x, [str(value).strip() for value in y.reshape(-1)], reading)


def _arrays(one: Source, x: NDArray[Any], labels: list[str], reading: Reading) -> Examples:
    if labels and len(labels) != len(x):
        raise UserError(f"{one.shown}: {len(x):,} sequences and {len(labels):,} labels")
    if x.ndim == 2:
        x = x[..., None]
    if x.ndim != 3 or x.dtype.kind not in "fiu" or not x.size:
        raise UserError(
            f"{one.shown}: inputs of shape {list(x.shape)} and type {x.dtype}; needs numbers "
            "[N, T], [N, T, I] or images [N, height, width]"
        )
    with np.errstate(over="ignore"):
        sequences = images.as_sequences(x, reading.scan)
    finite = np.isfinite(sequences).all((1, 2))
    if not finite.all():
        raise UserError(
            f"{one.shown}, number {int(finite.argmin())}: holds values that are no finite numbers"
        )
    where = [f"{one.shown}, number {k}" for k in range(len(x))]
    return Examples(
        vectors=list(sequences), labels=labels, where=where,
        facts=(f"taken: {reading.scan} of {x.shape[1]} × {x.shape[2]} values",), reading=reading,
    )  # fmt: skip


def split(examples: Examples, share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The numbers for training and for validation: about `share` of each class, equal sequences
    on one side. Every class is there in training. Always the same for the same data.
    """
    if share == 0:
        return np.arange(len(examples)), np.arange(0)
    # In the order of their contents, so that it does not matter how the rows are sorted.
    alike: dict[bytes, list[int]] = {}
    for k, content in enumerate(examples.contents()):
        alike.setdefault(content, []).append(k)
    kept: list[int] = []
    held: list[int] = []
    wanted, had, trained = defaultdict[str, float](float), Counter[str](), set[str]()
    for _, group in sorted(alike.items()):
        labels = sorted(examples.labels[k] for k in group)
        for label in labels:
            wanted[label] += share
        if trained.issuperset(labels) and had[labels[0]] + 0.5 < wanted[labels[0]]:
            had.update(labels)
            held += group
        else:
            trained.update(labels)
            kept += group
    return np.sort(np.array(kept, dtype=np.int64)), np.sort(np.array(held, dtype=np.int64))
