"""An export takes its place once it has proved good, and nothing is lost until then."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from calling import call, snapshot

import elman
from elman.errors import RunError, UserError
from elman.export import certificate


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELMAN_CACHE", str(path / "cache"))
        (path / "text.txt").write_text("我喜欢苹果。I like apples.\n" * 60, encoding="utf-8")
        elman.train(
            "text", path / "text.txt", run=path / "run", hidden_size=8, epochs=1, batch_size=4,
            threads=1,
        )  # fmt: skip
        yield path / "run"


@pytest.mark.parametrize("to", ["onnx", "c"])
def test_an_export_says_what_it_is_and_what_it_was_made_from(run: Path, to: str) -> None:
    ended = call("export", run, "--to", to, "--seed", 3, "--json")
    assert ended.code == 0, ended.err
    record = json.loads(ended.out)
    place = Path(record.pop("path"))
    assert place == run / to
    assert json.loads((place / "certificate.json").read_text(encoding="utf-8")) == record
    assert sorted([*record["files"], "certificate.json"]) == sorted(p.name for p in place.iterdir())
    for folder, files in ((place, record["files"]), (run, record["run"])):
        for name, about in files.items():
            data = (folder / name).read_bytes()
            assert about == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert "model.safetensors" in record["run"]
    (compared,) = record["programs"]
    assert compared["export"]["value"] <= record["tolerance"]
    assert len(compared["cases"]) == certificate.CASES and record["seed"] == 3
    assert {"elman", "torch", "numpy", "python"} <= record["versions"].keys()
    if to == "onnx":
        assert record["answers"]["alike"] == record["answers"]["asked"] == 20


def test_the_same_run_and_seed_give_the_same_files(run: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        ended = call("export", run, "--to", "c", "--output", tmp_path / name)
        assert ended.code == 0, ended.err
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")


def test_what_stands_in_its_place_is_left_alone(run: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / "mine.txt").write_text("mine")
    refused = call("export", run, "--to", "c", "--output", place, "--force")
    assert refused.code == 2 and "exists and is no export; choose another --output" in refused.err
    assert [p.name for p in place.iterdir()] == ["mine.txt"]

    other = tmp_path / "other"
    assert call("export", run, "--to", "c", "--output", other, "--name", "first").code == 0
    before = snapshot(other)
    refused = call("export", run, "--to", "c", "--output", other)
    assert refused.code == 2 and "give --force to replace it" in refused.err
    assert snapshot(other) == before
    assert call("export", run, "--to", "c", "--output", other, "--force").code == 0
    assert not (other / "first.c").exists() and (other / "model.c").exists()


def test_an_export_that_is_another_network_is_not_kept(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "place"
    trained = elman.load(run)
    trained.export("c", place)
    before = snapshot(place)
    monkeypatch.setitem(certificate.TOLERANCE, "float32", 1e-12)  # nothing is so near
    with pytest.raises(RunError, match="not the same network, so nothing is kept: 12 drawn"):
        trained.export("c", place, force=True)
    with pytest.raises(RunError):
        trained.export("onnx", tmp_path / "fresh")
    assert snapshot(place) == before and [p.name for p in tmp_path.iterdir()] == ["place"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("--to", "onxx"), 'Invalid value "onxx"'),
        (("--to", "onnx", "--precision", "bf16"), "bf16 is for --to c"),
        (("--to", "c", "--name", "2 much"), "--name 2 much: needs letters, digits and _"),
        (("--to", "c", "--seed", "-1"), "--seed -1: needs a value from 0"),
        ((), "requires an argument"),
    ],
)
def test_what_is_asked_in_vain_ends_in_one_line(
    run: Path, tmp_path: Path, asked: tuple[str, ...], told: str
) -> None:
    ended = call("export", run, "--output", tmp_path / "x", *asked)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err and ended.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_formats_that_do_not_exist_are_told_from_python_too(run: Path) -> None:
    with pytest.raises(UserError, match='unknown format "onx"; did you mean "onnx"'):
        elman.load(run).export("onx")
