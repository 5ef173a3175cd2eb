"""A run on pairs that tests of the commands share."""

from __future__ import annotations

from pathlib import Path

import pytest
from calling import call

from elman.data.numbers import in_chinese, in_english

PAIRS = [(in_english(n), in_chinese(n)) for n in range(7, 4000, 61)]


@pytest.fixture(scope="session")
def translated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with aligned `a.en` and `a.zh`, and `run` trained on them; not to be changed."""
    folder = tmp_path_factory.mktemp("pairs")
    for name, side in (("a.en", 0), ("a.zh", 1)):
        (folder / name).write_text("".join(f"{p[side]}\n" for p in PAIRS), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELMAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.chdir(folder)
        ended = call(
            "train", "translate", "a.en", "a.zh", "--epochs", "1", "--hidden-size", "6",
            "--embedding", "5", "--level", "words", "--longest", "12", "--threads", "1",
            "--run", "run",
        )  # fmt: skip
        assert ended.code == 0, ended.err
    return folder
