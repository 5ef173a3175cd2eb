"""Labelled sequences: read the same from whatever file, split so that nothing leaks."""

from __future__ import annotations

import gzip
import importlib.util
import json
import random
import struct
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.labelled.examples import Examples, split
from elman.data.labelled.files import parts, read
from elman.data.labelled.roles import LabelRoles, Wanted
from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.errors import UserError

LABELLED = (("a fine film", "pos"), ("dull, dull", "neg"), ("很好看", "pos"), ("差", "neg"))
draws = settings(max_examples=60)


def of(
    path: Path | str, *more: Path | str, skip: bool = False, encoding: str | None = None,
    multi: bool | None = None, **roles: Any,
) -> Examples:  # fmt: skip
    wanted = Wanted(TableOptions(encoding=encoding), multi=multi)
    return read([str(path), *map(str, more)], LabelRoles(**roles), BadRows(skip), wanted)


def refusal(path: Path | str, *more: Path | str, **roles: Any) -> str:
    with pytest.raises(UserError) as caught:
        of(path, *more, **roles)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def pairs(found: Examples) -> list[tuple[str, str]]:
    return list(zip(found.texts, found.labels, strict=True))


def write(path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


# ---- One content, many files ---------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_texts_read_the_same_from_every_kind_of_file(tmp_path: Path, encoding: str) -> None:
    quoted = "".join(f'"{text}",{label}\n' for text, label in LABELLED)
    tabbed = "".join(f"{text}\t{label}\n" for text, label in LABELLED)
    objects = "".join(
        json.dumps({"id": k, "y": label, "text": text}, ensure_ascii=False) + "\n"
        for k, (text, label) in enumerate(LABELLED)
    )
    files = [
        [write(tmp_path / "a.csv", "review,label\n" + quoted, encoding)],
        [write(tmp_path / "b.csv", quoted, encoding)],
        [write(tmp_path / "c.tsv", tabbed, encoding)],
        [write(tmp_path / "d.dat", tabbed, encoding)],
        [write(tmp_path / "e.jsonl", objects, encoding)],
        [write(tmp_path / "f.csv.gz", gzip.compress(quoted.encode(encoding)))],
    ]
    for paths in files:
        assert pairs(of(paths[0], *paths[1:], encoding=encoding)) == list(LABELLED), paths
    for kind in ("pos", "neg"):
        lines = [text for text, label in LABELLED if label == kind]
        write(tmp_path / f"film.{kind}", "\n\n".join(lines) + "\n", encoding)
        for k, line in enumerate(lines):
            write(tmp_path / "folder" / kind / f"{k}.txt", line + "\n", encoding)
    by_file = of(tmp_path / "film.pos", tmp_path / "film.neg", encoding=encoding)
    by_folder = of(tmp_path / "folder", encoding=encoding)
    assert sorted(pairs(by_file)) == sorted(pairs(by_folder)) == sorted(LABELLED)
    assert by_file.where[1] == f"{tmp_path / 'film.pos'}, line 3"


def test_numbers_read_the_same_from_cells_and_lists(tmp_path: Path) -> None:
    wide = write(tmp_path / "a.csv", "id,x1,x2,x3,y\n7,1,2.5,-3,up\n8,4,5,1e3,down\n")
    listed = write(
        tmp_path / "b.jsonl", '{"y": "up", "x": [1, 2.5, -3]}\n{"y": "down", "x": [4, 5, 1e3]}\n'
    )
    a, b = of(wide), of(listed)
    assert a.labels == b.labels == ["up", "down"]
    assert all(map(np.array_equal, a.vectors, b.vectors))
    assert a.vectors[0].shape == (3, 1) and a.roles.columns == ("x1", "x2", "x3")
    longer = write(tmp_path / "c.jsonl", '{"y": 1, "x": [[1, 2]]}\n{"y": 2, "x": [[1, 2], [3, 4]]}')
    assert [v.shape for v in of(longer).vectors] == [(1, 2), (2, 2)]


def test_what_was_guessed_of_one_table_holds_for_the_next(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", "label,text\n1,good\n0,bad\n1,fine\n")
    other = write(tmp_path / "b.csv", "text,more,label\nx,a much longer text than that,7\n")
    assert pairs(of(first, other))[-1] == ("x", "7")
    assert 'did you mean "txt"' in refusal(first, write(tmp_path / "c.csv", "txt,label\na,b\n"))


@pytest.mark.parametrize(
    ("head", "text", "label"),
    [
        ("title,text,label", "text", "label"),
        ("category,review,sentiment", "review", "sentiment"),
        ("Label,Title", "Title", "Label"),
        (",note,kind", "note", "kind"),
        ("编号,评论,标签", "评论", "标签"),
    ],
)
def test_columns_are_guessed_by_name_the_likeliest_first(
    head: str, text: str, label: str, tmp_path: Path
) -> None:
    columns = head.split(",")
    rows = "".join(",".join(f"{c}{k % 2 if c == label else k}" for c in columns) + "\n"
                   for k in range(20))  # fmt: skip
    found = of(write(tmp_path / "a.csv", f"{head}\n{rows}"))
    assert (found.roles.text_columns, found.roles.label_columns) == ((text,), (label,))
    assert f'"{text}"' in found.facts[0] and f'"{label}"' in found.facts[0]


def test_labels_are_guessed_in_a_table_sorted_by_them(tmp_path: Path) -> None:
    rows = "".join(f"text number {k}\t{int(k >= 2500)}\n" for k in range(3000))
    assert set(of(write(tmp_path / "a.tsv", rows)).labels) == {"0", "1"}


def test_a_folder_of_pictures_is_read_like_the_array_of_them(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    for k, picture in enumerate(pixels):
        path = tmp_path / "digits" / "ab"[k // 2] / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pillow.fromarray(picture).save(path)
    write(tmp_path / "digits/a/.DS_Store", b"\0")
    np.savez(tmp_path / "digits.npz", x=pixels, y=["a", "a", "b", "b"])
    for scan in ("rows", "columns", "pixels"):
        a, b = of(tmp_path / "digits", scan=scan), of(tmp_path / "digits.npz", scan=scan)
        assert a.labels == b.labels and all(map(np.array_equal, a.vectors, b.vectors))
    assert a.where[0].endswith("a/0.png")


# ---- Folders with a part to train on and one to score on ------------------------------------


def mnist(folder: Path, part: str, count: int, packed: bool) -> None:
    draw = np.random.default_rng(count)
    for name, array in (
        (f"{part}-images-idx3-ubyte", draw.integers(0, 256, (count, 4, 3))),
        (f"{part}-labels-idx1-ubyte", draw.integers(0, 2, count)),
    ):
        head = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        content = head + array.astype(np.uint8).tobytes()
        path = folder / (name + ".gz" * packed)
        write(path, gzip.compress(content) if packed else content)


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_of_mnists_four_files_is_a_part_to_train_on_and_one_to_score_on(
    packed: bool, tmp_path: Path
) -> None:
    for part, count in (("train", 7), ("t10k", 5)):
        mnist(tmp_path / "m", part, count, packed)
    found = parts([str(tmp_path / "m")])
    assert found is not None and found.held == found.test
    train, held = (of(*part) for part in (found.train, found.held))
    assert (len(train), len(held)) == (7, 5) and train.vectors[0].shape == (4, 3)
    assert found.facts[0].startswith("taken: train-images-idx3-ubyte")


def test_sub_folders_and_tables_named_as_parts_are_understood_likewise(tmp_path: Path) -> None:
    for part in ("train", "dev", "test"):
        for kind in ("pos", "neg"):
            write(tmp_path / "f" / part / kind / "1.txt", f"{part} {kind}")
        write(tmp_path / "t" / f"{part}-00000-of-1.csv", f"text,label\n{part} a,x\n{part} b,y\n")
    write(tmp_path / "f/notes/1.txt", "about it")
    for folder in ("f", "t"):
        found = parts([str(tmp_path / folder)])
        assert found is not None
        for items, name in ((found.train, "train"), (found.held, "dev"), (found.test, "test")):
            assert all(text.startswith(name) for text in of(*items).texts)
        assert "elman evaluate RUN" in found.facts[1]
    noted = parts([str(tmp_path / "f")])
    assert noted is not None and "not used: notes/" in noted.facts
    # Classes may bear such names, and one part alone is no reason.
    for kind in ("train", "plane"):
        write(tmp_path / "v" / kind / "1.txt", kind)
    assert parts([str(tmp_path / "v")]) is None and parts([str(tmp_path / "t/train.csv")]) is None
    assert set(of(tmp_path / "v").labels) == {"train", "plane"}


def test_texts_without_a_class_are_passed_over_and_told(tmp_path: Path) -> None:
    for kind in ("pos", "neg", "unsup"):
        write(tmp_path / "f" / kind / "1.txt", kind)
    found = of(tmp_path / "f")
    assert sorted(found.labels) == ["neg", "pos"]
    assert "not used: 1 files in folders named as those without a class are" in found.facts


def test_lists_beside_the_folders_of_classes_are_passed_over_and_told(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for kind in ("pos", "neg"):
            for k in range(3):
                write(tmp_path / "f" / part / kind / f"{k}.txt", kind)
            write(tmp_path / "f" / part / f"urls_{kind}.txt", "http")
    write(tmp_path / "f" / "README", "about")
    found = of(tmp_path / "f" / "train")
    assert found.labels == ["neg"] * 3 + ["pos"] * 3
    told = "not used: train/urls_neg.txt, train/urls_pos.txt, beside the folders of the classes"
    assert told in found.facts
    whole = parts([str(tmp_path / "f")])
    assert whole is not None and of(*whole.train).labels == found.labels
    for k in range(6):
        write(tmp_path / "f" / "train" / f"{k}.txt", "text")
    assert "lies beside the folders" in refusal(tmp_path / "f" / "train")


def test_files_of_a_class_are_kept_where_a_folder_lies_among_them(tmp_path: Path) -> None:
    for name in ("pos/1", "pos/2", "pos/old/3", "neg/1"):
        write(tmp_path / "f" / f"{name}.txt", name)
    assert "lies beside the folders" in refusal(tmp_path / "f")


def test_what_is_about_the_data_in_an_archive_is_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "sms.zip", "w") as archive:
        archive.writestr("SMSSpamCollection", "ham\tOk lar\nspam\tFree entry\nham\tU dun say\n")
        archive.writestr("readme", "SMS Spam Collection, version 1\n")
    found = of(tmp_path / "sms.zip")
    assert found.labels == ["ham", "spam", "ham"]
    assert any(fact.startswith("not used: readme in ") for fact in found.facts)


@pytest.mark.parametrize("encoding", ["gb18030", "big5", "shift_jis", "windows-1251", "utf-16"])
def test_folders_and_lines_are_read_in_their_encoding(encoding: str, tmp_path: Path) -> None:
    body = {
        "gb18030": ("这部电影很好看，我非常喜欢", "剧情无聊，演员也不好"),
        "big5": ("這部電影很好看，我非常喜歡", "劇情無聊，演員也不好"),
        "shift_jis": ("この映画はとても面白かったです", "話がつまらなくて退屈でした"),
        "windows-1251": ("Очень хороший фильм, мне понравилось", "Скучный сюжет и плохие актеры"),
        "utf-16": ("a fine film, très bien", "dull and boring"),
    }[encoding]
    for kind, text in zip(("pos", "neg"), body, strict=True):
        for k in range(8):
            write(tmp_path / "f" / kind / f"{k}.txt", f"{text} {k}", encoding)
        lines = "".join(f"{text} {k}\n" for k in range(8))
        write(tmp_path / f"film.{kind}", lines, encoding)
    wanted = sorted(f"{text} {k}" for text in body for k in range(8))
    for found in (of(tmp_path / "f"), of(tmp_path / "film.pos", tmp_path / "film.neg")):
        assert sorted(found.texts) == wanted
        assert sum(fact.startswith("read as") for fact in found.facts) == 1


# ---- Splits --------------------------------------------------------------------------------


@draws
@given(
    rows=st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abc")), min_size=1, max_size=80),
    share=st.floats(0.05, 0.6),
    order=st.randoms(use_true_random=False),
)
def test_a_split_depends_on_what_is_there_and_not_on_its_order(
    rows: list[tuple[int, str]], share: float, order: random.Random
) -> None:
    def parts(rows: Sequence[tuple[int, str]]) -> list[list[tuple[str, str]]]:
        data = Examples(texts=[str(k) for k, _ in rows], labels=[label for _, label in rows])
        kept, held = split(data, share)
        assert sorted([*kept, *held]) == list(range(len(rows)))
        return [sorted(pairs(data.pick(part))) for part in (kept, held)]

    train, check = parts(rows)
    assert [train, check] == parts(order.sample(rows, len(rows)))
    assert not {text for text, _ in train} & {text for text, _ in check}
    assert {label for _, label in check} <= {label for _, label in train}


@draws
@given(sizes=st.lists(st.integers(2, 60), min_size=2, max_size=4), share=st.floats(0.05, 0.6))
def test_a_split_holds_back_the_share_of_every_class(sizes: list[int], share: float) -> None:
    labels = [str(k) for k, size in enumerate(sizes) for _ in range(size)]
    data = Examples(texts=[f"text {k}" for k in range(len(labels))], labels=labels)
    _, held = split(data, share)
    counts = Counter(data.pick(held).labels)
    for k, size in enumerate(sizes):  # to the nearest whole number; the first is always kept
        assert abs(counts[str(k)] - share * size) <= 0.5 + 1e-9 or counts[str(k)] == size - 1


def test_no_share_holds_nothing_back() -> None:
    kept, held = split(Examples(texts=["a"], labels=["x"]), 0)
    assert len(kept) == 1 and len(held) == 0


# ---- What is wrong -------------------------------------------------------------------------

TABLES = {
    "header.csv": ("text,label\n", "holds no rows but its header"),
    "empty-cell.csv": ("text,label\na,x\n,y\n", 'line 3: "text" is empty'),
    "no-label.csv": ("text,label\na,x\nb,\n", 'line 3: "label" is empty'),
    "null.jsonl": ('{"text": "a", "label": 1}\n{"text": null, "label": 2}\n', '"text" is empty'),
    "object.jsonl": ('{"text": "a", "label": 1}\n{"text": {}, "label": 2}', "neither a text nor"),
    "list-label.jsonl": ('{"text": "a", "label": 1}\n{"text": "b", "label": [2]}', "is no label"),
    "gone.jsonl": ('{"a": 1, "b": 2, "y": 1}\n' * 20 + '{"a": 1, "y": 2}\n', 'line 21: "b" is'),
    "word.csv": (
        "a,b,label\n" + "1,2,x\n3,4,y\n" * 20 + "1,two,x\n", "line 42: \"b\" is 'two', not a number"
    ),
    "gap.csv": ("a,b,label\n" + "1,2,x\n3,4,y\n" * 20 + "1,,x\n", 'line 42: "b" is empty'),
    "inf.csv": (
        "a,b,label\n" + "1,2,x\n3,4,y\n" * 20 + "3,inf,y\n", "line 42: \"b\" is 'inf', not a"
    ),
    "large.csv": ("a,b,label\n1,2,x\n3,1e39,y\n", 'line 3: "b" is 1e39, not a finite number'),
    "nan.jsonl": ('{"x": [1, NaN], "y": 1}\n', 'line 1: "x" is no list of finite numbers'),
    "huge.jsonl": ('{"x": [1' + "0" * 40 + '], "y": 1}\n', 'line 1: "x" is no list of finite'),
    "ragged.jsonl": ('{"x": [[1], [2, 3]], "y": 1}\n', 'line 1: "x" is no list of finite'),
    "nothing.jsonl": ('{"x": [], "y": 1}\n', 'line 1: "x" is no list of finite'),
    "one-column.csv": ("label\na\nb\n", "one column only"),
    "mixed.jsonl": ('{"x": [1], "y": 1}\n{"x": "b", "y": 2}\n', "holds texts and lists"),
    "long.csv": ("text,label\n" + "x" * 2_000_000 + ",a\n", "2,000,000 characters"),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_what_is_wrong_in_a_table_is_told_with_line_and_value(name: str, tmp_path: Path) -> None:
    content, told = TABLES[name]
    path = write(tmp_path / name, content)
    assert told in refusal(path)
    assert str(path) in refusal(path)


def test_columns_that_are_not_there_are_told_with_the_near_match(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "review,label\na,x\nb,y\n")
    assert 'did you mean "review"?' in refusal(path, text_columns=("reviews",))
    assert 'did you mean "label"?' in refusal(path, label_columns=("lable",))


def test_bad_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = 'text,label\na,x\n,y\nb\nc,\n"d",y\n"e"e,x\n'
    bad = BadRows(skip=True)
    found = read([str(write(tmp_path / "a.csv", rows))], LabelRoles(), bad)
    assert pairs(found) == [("a", "x"), ("d", "y")] and bad.count == 4


def test_files_of_a_folder_that_cannot_be_read_are_left_out_and_counted(tmp_path: Path) -> None:
    write(tmp_path / "f/a/1.txt", "good")
    write(tmp_path / "f/b/2.txt", "bad")
    write(tmp_path / "f/b/bytes.txt", b"a\0b")
    write(tmp_path / "f/b/empty.txt", b"")
    write(tmp_path / "f/b/blank.txt", b" \n")
    write(tmp_path / "f/README.txt", b"about it")
    bad = BadRows(skip=True)
    found = read([str(tmp_path / "f")], LabelRoles(), bad)
    assert pairs(found) == [("good", "a"), ("bad", "b")] and bad.count == 3
    assert "not used: f/README.txt, beside the folders of the classes" in found.facts
    assert "--skip-bad-rows" in refusal(tmp_path / "f")


def test_pictures_that_do_not_fit_are_told(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    folder = tmp_path / "p"
    for name, size in (("a/1.png", (4, 3)), ("b/2.png", (4, 3)), ("b/3.png", (5, 3))):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pillow.new("L", size).save(folder / name)
    assert "3.png: 5 × 3 pixels, where" in refusal(folder)
    pillow.new("L", (5000, 1)).save(folder / "b/3.png")
    assert "3.png: 5000 × 1 pixels; make it smaller" in refusal(folder)
    write(folder / "b/3.png", b"\x89PNG\r\n\x1a\n" + b"rubbish")
    assert "3.png: cannot be read as a picture" in refusal(folder)
    found = of(folder, skip=True)
    assert found.labels == ["a", "b"]


def test_pictures_without_pillow_name_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "p/a/1.png", b"")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install 'elman[plot]'" in refusal(tmp_path / "p")


def test_kinds_that_do_not_go_together_are_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((2, 3)), y=[0, 1])
    text = write(tmp_path / "a.csv", "text,label\na,x\nb,y\n")
    assert "texts and vectors" in refusal(tmp_path / "a.npz", text)
    write(tmp_path / "one/x.pos", "a")
    write(tmp_path / "two/x.pos", "b")
    assert "differ in name or ending" in refusal(tmp_path / "one/x.pos", tmp_path / "two/x.pos")


def test_images_and_labels_that_do_not_belong_together_are_told(tmp_path: Path) -> None:
    images, labels = tmp_path / "t-images-idx3-ubyte", tmp_path / "t-labels-idx1-ubyte"
    write(images, struct.pack(">4B3I", 0, 0, 8, 3, 2, 2, 2) + bytes(8))
    assert f"no labels beside it; looked for {labels}" in refusal(images)
    write(labels, struct.pack(">4BI", 0, 0, 8, 1, 3) + bytes(3))
    assert "2 sequences and 3 labels" in refusal(images)
    assert "labels, not images" in refusal(labels)
    write(labels, images.read_bytes())
    assert "images, not labels" in refusal(images)
    write(labels, struct.pack(">4BI", 0, 0, 8, 1, 2) + bytes([5, 7]))
    assert of(images).labels == ["5", "7"]
