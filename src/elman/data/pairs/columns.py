"""Which columns of a table hold source and target, by their names and by what stands in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from elman.data.pairs.roles import PairRoles
from elman.data.tables.table import Table
from elman.errors import UserError, unknown_name

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


def settle(
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
    known = usual(opened.columns) or ()
    free = [*known, *_texts(opened), *opened.columns]
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


def usual(names: Sequence[str]) -> tuple[str, str] | None:
    """Those of source and target among the names of columns; two languages in their order."""
    lower = {name.lower(): name for name in reversed(names)}
    ours, theirs = (
        next((lower[name] for name in known if name in lower), None) for known in (SOURCES, TARGETS)
    )
    if ours is not None and theirs is not None:
        return ours, theirs
    languages = [name for name in names if is_language(name)]
    return (languages[0], languages[1]) if len(set(languages)) > 1 else None


def is_language(name: str) -> bool:
    """`en`, `English`, `en_GB`, `zh-Hans`, `translation.de`."""
    return name.lower().rpartition(".")[2].replace("_", "-").split("-")[0] in LANGUAGES.split()


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
