"""Sequences with a label each: texts or vectors, from whatever files hold them.

reviews.csv          a table with a column of text, or of numbers, and one of labels
train-images-idx3…   images, their labels in the file of that name beside it
digits.npz           arrays x and y
reviews/             a folder for each class, with a text in each file
film.pos film.neg    a text in each line, the ending names the class
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data import images, source, table
from elman.data.images import Scan
from elman.data.source import Source
from elman.data.table import BadRows, Row, Table
from elman.errors import UserError

Vectors = NDArray[np.float32]

LABELS = ("label", "class", "category", "sentiment", "target", "y", "标签", "类别", "情感")
TEXTS = (
    "text",
    "review",
    "sentence",
    "content",
    "comment",
    "title",
    "文本",
    "评论",
    "内容",
    "句子",
)
IDS = ("id", "unique_id", "index", "编号")
GUESSED_FROM = 1000  # rows
LONGEST = 65_536  # steps of a sequence


@dataclass(frozen=True)
class Reading:
    """How tables and images are to be read; None is guessed. Kept with a model."""

    text_column: str | None = None
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
            parts = (text.strip().encode(errors="replace") for text in self.texts)
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
    parts = [_read_one(kind, sources, reading, bad, labelled) for kind, sources in _items(data)]
    examples = parts[0] if len(parts) == 1 else _joined(parts)
    if not len(examples):
        raise UserError(f"{data[0]}: holds no sequences")
    for where, text in zip(examples.where, examples.texts, strict=False):
        if len(text) > LONGEST * 16:
            raise UserError(f"{where}: a text of {len(text):,} characters; cut it into parts")
    return examples


def _items(data: Sequence[str]) -> Iterator[tuple[str, list[Source]]]:
    """The sources in groups that are read together, each with the kind of its files."""
    lined: list[Source] = []
    for item in data:
        folder = Path(item)
        if item != "-" and not item.startswith("name:") and folder.is_dir():
            yield "folder", list(source.resolve([item]))
            continue
        for one in source.resolve([item]):
            kind = table.ending(one)
            if kind == ".npz":
                yield "npz", [one]
            elif one.digest is None and images.is_idx(one):
                yield "idx", [one]
            elif kind in table.ENDINGS or one.digest is not None or item.startswith("name:"):
                yield "table", [one]
            else:
                lined.append(one)
    if len(lined) == 1:
        yield "table", lined
    elif lined:
        yield "lines", lined


def _read_one(
    kind: str, sources: list[Source], reading: Reading, bad: BadRows, labelled: bool
) -> Examples:
    match kind:
        case "folder":
            return _folder(sources, bad)
        case "lines":
            return _lines(sources, bad)
        case "idx":
            return _idx(sources[0], reading, labelled)
        case "npz":
            return _npz(sources[0], reading, labelled)
        case _:
            return _table(sources[0], reading, bad, labelled)


def _joined(parts: Sequence[Examples]) -> Examples:
    if len({bool(part.texts) for part in parts}) > 1 or len({bool(p.labels) for p in parts}) > 1:
        raise UserError("the data holds texts and vectors, or parts without labels; give one kind")
    return Examples(
        [t for p in parts for t in p.texts],
        [v for p in parts for v in p.vectors],
        [label for p in parts for label in p.labels],
        [w for p in parts for w in p.where],
        tuple(dict.fromkeys(fact for p in parts for fact in p.facts)),
        parts[0].reading,
    )


# ---- Tables --------------------------------------------------------------------------------


def _table(one: Source, reading: Reading, bad: BadRows, labelled: bool) -> Examples:
    opened = table.open_table(one, header=reading.header, encoding=reading.encoding)
    reading, facts = settle(opened, reading, labelled=labelled)
    read_input = reader(opened, reading)
    result = Examples(facts=facts, reading=reading)
    for row in opened.rows(bad):
        label = "" if reading.label_column is None else _label(row, reading.label_column)
        if reading.label_column is not None and not label and labelled:
            bad.add(row.where, f'"{reading.label_column}" is empty')
            continue
        content = read_input(row)
        if isinstance(content, str) and not content:
            bad.add(row.where, f'"{reading.text_column}" is empty')
        elif content is None:
            bad.add(row.where, _what_is_no_number(row, reading))
        else:
            (result.texts if isinstance(content, str) else result.vectors).append(content)  # type: ignore[arg-type]
            result.labels.append(label)
            result.where.append(row.where)
    if result.texts and result.vectors:
        raise UserError(
            f'{one.shown}: "{reading.text_column}" holds texts and lists; give one kind'
        )
    if not labelled and not all(result.labels):
        result.labels.clear()
    return result


def settle(
    opened: Table, reading: Reading, *, labelled: bool = True
) -> tuple[Reading, tuple[str, ...]]:
    """The columns of text and of label, guessed where they are not given; and what was guessed.

    Without `labelled` a label's column may be absent.
    """
    text, label = reading.text_column, reading.label_column
    for name in (text, label):
        if name is not None and (labelled or name != label):
            opened.column(name)
    if label is not None and label not in opened.columns:
        label = None
    quiet = BadRows(skip=True)
    rows = [row for row, _ in zip(opened.rows(quiet), range(GUESSED_FROM), strict=False)]
    if not rows:
        raise UserError(f"{opened.shown}: holds no rows")
    guessed = []
    if label is None and labelled:
        label = _guess_label(opened, rows, text)
        guessed.append(f'labels from column "{label}"')
    if text is None:
        text = _guess_text(opened, rows, label)
        what = f'column "{text}"' if text else "all other columns, as numbers"
        guessed.append(f"sequences from {what}")
    settled = replace(reading, text_column=text, label_column=label, header=opened.header)
    if opened.form != "json" and reading.header is None:
        guessed.append("with a header" if opened.header else "without a header")
    return settled, (f"taken: {', '.join(guessed)}",) if guessed else ()


def reader(opened: Table, reading: Reading) -> Callable[[Row], str | Vectors | None]:
    """From a row to its sequence; None where a number is none."""
    text = reading.text_column
    columns = [c for c in opened.columns if c != reading.label_column and c.lower() not in IDS]

    def content(row: Row) -> str | Vectors | None:
        if text:
            value = row.values.get(text, "")
            return _vectors(value) if isinstance(value, list) else str(value).strip()
        return _vectors([row.values[name] for name in columns])

    return content


def _guess_label(opened: Table, rows: Sequence[Row], text: str | None) -> str:
    for name in opened.columns:
        if name.lower() in LABELS:
            return name
    best: tuple[int, str] | None = None
    for name in opened.columns:
        values = {str(row.values.get(name, "")) for row in rows}
        if name != text and name.lower() not in IDS and 2 <= len(values) <= max(2, len(rows) // 2):
            best = min(best or (len(values), name), (len(values), name))
    if best is None:
        raise UserError(
            f"{opened.shown}: no column looks like labels among "
            f"{', '.join(opened.columns[:20])}; give --label-column"
        )
    return best[1]


def _guess_text(opened: Table, rows: Sequence[Row], label: str | None) -> str | None:
    """The column of sequences; None where all other columns are numbers, one sequence a row."""
    others = [name for name in opened.columns if name != label and name.lower() not in IDS]
    for name in others:
        if name.lower() in TEXTS or any(isinstance(row.values.get(name), list) for row in rows):
            return name
    numbers = all(table.is_number(row.values.get(name)) for row in rows[:20] for name in others)
    if numbers and len(others) > 1:
        return None
    if not others:
        raise UserError(f"{opened.shown}: one column only; give text and label")
    return max(others, key=lambda name: sum(len(str(row.values.get(name, ""))) for row in rows))


def _label(row: Row, column: str) -> str:
    value = row.values.get(column, "")
    return "" if value is None else str(value).strip()


def _vectors(values: Sequence[object]) -> Vectors | None:
    """Numbers, or lists of equally many, as [T, I]; None where one is no finite number."""
    try:
        array = np.array(values, dtype=np.float32)
    except (TypeError, ValueError):
        return None
    if array.ndim not in (1, 2) or not array.size or not np.isfinite(array).all():
        return None
    return array[:, None] if array.ndim == 1 else array


def _what_is_no_number(row: Row, reading: Reading) -> str:
    for name, value in row.values.items():
        if name != reading.label_column and name.lower() not in IDS:
            if isinstance(value, str) and not table.is_number(value):
                return f'"{name}" is {value[:40]!r}, not a number'
            if isinstance(value, str) and not np.isfinite(float(value)):
                return f'"{name}" is {value}, not a finite number'
    return f'"{reading.text_column}" is no list of finite numbers, or of equally long lists of them'


# ---- Texts in folders and lines ------------------------------------------------------------


def _folder(sources: Sequence[Source], bad: BadRows) -> Examples:
    """A folder for each class, a text in each file."""
    result = Examples(facts=("taken: the folder of each file as its class",))
    for one in sources:
        text = "".join(source.read_text([one], instead="another folder")).strip()
        if not text:
            bad.add(one.shown, "holds no text")
            continue
        result.texts.append(text)
        result.labels.append(one.path.parent.name)
        result.where.append(one.shown)
    return result


def _lines(sources: Sequence[Source], bad: BadRows) -> Examples:
    """A file for each class, named by its ending or else by its name, a text in each line."""
    names = [table.ending(one).lstrip(".") for one in sources]
    if len(set(names)) < len(names):
        names = [one.path.name.split(".")[0] for one in sources]
    if len(set(names)) < len(names):
        raise UserError("files of lines, one for each class, must differ in name or ending")
    result = Examples(facts=(f"taken: a class for each file: {', '.join(names)}",))
    for one, name in zip(sources, names, strict=True):
        lines = "".join(source.read_text([one], instead="a table with --encoding")).split("\n")
        for number, line in enumerate(lines, start=1):
            if line.strip():
                result.texts.append(line.strip())
                result.labels.append(name)
                result.where.append(f"{one.shown}, line {number:,}")
            elif number < len(lines):
                bad.add(f"{one.shown}, line {number:,}", "is empty")
    return result


# ---- Arrays --------------------------------------------------------------------------------


def _idx(one: Source, reading: Reading, labelled: bool) -> Examples:
    pictures = images.read_idx(one)
    if pictures.ndim != 3:
        raise UserError(
            f"{one.shown}: labels, not images; give the file of images, its labels beside it"
        )
    beside = images.labels_beside(one)
    labels: list[str] = []
    if beside is not None and Path(beside).is_file():
        labels = [str(value) for value in images.read_idx(Source(beside, Path(beside)))]
    elif labelled:
        raise UserError(f"{one.shown}: no labels beside it; looked for {beside}")
    return _arrays(one, pictures, labels, reading)


def _npz(one: Source, reading: Reading, labelled: bool) -> Examples:
    x, y = images.read_npz(one)
    if y is None and labelled:
        raise UserError(f"{one.shown}: holds no labels; name their array y")
    return _arrays(one, x, [] if y is None else [str(value) for value in y.reshape(-1)], reading)


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
    sequences = images.as_sequences(x, reading.scan)
    if not np.isfinite(sequences).all():
        raise UserError(f"{one.shown}: holds values that are no finite numbers")
    where = [f"{one.shown}, number {k}" for k in range(len(x))]
    return Examples(
        vectors=list(sequences), labels=labels, where=where,
        facts=(f"taken: {reading.scan} of {x.shape[1]} × {x.shape[2]} values",), reading=reading,
    )  # fmt: skip


def split(examples: Examples, share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The numbers for training and for validation: about `share` of each class, equal sequences
    on one side. Always the same for the same data.

    UserError: fewer than two sequences of a class, or none left for training.
    """
    if share == 0:
        return np.arange(len(examples)), np.arange(0)
    contents = examples.contents()
    classes = Counter(examples.labels)
    kept: list[int] = []
    held: list[int] = []
    wanted, had = dict.fromkeys(classes, 0.0), dict.fromkeys(classes, 0)
    seen: dict[bytes, bool] = {}
    # By content, not by place: rows that are added or sorted leave the others where they are.
    for k in sorted(range(len(examples)), key=lambda k: (contents[k], k)):
        label = examples.labels[k]
        wanted[label] += share
        if contents[k] not in seen:
            seen[contents[k]] = had[label] + 0.5 < wanted[label]
        here = seen[contents[k]]
        had[label] += here
        (held if here else kept).append(k)
    return np.sort(np.array(kept, dtype=np.int64)), np.sort(np.array(held, dtype=np.int64))
