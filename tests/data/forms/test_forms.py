"""Forms that are told by the first bytes of a file, and texts that no one here reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from elman.data.forms.forms import form_of
from elman.errors import UserError

ARFF = "% Iris\n%\n\n@RELATION iris\n@ATTRIBUTE a NUMERIC\n@DATA\n5.1\n"
TS = "#from the archive\n\n@problemName ArrowHead\n@univariate true\n@data\n1,2,3:0\n"


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("iris.arff", ARFF, "an ARFF file"),
        ("iris.txt", ARFF.replace("%", "%" * 500), "an ARFF file"),
        ("a_TRAIN.ts", TS, "a .ts file"),
        ("a.txt", "\ufeff" + TS, "a .ts file"),
        ("b.ts", "@timestamps false\n@data\n1:0\n", "a .ts file"),
    ],
)
def test_forms_of_other_programs_are_named(name: str, text: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=rf"^{name}: {what}.*save its rows as CSV"):
        form_of(path, name)


@pytest.mark.parametrize(
    "text", ["@anna hello\n@ben hi\n", "# notes\nx,y\n", "%\n", "#\n" * 9, "@"]
)
def test_other_texts_may_begin_so(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text, encoding="utf-8")
    assert form_of(path) is None
