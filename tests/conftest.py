"""What tests start from: a cache and a folder of their own, one thread, and things to work on."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from calling import call
from hypothesis import HealthCheck, settings
from jobs import MakeJob
from small_runs import Runs

from elman.data.built_in.numbers import in_chinese, in_english
from elman.run import prepare
from elman.run.clock import Clock
from elman.run.job import Job
from elman.run.options import parse

WORDS = ("the", "cat", "sat", "on", "a", "mat", "and", "saw", "two", "old", "dogs", "run", "by")
PANGRAMS = "the quick brown fox jumps over the lazy dog. 狐狸跳过了懒狗。\n" * 40
PAIRS = [(in_english(n), in_chinese(n)) for n in range(7, 4000, 61)]


# How long an example takes, to be drawn or to be tried, tells of the machine's other work.
settings.register_profile("elman", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("elman")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("long") is not None and not os.environ.get("ELMAN_LONG"):
        pytest.skip("long: ELMAN_LONG=1 runs it")


@pytest.fixture(autouse=True)
def _alone(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:  # fmt: skip
    """Nothing is read from the cache of whoever runs the tests; one thread, for speed.

    Without the mark `pictures` it is as where matplotlib is not installed: drawing takes most of
    the time of a short training.
    """
    if request.node.get_closest_marker("pictures") is None:
        monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setenv("ELMAN_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """3,000 characters of words in random order: something to learn, and something to get wrong."""
    draw = random.Random(0)
    path = tmp_path / "text.txt"
    path.write_text(" ".join(draw.choices(WORDS, k=900))[:3000], encoding="utf-8")
    return path


@pytest.fixture
def make_job(text: Path, tmp_path: Path) -> MakeJob:
    """A new run of the text, small unless told otherwise, in a folder named by the test."""

    def make(name: str = "run", **options: object) -> Job:
        small = {"hidden_size": 5, "dropout": 0.0, "batch_size": 4, "sequence_length": 16}
        how = {"epochs": 2, "sample": 0, "run": tmp_path / name}
        if "minutes" in options:
            del how["epochs"]
        own, trained = parse("text", small | how | options)
        return prepare.new("text", [str(text)], own, trained, Clock(None), lambda line: None)

    return make


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `text.txt`, `run` trained on it, and `state` saved by it; not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELMAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        (folder / "text.txt").write_text(PANGRAMS, encoding="utf-8")
        ended = call(
            "train", "text", folder / "text.txt", "--epochs", "2", "--hidden-size", "8",
            "--sequence-length", "16", "--batch-size", "4", "--sample", "5", "--threads", "1",
            "--run", folder / "run",
        )  # fmt: skip
        assert ended.code == 0, ended.err
        kept = call(
            "generate", folder / "run", "--length", "5", "--save-state", folder / "state",
            "--seed", "1",
        )  # fmt: skip
        assert kept.code == 0, kept.err
    return folder


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


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """A small run of every task, each trained when it is first asked for; not to be changed."""
    base = tmp_path_factory.getbasetemp()
    return Runs((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "small-runs")
