"""Pairs of a source and a target text: two files aligned line by line, or tables.

train.de train.en    line 3 of the one is line 3 of the other
cmn.txt              I'm fine.	我很好。	CC-BY 2.0 (France) Attribution: …
pairs.jsonl          {"source": "I'm fine.", "target": "我很好。"}
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, TypeAlias

from elman.data import source
from elman.data.encodings import encodings
from elman.data.forms import forms
from elman.data.forms.other_forms import PACKED
from elman.data.labelled.roles import LabelRoles
from elman.data.source import Source, encoding_of
from elman.data.tables import table
from elman.data.tables.arriving import ENCODING
from elman.data.tables.content import BadRows
from elman.data.tables.delimited import is_number, split_lines
from elman.data.tables.options import TableOptions
from elman.data.tables.reading import Reading, reading_from_json
from elman.data.tables.table import NOTHING, Row, Table
from elman.errors import UserError, unknown_name
from elman.options import make

Form: TypeAlias = Literal["lines", "table"]

# The usual names of columns, the likeliest first.
SOURCES = ("source", "src", "source_text", "input", "question", "from", "原文", "源文", "问")
TARGETS = ("target", "tgt", "target_text", "output", "answer", "to", "译文", "目标", "答")
LANGUAGES = (  # but Indonesian's id, which is mostly a number for each row
    "ar bg bn cs da de el en eo es et fa fi fr he hi hr hu is it ja ka ko la lt lv mk mr ms nl "
    "no pl pt ro ru sk sl sr sv sw ta th tr uk ur vi yue zh ara ces cmn deu eng fra hun ita jpn "
    "kor nld pol por rus spa swe tur ukr vie zho arabic chinese czech danish dutch english "
    "finnish french german greek hebrew hindi hungarian indonesian italian japanese korean polish "
    "portuguese russian spanish swedish turkish ukrainian vietnamese "
    "中文 汉语 英文 英语 德语 法语 日语 漢語 英文 英語 德語 法語 日語 韩语 韓語 俄语 俄語 西班牙语 "
    "deutsch englisch französisch spanisch italienisch russisch chinesisch japanisch "
    "français anglais allemand espagnol italien russe chinois japonais "
    "español inglés alemán francés português inglês francês italiano inglese tedesco francese "
    "русский английский немецкий 日本語 中国語 한국어 영어"
)
GUESSED_FROM = 1000  # rows
FILES = ("1", "2")  # the columns of two aligned files


@dataclass(frozen=True)
class PairRoles:
    """Which column is what, by name or number; None is guessed. Kept with a model, and `table`, how
    tables are written.

    Of two aligned files the first is column 1, the second column 2. Columns of one form say nothing
    of the other, and are guessed there.
    """

    source_column: str | None = None
    target_column: str | None = None
    form: Form | None = None
    table: Reading | None = None

    @property
    def encoding(self) -> str:
        """What data of the same kind is expected to be in, if not UTF-8."""
        return "" if self.table is None else self.table.encoding

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "source_column": self.source_column, "target_column": self.target_column,
            "form": self.form, "table": None if self.table is None else self.table.to_json(),
        }  # fmt: skip


def roles_from_json(data: Mapping[str, Any]) -> PairRoles:
    """The roles that gave this `to_json`. UserError where they are damaged."""
    own = {name: value for name, value in data.items() if name != "table" and value is not None}
    made = make(PairRoles, own, where="preprocessing.json: damaged reading")
    kept = data.get("table")
    return made if kept is None else replace(made, table=reading_from_json(kept))


@dataclass(frozen=True)
class Pairs:
    """Sources and targets, in order; `where` says of each pair where it came from."""

    sources: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    facts: tuple[str, ...] = ()  # what was guessed, for the user
    roles: PairRoles = PairRoles()

    def __len__(self) -> int:
        return len(self.sources)

    def pick(self, numbers: Sequence[int]) -> Pairs:
        """Those of these numbers."""
        return replace(
            self,
            sources=[self.sources[k] for k in numbers],
            targets=[self.targets[k] for k in numbers],
            where=[self.where[k] for k in numbers],
        )

    def contents(self) -> list[bytes]:
        """Of each pair a digest, equal for equal ones."""
        return [_digest(f"{s}\0{t}") for s, t in zip(self.sources, self.targets, strict=True)]

    def digest(self) -> str:
        """Of all pairs together."""
        whole = hashlib.sha256()
        for content in self.contents():
            whole.update(content)
        return whole.hexdigest()


def read(
    data: Sequence[str], roles: PairRoles, bad: BadRows, asked: TableOptions = NOTHING
) -> Pairs:
    """All pairs that the items of data hold. A pair with an empty side is a bad row.

    UserError: none at all, files of different length, no such columns.
    """
    sources = source.resolve(data)
    tables = [_is_table(one, roles, asked) for one in sources]
    if all(tables):
        roles = _of_form(roles, "table")
        parts = []
        for one in sources:
            parts.append(_table(one, roles, bad, asked))
            roles = parts[-1].roles  # what was guessed of one table holds for the next
        pairs = _joined(parts)
    elif len(sources) == 2:
        pairs = _aligned(sources[0], sources[1], _of_form(roles, "lines"), bad, asked)
    else:
        raise UserError(
            f"{sources[tables.index(False)].shown}: lines of one text; give two files whose lines "
            "belong together, source and target, or tables with a column for each"
        )
    if not len(pairs):
        raise bad.nothing_left(f"{data[0]}: holds no pairs")
    beside = (fact for one in sources for fact in one.facts)
    return replace(pairs, facts=tuple(dict.fromkeys((*pairs.facts, *beside))))


def split(pairs: Pairs, share: float) -> tuple[list[int], list[int]]:
    """The numbers for training and for validation, about `share` of all.

    Pairs with the same source or the same target, and pairs joined through others, are on one side.
    Drawn by the contents, so that the order does not matter.
    """
    if share == 0:
        return list(range(len(pairs))), []
    groups: dict[int, list[int]] = {}
    for k, root in enumerate(_components(pairs)):
        groups.setdefault(root, []).append(k)
    contents = pairs.contents()
    kept, held = list[int](), list[int]()
    wanted = 0.0
    for group in sorted(groups.values(), key=lambda group: min(contents[k] for k in group)):
        wanted += share * len(group)
        (held if len(held) + len(group) / 2 < wanted else kept).extend(group)
    return sorted(kept), sorted(held)


def open_sources(one: Source, roles: PairRoles) -> tuple[Table, LabelRoles]:
    """A file of sources to be answered row by row, and where in it they stand.

    A table as in `read`, which may lack the column of targets, or plain lines. UserError as there.
    """
    if not _is_table(one, roles, NOTHING):
        opened = table.plain_lines(one.shown, partial(lines_of, one, roles))
        column = table.LINE
    else:
        roles = _of_form(roles, "table")
        opened = _open_table(one, roles, NOTHING, targets=False)
        column = _settle(opened, roles, targets=False)[0].source_column or ""
    return opened, LabelRoles(text_columns=(column,))


def lines_of(one: Source, roles: PairRoles, asked: TableOptions = NOTHING) -> Iterator[str]:
    """The lines of a text, with their ends, in the encoding that it has."""
    texts = source.read_text(
        [one], encoding=asked.encoding, expected=roles.encoding, instead=ENCODING
    )
    return split_lines(one.shown, texts)


# ---- Two aligned files ---------------------------------------------------------------------


def _aligned(
    first: Source, second: Source, roles: PairRoles, bad: BadRows, asked: TableOptions
) -> Pairs:
    columns = (roles.source_column, roles.target_column)
    for name in columns:
        if name not in (None, *FILES):
            raise UserError(
                f"{first.shown} and {second.shown} are columns 1 and 2; there is no column {name}"
            )
    if columns[0] == columns[1] is not None:
        raise UserError(f"source and target both from column {columns[0]}")
    swapped = columns[0] == FILES[1] or columns[1] == FILES[0]
    ours, theirs = (second, first) if swapped else (first, second)
    sources, targets = (
        [line.strip() for line in lines_of(one, roles, asked)] for one in (ours, theirs)
    )
    if len(sources) != len(targets):
        raise UserError(
            f"{ours.shown} has {len(sources):,} lines, {theirs.shown} {len(targets):,}; "
            "the lines of two aligned files must belong together, one to one"
        )
    found = [asked.encoding or encoding_of(one, roles.encoding).encoding for one in (ours, theirs)]
    settled = PairRoles(
        FILES[swapped], FILES[not swapped], "lines", Reading(encoding=found[0])
    )  # fmt: skip
    facts = (
        [] if any(columns) else [f"taken: sources from {ours.shown}, targets from {theirs.shown}"]
    )
    for one, encoding in zip((ours, theirs), found, strict=True):
        if how := encodings.told(encoding):
            facts.append(f"{one.shown}: read as {how}")
    pairs = Pairs(facts=tuple(facts), roles=settled)
    for number, pair in enumerate(zip(sources, targets, strict=True), start=1):
        if all(pair):
            _append(pairs, *pair, f"{ours.shown}, line {number:,}")
        else:
            empty = theirs if pair[0] else ours
            bad.add(f"{empty.shown}, line {number:,}", "is empty")
    return pairs


def _append(pairs: Pairs, source_text: str, target_text: str, where: str) -> None:
    pairs.sources.append(source_text)
    pairs.targets.append(target_text)
    pairs.where.append(where)


# ---- Tables --------------------------------------------------------------------------------


def _is_table(one: Source, roles: PairRoles, asked: TableOptions) -> bool:
    """By its form or its name, else by its first line: with a tab in it, or an object of JSON."""
    packed = one.path.suffix in PACKED
    if table.ending(one) in table.ENDINGS or (not packed and forms.form_of(one.path, one.shown)):
        return True
    lines = lines_of(one, roles, asked)
    first = next((line.strip("\r\n") for line in lines if line.strip()), "")
    if "\t" in first or (first.startswith("{") and first.rstrip().endswith("}")):
        return True
    cells = [cell.strip().strip('"') for cell in re.split("[,;|]", first)]
    return len(cells) > 1 and _usual(cells) is not None


def _of_form(roles: PairRoles, form: Form) -> PairRoles:
    if roles.form in (None, form):
        return roles
    return PairRoles(table=None if roles.table is None else Reading(roles.table.encoding))


def _table(one: Source, roles: PairRoles, bad: BadRows, asked: TableOptions) -> Pairs:
    opened = _open_table(one, roles, asked)
    new = roles.table is None
    roles, facts = _settle(opened, roles)
    if new and roles.table is not None:
        facts = (*opened.facts, *roles.table.facts(), *facts)
    pairs = Pairs(facts=facts, roles=roles)
    names = [name for name in (roles.source_column, roles.target_column) if name is not None]
    for row in opened.rows(bad):
        try:
            ours, theirs = (_text(row, name) for name in names)
        except ValueError as error:
            bad.add(row.where, str(error))
        else:
            _append(pairs, ours, theirs, row.where)
    return pairs


def _joined(parts: Sequence[Pairs]) -> Pairs:
    return Pairs(
        list(itertools.chain.from_iterable(part.sources for part in parts)),
        list(itertools.chain.from_iterable(part.targets for part in parts)),
        list(itertools.chain.from_iterable(part.where for part in parts)),
        tuple(dict.fromkeys(fact for part in parts for fact in part.facts)),
        parts[-1].roles,
    )


def _open_table(
    one: Source, roles: PairRoles, asked: TableOptions, *, targets: bool = True
) -> Table:
    """Its first row is a header if it holds names that are asked for, or usual ones, or is the only
    one that is no number in a column.

    `open_table` takes a first row that never comes again for a header, as no sentence may.
    """
    opened = table.open_table(one, asked, roles.table)
    if opened.unit != "line" or opened.form == "json" or asked.header is not None or roles.table:
        return opened
    bare = table.open_table(one, replace(asked, header=False))
    rows = [
        [str(v) for v in row.values.values()]
        for row in itertools.islice(bare.rows(BadRows(skip=True)), GUESSED_FROM)
    ]
    header = bool(rows) and (_is_header(rows[0], roles, targets) or _over_numbers(rows))
    return table.open_table(one, replace(asked, header=header))


def _is_header(head: Sequence[str], roles: PairRoles, targets: bool) -> bool:
    names = [name.strip() for name in head]
    asked = (roles.source_column, roles.target_column)
    if any(name in names for name in asked if name is not None and not name.isdecimal()):
        return True
    if targets:
        return _usual(names) is not None
    return any(name.lower() in SOURCES or _is_language(name) for name in names)


def _over_numbers(rows: Sequence[Sequence[str]]) -> bool:
    """Whether in some column all cells are numbers but the first."""
    return any(
        len(cells) > 1 and not is_number(cells[0]) and all(map(is_number, cells[1:]))
        for cells in zip(*rows, strict=True)
    )


def _usual(names: Sequence[str]) -> tuple[str, str] | None:
    """Those of source and target among the names of columns; two languages in their order."""
    lower = {name.lower(): name for name in reversed(names)}
    ours, theirs = (
        next((lower[name] for name in known if name in lower), None) for known in (SOURCES, TARGETS)
    )
    if ours is not None and theirs is not None:
        return ours, theirs
    languages = [name for name in names if _is_language(name)]
    return (languages[0], languages[1]) if len(set(languages)) > 1 else None


def _is_language(name: str) -> bool:
    """`en`, `English`, `en_GB`, `zh-Hans`, `translation.de`."""
    return name.lower().rpartition(".")[2].replace("_", "-").split("-")[0] in LANGUAGES.split()


def _settle(
    opened: Table, roles: PairRoles, *, targets: bool = True
) -> tuple[PairRoles, tuple[str, ...]]:
    """The columns of source and target by name, guessed where not given; and what was guessed."""
    ours = _column(opened, roles.source_column)
    theirs = _column(opened, roles.target_column) if targets else None
    if ours is not None and (theirs is not None or not targets):
        if ours == theirs:
            raise UserError(f'{opened.shown}: source and target both from column "{ours}"')
        return PairRoles(ours, theirs, "table", opened.examined.reading), ()
    if targets and len(opened.columns) < 2:
        raise UserError(
            f"{opened.shown}: one column only; give a source and a target in each row, or two "
            "files whose lines belong together"
        )
    usual = _usual(opened.columns) or ()
    free = [*usual, *_texts(opened), *opened.columns]
    guessed = []
    if ours is None:
        ours = next(name for name in free if name != theirs)
        guessed.append(f'sources from column "{ours}"')
    if theirs is None and targets:
        theirs = next(name for name in free if name != ours)
        guessed.append(f'targets from column "{theirs}"')
    if opened.unit == "line" and opened.form != "json" and roles.table is None:
        guessed.append("with a header" if opened.header else "without a header")
    columns = opened.examined.reading.columns
    unused = [f'"{c.name}"' for c in columns if c.name not in (ours, theirs) and not c.passed_over]
    if unused and targets:
        guessed.append(f"not used: {', '.join(unused[:10])}")
    settled = PairRoles(ours, theirs, "table", opened.examined.reading)
    return settled, (f"taken: {', '.join(guessed)}",)


def _column(opened: Table, asked: str | None) -> str | None:
    if asked is None or asked in opened.columns:
        return asked
    if not asked.isdecimal():
        raise UserError(f"{opened.shown}: {unknown_name('column', asked, opened.columns)}")
    if not 1 <= int(asked) <= len(opened.columns):
        raise UserError(f"{opened.shown}: column {asked}, where there are {len(opened.columns)}")
    return opened.columns[int(asked) - 1]


def _texts(opened: Table) -> Iterator[str]:
    """The columns that hold words, in order."""
    for column in opened.examined.reading.columns:
        dated = column.dates is not None and column.dates.sure
        if column.numerals is None and not dated and not column.passed_over:
            yield column.name


def _text(row: Row, name: str) -> str:
    """A cell's text. ValueError, with what is wrong, where there is none."""
    value = row.values.get(name)
    if isinstance(value, list | dict):
        raise ValueError(f'"{name}" is no text but {str(value)[:40]}')
    text = "" if value is None else str(value).strip()
    if not text:
        raise ValueError(f'"{name}" is empty')
    return text


# ---- Groups --------------------------------------------------------------------------------


def _components(pairs: Pairs) -> list[int]:
    """Of each pair the number of its group: pairs are joined by sides that are equal."""
    root = list(range(len(pairs)))

    def find(k: int) -> int:
        while root[k] != k:
            root[k] = root[root[k]]
            k = root[k]
        return k

    for side in (pairs.sources, pairs.targets):
        first: dict[str, int] = {}
        for k, text in enumerate(side):
            root[find(k)] = find(first.setdefault(text, k))
    return [find(k) for k in range(len(pairs))]


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=16).digest()
