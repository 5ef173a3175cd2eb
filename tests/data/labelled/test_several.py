"""Several labels at once read the same from every form; which columns are labels, asked or told."""

from __future__ import annotations

import csv
import io
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.labelled.examples import Examples, split
from elman.data.labelled.files import read
from elman.data.labelled.roles import LabelRoles, Wanted, roles_from_json
from elman.data.labelled.several import Several, joint_of
from elman.data.tables.content import BadRows
from elman.errors import UserError

CASES = Path(__file__).parents[3] / "shared" / "cases"
NAMES = ("toxic", "obscene", "threat")
WORDS = ("good", "bad", "film", "plot", "slow", "great", "music", "scene", "story", "fun")
draws = settings(max_examples=40)


def texts(count: int, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(6, 12))) + f" {k}" for k in range(count)]


def table(
    path: Path, head: Sequence[str], rows: Sequence[Sequence[object]], sep: str = ","
) -> Path:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=sep, lineterminator="\n")
    writer.writerows([head, *rows])
    path.write_text(out.getvalue(), encoding="utf-8")
    return path


def of(path: Path, multi: bool | None = None, **roles: Any) -> Examples:
    return read([str(path)], LabelRoles(**roles), BadRows(False), Wanted(multi=multi))


def refusal(path: Path, **asked: Any) -> str:
    with pytest.raises(UserError) as caught:
        of(path, **asked)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def left(found: Examples) -> list[str]:
    return [fact for fact in found.facts if fact.startswith("not used")]


# ---- Forms ---------------------------------------------------------------------------------

SETS = st.lists(st.sets(st.sampled_from(NAMES)), min_size=20, max_size=40)


@draws
@given(SETS, st.sampled_from(("0 1", "False True", "no yes", "0.0 1.0", "N Y")), st.booleans())
def test_sets_read_the_same_from_every_form(
    tmp_path_factory: pytest.TempPathFactory, sets: list[set[str]], words: str, tabbed: bool
) -> None:
    folder = tmp_path_factory.mktemp("several")
    # Each label, and each two, so that the cells tell that their parts come again.
    sets += [{a, b} for a in NAMES for b in NAMES]
    rows = list(zip(texts(len(sets)), sets, strict=True))
    no, yes = words.split()
    wide = [[t, *(yes if n in s else no for n in NAMES)] for t, s in rows]
    files = [table(folder / "a.csv", ["text", *NAMES], wide, "\t" if tabbed else ",")]
    for k, joint in enumerate((";", "; ", "|", ", ")):
        cells = [[t, joint.join(sorted(s))] for t, s in rows]
        files.append(table(folder / f"{k}.csv", ["text", "tags"], cells))
        assert of(files[-1]).roles.several == Several("cell", joint)
    listed = [{"text": t, "tags": sorted(s)} for t, s in rows]
    objects = [{"text": t} | {n: n in s for n in NAMES} for t, s in rows]
    for name, made in (("list", listed), ("whole", objects)):
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
        files.append(path)
    for path in files:
        found = of(path)
        assert [set(labels) for labels in found.sets] == sets, path
        assert found.texts == [text for text, _ in rows] and len(found.labels) == len(sets)
        assert any(fact.startswith("several labels at once") for fact in found.facts)
        again = roles_from_json(json.loads(json.dumps(found.roles.to_json())))
        assert again == found.roles
        later = read([str(path)], again, BadRows(False))
        assert later.sets == found.sets and later.facts == ()


