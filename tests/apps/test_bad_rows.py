"""Labelled data that is wrong: exit code 2, one clear line, no run folder and nothing else left."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from calling import call, snapshot

SMALL = ("--epochs", "1", "--hidden-size", "3", "--embedding", "2", "--threads", "1")
GOOD = "".join(f"text number {k},{'ab'[k % 2]}\n" for k in range(40))
NUMBERS = "".join(f"{k},{k + 1},{'ab'[k % 2]}\n" for k in range(40))


def idx(*shape: int, magic: int = 0x800, more: int = 0) -> bytes:
    head = struct.pack(f">I{len(shape)}I", magic + len(shape), *shape)
    return head + bytes(int(np.prod(shape)) + more)


def npz(**arrays: object) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


def bomb() -> bytes:
    """An archive of some hundred bytes whose array says that it is of 4 TB."""
    head, out = io.BytesIO(), io.BytesIO()
    what = {"descr": "<f4", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(head, what)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", head.getvalue() + bytes(10_000))
    return out.getvalue()


# What is trained on, with flags; the files; what the line must hold.
CASES: dict[str, tuple[dict[str, str | bytes], str]] = {
    "a.csv --text-column tekst": ({"a.csv": "text,label\n" + GOOD}, 'did you mean "text"?'),
    "a.csv --label-column lebel": ({"a.csv": "text,label\n" + GOOD}, 'did you mean "label"?'),
    "h.csv": ({"h.csv": "text,label\n"}, "holds no rows but its header"),
    "e.csv": ({"e.csv": b""}, "holds no text"),
    "m.csv": ({"m.csv": b"\xef\xbb\xbf"}, "holds no text"),
    "cell.csv": ({"cell.csv": "text,label\n" + GOOD + ",a\n"}, 'line 42: "text" is empty'),
    "word.csv": ({"word.csv": "u,v,label\n" + NUMBERS + "1,two,a\n"}, "line 42: \"v\" is 'two'"),
    "inf.csv": ({"inf.csv": "u,v,label\n" + NUMBERS + "1,inf,a\n"}, "line 42: \"v\" is 'inf', not"),
    "one.csv --folds 0": (
        {"one.csv": "text,label\n" + GOOD + "x,c\n"}, 'the only sequence of the class "c"',
    ),
    "same.csv": ({"same.csv": "text,label\n" + "x,a\ny,a\n" * 9}, 'one class only, "a"'),
    "8.csv": (
        {"8.csv": ("文本,标签\n" + "很好,1\n很坏,0\n" * 99).encode() + b"\xba\xc3,1\n"},
        "byte 1,796: not UTF-8 (0xba)",
    ),
    "16.csv": ({"16.csv": ("text,label\n" + GOOD).encode("utf-16")[:-1]}, "--encoding"),
    "a.csv --encoding rot13": ({"a.csv": "text,label\n" + GOOD}, "--encoding rot13: needs"),
    "a.csv --encoding latin-7": ({"a.csv": "text,label\n" + GOOD}, "--encoding latin-7: needs"),
    "a.csv --validation-data b.csv": (
        {"a.csv": "text,label\n" + GOOD, "b.csv": "text,label\nx,a\ny,new\n"},
        'b.csv, line 3: label "new" is not in the training data (a, b)',
    ),
    "a.csv --validation-data c.csv": ({"a.csv": "text,label\n" + GOOD}, 'no file "c.csv"'),
    "a.csv --vectors v.txt": (
        {"a.csv": "text,label\n" + GOOD, "v.txt": "text 1 2\nnumber 1\n"}, "line 2: 1 value, "
    ),
    "images-idx3-ubyte": (
        {"images-idx3-ubyte": idx(4, 3, 2, magic=0x900)}, "wrong magic number 0x00000903"
    ),
    "few-images-idx3-ubyte": ({"few-images-idx3-ubyte": idx(4, 3, 2)[:-1]}, "too few bytes"),
    "many-images-idx3-ubyte": ({"many-images-idx3-ubyte": idx(4, 3, 2, more=1)}, "too many bytes"),
    "lone-images-idx3-ubyte": ({"lone-images-idx3-ubyte": idx(4, 3, 2)}, "no labels beside it"),
    "o.npz": ({"o.npz": npz(x=np.array([1, "a"], dtype=object), y=[0, 1])}, "holds objects"),
    "bomb.npz": ({"bomb.npz": bomb()}, "not as long as its header tells"),
    "nan.npz": ({"nan.npz": npz(x=np.full((9, 3), np.nan), y=[0] * 9)}, "no finite numbers"),
    "text.npz": ({"text.npz": npz(x=np.array(["a", "b"]), y=[0, 1])}, "inputs of shape [2]"),
    "y.npz": ({"y.npz": npz(x=np.ones((3, 2)), y=[0, 1])}, "3 sequences and 2 labels"),
    "-": ({}, "holds no text"),
}  # fmt: skip


@pytest.mark.parametrize("words", CASES)
def test_training_refuses_what_is_wrong(words: str, tmp_path: Path) -> None:
    files, told = CASES[words]
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
    there = snapshot(tmp_path)
    ended = call("train", "classify", *words.split(" "), *SMALL)
    assert ended.code == 2 and ended.out == ""
    *before, last = ended.err.splitlines()
    assert last.startswith("elman: ") and told in last and len(last) < 400, ended.err
    assert before == [] or "--vectors" in words  # which are looked into for the words of the data
    assert snapshot(tmp_path) == there


def test_a_process_ends_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n" + GOOD + ",a\n", encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "elman", "train", "classify", "a.csv", *SMALL],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 2 and ended.stdout == ""
    assert ended.stderr == (
        'elman: a.csv, line 42: "text" is empty; give --skip-bad-rows to leave such rows out\n'
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_bad_rows_are_left_out_counted_and_reported(tmp_path: Path) -> None:
    rows = "text,label\n" + GOOD + ',a\nb\n"c"d,a\nalone,c\n'
    (tmp_path / "a.csv").write_text(rows, encoding="utf-8")
    ended = call(
        "train", "classify", "a.csv", "--skip-bad-rows", "--run", "run", "--folds", "0", *SMALL
    )
    assert ended.code == 0, ended.err
    told = (
        'WARNING: 4 rows left out, such as a.csv, line 42: "text" is empty; '
        "a.csv, line 43: 1 cell where there should be 2; a.csv, line 44: no CSV"
    )
    assert told in ended.err
    assert told in (tmp_path / "run/report.md").read_text(encoding="utf-8")
    assert call("resume", "run", "--epochs", "2").code == 0


def test_a_table_in_gb18030_is_read_when_told_so(tmp_path: Path) -> None:
    rows = "编号,评论,标签\n" + "".join(f"{k},第{k}条很好吃,{k % 2}\n" for k in range(30))
    (tmp_path / "外卖.csv").write_bytes(rows.encode("gb18030"))
    ended = call("train", "classify", "外卖.csv", "--encoding", "gb18030", "--run", "run", *SMALL)
    assert ended.code == 0, ended.err
    assert 'labels from column "标签", sequences from column "评论", with a header' in ended.err
    answered = call("predict", "run", "外卖.csv")
    assert answered.out.splitlines()[0] == "编号,评论,标签,predicted,probability"
    assert len(answered.out.splitlines()) == 31
