"""From a run to a model beside its file, by the commands that a user types."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from calling import call


def said(file: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", file, *arguments], input=given, capture_output=True,
        encoding="utf-8", check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a language model's export."""
    folder = tmp_path_factory.mktemp("export") / "out"
    made = call("export", trained / "run", "--to", "onnx", "--output", folder)
    assert made.code == 0, made.err
    assert "answered alike" in made.err
    return folder / "model.py"


def test_a_text_is_what_generate_writes(trained: Path, exported: Path) -> None:
    asked = ("--prompt", "狐狸 jumps " * 60, "--length", "40", "--seed", "7", "--top-k", "9")
    ours = call("generate", trained / "run", *asked)
    assert ours.code == 0, ours.err
    theirs = said(exported, *asked)
    assert theirs.returncode == 0, theirs.stderr
    assert theirs.stdout == ours.out


def test_translations_are_what_predict_writes(translated: Path, tmp_path: Path) -> None:
    made = call("export", translated / "run", "--to", "onnx", "--output", tmp_path / "out")
    assert made.code == 0, made.err
    lines = tmp_path / "lines.txt"
    lines.write_text("forty-two\n\none thousand and one\n", encoding="utf-8")
    ours = call("predict", translated / "run", lines)
    assert ours.code == 0, ours.err
    theirs = said(tmp_path / "out" / "model.py", given=lines.read_text(encoding="utf-8"))
    assert theirs.stdout == ours.out, theirs.stderr


def test_what_a_file_is_asked_wrongly_is_told_in_a_line(exported: Path, tmp_path: Path) -> None:
    file = Path(shutil.copytree(exported.parent, tmp_path / "own")) / exported.name
    model = file.with_name("model.onnx")
    whole = model.read_bytes()
    wrong = [
        (("--json",), '{"prompt": "a"}\n{"prompt": ', "line 2: JSONDecodeError"),
        (("--json",), '{"loudness": 1}', "line 1: TypeError"),
        (("--top-p", "2"), "", "top_p must lie above 0"),
    ]
    for arguments, given, told in wrong:
        ended = said(file, "--length", "1", *arguments, given=given)
        assert ended.returncode and ended.stderr.startswith(told), ended.stderr
        assert len(ended.stderr.splitlines()) == 1
    model.write_bytes(whole[: len(whole) // 2])
    assert "model.onnx: damaged" in said(file).stderr
    model.unlink()
    assert "model.onnx is missing" in said(file).stderr
