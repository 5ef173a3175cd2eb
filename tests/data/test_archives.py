"""Zip archives: each member is a source of its own; of one that is wrong nothing is unpacked."""

from __future__ import annotations

import io
import random
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman import tasks
from elman.data import archives
from elman.data.source import read_bytes, read_text, resolve
from elman.errors import UserError


@pytest.fixture(autouse=True, scope="module")
def _alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("unpacked")))
        yield


def packed(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def refusal(path: Path | str) -> str:
    left = set(Path(tempfile.gettempdir()).glob("elman-*"))
    with pytest.raises(UserError) as caught:
        list(read_bytes(resolve([str(path)])))
    assert "\n" not in str(caught.value)
    assert set(Path(tempfile.gettempdir()).glob("elman-*")) <= left, "nothing stays unpacked"
    return str(caught.value)


@settings(max_examples=30)
@given(
    members=st.dictionaries(
        st.text("ab7_表", min_size=1, max_size=9), st.binary(max_size=3000), min_size=1, max_size=4
    ),
    method=st.sampled_from(
        [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    ),
    folder=st.sampled_from(["", "train/", "a/b/"]),
)
def test_members_come_out_as_they_went_in(
    members: dict[str, bytes], method: int, folder: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    named = {f"{folder}{name}.csv": b"." + data for name, data in members.items()}
    hidden = {"__MACOSX/._x.csv": b"\0", ".DS_Store": b"\0", "a/.git/x": b"", "b/": b""}
    path = packed(tmp_path_factory.mktemp("zip") / "data.zip", {**named, **hidden}, method)
    sources = resolve([str(path)])
    assert [source.shown for source in sources] == [
        f"{path}, member {name}" for name in sorted(named)
    ]
    assert [b"".join(source.blocks()) for source in sources] == [
        named[name] for name in sorted(named)
    ]
    assert all(source.path.suffix == ".csv" for source in sources)
    assert resolve([str(path)]) == sources, "unpacked once"


def test_a_member_is_known_by_its_content(tmp_path: Path) -> None:
    (one,) = resolve([str(packed(tmp_path / "a.zip", {"x.txt": b"same"}))])
    (other,) = resolve([str(packed(tmp_path / "b.zip", {"y.txt": b"same"}))])
    assert one.identity() == other.identity()
    (changed,) = resolve([str(packed(tmp_path / "a.zip", {"x.txt": b"other"}))])
    assert changed.identity() != one.identity()


def test_archives_by_glob_by_standard_input_and_under_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed(tmp_path / "a.zip", {"1.txt": "很快，".encode("gb18030")})
    packed(tmp_path / "b.zip", {"2.txt": "好吃".encode()})
    assert "".join(read_text(resolve([str(tmp_path / "*.zip")]))) == "很快，好吃"
    (tmp_path / "download").write_bytes((tmp_path / "b.zip").read_bytes())
    assert "".join(read_text(resolve([str(tmp_path / "download")]))) == "好吃"
    stdin = io.BytesIO((tmp_path / "b.zip").read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stdin))
    assert "".join(read_text(resolve(["-"]))) == "好吃"


def test_files_that_are_archives_inside_stay_what_they_are(tmp_path: Path) -> None:
    book = {"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"}
    for name in ("a.xlsx", "b.ods", "c.npz", "book"):
        path = packed(tmp_path / name, book)
        assert [source.path for source in resolve([str(path)])] == [path]


def test_names_of_other_systems_are_shown_as_they_were_meant(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"????.csv": b"a,b", "??.csv": b"c,d"})
    data = path.read_bytes()
    for asked, meant in (("????", "数据"), ("??", "表")):
        data = data.replace(f"{asked}.csv".encode(), meant.encode("gb18030") + b".csv")
    path.write_bytes(data)
    assert {source.shown for source in resolve([str(path)])} == {
        f"{path}, member 数据.csv", f"{path}, member 表.csv",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["../x.csv", "a/../../x.csv", "/etc/x.csv", "C:\\x.csv", "..\\x.csv", "\\x.csv"]
)
def test_names_that_climb_are_refused(name: str, tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"good.csv": b"1", name: b"2"})
    assert "as if it lay outside" in refusal(path)


def test_links_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("a.csv")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert "its member a.csv is a link" in refusal(path)


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"a.csv": b"1"})
    data = bytearray(path.read_bytes())
    for start, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(start) + place] |= 1
    path.write_bytes(data)
    assert "its member a.csv is encrypted" in refusal(path)


def test_archives_within_archives_are_refused(tmp_path: Path) -> None:
    inner = packed(tmp_path / "inner.zip", {"a.csv": b"1"}).read_bytes()
    for name in ("b.zip", "b.csv.gz", "b.TAR", "b.csv"):
        assert f"its member {name} is an archive itself" in refusal(
            packed(tmp_path / "a.zip", {name: inner})
        )


