"""Sources: whatever way a text is stored it reads the same, and whatever is wrong is one line."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from elman.data import source
from elman.data.source import encoding_of, read_bytes, read_text, resolve, stream_text
from elman.errors import UserError

TEXTS = st.text(st.characters(exclude_characters="\0\ufeff", exclude_categories=["Cs"]), min_size=1)


def text_of(*data: Path | str) -> str:
    return "".join(read_text(resolve([str(item) for item in data])))


def refusal(*data: Path | str) -> str:
    with pytest.raises(UserError) as caught:
        text_of(*data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@settings(max_examples=25)
@given(texts=st.lists(TEXTS, min_size=1, max_size=3), block=st.integers(1, 9))
def test_packing_joining_and_block_borders_do_not_change_the_text(
    texts: list[str], block: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("packed")
    names = []
    for n, text in enumerate(texts):
        data = text.encode()
        (folder / f"{n}.txt").write_bytes(data)
        (folder / f"{n}.txt.gz").write_bytes(gzip.compress(data))
        half = len(data) // 2  # two frames, as of two archives joined
        (folder / f"{n}.txt.zst").write_bytes(
            zstandard.compress(data[:half]) + zstandard.compress(data[half:])
        )
        names.append(str(folder / f"{n}.txt"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "BLOCK", block)
        patch.setattr(source, "ZSTD_INPUT", block)
        for suffix in ("", ".gz", ".zst"):
            sources = resolve([name + suffix for name in names])
            assert "".join(read_text(sources)) == "".join(texts)
            assert b"".join(read_bytes(sources)) == "".join(texts).encode()


def test_a_folder_gives_its_texts_sorted_and_no_hidden_or_other_ones(tmp_path: Path) -> None:
    for name in ("b.md", "a/z.txt", "a/y.text", ".hidden.txt", ".git/c.txt", "d.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(b"c"))
    found = [item.path.relative_to(tmp_path).as_posix() for item in resolve([str(tmp_path)])]
    assert found == ["a/y.text", "a/z.txt", "b.md", "c.txt.gz"]


def test_a_glob_is_one_only_where_no_file_bears_its_name(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "x1.log").write_text("1")
    (tmp_path / "deep/x2.log").write_text("2")
    assert text_of(tmp_path / "**" / "x*.log") == "21"
    (tmp_path / "x[1].log").write_text("own")
    assert text_of(tmp_path / "x[1].log") == "own"


def test_standard_input_is_read_once_and_can_be_read_again() -> None:
    code = (
        "from elman.data.source import *\n"
        "s = resolve(['-'])\n"
        "print(*read_text(s), *read_text(s), s[0].path.exists(), s[0].identity() == s[0].digest)\n"
        "print(s[0].path)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input="ab", capture_output=True, text=True, check=True
    )
    first, path = done.stdout.splitlines()
    assert first == "ab ab True True"
    assert not Path(path).exists(), "the copy is gone with the process"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_can_be_read_again_too(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("through",), daemon=True)
    writer.start()
    sources = resolve([str(pipe)])
    writer.join()
    assert "".join(read_text(sources)) == "".join(read_text(sources)) == "through"


def test_a_byte_order_mark_is_dropped_at_the_start_of_each_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeffa\ufeffb".encode())
    (tmp_path / "b.txt").write_bytes("\ufeffc".encode())
    monkeypatch.setattr(source, "BLOCK", 4)  # so that the second mark begins a block
    assert text_of(tmp_path) == "a\ufeffbc"


@settings(max_examples=25)
@given(before=TEXTS, bad=st.sampled_from([b"\xff", b"\xc0", b"\xe4\xb8", b"\xed\xa0\x80"]))
@example(before=16 * "\x80" + "¢¢¢ģģĬĬķ", bad=b"\xff")  # once GB18030
@example(before=16 * "\x80" + "¢¢¢ģģĬ", bad=b"\xc0")
def test_a_bad_byte_is_named_with_its_place(
    before: str, bad: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("bad") / "poem.txt"
    before += " 床前明月光疑是地上霜"  # no other encoding makes words of that
    path.write_bytes(before.encode() + bad + b"x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "BLOCK", 3)
        line = refusal(path)
    place = len(before.encode())
    assert line.startswith(f"{path}, byte {place:,}: not UTF-8 (0x{bad[0]:02x}), as the rest")
    assert line.endswith("or give the right --encoding, or --level bytes")
    assert b"".join(read_bytes(resolve([str(path)]))) == path.read_bytes()


def test_a_character_cut_off_at_the_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.txt"
    path.write_bytes("床前明月光".encode()[:-1])
    assert "byte 12: not UTF-8 (0xe5)" in refusal(path)


def test_binary_files_are_refused_by_their_zero_bytes(tmp_path: Path) -> None:
    (tmp_path / "nul.txt").write_bytes(b"ab\0c")
    assert "byte 2: a zero byte" in refusal(tmp_path / "nul.txt")
    with pytest.raises(UserError, match="byte 2: a zero byte"):
        list(read_text(resolve([str(tmp_path / "nul.txt")]), encoding="gb18030"))


@settings(max_examples=20)
@given(
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "gb18030"]),
    block=st.integers(1, 9),
    repeats=st.integers(1, 3),
)
def test_each_source_is_read_in_the_encoding_that_is_found(
    encoding: str, block: int, repeats: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = "标签,评论\n1,很快，好吃，味道足\n" * repeats
    folder = tmp_path_factory.mktemp("found")
    (folder / "a.txt").write_bytes(text.encode(encoding))
    (folder / "b.txt").write_bytes("Müller, Köln".encode("cp1252"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "BLOCK", block)
        assert text_of(folder) == text + "Müller, Köln"
        given_one = read_text(resolve([str(folder / "a.txt")]), encoding=encoding)
        assert "".join(given_one) == text


def test_an_encoding_that_is_given_overrules(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("很快，好吃".encode())
    sources = resolve([str(tmp_path / "a.txt")])
    assert "".join(read_text(sources, encoding="latin-1")) == "很快，好吃".encode().decode(
        "latin-1"
    )
    with pytest.raises(UserError, match=r"byte 2: not ASCII|byte 0: not ASCII \(0xe5\)"):
        list(read_text(sources, encoding="ascii"))
    with pytest.raises(UserError, match="UTF-16, as its mark tells"):
        (tmp_path / "b.txt").write_bytes("ab".encode("utf-16"))
        list(read_text(resolve([str(tmp_path / "b.txt")]), encoding="utf-8"))


def test_a_file_that_is_written_anew_is_looked_at_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for text, encoding in (("很快，好吃，味道足", "gb18030"), ("Müller aus Köln", "cp1252")):
        path.write_bytes(text.encode(encoding))
        assert encoding_of(resolve([str(path)])[0]).encoding == encoding
        assert text_of(path) == text


class Dripping(io.RawIOBase):
    """A stream of which a few bytes come at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data, self._size = io.BytesIO(data), size

    def readable(self) -> bool:
        return True

    def read(self, count: int = -1) -> bytes:
        return self._data.read(self._size)


