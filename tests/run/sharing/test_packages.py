"""A package holds a run, all of it and no more; what is no package is told and leaves nothing."""

from __future__ import annotations

import json
import os
import random
import shutil
import stat
import struct
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from calling import call, snapshot

import elman
from elman.data.cache import cache_folder
from elman.errors import UserError
from elman.run.sharing import parts as belonging
from elman.run.sharing.pack import MANIFEST, TIME
from elman.run.sharing.unpack import MOST, unpack

Entries = list[tuple[zipfile.ZipInfo, bytes]]


@pytest.fixture(scope="module")
def package(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of a small run of text; not to be changed."""
    return elman.load(trained / "run").package(tmp_path_factory.mktemp("packed") / "run.zip")


def test_a_run_there_and_back_is_the_same_run(trained: Path, package: Path, tmp_path: Path) -> None:
    ended = call("package", package, "--to", tmp_path / "back" / "run", "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert told["made"] == str(tmp_path / "back" / "run")
    names = sorted(file["name"] for file in told["files"])
    assert names == sorted(
        name for name, digest in snapshot(tmp_path / "back" / "run").items() if digest
    )
    own = {name: (trained / "run" / name).read_bytes() for name in names}
    there = {name: (tmp_path / "back" / "run" / name).read_bytes() for name in names}
    differing = {name for name in names if own[name] != there[name]}
    assert differing <= {"options.toml", "report.md"}  # which had paths of this machine in them
    assert {"model.safetensors", "preprocessing.json", "scores.json", "README.md"} <= set(names)
    assert not any("checkpoint" in name for name in names)
    again = elman.load(tmp_path / "back" / "run").package(tmp_path / "run.zip")
    assert again.read_bytes() == package.read_bytes()


def test_a_package_is_the_same_to_the_last_byte_wherever_its_run_lies(
    trained: Path, package: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained / "run", tmp_path / "else" / "run")
    made = elman.load(tmp_path / "else" / "run").package(tmp_path / "run.zip")
    assert made.read_bytes() == package.read_bytes()


def test_a_package_is_used_in_the_place_of_its_run(
    trained: Path, package: Path, tmp_path: Path
) -> None:
    for name, *others in (
        ("evaluate", trained / "text.txt", "--json"),
        ("generate", "--length", "9", "--seed", "3"),
        ("trace", "--text", "the fox"),
    ):
        own, there = (call(name, run, *others) for run in (trained / "run", package))
        assert own.code == there.code == 0, there.err
        if name == "evaluate":
            assert json.loads(there.out)["scores"] == json.loads(own.out)["scores"]
        else:
            assert there.out == own.out
    assert [path.name for path in package.parent.iterdir()] == ["run.zip"]  # unpacked elsewhere


def test_what_lies_in_the_folder_by_accident_stays_there(trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained / "run", run)
    before = {part.name for part in elman.load(run).parts()}
    for name in (".env", "notes.txt", "id_rsa", "other.safetensors", "secret.png", "data.csv"):
        (run / name).write_text("secret", encoding="utf-8")
    for name in ("near.png", "run/.hidden.png", "run/a b.png"):
        (tmp_path / name).write_bytes(b"secret")
    (run / "refit").mkdir()
    (run / "refit" / "options.toml").write_text("", encoding="utf-8")
    with (run / "report.md").open("a", encoding="utf-8") as page:
        page.write(
            "\n![no](../near.png) ![no](.hidden.png) ![no](<a b.png>) ![no](https://x.y/z.png)\n"
        )
    assert {part.name for part in elman.load(run).parts()} == before
    with (run / "report.md").open("a", encoding="utf-8") as page:
        page.write("\n![mine](secret.png)\n")  # now it belongs
    assert {part.name for part in elman.load(run).parts()} == before | {"secret.png"}


def test_no_path_of_this_machine_goes_out(tmp_path: Path) -> None:
    home = tmp_path / "private-a81" / "deeper-b72"
    home.mkdir(parents=True)
    rows = [f"{word} day {n},{word}\n" for n in range(15) for word in ("good", "bad")]
    for name in ("train.csv", "held.csv"):
        (home / name).write_text("text,label\n" + "".join(rows), encoding="utf-8")
    (home / "vectors.txt").write_text("good 0.1 0.2\nbad 0.3 0.4\n", encoding="utf-8")
    ended = call(
        "train", "classify", home / "train.csv", "--validation-data", home / "held.csv",
        "--vectors", home / "vectors.txt", "--embedding", "2", "--epochs", "1",
        "--hidden-size", "3", "--sample", "0", "--threads", "1", "--run", home / "run",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    shutil.move(home / "run", home / "moved")
    assert call("package", home / "moved", "--to", tmp_path / "run.zip").code == 0
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    for name, content in held.items():
        assert b"private-a81" not in content and b"deeper-b72" not in content, name
    tables = tomllib.loads(held["options.toml"].decode())
    assert tables["data"] == ["train.csv"]
    assert tables["classify"]["validation_data"] == "held.csv"
    assert tables["classify"]["vectors"] == "vectors.txt"
    shutil.rmtree(home)
    ended = call("predict", tmp_path / "run.zip", "-", stdin=b"text\na good day\n")
    assert ended.code == 0 and len(ended.out.splitlines()) == 2, ended.err


def test_copies_of_standard_input_go_only_where_they_are_asked_for(tmp_path: Path) -> None:
    text = "the cat sat on a mat and saw two old dogs run by. " * 12
    ended = call(
        "train", "text", "-", "--epochs", "1", "--hidden-size", "3", "--sequence-length", "8",
        "--sample", "0", "--threads", "1", "--run", "run", stdin=text.encode(),
    )  # fmt: skip
    assert ended.code == 0, ended.err
    recorded = elman.load("run").scores
    without, whole = call("package", "run"), call("package", "run", "--with-data", "--to", "w.zip")
    assert without.code == whole.code == 0
    assert "input-0" not in without.err and "a copy of the data itself" in whole.err
    assert elman.load("w.zip").evaluate().scores == recorded
    with pytest.raises(UserError, match="no file"):
        elman.load("run.zip").evaluate()


def test_with_its_checkpoint_a_run_goes_on_elsewhere(trained: Path, tmp_path: Path) -> None:
    ended = call("package", trained / "run", "--with-checkpoint", "--to", "whole.zip")
    assert ended.code == 0 and "checkpoint/state.safetensors" in ended.err, ended.err
    assert "elman package whole.zip --to FOLDER" in call("resume", "whole.zip").err
    ended = call("package", "whole.zip", "--with-checkpoint", "--to", "there")
    assert ended.code == 0, ended.err
    shutil.copy(trained / "text.txt", tmp_path / "there")
    for run in (tmp_path / "there", shutil.copytree(trained / "run", tmp_path / "here")):
        assert call("resume", run, "--epochs", "3").code == 0
    weights = [(tmp_path / run / "model.safetensors").read_bytes() for run in ("there", "here")]
    assert weights[0] == weights[1]


def test_what_its_maker_says_is_in_the_card_and_stays_with_it(
    trained: Path, tmp_path: Path
) -> None:
    ended = call(
        "package", trained / "run", "--license", "cc-by-4.0", "--data-license", "public domain",
        "--language", "en,zh", "--about", "Writes 狐狸.", "--to", "a.zip",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert call("package", "a.zip", "--limits", "Not for bread.", "--to", "b").code == 0
    card = (tmp_path / "b" / "README.md").read_text(encoding="utf-8")
    for told in (
        "license: cc-by-4.0\n", "- en\n- zh\n", "Writes 狐狸.", "licence: public domain",
        "Not for bread.", elman.load(trained / "run").folder.verdict().told,
    ):  # fmt: skip
        assert told in card
    by_hand = "# My own card\n"
    (tmp_path / "b" / "README.md").write_text(by_hand, encoding="utf-8")
    assert call("package", "b", "--license", "mit", "--to", "c.zip").code == 0
    with zipfile.ZipFile("c.zip") as archive:
        assert archive.read("README.md").decode() == by_hand


def entries_of(package: Path) -> Entries:
    with zipfile.ZipFile(package) as archive:
        return [(entry, archive.read(entry)) for entry in archive.infolist()]


def written(path: Path, entries: Entries) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for entry, content in entries:
            archive.writestr(entry, content, compress_type=entry.compress_type)


def renamed(name: str) -> Callable[[Entries], None]:
    """A file by that name, in the manifest too, with the content of the scores."""

    def change(entries: Entries) -> None:
        manifest = json.loads(entries[0][1])
        manifest["files"][name] = manifest["files"].pop("scores.json")
        entries[0] = (entries[0][0], json.dumps(manifest).encode())
        at = next(k for k, (entry, _) in enumerate(entries) if entry.filename == "scores.json")
        entry = zipfile.ZipInfo("x", TIME)
        entry.filename = name
        entries[at] = (entry, entries[at][1])

    return change


def of_manifest(change: Callable[[dict[str, Any]], None]) -> Callable[[Entries], None]:
    def changed(entries: Entries) -> None:
        manifest = json.loads(entries[0][1])
        change(manifest)
        entries[0] = (entries[0][0], json.dumps(manifest).encode())

    return changed


def linked(entries: Entries) -> None:
    entries[-1][0].external_attr = (stat.S_IFLNK | 0o777) << 16


def packed(entries: Entries) -> None:
    entries[-1][0].compress_type = zipfile.ZIP_DEFLATED


def other_content(entries: Entries) -> None:
    entry, content = entries[-1]
    entries[-1] = (entry, bytes([content[0] ^ 1]) + content[1:])


def in_another_case(entries: Entries) -> None:
    entries[-1][0].filename = "scores.json"
    entry = zipfile.ZipInfo("Scores.json", TIME)
    entries.append((entry, entries[-1][1]))
    of_manifest(lambda m: m["files"].update({"Scores.json": m["files"]["scores.json"]}))(entries)


HOSTILE: dict[str, tuple[Callable[[Entries], Any], str]] = {
    "absolute": (renamed("/etc/passwd"), "belong to no run"),
    "above": (renamed("../scores.json"), "belong to no run"),
    "above, of windows": (renamed("..\\scores.json"), "belong to no run"),
    "drive": (renamed("C:scores.json"), "belong to no run"),
    "hidden": (renamed(".scores.json"), "belong to no run"),
    "deeper": (renamed("a/scores.json"), "belong to no run"),
    "program": (renamed("scores.py"), "belong to no run"),
    "pickle": (renamed("scores.pkl"), "belong to no run"),
    "zero byte": (renamed("scores.json\0.png"), "belong to no run"),
    "terminal codes": (renamed("\x1b[2Jscores.json"), "belong to no run"),
    "another case": (in_another_case, "there twice"),
    "a link": (linked, "is a link"),
    "packed": (packed, "not stored as it is"),
    "another content": (other_content, "is not what was packed"),
    "not named": (of_manifest(lambda m: m["files"].pop("scores.json")), "not in its manifest"),
    "missing": (lambda entries: entries.pop(), "is missing"),
    "no weights": (
        lambda entries: entries.pop(
            next(k for k, (e, _) in enumerate(entries) if e.filename == "model.safetensors")
        ),
        "model.safetensors is missing",
    ),
    "no manifest": (lambda entries: entries.pop(0), MANIFEST),
    "a later format": (of_manifest(lambda m: m.update(format=2)), "pip install --upgrade elman"),
    "no format": (of_manifest(lambda m: m.pop("format")), "damaged"),
    "a format of another kind": (of_manifest(lambda m: m.update(format="1")), "damaged"),
    "files of another kind": (of_manifest(lambda m: m.update(files=[1])), "damaged"),
    "a size of another kind": (
        of_manifest(lambda m: m["files"]["scores.json"].update(bytes=1.0)), "damaged",
    ),
    "another size": (
        of_manifest(lambda m: m["files"]["scores.json"].update(bytes=1)), "not stored as it is",
    ),
    "another hash": (
        of_manifest(lambda m: m["files"]["scores.json"].update(sha256="0" * 64)), "not what was",
    ),
    "deep": (
        lambda entries: entries.__setitem__(0, (entries[0][0], b"[" * 100_000)), "damaged"
    ),
    "many": (
        lambda entries: entries.extend(
            (zipfile.ZipInfo(f"p{k}.png", TIME), b"") for k in range(MOST)
        ),
        "files",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_elman_package_would_not_make_is_told_and_leaves_nothing(
    kind: str, package: Path, tmp_path: Path
) -> None:
    change, told = HOSTILE[kind]
    entries = entries_of(package)
    change(entries)
    written(tmp_path / "bad.zip", entries)
    refused(tmp_path, told)


def refused(folder: Path, told: str = "") -> None:
    """Unpacking bad.zip there says so in a line, and writes nothing."""
    before = snapshot(folder)
    for command in (("package", "bad.zip", "--to", "out/run"), ("evaluate", "bad.zip")):
        ended = call(*command)
        assert (ended.code, ended.out) == (2, ""), ended
        (line,) = ended.err.splitlines()
        assert line.startswith("elman: bad.zip: ") and told in line, line
    assert snapshot(folder) == before
    assert not any(path.is_file() for path in (cache_folder() / "packages").rglob("*"))


def test_a_package_cut_short_or_with_a_byte_changed_is_told(package: Path, tmp_path: Path) -> None:
    draw, whole = random.Random(str(tmp_path)), package.read_bytes()
    for _ in range(8):
        (tmp_path / "bad.zip").write_bytes(whole[: draw.randrange(len(whole))])
        refused(tmp_path)
    harmless = 0
    for _ in range(40):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        (tmp_path / "bad.zip").write_bytes(damaged)
        out = tmp_path / f"out{harmless}"
        try:
            unpack(tmp_path / "bad.zip", out)
        except UserError:
            assert not out.exists()
        else:  # a time, or a note of the system that made it
            for entry, content in entries_of(package):
                assert entry.filename == MANIFEST or (out / entry.filename).read_bytes() == content
            harmless += 1
    assert harmless < 20


def test_files_that_overlap_are_told(package: Path, tmp_path: Path) -> None:
    """One stretch of bytes as several large files: a bomb without compression."""
    entries = entries_of(package)
    largest = max(entries[1:], key=lambda one: len(one[1]))
    names = [f"p{k}.png" for k in range(400)]
    manifest = json.loads(entries[0][1])
    about = manifest["files"][largest[0].filename]
    manifest["files"] |= dict.fromkeys(names, about)
    entries[0] = (entries[0][0], json.dumps(manifest).encode())
    written(tmp_path / "bad.zip", entries)
    with zipfile.ZipFile(tmp_path / "bad.zip", "a") as archive:
        of = archive.getinfo(largest[0].filename)
        for name in names:
            other = zipfile.ZipInfo(name, TIME)
            other.header_offset, other.CRC = of.header_offset, of.CRC
            other.file_size = other.compress_size = of.file_size
            archive.filelist.append(other)
        archive._didModify = True  # type: ignore[attr-defined]
    refused(tmp_path, "overlap")


def test_a_count_that_is_not_true_is_not_believed(package: Path, tmp_path: Path) -> None:
    whole = bytearray(package.read_bytes())
    struct.pack_into("<2H", whole, len(whole) - 14, 60_000, 60_000)
    (tmp_path / "bad.zip").write_bytes(whole)
    refused(tmp_path, "60,000 files")
    whole = bytearray(package.read_bytes())
    locator = b"PK\x06\x07" + bytes(16)  # of a second end, which could say anything
    (tmp_path / "bad.zip").write_bytes(whole[:-22] + locator + whole[-22:])
    refused(tmp_path, "it says that it holds")


def test_what_is_there_already_is_not_overwritten(
    trained: Path, package: Path, tmp_path: Path
) -> None:
    (tmp_path / "run.zip").write_bytes(b"mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine", encoding="utf-8")
    before = snapshot(tmp_path)
    for told, *words in (
        ("--force", "package", trained / "run", "--to", "run.zip"),
        ("not a run folder", "package", package, "--to", "full"),
        ("not a run folder", "package", package, "--to", "full", "--force"),
        ("name a place, --to FOLDER", "package", package),
        ("is the run itself", "package", trained / "run", "--to", trained / "run", "--force"),
        ("is for --to hf:user/name", "package", package, "--to", "new", "--private"),
        ("needs a name as hubs have it", "package", package, "--to", "new", "--license", "My own"),
        ("give hf:user/name", "package", package, "--to", "hf:name"),
        ("no such run folder", "package", "nowhere"),
        ("give a package or a run", "package", "nowhere.zip", "--to", "new"),
    ):
        ended = call(*words)
        assert ended.code == 2 and told in ended.err, ended
    with pytest.raises(UserError, match="--force"):
        elman.load(trained / "run").package("run.zip")
    assert snapshot(tmp_path) == before
    assert call("package", trained / "run", "--to", "run.zip", "--force").code == 0
    assert (tmp_path / "run.zip").read_bytes() == package.read_bytes()


def test_a_run_that_is_damaged_or_not_trained_does_not_go_out(
    trained: Path, tmp_path: Path
) -> None:
    for name in ("model.safetensors", "preprocessing.json"):
        run = shutil.copytree(trained / "run", tmp_path / name)
        (run / name).unlink()
        ended = call("package", run, "--to", "new.zip")
        assert ended.code == 2 and f"{name}" in ended.err and "missing" in ended.err
    run = shutil.copytree(trained / "run", tmp_path / "card")
    (run / "card.toml").write_text(tomli_w.dumps({"licence": "mit"}), encoding="utf-8")
    ended = call("package", run, "--to", "new.zip")
    assert ended.code == 2 and 'card.toml: unknown option "licence"; did you' in ended.err
    assert not (tmp_path / "new.zip").exists()


def test_packages_nobody_asked_for_in_a_month_are_forgotten(package: Path, tmp_path: Path) -> None:
    elman.load(package)
    (kept,) = (cache_folder() / "packages").iterdir()
    os.utime(kept, (0, 0))
    shutil.copy(package, tmp_path / "other.zip")
    with (tmp_path / "other.zip").open("r+b") as stream:  # another time: another package
        stream.seek(10)
        stream.write(b"\1")
    elman.load(tmp_path / "other.zip")
    assert not kept.exists()


def test_names_that_belong() -> None:
    good = (
        "model.safetensors",
        "checkpoint/state.safetensors",
        "inspect-gates.png",
        "input-0.input",
    )
    bad = (
        "",
        ".",
        "..",
        "a",
        "a.py",
        "a.png/b.png",
        "-.png",
        "a.png\n",
        "ａ.png",
        "con",
        "a.b.png",
    )
    assert all(map(belonging.may_be, good)) and not any(map(belonging.may_be, bad))
