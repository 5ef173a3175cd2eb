"""What a report says of translations: some of them, and those that are furthest off."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from elman.data.pairs.pairs import Pairs
from elman.data.tables.content import BadRows
from elman.tasks.translate.data import Paired, encode, make_encoder
from elman.tasks.translate.page import LISTED, WORST, remarks_on
from elman.tasks.translate.writing import Translation

TEXTS = [f"a{k} b{k % 5} c{k % 7} and so on" for k in range(60)]


@pytest.fixture
def data() -> Paired:
    encoder = make_encoder(
        TEXTS, TEXTS, ("words", "words"), limit=None, shared=False, lowercase=False, longest=9,
        cut=False,
    )  # fmt: skip
    pairs = Pairs(TEXTS, TEXTS, TEXTS)
    return encode(
        "", pairs.pick(range(20)), pairs.pick(range(20, 60)), encoder, None, BadRows(False)
    )


def told(data: Paired, wrong: Sequence[int], folder: Path) -> list[str]:
    def translated(chosen: Sequence[int]) -> list[Translation]:
        said = ["nothing like it" if k in wrong else data.truth(k) for k in chosen]
        return [Translation(text, 0.0, (), None) for text in said]

    return remarks_on(data, translated, folder, lowercase=False)


@pytest.mark.parametrize("wrong", [[], [33], list(range(20, 60))])
def test_the_worst_mistakes_are_listed_and_nothing_that_is_right(
    wrong: list[int], data: Paired, tmp_path: Path
) -> None:
    lines = told(data, wrong, tmp_path)
    headed = [k for k, line in enumerate(lines) if line.startswith("The worst of 40")]
    assert len(headed) == bool(wrong)
    if wrong:
        worst = [line for line in lines[headed[0] :] if line.startswith("- ")]
        assert len(worst) == min(WORST, len(wrong))
        assert set(worst) <= {f"- `{data.source(k)}`" for k in wrong}
    start = lines.index("Some pairs for validation, what was written, what it should be:")
    stop = headed[0] if headed else len(lines)
    assert sum(line.startswith("- ") for line in lines[start:stop]) == LISTED


def test_without_sacrebleu_no_mistake_is_called_the_worst(
    data: Paired, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    lines = told(data, [33], tmp_path)
    assert "elman[metrics]" in lines[0] and not any("worst" in line for line in lines)
