"""Delimited text: what parts its cells, whether quotation marks mean anything, what stands above
it; and its records.

date;sales
01.01.2010;100,85
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

from elman.data.tables.content import AT_ONCE, BadRows, Block
from elman.data.tables.headers import VALUE
from elman.errors import UserError
from elman.wording import counted

SEPARATORS = (",", ";", "\t", "|")
SPACES = " "  # as a separator: one or more of them
SNIFFED = 1000  # records from which the way of writing is found
PREAMBLE = 30  # lines above a table that are passed over at most
AGREE = 0.9  # share of the records that must have as many cells as most
LONGEST_FIELD = 1 << 24  # characters, of a cell and of a line
WORDS_OF_CSV = {  # what Python's reader says, in words that help
    "unexpected end of data": "a quotation mark opens here and is never closed",
    "new-line character seen": "a carriage return within the line; convert the ends of its lines",
    "field larger than": f"a cell of more than {LONGEST_FIELD:,} characters",
}

csv.field_size_limit(LONGEST_FIELD)


@dataclass(frozen=True)
class Dialect:
    """How a delimited text is written. `above` lines before its header or first record are none of
    it; `bare` says that its header lacks the name of the first column, the row's own."""

    separator: str = ","
    quoted: bool = True  # quotation marks hold cells together
    above: int = 0
    bare: bool = False

    @property
    def told(self) -> str:
        """What parts the cells, for the user; empty where it is the comma or the tab."""
        known = {",": "", "\t": "", SPACES: "spaces"}
        name = known.get(self.separator, f'"{self.separator}"')
        return f"cells parted by {name}" if name else ""


def split_lines(shown: str, texts: Iterable[str]) -> Iterator[str]:
    """The lines of a text with their ends: \\n, \\r\\n, or the \\r of old Macintoshes."""
    return itertools.chain.from_iterable(line_blocks(shown, texts))


def line_blocks(shown: str, texts: Iterable[str]) -> Iterator[list[str]]:
    """The lines that end in each of these pieces of text."""
    held = ""
    for text in texts:
        text = held + text
        # The newline of a carriage return may come with the next piece.
        ending = len(text) - 1 if text.endswith("\r") else len(text)
        lines = list(io.StringIO(text[:ending], newline=""))
        held = text[ending:]
        if lines and not lines[-1].endswith(("\n", "\r")):
            held = lines.pop() + held
        yield lines
        if len(held) > LONGEST_FIELD:
            raise UserError(f"{shown}: a line of more than {LONGEST_FIELD:,} characters")
    if held:
        yield [held]


def dialect_of(lines: Iterable[str], separator: str | None = None) -> Dialect:
    """How a text is written, from its first lines; a separator that is given is taken. Lines above
    the table that begin with # are none of it, but for those that part as its records do."""
    lines = iter(lines)
    begun = list(itertools.islice(lines, SNIFFED))
    notes = _notes(begun)
    begun += itertools.islice(lines, notes)
    while begun and not begun[-1].strip():
        begun.pop()
    if not 0 < notes < len(begun):
        return _dialect(begun, separator)
    found = _dialect(begun[notes:], separator)
    below = [c for _, c in itertools.islice(records(iter(begun[notes:]), found), SNIFFED)]
    usual = Counter(map(len, below)).most_common(1)[0][0]
    valued = [any(map(VALUE.fullmatch, cells)) for cells in below[:2]]
    above = notes
    if usual == 1 and (notes == 1 or not valued[0]):
        above = 0
    elif usual > 1 and found.separator != SPACES and valued != [False, True] and not found.above:
        while above and [len(c) for _, c in records(iter(begun[above - 1 : above]), found)] == [
            usual
        ]:
            above -= 1
    if above < notes:
        found = _dialect(begun[above:], separator)
    return replace(found, above=above + found.above)


def _notes(lines: Sequence[str]) -> int:
    """How many lines above begin with #, empty ones between them."""
    first = next((k for k, t in enumerate(lines) if t.strip() and t[:1] != "#"), len(lines))
    while first and not lines[first - 1].strip():
        first -= 1
    return first


