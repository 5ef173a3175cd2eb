"""Corpora: encoding by pieces equals encoding at once, and a cache is used but never trusted."""

from __future__ import annotations

import contextlib
import csv
import gc
import gzip
import hashlib
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import openpyxl
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data import cache, source
from elman.data.source import resolve
from elman.data.tables.content import BadRows
from elman.data.texts import text
from elman.data.texts.text import Corpus, TextReading, TokenFile, cut, encode_corpus, encode_with
from elman.data.texts.vocabulary import LEVELS, build
from elman.errors import RunError, UserError

SAMPLE = "ΟΔΟΣ ΑΣ. Don't stop-gap 12 times!\n这是一个句子，是吧。 <unk> déjà\n"
TEXTS = st.lists(
    st.sampled_from(["ΑΣ", "don't", " ", "\n", "中文", "，", "<unk>", "7", "a-b", "…", "é"]),
    min_size=4,
    max_size=40,
).map(lambda parts: "x y" + "".join(parts))


def file_of(folder: Path, content: str | bytes, name: str = "a.txt") -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def ids_of(corpus: Corpus) -> list[int]:
    ids: list[int] = corpus.ids.read(0, len(corpus.ids)).tolist()
    return ids


@settings(max_examples=60)
@given(words=st.lists(st.text("aΣ中'-", min_size=1, max_size=12)), longest=st.integers(1, 8))
def test_pieces_join_to_the_text_and_split_no_word(words: list[str], longest: int) -> None:
    content = " ".join(words)
    pieces = list(cut(iter([content]), longest))
    assert "".join(pieces) == content
    found = [word for piece in pieces for word in piece.split()]
    short = [word for word in words if len(word) <= longest]
    assert not Counter(short) - Counter(found)
    assert all(len(piece) <= 2 * longest + 1 for piece in pieces)


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=15)
@given(content=TEXTS, block=st.integers(1, 30), lowercase=st.booleans(), strip=st.booleans())
def test_block_borders_do_not_change_the_ids(
    level: str,
    content: str,
    block: int,
    lowercase: bool,
    strip: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("borders")
    # The longest stretch without a place to cut; with less, a split would be allowed.
    longest = max(map(len, re.split(r"(?<=[^\s\d，])(?=\s)", content)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "BLOCK", block)
        patch.setattr(text.cut, "__defaults__", (longest,))
        corpus = encode_corpus(
            resolve([file_of(folder, content)]),
            level=level,
            lowercase=lowercase,
            strip_digits=strip,
            cache=folder,
        )
    whole = build(level, [content], lowercase=lowercase, strip_digits=strip)
    if level != "bpe":  # which learns equally good merges in the order that it meets them
        assert corpus.vocabulary.to_json() == whole.to_json()
    assert ids_of(corpus) == corpus.vocabulary.encode(content).tolist()
    assert corpus.sha256 == hashlib.sha256(content.encode()).hexdigest()
    clean = corpus.vocabulary.clean(content)
    assert corpus.characters == len(clean.encode() if level == "bytes" else clean)


@pytest.mark.parametrize("level", LEVELS)
def test_a_text_is_encoded_once_until_it_or_an_option_changes(level: str, tmp_path: Path) -> None:
    name, cache = file_of(tmp_path, SAMPLE * 3), tmp_path / "cache"
    first = encode_corpus(resolve([name]), level=level, cache=cache)
    times = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    again = encode_corpus(resolve([name]), level=level, cache=cache)
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == times
    assert ids_of(again) == ids_of(first)
    assert (again.characters, again.sha256, again.sources) == (
        first.characters,
        first.sha256,
        first.sources,
    )
    encode_corpus(resolve([name]), level=level, lowercase=True, cache=cache)
    file_of(tmp_path, SAMPLE * 2)
    shorter = encode_corpus(resolve([name]), level=level, cache=cache)
    assert len(shorter.ids) < len(first.ids)
    assert len(list(cache.iterdir())) == 3 * len(times)


@pytest.mark.parametrize("suffix", [".ids", ".json"])
@settings(max_examples=15)
@given(data=st.data())
def test_a_damaged_cache_is_made_again(
    suffix: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    sources = resolve([file_of(folder, SAMPLE)])
    good = encode_corpus(sources, level="characters", cache=folder / "cache")
    expected = ids_of(good)
    path = good.ids.path.with_suffix(suffix)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans(), label="truncated"):
        del content[place:]
    else:
        content[place] ^= 1 << data.draw(st.integers(0, 7), label="bit")
    path.unlink()
    path.write_bytes(content)
    again = encode_corpus(sources, level="characters", cache=folder / "cache")
    assert ids_of(again) == expected
    assert again.vocabulary == good.vocabulary
    assert (again.characters, again.sha256) == (good.characters, good.sha256)


def test_a_model_s_vocabulary_is_kept_for_other_texts(tmp_path: Path) -> None:
    vocabulary = build("characters", ["abab c"])
    sources = resolve([file_of(tmp_path, "zazz")])
    for _ in range(2):
        corpus = encode_with(vocabulary, sources, cache=tmp_path / "cache")
        assert corpus.vocabulary == vocabulary
        assert corpus.vocabulary.decode(ids_of(corpus)) == "<unk>a<unk><unk>"
    assert (
        len(ids_of(encode_with(vocabulary, resolve([file_of(tmp_path, "a")]), cache=tmp_path))) == 1
    )


@pytest.mark.parametrize("level", LEVELS)
def test_texts_without_anything_to_learn_are_refused(level: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for content, reason in (("", "holds no text"), ("zz", "one symbol only")):
        with pytest.raises(UserError, match=reason):
            encode_corpus(resolve([file_of(tmp_path, content)]), level=level, cache=cache)
    with pytest.raises(UserError, match="holds no text"):
        encode_corpus(
            resolve([file_of(tmp_path, "42")]), level=level, strip_digits=True, cache=cache
        )
    assert not cache.exists() or not list(cache.iterdir()), "nothing half-written stays"


def test_bytes_need_be_no_text(tmp_path: Path) -> None:
    data = bytes(range(256)) * 2
    corpus = encode_corpus(resolve([file_of(tmp_path, data)]), level="bytes", cache=tmp_path)
    assert bytes(ids_of(corpus)) == data
    assert corpus.characters == len(data)


@pytest.mark.parametrize("level", ["characters", "words", "bpe"])
@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8", ()), ("utf-8-sig", ("read as UTF-8 with a mark",)),
        ("utf-16", ("read as UTF-16 with a mark",)), ("gb18030", ("read as GB18030",)),
    ],
)  # fmt: skip
def test_whatever_the_encoding_the_ids_are_the_same(
    level: str, encoding: str, told: tuple[str, ...], tmp_path: Path
) -> None:
    content = "床前明月光，疑是地上霜。\n举头望明月，低头思故乡。\n" * 3
    plain = encode_corpus(resolve([file_of(tmp_path, content)]), level=level, cache=tmp_path)
    sources = resolve([file_of(tmp_path, content.encode(encoding), "b.txt")])
    found = encode_corpus(sources, level=level, cache=tmp_path)
    given = encode_corpus(
        sources, level=level, reading=TextReading(encoding=encoding), cache=tmp_path
    )
    assert ids_of(found) == ids_of(given) == ids_of(plain)
    assert found.vocabulary.to_json() == given.vocabulary.to_json() == plain.vocabulary.to_json()
    assert found.facts() == given.facts() == told
    again = encode_corpus(sources, level=level, cache=tmp_path)
    assert again.facts() == told, "of what is kept too"


def test_an_encoding_that_is_given_is_another_text(tmp_path: Path) -> None:
    sources = resolve([file_of(tmp_path, "häßlich".encode())])
    found = encode_corpus(sources, level="characters", cache=tmp_path)
    given = encode_corpus(
        sources, level="characters", reading=TextReading(encoding="latin-1"), cache=tmp_path
    )
    assert found.vocabulary.decode(ids_of(found)) == "häßlich"
    assert given.vocabulary.decode(ids_of(given)) == "hÃ¤Ã\x9flich"


def test_other_texts_of_a_model_are_read_as_its_own_where_they_fit(tmp_path: Path) -> None:
    """One word does not tell whether it is Polish or French; what is known does."""
    polish = "Pokój był czysty, śniadanie smaczne, obsługa miła\n".encode("cp1250")
    own = encode_corpus(resolve([file_of(tmp_path, polish)]), level="characters", cache=tmp_path)
    assert own.kept().expected == "cp1250"
    for word, encoding in (("miła", "cp1250"), ("miła", "utf-8"), ("миля миля", "utf-16")):
        sources = resolve([file_of(tmp_path, word.encode(encoding), "b.txt")])
        other = encode_with(own.vocabulary, sources, reading=own.kept(), cache=tmp_path)
        assert "".join(own.kept().text(sources)) == word
        assert other.encodings == (encoding,)


@pytest.mark.parametrize("level", LEVELS)
def test_the_text_may_be_a_column_of_a_table(level: str, tmp_path: Path) -> None:
    rows = ["很快，好吃", "so so, a bit", "", "never again"]
    table = io.StringIO()
    csv.writer(table).writerows([["label", "review"], *([k, text] for k, text in enumerate(rows))])
    lines = "".join(json.dumps({"label": 1, "review": text}) + "\n" for text in rows)
    wanted = encode_corpus(
        resolve([file_of(tmp_path, "\n".join(filter(None, rows)))]), level=level, cache=tmp_path
    )
    reading = TextReading(column="review")
    for content, name in (
        (table.getvalue().encode("gb18030"), "a.csv"), (lines.encode(), "a.jsonl")
    ):  # fmt: skip
        sources = resolve([file_of(tmp_path, content, name)])
        corpus = encode_corpus(sources, level=level, reading=reading, cache=tmp_path)
        assert corpus.vocabulary.decode(ids_of(corpus)) == wanted.vocabulary.decode(ids_of(wanted))
        assert corpus.characters == wanted.characters
        assert corpus.facts()[-1] == "the text is the column review"
        with pytest.raises(UserError, match='did you mean "review"'):
            encode_corpus(sources, level=level, reading=TextReading(column="reviw"), cache=tmp_path)


@pytest.mark.parametrize("form", ["parquet", "arrow", "xlsx", "sqlite"])
def test_the_text_may_be_a_column_of_a_table_that_is_no_text(form: str, tmp_path: Path) -> None:
    path, cells = tmp_path / f"a.{form}", ["很快，好吃", "so so", None, "never again"]
    frame = pl.DataFrame({"label": range(len(cells)), "review": cells})
    if form == "xlsx":
        book = openpyxl.Workbook()
        for row in [frame.columns, *frame.rows()]:
            book.active.append(row)
        book.save(path)
    elif form == "sqlite":
        with contextlib.closing(sqlite3.connect(path)) as base:
            base.execute("CREATE TABLE t (label, review)")
            base.executemany("INSERT INTO t VALUES (?, ?)", frame.rows())
            base.commit()
    else:
        (frame.write_parquet if form == "parquet" else frame.write_ipc)(path)
    sources, wanted = resolve([str(path)]), "\n".join(filter(None, cells))
    corpus = encode_corpus(
        sources, level="characters", reading=TextReading(column="review"), cache=tmp_path
    )
    assert corpus.vocabulary.decode(ids_of(corpus)) == wanted
    assert corpus.encodings == ("utf-8",)
    with pytest.raises(UserError, match=f"a.{form}: an? .*, which is no text; .*--column"):
        encode_corpus(sources, level="words", cache=tmp_path)
    path.write_bytes(gzip.compress(path.read_bytes()))
    packed = resolve([str(path.rename(tmp_path / f"a.{form}.gz"))])
    if form != "xlsx":  # one archive within another
        with pytest.raises(UserError, match=r"a packed .*; unpack it first"):
            encode_corpus(
                packed, level="words", reading=TextReading(column="review"), cache=tmp_path
            )


def test_rows_that_cannot_be_read_are_counted_once_and_again(tmp_path: Path) -> None:
    name = file_of(tmp_path, "label,review\n1,good\n1,2,3\n0,bad\n", "a.csv")
    reading = TextReading(column="review")
    with pytest.raises(UserError, match=r"a.csv, line 3: 3 cells .*; mend that row"):
        encode_corpus(resolve([name]), level="characters", reading=reading, cache=tmp_path)
    for _ in range(2):
        bad = BadRows(skip=True)
        corpus = encode_with(
            build("characters", ["god\nba"]), resolve([name]), reading=reading, bad=bad,
            cache=tmp_path,
        )  # fmt: skip
        assert corpus.vocabulary.decode(ids_of(corpus)) == "good\nbad"
        assert bad.count == len(bad.first) == 1


def test_what_was_not_used_for_longest_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of six texts of 1,000 bytes four are kept: those that are open or were used last."""
    monkeypatch.setattr(cache, "RECENT", 5.0)

    names = [file_of(tmp_path, f"{k}" * 500 + "x" * 500, f"{k}.txt") for k in range(6)]

    def encoded(number: int) -> Corpus:
        sources = resolve([names[number]])
        return encode_corpus(sources, level="bytes", cache=tmp_path / "cache")

    kept = {k: encoded(k) for k in range(6)}
    paths = {k: corpus.ids.path for k, corpus in kept.items()}
    now = time.time()
    for k, path in paths.items():
        for one in (path, path.with_suffix(".json")):
            os.utime(one, (now - 3600 + k, now - 7200))  # so that no reading alone notes a use
    (tmp_path / "cache" / "old.part").write_bytes(b"x")
    os.utime(tmp_path / "cache" / "old.part", (1, 1))
    (tmp_path / "cache" / "new.part").write_bytes(b"x")
    held = kept[0]
    del kept
    gc.collect()
    encoded(2)  # used again
    record = paths[0].with_suffix(".json").stat().st_size
    monkeypatch.setenv("ELMAN_CACHE_SIZE", str((1000 + record + 20) * 4 / 1e9))
    encoded(2)
    assert {k for k, path in paths.items() if path.exists()} == {0, 2, 4, 5}
    assert not (tmp_path / "cache" / "old.part").exists()
    assert (tmp_path / "cache" / "new.part").exists()
    assert ids_of(held)[:3] == [48, 48, 48]
    assert ids_of(encoded(3))[:3] == [51, 51, 51], "it is made again"
    monkeypatch.setenv("ELMAN_CACHE_SIZE", "much")
    with pytest.raises(UserError, match='ELMAN_CACHE_SIZE is "much"; give gigabytes'):
        encoded(4)


def test_a_folder_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELMAN_CACHE", file_of(tmp_path, "a file", "file"))
    with pytest.raises(UserError, match="set ELMAN_CACHE to another folder"):
        encode_corpus(resolve([file_of(tmp_path, SAMPLE)]), level="characters")


def test_a_disk_that_takes_no_more_is_the_run_s_failure(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="no limits on files here")
    name, cache = file_of(tmp_path, SAMPLE * 500), tmp_path / "cache"
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from elman.data.source import resolve\n"
        "from elman.data.texts.text import encode_corpus\n"
        "from elman.errors import RunError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    encode_corpus(resolve(sys.argv[1:2]), level='characters', cache=Path(sys.argv[2]))\n"
        "except RunError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, name, str(cache)], capture_output=True, text=True, check=True
    )
    assert "File too large" in done.stdout
    assert not list(cache.iterdir()), "nothing half-written stays"


def test_a_text_that_changes_meanwhile_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = resolve([file_of(tmp_path, SAMPLE)])
    written = text._write

    def grow_then_write(*arguments: object) -> object:
        file_of(tmp_path, SAMPLE + "more")
        return written(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(text, "_write", grow_then_write)
    with pytest.raises(RunError, match="changed while it was read"):
        encode_corpus(sources, level="characters", cache=tmp_path / "cache")


@settings(max_examples=30)
@given(
    size=st.sampled_from([2, 256, 257, 65_536, 65_537]),
    count=st.integers(1, 50),
    start=st.integers(0, 60),
    length=st.integers(0, 60),
)
def test_a_stretch_of_a_token_file_is_a_slice(
    size: int, count: int, start: int, length: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    dtype = np.min_scalar_type(size - 1)
    ids = np.random.default_rng(count).integers(size, size=count).astype(dtype)
    path = tmp_path_factory.mktemp("tokens") / "x.ids"
    path.write_bytes(ids.tobytes())
    tokens = TokenFile(path, dtype.name)
    assert len(tokens) == count
    found = tokens.read(start, length)
    assert found.dtype == np.int64
    assert found.tolist() == ids[start : start + length].tolist()


def test_the_default_cache_lies_where_caches_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ELMAN_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    corpus = encode_corpus(resolve([file_of(tmp_path, SAMPLE)]), level="words")
    assert corpus.ids.path.parent == tmp_path / "xdg" / "elman" / "text"
    assert json.loads(corpus.ids.path.with_suffix(".json").read_bytes())["record"]
