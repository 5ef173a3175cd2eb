"""Places where nothing can be written, or where something is that stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from refusals import GOOD, SMALL, refused


def test_places_where_no_run_can_be(tmp_path: Path) -> None:
    data = tmp_path / "good.txt"
    data.write_text(GOOD)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent" / "target")
    places = (
        data, data / "below", data / "far" / "below", "/proc/run", "/proc/1/run", "/dev/null",
        "/dev/null/run", tmp_path / "full", tmp_path, tmp_path / ("x" * 300),
        tmp_path / "nowhere" / "run", "/",
    )  # fmt: skip
    for place in places:
        for more in ((), ("--force",)):
            refused(tmp_path, "train", "text", data, *SMALL, *more, "--run", place)


def test_a_run_is_not_replaced_unasked(trained: Path) -> None:
    line = refused(trained, "train", "text", trained / "text.txt", *SMALL, "--run", trained / "run")
    assert "--force" in line


def test_a_forced_run_that_cannot_begin_leaves_the_old_one(trained: Path) -> None:
    run = ("--force", "--run", trained / "run")
    refused(trained, "train", "text", trained / "absent.txt", *SMALL, *run)
    refused(trained, "train", "text", trained / "text.txt", *SMALL, "--device", "cuda:99", *run)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text(GOOD)
    (tmp_path / "locked").mkdir(mode=0o500)
    refused(
        tmp_path, "train", "text", tmp_path / "good.txt", *SMALL, "--run", tmp_path / "locked" / "r"
    )


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "good.txt").write_text(GOOD)
    for cache in (tmp_path / "good.txt", Path("/proc/cache")):
        monkeypatch.setenv("ELMAN_CACHE", str(cache))
        for data in (str(tmp_path / "good.txt"), "name:topics"):
            line = refused(tmp_path, "train", "text", data, *SMALL, "--run", tmp_path / "run")
            assert "ELMAN_" in line


@pytest.mark.parametrize("place", ["/dev/null/state", "/absent/folder/state", "/"])
def test_a_state_that_cannot_be_kept(trained: Path, place: str) -> None:
    refused(trained, "generate", trained / "run", "--length", "0", "--save-state", place)