def _dialect(begun: Sequence[str], separator: str | None) -> Dialect:
    """The same of lines without such."""
    above = 0
    if separator is None and begun and (found := re.fullmatch(r"sep=(.)\s*", begun[0])):
        separator, above = found[1], 1  # as spreadsheets write it
    chosen = separator if separator is not None else _separator(begun)
    holds = {"\t": _quoted, SPACES: _parted_by_spaces}.get(chosen)
    quoted = holds is None or holds(begun)
    dialect = Dialect(chosen, quoted, above)
    counts = [
        (line, len(cells))
        for line, cells in records(iter(begun), dialect)
        if isinstance(cells, list)
    ]
    if len(counts) < 3:
        return dialect
    usual, times = Counter(n for _, n in counts).most_common(1)[0]
    if usual < 2 or times < AGREE * (len(counts) - PREAMBLE) or counts[0][1] == usual:
        return dialect
    first = next(k for k, (_, n) in enumerate(counts) if n == usual)
    named = usual > 2 or any(map(VALUE.fullmatch, _second(begun, dialect)))
    if first == 1 and counts[0][1] == usual - 1 and named:
        return Dialect(chosen, quoted, above, bare=True)
    # Lines above a table, as banks write them: a title, an account, a period.
    ends = all(n == usual for _, n in counts[first : first + 5])
    if 0 < first <= PREAMBLE and ends and all(n < usual for _, n in counts[:first]):
        return Dialect(chosen, quoted, counts[first][0] - 1)
    return dialect


def _second(lines: Sequence[str], dialect: Dialect) -> Sequence[str]:
    """The cells of the second record."""
    found = [cells for _, cells in itertools.islice(records(iter(lines), dialect), 2)]
    return found[-1] if isinstance(found[-1], list) else ()


class _Parting(NamedTuple):
    """How well a separator parts the lines, the better the later in the order of tuples."""

    fits: bool  # the first line has as many cells as most
    share: float  # of the lines that have, none counting for more than AGREE
    likeness: float  # share of the cells below the first line that look like numbers and dates
    clean: bool  # no name of a column holds another separator
    exact: float  # share of the lines
    width: int
    titled: bool  # from some line on, which names columns
    separator: str


def _separator(lines: Sequence[str]) -> str:
    """What parts most lines into equally many cells, the first line among them; of several, that
    one whose cells look most like numbers and dates, as a decimal comma parts numbers too."""
    parted = [found for separator in SEPARATORS if (found := _parting(lines, separator))]
    if best := _best(parted):
        return best.separator
    cells = [line.split() for line in lines if line.strip()]
    even = bool(cells) and len(cells[0]) > 1 and len({len(c) for c in cells}) == 1
    if even and all(is_number(c) for row in cells for c in row):
        return SPACES
    return SPACES if _parted_by_spaces(lines) else ","


def _parting(lines: Sequence[str], separator: str) -> _Parting | None:
    """How well it parts them, None where it does not."""
    found = [
        cells if isinstance(cells, list) else []
        for _, cells in records(iter(lines), Dialect(separator, separator != "\t"))
    ]
    counts = [len(cells) for cells in found]
    if not counts or max(counts) < 2:
        return None
    usual, times = Counter(counts).most_common(1)[0]
    if usual < 2:
        usual, times = counts[0], counts.count(counts[0])
    if usual < 2:
        return None
    start = counts.index(usual)
    filled = [cell for cells in found[start + 1 :] or found for cell in cells if cell.strip()]
    values = sum(1 for cell in filled if VALUE.fullmatch(cell) and "\t" not in cell)
    other = any(mark in name for name in found[0] for mark in SEPARATORS if mark != ",")
    share = times / len(counts)
    below_title = times >= AGREE * (len(counts) - start) and start <= PREAMBLE
    titled = below_title and not any(map(VALUE.fullmatch, found[start]))
    return _Parting(
        start == 0, min(share, AGREE), values / max(len(filled), 1), not other, share, usual,
        titled, separator,
    )  # fmt: skip


def _best(parted: Sequence[_Parting]) -> _Parting | None:
    """The first of the best. A comma gives way to what parts the lines below a title, which may
    hold a comma, into more numbers and dates."""
    comma = next((one for one in parted if one.separator == ","), None)
    if comma is not None and any(
        one.likeness > comma.likeness and (one.titled or one.exact >= AGREE > comma.exact)
        for one in parted
    ):
        parted = [one for one in parted if one is not comma]
    return max(parted, key=lambda one: one[:-2], default=None)


def _parted_by_spaces(lines: Sequence[str]) -> bool:
    """Whether single spaces part cells, some of them between quotation marks, as R writes them."""
    if len(lines) < 3 or not all(line[:1] == '"' for line in lines[1:]):
        return False
    found = [cells for _, cells in records(iter(lines), Dialect(SPACES))]
    widths = {len(cells) if isinstance(cells, list) else 0 for cells in found[1:]}
    return len(widths) == 1 and min(widths) > 2 and len(found[0]) in (max(widths), max(widths) - 1)


