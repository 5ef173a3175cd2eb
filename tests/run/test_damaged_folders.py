"""Run folders from strangers: what is missing in one, or of another kind, is told on a line."""

from __future__ import annotations

import copy
import json
import math
import os
import random
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from calling import call

DAMAGES = 60 if os.environ.get("ELMAN_LONG") else 25  # of each task
STRANGE: tuple[Any, ...] = (
    None, -1, 0, 1.5, "x", "", [], {}, [None], {"x": 1}, True, 10**30, ["x", 1],
)  # fmt: skip
FILES: dict[str, tuple[str, ...]] = {
    "text": ("the cat sat on a mat and saw two old dogs run by. " * 12,),
    "classify": (
        "text,label\n" + "".join(f"{w} day {n},{w}\n" for n in range(15) for w in ("good", "bad")),
    ),
    "tag": ("".join(f"in O\nRome B-PLACE\nat O\n{n} O\n\n" for n in range(20)),),
    "regress": (
        "run,x,y\n"
        + "".join(f"r{s},{math.sin(s + t):.3f},{s}\n" for s in range(12) for t in range(5)),
    ),
    "forecast": (
        "ds,y\n"
        + "".join(f"{2000 + m // 12}-{m % 12 + 1:02}-01,{m % 12 + m / 9:.2f}\n" for m in range(90)),
    ),
    "translate": (
        "".join(f"the number {n}\n" for n in range(40)), "".join(f"nombre {n}\n" for n in range(40))
    ),
}  # fmt: skip
OPTIONS: dict[str, tuple[str, ...]] = {
    "text": ("--sequence-length", "8"),
    "forecast": ("--horizon", "3", "--look-back", "6"),
    "translate": ("--embedding", "3", "--level", "words"),
}


@pytest.fixture(scope="module", params=list(FILES))
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run of each task beside its data; not to be changed."""
    task: str = request.param
    folder = tmp_path_factory.mktemp(task)
    names = [str(folder / f"data{k}.{'csv' if ',' in text[:20] else 'txt'}")
             for k, text in enumerate(FILES[task])]  # fmt: skip
    for name, text in zip(names, FILES[task], strict=True):
        Path(name).write_text(text, encoding="utf-8")
    ended = call(
        "train", task, *names, "--epochs", "1", "--hidden-size", "3", "--batch-size", "8",
        "--sample", "0", "--threads", "1", "--run", folder / "run", *OPTIONS.get(task, ()),
    )  # fmt: skip
    assert ended.code == 0, ended.err
    return folder / "run"


def used(run: Path, copied: Path) -> tuple[str | Path, ...]:
    """A command that reads all of a run folder, with the data of the training."""
    if run.parent.name.startswith("text"):
        return ("generate", copied, "--length", "3")
    return ("predict", copied, run.parent / next(p.name for p in run.parent.glob("data0*")))


def test_what_is_missing_or_of_another_kind_is_told_on_one_line(run: Path, tmp_path: Path) -> None:
    draw = random.Random(str(tmp_path))
    shutil.copytree(run, tmp_path / "run")
    assert call(*used(run, tmp_path / "run")).code == 0
    refused = 0
    for name, read, write in (
        ("preprocessing.json", json.loads, json.dumps), ("options.toml", tomllib.loads, _toml),
    ):  # fmt: skip
        whole = read((run / name).read_text(encoding="utf-8"))
        every = sorted(_places(whole), key=str)
        for _ in range(DAMAGES):
            damaged, told = _damaged(whole, draw.choice(every), draw)
            (tmp_path / "run" / name).write_text(write(damaged), encoding="utf-8")
            ended = call(*used(run, tmp_path / "run"))
            assert ended.code in (0, 2), (name, told, ended)
            if ended.code:
                refused += 1
                lines = [line for line in ended.err.splitlines() if line.startswith("elman: ")]
                assert len(lines) == 1, (name, told, ended)
        (tmp_path / "run" / name).write_text(write(whole), encoding="utf-8")
    assert refused > DAMAGES / 4


def _places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where every value of a nested one stands; of a long list only the first few."""
    if path:
        yield path
    inner: Any = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        inner = enumerate(value[:3])
    for key, item in list(inner)[:12]:
        yield from _places(item, (*path, key))


def _damaged(whole: Any, path: tuple[str | int, ...], draw: random.Random) -> tuple[Any, str]:
    made = copy.deepcopy(whole)
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    if draw.random() < 0.5:
        del inner[path[-1]]
        return made, f"without {path}"
    inner[path[-1]] = draw.choice(STRANGE)
    return made, f"{path} = {inner[path[-1]]!r}"


def _toml(values: Any) -> str:
    return tomli_w.dumps(_without_none(values))


def _without_none(value: Any) -> Any:
    """TOML knows no null, and no integers beyond 64 bits."""
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_none(v) for v in value if v is not None]
    return value
