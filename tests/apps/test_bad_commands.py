"""Words that are no command, and wrong commands in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from calling import Ended
from hypothesis import given
from hypothesis import strategies as st
from refusals import GOOD, check_told, draws, refused, untouched


@pytest.mark.parametrize(
    "words",
    [
        "tran", "train txt", "trane text", "generat", "evaluate", "resume", "generate", "trace",
        "trace gur", "trace rnn gru", "cells lstm", "tasks 1", "data x", "--verson",
        "train --run x",
        "evaluate absent", "resume absent", "generate absent", "trace --file absent.toml",
        "trace lstm --file absent.toml", "evaluate a --device", "help", "-", "--", "train -- text",
    ],
)  # fmt: skip
def test_words_that_mean_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(tmp_path, *words.split(" "))


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
    lambda word: not word.startswith("-")
))  # fmt: skip
@draws
def test_any_word_as_a_command_a_cell_a_run(
    tmp_path_factory: pytest.TempPathFactory, word: str
) -> None:
    folder = tmp_path_factory.mktemp("word")
    refused(folder, word + "x")
    refused(folder, "trace", word + "x")
    refused(folder, "train", "text", "--cell", word + "x")
    refused(folder, "evaluate", folder / (word.replace("/", "") + "x"))


def test_a_real_process_tells_it_too(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "nul.txt").write_text(f"{GOOD}\0{GOOD}", encoding="utf-8")
    commands: list[list[str]] = [
        [
            "train",
            "text",
            str(tmp_path / "nul.txt"),
            "--epochs",
            "1",
            "--run",
            str(tmp_path / "run"),
        ],
        ["generate", str(trained / "run"), "--state", str(tmp_path / "nul.txt")],
        ["evaluate", str(tmp_path)],
        ["train", "text", "--epochs", "none"],
        ["trian"],
        ["trace", "--file", str(tmp_path / "nul.txt")],
    ]
    environment = os.environ | {"ELMAN_CACHE": str(tmp_path / "nul.txt")}
    with untouched(tmp_path), untouched(trained):
        for command in commands:
            done = subprocess.run(
                [sys.executable, "-m", "elman", *command],
                capture_output=True, encoding="utf-8", env=environment, cwd=tmp_path,
            )  # fmt: skip
            check_told(Ended(done.returncode, done.stdout, done.stderr))