def _quoted(lines: Sequence[str]) -> bool:
    """Whether quotation marks between tabs hold cells together: they stand around whole cells only,
    or without them the records would be of unequal length."""
    if not any('"' in line for line in lines):
        return False
    apart, together = (
        [cells for _, cells in records(iter(lines), Dialect("\t", quoted))]
        for quoted in (False, True)
    )
    if len(lines) == SNIFFED and isinstance(together[-1], str):
        together.pop()  # it goes on
    if not together or any(isinstance(cells, str) for cells in together):
        return False
    if _unequal(together) < _unequal(apart):
        return True
    marked = [cell for cells in apart for cell in cells if '"' in cell]
    return _unequal(together) == _unequal(apart) and all(
        len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in cell[1:-1].replace('""', "")
        for cell in marked
    )


def _unequal(rows: Sequence[Sequence[str] | str]) -> int:
    """How many records have another number of cells than most."""
    return len(rows) - Counter(map(len, rows)).most_common(1)[0][1]


def records(lines: Iterator[str], dialect: Dialect) -> Iterator[tuple[int, list[str] | str]]:
    """Each record that is no empty line, as cells or as what is wrong with it, and its line."""
    for numbers, found in _runs(lines, dialect, at_once=1):
        yield from zip(numbers, found, strict=True)


def blocks(
    lines: Callable[[], Iterator[str]], dialect: Dialect, width: int, *, header: bool,
    where: Callable[[int], str], bad: BadRows, at_once: int = AT_ONCE, blanks: bool = False,
) -> Iterator[Block]:  # fmt: skip
    """The records of so many cells, without the header; others are bad rows. Cells that are empty
    and too many, as after a separator at the end of each line, are none. With `blanks` an empty
    line below the header is a record without cells."""
    skipped = not header
    for numbers, found in _runs(lines(), dialect, at_once, blanks=blanks):
        if not skipped:
            begin = next((k for k, record in enumerate(found) if record), len(found))
            skipped = begin < len(found)
            numbers, found = numbers[begin + 1 :], found[begin + 1 :]
        # So that whoever reads knows between which rows a bad one is, a block ends before it.
        start = 0
        for k in _odd(found, width):
            record = found[k]
            fits = not isinstance(record, str) and (not record or len(record) > width)
            if fits and not any(record[width:]):
                del found[k][width:]  # type: ignore[union-attr]
                continue
            if k > start:
                yield Block(numbers[start:k], cast("list[list[str]]", found[start:k]))
            start = k + 1
            told = f"{counted(len(record), 'cell')} where there should be {width}"
            bad.add(where(numbers[k]), record if isinstance(record, str) else told)
        if len(found) > start:
            yield Block(numbers[start:], cast("list[list[str]]", found[start:]))


def _odd(found: Sequence[list[str] | str], width: int) -> Iterator[int]:
    """The places of records with another number of cells, or of what is none."""
    if set(map(len, found)) <= {width} and str not in set(map(type, found)):
        return iter(())
    return (k for k, one in enumerate(found) if isinstance(one, str) or len(one) != width)


def _runs(
    lines: Iterator[str], dialect: Dialect, at_once: int, *, blanks: bool = False
) -> Iterator[tuple[list[int], list[list[str] | str]]]:
    """Records by so many at once, with the lines that they begin on; without `blanks` none is an
    empty line."""
    lines = itertools.islice(lines, dialect.above, None)
    line = dialect.above + 1
    if not dialect.quoted:
        parted_by = None if dialect.separator == SPACES else dialect.separator
        while run := list(itertools.islice(lines, at_once)):
            texts = (text.rstrip("\n").removesuffix("\r") for text in run)
            kept = [(n, text) for n, text in enumerate(texts, start=line) if text or blanks]
            yield [n for n, _ in kept], [t.split(parted_by) if t else [] for _, t in kept]
            line += len(run)
        return
    reader = csv.reader(lines, delimiter=dialect.separator, strict=True)
    ended = False
    while not ended:
        found: list[list[str] | str] = []
        try:
            found.extend(itertools.islice(reader, at_once))  # keeps what came before an error
            ended = not found
        except csv.Error as error:
            told = (words for start, words in WORDS_OF_CSV.items() if str(error).startswith(start))
            found.append(next(told, f"no CSV ({error})"))
        after = dialect.above + reader.line_num + 1
        numbers = list(range(line, after))
        if len(numbers) != len(found):  # some stand on several lines
            numbers = list(itertools.accumulate(map(_lines_of, found[:-1]), initial=line))
        line = after
        if not blanks and not all(found):
            full = [k for k, record in enumerate(found) if record]
            numbers, found = [numbers[k] for k in full], [found[k] for k in full]
        if found:
            yield numbers, found


def _lines_of(record: list[str] | str) -> int:
    """On how many lines a record stands."""
    return 1 + sum(
        cell.count("\n") + cell.count("\r") - cell.count("\r\n") for cell in record
    )  # fmt: skip


def is_number(cell: object) -> bool:
    """Whether a cell holds a number as computers write it."""
    try:
        float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False
    return True
