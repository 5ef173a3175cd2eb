"""Texts that are none, in another encoding, or not there."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard
from calling import call
from hypothesis import given
from hypothesis import strategies as st
from refusals import GOOD, SMALL, draws, refused

UNICODE = "le lièvre dépasse la fougère, 敏捷的狐狸跳过了懒狗。Füchse sind schöne Tiere.\n" * 20
DATA: dict[str, bytes] = {
    "empty.txt": b"",
    "one-character.txt": b"a",
    "one-symbol.txt": b"a" * 500,
    "newlines.txt": b"\n" * 500,
    "two-characters.txt": b"ab",
    "three-characters.txt": b"abc",
    "mark-alone.txt": b"\xef\xbb\xbf",
    "utf16-odd.txt": GOOD.encode("utf-16") + b"a",
    "surrogate.txt": UNICODE.encode() + b"\xed\xa0\x80",
    "overlong.txt": UNICODE.encode() + b"\xc0\xaf",
    "ends-early.txt": UNICODE.encode() + "狐".encode()[:2],
    "nul.txt": GOOD.encode() + b"\0" + GOOD.encode(),
    "image.txt": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4,
    "no-archive.txt.gz": GOOD.encode(),
    "empty.txt.gz": b"",
    "nothing-in-it.txt.gz": gzip.compress(b""),
    "short.txt.gz": gzip.compress(GOOD.encode())[:-9],
    "checksum.txt.gz": gzip.compress(GOOD.encode())[:-8] + b"12345678",
    "binary.txt.gz": gzip.compress(bytes(1000)),
    "no-archive.txt.zst": GOOD.encode(),
    "empty.txt.zst": b"",
    "nothing-in-it.txt.zst": zstandard.compress(b""),
    "short.txt.zst": zstandard.compress(GOOD.encode())[:-3],
    "rubbish-after.txt.zst": zstandard.compress(GOOD.encode()) + b"rubbish",
}


@pytest.mark.parametrize(
    ("text", "encoding", "told"),
    [
        (GOOD + "café", "latin-1", "Windows-1252"),
        ("狐狸跳过了懒狗" * 50, "gb18030", "GB18030"),
        (GOOD, "utf-16", "UTF-16 with a mark"),
        (GOOD, "utf-16-le", "UTF-16 without a mark"),
        (GOOD, "utf-32", "UTF-32 with a mark"),
    ],
)
def test_text_in_another_encoding_is_read_and_told(
    tmp_path: Path, text: str, encoding: str, told: str
) -> None:
    (tmp_path / "x.txt").write_bytes(text.encode(encoding))
    ended = call("train", "text", tmp_path / "x.txt", *SMALL, "--run", tmp_path / "run")
    assert ended.code == 0, ended
    assert f"read as {told}" in ended.err


@pytest.mark.parametrize("name", DATA)
def test_data_that_is_no_text(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(DATA[name])
    line = refused(tmp_path, "train", "text", tmp_path / name, *SMALL, "--run", tmp_path / "run")
    assert name in line


@pytest.mark.parametrize("level", ["characters", "words", "bpe"])
@given(
    good=st.integers(0, 300), bad=st.sampled_from([b"\xff", b"\xc3(", b"\x80", b"\xf5\x80", b"\0"])
)
@draws
def test_data_with_a_wrong_byte_anywhere(
    tmp_path_factory: pytest.TempPathFactory, level: str, good: int, bad: bytes
) -> None:
    folder = tmp_path_factory.mktemp("data")
    before = UNICODE[:good].encode()
    (folder / "x.txt").write_bytes(before + bad + UNICODE.encode())
    line = refused(
        folder, "train", "text", folder / "x.txt", "--level", level, *SMALL, "--run", folder / "run"
    )
    assert f"x.txt, byte {len(before):,}:" in line


@pytest.mark.parametrize(
    "item",
    [
        "absent.txt", "no/such/folder/", "*.nothing", "", " ", "name:", "name:hamlett", "name:../x",
        "folder", "hidden", "a\nb", "x" * 5000, "good.txt/below", "tinyshakespeare", "/dev/null",
    ],
)  # fmt: skip
def test_data_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, item: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.txt").write_text(GOOD)
    Path("folder").mkdir()
    Path("folder/picture.png").write_bytes(b"\x89PNG")
    Path("hidden").mkdir()
    Path("hidden/.text.txt").write_text(GOOD)
    refused(tmp_path, "train", "text", item, *SMALL, "--run", "run")
    refused(tmp_path, "train", "text", "good.txt", item, *SMALL)


def test_standard_input_without_text_and_asked_for_twice(tmp_path: Path) -> None:
    command = ("train", "text", "-", *SMALL, "--run", tmp_path / "run")
    assert "standard input" in refused(tmp_path, *command)
    assert "standard input" in refused(tmp_path, *command, stdin=b"\xff\xfe\0")
    assert "once" in refused(tmp_path, *command, "-", stdin=GOOD.encode())


def test_data_to_evaluate_that_is_no_text(trained: Path, tmp_path: Path) -> None:
    for name, content in DATA.items():
        if name in (
            "one-symbol.txt",
            "newlines.txt",
            "three-characters.txt",
            "two-characters.txt",
        ):
            continue  # a text of one symbol can be scored
        (tmp_path / name).write_bytes(content)
        refused(trained, "evaluate", trained / "run", tmp_path / name)
