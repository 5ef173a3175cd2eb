"""One trained run for all tests of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from calling import call

TEXT = "the quick brown fox jumps over the lazy dog. 狐狸跳过了懒狗。\n" * 40


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `text.txt`, `run` trained on it, and `state` saved by it; not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELMAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        (folder / "text.txt").write_text(TEXT, encoding="utf-8")
        ended = call(
            "train", "text", folder / "text.txt", "--epochs", "2", "--hidden-size", "8",
            "--sequence-length", "16", "--batch-size", "4", "--sample", "5", "--threads", "1",
            "--run", folder / "run",
        )  # fmt: skip
        assert ended.code == 0, ended.err
        kept = call(
            "generate",
            folder / "run",
            "--length",
            "5",
            "--save-state",
            folder / "state",
            "--seed",
            "1",
        )
        assert kept.code == 0, kept.err
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read from the cache of whoever runs the tests; one thread, for speed."""
    monkeypatch.setenv("ELMAN_CACHE", str(tmp_path_factory.mktemp("cache")))
    torch.set_num_threads(1)