def test_columns_are_written_as_the_data_has_them(tmp_path: Path) -> None:
    for no, yes in (("0", "1"), ("False", "True"), ("no", "yes"), ("NEIN", "JA")):
        rows = [[t, (no, yes)[k % 2], (no, yes)[k // 2 % 2]] for k, t in enumerate(texts(20))]
        found = of(table(tmp_path / "a.csv", ["text", "a", "b"], rows)).roles.several
        assert found == Several("columns", no=no, yes=yes)
    lines = [
        json.dumps({"text": t, "a": k % 2 == 0, "b": k % 3 == 0}) for k, t in enumerate(texts(9))
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert of(tmp_path / "a.jsonl").roles.several == Several("columns", no=False, yes=True)


@draws
@given(st.lists(st.sampled_from([f"part {k}" for k in range(40)]), min_size=4, max_size=40,
                unique=True), st.sampled_from((";", "|", ",", ", ")))  # fmt: skip
def test_names_with_a_separator_whose_parts_stand_nowhere_else_are_one_label(
    parts: list[str], joint: str
) -> None:
    pairs = {joint.join(pair) for pair in zip(parts[::2], parts[1::2], strict=False)}
    assert joint_of(pairs) is None
    assert joint_of({part for part in parts if joint not in part}) is None


def test_the_case_of_two_columns_is_several_labels_at_once() -> None:
    if not CASES.exists():
        pytest.skip("no shared cases")
    found = of(CASES / "multi.csv")
    assert found.roles.label_columns == ("toxic", "obscene") and len(found) == 399
    assert found.facts[1] == "several labels at once, a column for each"
    assert found.sets[:3] == [("obscene",), ("obscene",), ("toxic",)]


def test_marked_lines_hold_one_label_or_several(tmp_path: Path) -> None:
    one, many = tmp_path / "one.txt", tmp_path / "many"
    one.write_text("__label__a  a good film\n\n__label__b bad\n", encoding="utf-8")
    many.write_text("__label__a __label__b a good film\n__label__b bad\n", encoding="utf-8")
    found = of(one)
    assert (found.texts, found.labels) == (["a good film", "bad"], ["a", "b"])
    assert found.where[1].endswith("line 3") and found.roles.several is None
    assert of(many).sets == [("a", "b"), ("b",)]
    assert of(one, multi=True).sets == [("a",), ("b",)]
    assert "several labels in a line" in refusal(many, multi=False)
    one.write_text("__label__a good\nno label here\n", encoding="utf-8")
    assert "one.txt, line 2: no label; begin the line with __label__" in refusal(one)


@pytest.mark.parametrize("form", ["lines", "folder", "npz", "both"])
def test_a_model_of_several_labels_reads_data_that_has_one_each(form: str, tmp_path: Path) -> None:
    """Files or folders name one class each; beside such with several there is one each as well."""
    roles = LabelRoles(("text",), None, ("genre",), Several("cell", ";"))
    data = [tmp_path / "a.good", tmp_path / "a.bad"]
    if form == "folder":
        data = [tmp_path / "held"]
    elif form == "npz":
        data = [tmp_path / "a.npz"]
        np.savez(data[0], x=np.zeros((2, 3, 1)), y=["good", "bad"])
    for name in ("good", "bad"):
        (tmp_path / "held" / name).mkdir(parents=True)
        (tmp_path / "held" / name / "1.txt").write_text(f"a {name} film")
        (tmp_path / f"a.{name}").write_text(f"a {name} film\n")
    wanted: dict[tuple[str, ...], int] = {("good",): 1, ("bad",): 1}
    if form == "both":
        data.append(table(tmp_path / "b.csv", ["text", "genre"], [["x", "good;bad"]]))
        wanted["good", "bad"] = 1
    found = read([str(path) for path in data], roles, BadRows(False))
    assert Counter(found.each) == wanted
    assert len(found.each) == len(found.where) == len(found)
    picked = found.pick([0])
    assert picked.each == found.each[:1]


def test_a_cell_that_is_no_label_is_told_with_its_line(tmp_path: Path) -> None:
    rows = [[t, k % 2, k // 2 % 2] for k, t in enumerate(texts(20))]
    path = table(tmp_path / "a.csv", ["text", "a", "b"], [*rows, ["more", 1, ""]])
    assert 'line 22: "b" is empty' in refusal(path)
    path = table(tmp_path / "a.csv", ["text", "a", "b"], [*rows, ["more", 1, 2]])
    assert "line 22: \"b\" is '2', not 0 or 1" in refusal(path, label_columns=("a", "b"))
    lines = [json.dumps({"text": t, "labels": ["ab"[k % 2]]}) for k, t in enumerate(texts(20))]
    for wrong in ('"a"', "[[1]]", '[{"a": 1}]'):
        more = '{"text": "x", "labels": ' + wrong + "}"
        (tmp_path / "a.jsonl").write_text("\n".join([*lines, more]), encoding="utf-8")
        assert 'line 21: "labels" is' in refusal(tmp_path / "a.jsonl")


# ---- Which columns -------------------------------------------------------------------------


def rows_of(kinds: dict[str, Sequence[object]], count: int = 60) -> list[list[object]]:
    draw = random.Random(1)
    body = texts(count)
    return [[body[k], *(draw.choice(values) for values in kinds.values())] for k in range(count)]


def test_a_second_column_that_could_be_the_label_is_named_or_asked_for(tmp_path: Path) -> None:
    kinds: dict[str, Sequence[object]] = {"stars": (1, 2, 3, 4, 5), "lang": ("de", "en")}
    path = table(tmp_path / "a.csv", ["words", *kinds], rows_of(kinds))
    told = refusal(path)
    assert '"stars" and "lang" could each be the labels' in told
    assert "--label-column stars, or --label-column lang" in told
    asked = of(path, label_columns=("lang",))
    assert left(asked) == ["not used: stars, which could be labels too (--label-column stars)"]
    named = {"label": ("a", "b"), **kinds}
    found = of(table(tmp_path / "b.csv", ["words", *named], rows_of(named)))
    assert set(found.labels) == {"a", "b"} and len(left(found)) == 2
    truth: dict[str, Sequence[object]] = {"x": (0, 1), "y2": (0, 1), "stars": (1, 2, 3)}
    told = refusal(table(tmp_path / "c.csv", ["words", *truth], rows_of(truth)))
    assert '"x,y2" and "stars" could each be the labels' in told
    assert "--label-column x,y2, or --label-column stars" in told


def test_a_name_whose_last_word_is_usual_stands_before_others(tmp_path: Path) -> None:
    kinds: dict[str, Sequence[object]] = {"airline_sentiment": ("a", "b"), "airline": ("x", "y")}
    found = of(table(tmp_path / "a.csv", ["text", *kinds], rows_of(kinds)))
    assert set(found.labels) == {"a", "b"}
    assert left(found) == ["not used: airline, which could be labels too (--label-column airline)"]


def test_a_column_that_says_the_same_is_no_question(tmp_path: Path) -> None:
    rows = [[t, k % 3, ("neg", "so", "pos")[k % 3]] for k, t in enumerate(texts(60))]
    found = of(table(tmp_path / "a.csv", ["text", "n", "name"], rows))
    assert len(set(found.labels)) == 3
    assert "which says the same as" in left(found)[0]


def test_words_beside_the_text_are_named_and_may_be_joined(tmp_path: Path) -> None:
    body = texts(120)
    rows = [[k % 4, body[k][:20], body[k + 60], k] for k in range(60)]
    path = table(tmp_path / "a.csv", ["Class Index", "Title", "Description", "id"], rows)
    found = of(path)
    assert found.roles.text_columns == ("Title",)
    told = "not used: Description, which holds words too (--text-column Title,Description)"
    assert left(found) == [told, "not used: id"]
    both = of(path, text_columns=("Title", "Description"))
    assert both.texts[0] == f"{body[0][:20].strip()}\n{body[60]}"
    rows[0][1] = ""
    rows[1][1] = rows[1][2] = ""
    path = table(tmp_path / "b.csv", ["Class Index", "Title", "Description", "id"], rows)
    assert 'line 3: "Title" and "Description" is empty' in refusal(
        path, text_columns=("Title", "Description")
    )


def test_one_label_is_asked_for(tmp_path: Path) -> None:
    cells = [[t, ";".join(sorted({"abc"[k % 3], "abc"[k % 2]}))] for k, t in enumerate(texts(30))]
    path = table(tmp_path / "a.csv", ["text", "tags"], cells)
    assert of(path, multi=False).labels == [cell for _, cell in cells]
    single = table(
        tmp_path / "b.csv", ["text", "tags"], [[t, "ab"[k % 2]] for k, (t, _) in enumerate(cells)]
    )
    assert of(single, multi=True).sets == [("ab"[k % 2],) for k in range(30)]
    kinds: dict[str, Sequence[object]] = {"a": (0, 1), "b": (0, 1)}
    wide = table(tmp_path / "c.csv", ["text", *kinds], rows_of(kinds))
    assert '"a" and "b" could each be the labels' in refusal(wide, multi=False)
    assert "several at once" in refusal(wide, multi=False, label_columns=("a", "b"))
    assert of(wide, label_columns=("a",)).roles.several is None


# ---- Arrays, splits ------------------------------------------------------------------------


def test_an_array_of_0_and_1_holds_several_labels(tmp_path: Path) -> None:
    y = np.array([[0, 1, 1], [0, 0, 0], [1, 0, 0]])
    np.savez(tmp_path / "a.npz", x=np.ones((3, 4)), y=y)
    found = of(tmp_path / "a.npz")
    assert found.sets == [("1", "2"), (), ("0",)] and found.roles.label_columns == ("0", "1", "2")
    np.savez(tmp_path / "b.npz", x=np.ones((3, 4)), y=2 * y)
    assert "needs [N], or 0 and 1" in refusal(tmp_path / "b.npz")


@draws
@given(
    st.lists(st.sets(st.sampled_from("abcdefgh")), min_size=1, max_size=200), st.floats(0.05, 0.5)
)
def test_a_split_of_sets_leaves_every_label_in_training(sets: list[set[str]], share: float) -> None:
    each = [tuple(sorted(labels)) for labels in sets]
    data = Examples(texts=[f"text {k}" for k in range(len(each))], sets=each,
                    labels=[";".join(labels) for labels in each],
                    roles=replace(LabelRoles(), several=Several("cell")))  # fmt: skip
    kept, held = split(data, share)
    assert sorted([*kept, *held]) == list(range(len(each)))
    trained = {label for labels in data.pick(kept).sets for label in labels}
    assert trained == {label for labels in each for label in labels}
    # Of nine strata each is held back to the nearest whole number, and the first of each is kept.
    assert len(held) <= share * len(each) + 9 / 2