def test_members_of_several_forms_are_listed(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"b.jsonl": b"{}", "a.csv": b"1", "NEWS": b"2"})
    assert "members of 3 forms (NEWS, a.csv, b.jsonl); unpack it" in refusal(path)
    same = packed(tmp_path / "b.zip", {"a.tsv": b"1", "b.TAB": b"2"})
    assert len(resolve([str(same)])) == 2


def test_bombs_are_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "HARMLESS", 100_000)
    path = packed(tmp_path / "a.zip", {"a.csv": b"0" * 2_000_000})
    assert "unpacks to 2,000,000 bytes" in refusal(path)
    monkeypatch.setattr(archives, "RATIO", 10_000)
    assert len(list(read_bytes(resolve([str(path)])))) == 2
    monkeypatch.setattr(archives, "LARGEST", 1_000_000)
    other = packed(tmp_path / "b.zip", {f"{k}.csv": b"1" * 600_000 for k in range(2)})
    assert "unpacks to 1,200,000 bytes" in refusal(other)
    monkeypatch.setattr(archives, "MOST", 1)
    assert "2 members, more than 1" in refusal(other)


def test_a_size_that_lies_is_found_out(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"a.csv": b"0" * 100_000})
    data = path.read_bytes().replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(data)
    assert refusal(path) == f"{path}: a broken archive; make it or download it again"


def test_what_is_empty_is_told(tmp_path: Path) -> None:
    assert "holds no file" in refusal(packed(tmp_path / "a.zip", {}))
    assert "holds no file" in refusal(packed(tmp_path / "b.zip", {".hidden": b"1", "c/": b""}))
    (tmp_path / "c.zip").write_bytes(b"")
    assert "a broken archive" in refusal(tmp_path / "c.zip")


@pytest.mark.parametrize("seed", range(60))
def test_damaged_archives_end_in_one_line(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    method = draw.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    good = {f"{k}.csv": draw.randbytes(500) * 3 for k in range(3)}
    path = packed(tmp_path / "a.zip", good, method)
    data = bytearray(path.read_bytes())
    if draw.random() < 0.4:
        del data[draw.randrange(len(data)) :]
    else:
        for _ in range(draw.randrange(1, 4)):
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)
    try:
        sources = resolve([str(path)])
        read = [b"".join(source.blocks()) for source in sources]
    except UserError as error:
        assert "\n" not in str(error)
    else:  # the damage was to a name or to a field that nothing depends on
        assert set(read) <= set(good.values()) or bytes(data) in read


def test_what_was_unpacked_goes_with_the_process(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"a.csv": b"1"})
    code = (
        "import sys\nfrom elman.data.source import resolve\n"
        "path = resolve(sys.argv[1:])[0].path\nprint(path, path.stat().st_mode, "
        "oct(path.parent.parent.stat().st_mode))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    name, _, mode = done.stdout.split()
    assert mode.endswith("700")
    assert not Path(name).exists()
    assert not Path(name).parent.parent.exists()


@pytest.mark.parametrize(
    "about", ["readme", "README.md", "sub/LICENSE", "Licence.txt", "ReadMe.PDF"]
)
@pytest.mark.parametrize("data", ["SMSSpamCollection", "a.csv", "x/b.txt"])
def test_members_about_the_data_are_passed_over_and_told(
    about: str, data: str, tmp_path: Path
) -> None:
    sources = resolve([str(packed(tmp_path / "a.zip", {about: b"about", data: b"ham\tHello\n"}))])
    assert b"".join(read_bytes(sources)) == b"ham\tHello\n"
    assert [one.facts for one in sources] == [(f"not used: {about} in {tmp_path / 'a.zip'}",)]
    alone = resolve([str(packed(tmp_path / "b.zip", {about: b"about"}))])
    assert b"".join(read_bytes(alone)) == b"about" and not alone[0].facts


@pytest.mark.parametrize("task", ["text", "tag", "translate"])
def test_every_task_tells_what_it_leaves_of_an_archive(task: str, tmp_path: Path) -> None:
    content = {
        "text": ("a.txt", "to be or not to be\n" * 40),
        "tag": ("a.conll", "".join(f"w{k % 7} X\nv Y\n\n" for k in range(100))),
        "translate": ("a.tsv", "".join(f"one {k}\tun {k}\n" for k in range(60))),
    }[task]  # fmt: skip
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(*content)
        archive.writestr("README.txt" if task == "text" else "README", "about it")
    found = tasks.get(task)
    dataset = found.read([str(path)], tasks.options(task)(), 0.1)
    assert any("not used: README" in line for line in found.examine(dataset).lines())
