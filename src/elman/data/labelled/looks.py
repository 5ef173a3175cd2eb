"""What the columns of a table look like, to whoever seeks the labels among them.

label,review             few different cells, each there more than once; words, all different
1,"很快，好吃，味道足，量大"
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from elman.data.labelled import several
from elman.data.tables.content import BadRows
from elman.data.tables.table import Table

# The usual names of columns, the likeliest first.
LABELS = (
    "label", "labels", "class", "class index", "sentiment", "target", "category", "categories",
    "intent", "emotion", "topic", "topics", "genre", "genres", "tags", "y", "标签", "类别", "情感",
    "标记", "分类", "标注", "標籤", "類別", "標記", "分類", "ラベル", "カテゴリ",
    "カテゴリー",
    "クラス", "感情", "레이블", "라벨", "클래스", "카테고리", "감정", "분류", "klasse", "kategorie",
    "stimmung", "thema", "étiquette", "etiquette", "classe", "catégorie", "categorie", "thème",
    "etiqueta", "clase", "categoría", "categoria", "sentimiento", "tema", "rótulo", "rotulo",
    "sentimento", "etichetta", "метка", "класс", "категория", "тональность", "тема",
)  # fmt: skip
# Whole names only: what ends in such a word is no label.
ALONE = ("y",)
IDS = ("id", "unique_id", "index", "", "unnamed: 0", "编号", "編號", "番号", "번호", "номер")
LOOKED_AT = 200  # rows, to see what lists hold and which columns say the same
FEW, A_CLASS = 50, 10  # classes that a column surely means, and rows that each has at least
NEARLY_ALL = 0.9  # of the cells that are there
LONG = 200  # characters of a cell on average from which it is no label


@dataclass(frozen=True)
class Looks:
    """What all cells of a column look like."""

    name: str
    rows: int
    distinct: int  # cells that differ, but empty ones
    characters: int  # of all
    words: bool  # neither numbers nor dates
    fractions: bool
    truth: bool  # of yes and no
    lists: Literal["", "numbers", "texts"]
    joint: str | None  # joins several labels
    date: bool

    @property
    def surely_classes(self) -> bool:
        """Whether it looks like classes that are few, each there more than once."""
        few = self.distinct <= max(2, min(self.rows // A_CLASS, FEW))
        return self.joint is not None or self.lists == "texts" or (self.may_be_classes and few)

    @property
    def may_be_classes(self) -> bool:
        """Whether classes could be told from it at all."""
        if self.joint is not None or self.lists == "texts":
            return True
        if self.date or self.lists or (self.fractions and self.distinct > A_CLASS):
            return False
        return 2 <= self.distinct <= max(2, self.rows // 2)


def looks_of(opened: Table) -> list[Looks]:
    """Of each column that is not passed over."""
    examined = opened.examined
    begun, found = first_rows(opened), []
    for column in examined.reading.columns:
        profile = examined.profiles.get(column.name)
        if column.passed_over or profile is None:
            continue
        cells = [row[column.name] for row in begun]
        lists = [cell for cell in cells if isinstance(cell, list)]
        kind: Literal["", "numbers", "texts"] = ""
        if lists and len(lists) >= NEARLY_ALL * sum(cell is not None for cell in cells):
            labels = all(isinstance(item, str) for cell in lists for item in cell)
            whole = all(isinstance(item, int) for cell in lists for item in cell)
            named = whole and plain(column.name) in LABELS
            kind = "texts" if labels or named else "numbers"
        distinct = profile.distinct - {""}
        short = profile.characters <= LONG * profile.count
        numeric = column.numerals is not None
        is_date = column.dates is not None and column.dates.sure
        words = not (numeric or is_date or lists)
        found.append(
            Looks(
                column.name, profile.count, len(distinct), profile.characters, words,
                numeric and any("." in shape or "," in shape for shape in profile.shapes),
                several.is_truth(profile), kind,
                several.joint_of(distinct) if words and short else None, is_date,
            )
        )  # fmt: skip
    return found


def first_rows(opened: Table) -> list[dict[str, Any]]:
    """The first rows."""
    block = next(opened.blocks(BadRows(skip=True)), None)
    cells = [] if block is None else block.cells[:LOOKED_AT]
    return [dict(zip(opened.columns, record, strict=True)) for record in cells]


def plain(name: str) -> str:
    """The name as it is compared: the last part of data.text."""
    return name.lower().strip(".").rpartition(".")[2]