@settings(max_examples=60)
@given(
    text=TEXTS,
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    size=st.integers(1, 7),
    expected=st.sampled_from(["", "utf-8"]),
)
def test_a_stream_is_what_its_mark_tells(
    text: str, encoding: str, size: int, expected: str
) -> None:
    stream = Dripping(text.encode(encoding), size)
    assert "".join(stream_text("-", stream, expected=expected)) == text  # type: ignore[arg-type]


@given(ascii=st.text("ab\n", max_size=9), size=st.integers(2, 30))
def test_a_stream_without_a_mark_is_utf_8_or_what_is_expected(ascii: str, size: int) -> None:
    for encoding in ("utf-8", "gb18030"):
        stream = Dripping((ascii + "很快，好吃").encode(encoding), size)
        read = "".join(stream_text("-", stream, expected="gb18030"))  # type: ignore[arg-type]
        assert read == ascii + "很快，好吃" or size < 4  # of one letter it may not tell
    with pytest.raises(UserError, match=f"byte {len(ascii)}: not UTF-8"):
        stream = Dripping((ascii + "很快，好吃").encode("gb18030"), size)
        list(stream_text("-", stream))  # type: ignore[arg-type]


@given(good=st.integers(0, 40), size=st.integers(1, 9), expected=st.sampled_from(["", "gb18030"]))
def test_a_zero_byte_in_a_stream_is_an_error_at_its_place(
    good: int, size: int, expected: str
) -> None:
    stream = Dripping(b"a" * good + b"\0" + b"b" * 9, size)
    with pytest.raises(UserError, match=f"byte {good}: a zero byte"):
        list(stream_text("-", stream, expected=expected))  # type: ignore[arg-type]


def test_utf_16_without_a_mark_is_read_from_files_and_expected_of_streams(tmp_path: Path) -> None:
    text = "the quick brown fox, très vite\n" * 40
    for encoding in ("utf-16-le", "utf-16-be"):
        (tmp_path / "x.txt").write_bytes(text.encode(encoding))
        assert "".join(read_text(resolve([str(tmp_path / "x.txt")]))) == text
        stream = Dripping(text.encode(encoding), 10)
        read = "".join(stream_text("-", stream, expected=encoding))  # type: ignore[arg-type]
        assert read == text


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("harm", ["truncated", "scrambled", "no archive"])
def test_a_broken_archive_is_named(tmp_path: Path, suffix: str, harm: str) -> None:
    plain = os.urandom(5000).hex().encode()
    good = gzip.compress(plain) if suffix == ".gz" else zstandard.compress(plain)
    path = tmp_path / f"poem.txt{suffix}"
    path.write_bytes(
        {
            "truncated": good[:-7],
            "scrambled": good[:20] + good[:20] + good[20:],
            "no archive": b"plain text",
        }[harm]
    )
    assert refusal(path) == f"{path}: a broken archive; make it or download it again"


def test_what_is_absent_or_empty_is_told_with_advice(tmp_path: Path) -> None:
    (tmp_path / "poem.txt").touch()
    (tmp_path / "folder").mkdir()
    assert f'did you mean "{tmp_path / "poem.txt"}"?' in refusal(tmp_path / "pome.txt")
    assert "holds no text" in refusal(tmp_path / "poem.txt")
    assert "looked for names that end in .txt" in refusal(tmp_path / "folder")
    assert "no file matches" in refusal(tmp_path / "*.none")
    assert "give a file, a folder" in refusal(tmp_path / "folder" / "x")
    assert "give a file, a folder" in refusal(tmp_path / "poem.txt" / "below")
    assert '"name:hamlet"' in refusal("hamlet")
    assert 'did you mean "hamlet"' in refusal("name:hamlte")
    assert "only once" in refusal("-", "-")
    assert "no file" in refusal("")


@settings(max_examples=50)
@given(name=st.text(max_size=300).filter(lambda name: name != "-"))
def test_any_name_gives_a_file_or_one_line(name: str) -> None:
    try:
        resolve([name + "\ud800?"])
    except UserError as error:
        line = str(error)
        assert "\n" not in line
        line.encode()


def test_an_empty_file_among_others_adds_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    (tmp_path / "b.txt").write_text("b")
    assert text_of(tmp_path) == "b"


def test_standard_input_through_any_binary_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("名".encode())))
    assert text_of("-") == "名"
