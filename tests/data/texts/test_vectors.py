"""Word vectors: those of the words that are known, whatever else a file holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from elman.data.texts.vectors import read_vectors
from elman.errors import UserError

WORDS = ("<unk>", "the", "film", "很", ". .")


def of(content: str, tmp_path: Path) -> tuple[np.ndarray, list[bool]]:
    path = tmp_path / "v.txt"
    path.write_text(content, encoding="utf-8")
    values, found = read_vectors(path, WORDS)
    return values, found.tolist()


@pytest.mark.parametrize("head", ["", "4 2\n"])
def test_known_words_get_their_vectors_and_the_others_zero(head: str, tmp_path: Path) -> None:
    rows = "the 1 2\nelse 3 4\n很 5 -6e-1\n. . 7 8\nthe 9 9\n\n"
    values, found = of(head + rows, tmp_path)
    assert values.tolist() == [[0, 0], [1, 2], [0, 0], [5, np.float32(-0.6)], [7, 8]]
    assert found == [False, True, False, True, True]  # of a word that comes twice the first


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("the 1 2\nfilm 1\n", "line 2: 1 value, where the first word has 2"),
        ("the 1 2\nfilm 1 x\n", "line 2: a value is no number"),
        ("the 1 nan\n", "line 1: a value is not finite"),
        ("the 1 1e39\n", "line 1: a value is not finite"),
        ("else 1 2\n", "has none of the 5 words"),
        ("", "holds no text"),
        ("\n\n", "has none of the 5 words"),
    ],
)
def test_a_file_that_is_none_is_told(content: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=told):
        of(content, tmp_path)
