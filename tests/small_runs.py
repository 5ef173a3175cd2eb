"""Small runs of every task, on data that is made in a moment: what people serve and look at."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import elman

SMALL: dict[str, Any] = {
    "epochs": 1, "sample": 0, "hidden_size": 6, "threads": 1, "seed": 1, "validation": 0.0,
}  # fmt: skip
TEXT = "the quick brown fox jumps over the lazy dog. 狐狸跳过了懒狗。\n" * 40
TUNE = "X:1\nT:tune {n}\nM:4/4\nL:1/4\nK:C\n{notes}|\n\n"


class Runs:
    """Small runs by their names, each trained when it is first asked for; not to be changed.

    Processes that test side by side share the folder.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder, self._data = folder, folder / "data"
        with self._alone("data"):
            if not self._data.exists():
                _write_data(self._data)
        self._wanted = _wanted(self._data)

    def __iter__(self) -> Iterator[str]:
        return iter(self._wanted)

    def __getitem__(self, name: str) -> Path:
        path = self._folder / name
        with self._alone(name):
            if not path.exists():
                task, source, options = self._wanted[name]
                elman.train(task, source, run=path, **SMALL | options)
        return path

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        with (self._folder / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _wanted(data: Path) -> dict[str, tuple[str, Path, dict[str, Any]]]:
    return {
        "story": ("text", data / "text.txt", {"sequence_length": 16, "batch_size": 4}),
        "文": ("text", data / "text.txt", {"level": "bpe", "vocabulary": 300, "batch_size": 4}),
        "reviews": ("classify", data / "reviews.csv", {}),
        "tags": ("tag", data / "tags.conll", {}),
        "series": ("forecast", data / "series.csv", {"look_back": 8}),
        "swings": ("regress", data / "swings.csv", {"target": ["angle"]}),
        "pairs": ("translate", data / "pairs.tsv", {}),
        "beeps": ("speech", data / "clips", {"convolutions": 4}),
        "tunes": ("music", data / "tunes.abc", {"head_size": 4, "sequence_length": 16}),
    }


def _write_data(data: Path) -> None:
    data.mkdir()
    draw = np.random.default_rng(0)
    _write(data / "text.txt", TEXT)
    kinds = [("good", "a fine film"), ("bad", "a dull film"), ("good", "so fine"), ("bad", "dull")]
    rows = [f"{words} {k % 7},{kind}" for k, (kind, words) in enumerate(kinds * 20)]
    _write(data / "reviews.csv", "text,kind\n" + "\n".join(rows))
    sentences = ["the\tD\ncat\tN\nsat\tV\n", "a\tD\ndog\tN\nran\tV\n"] * 20
    _write(data / "tags.conll", "\n".join(sentences))
    series = [f"{1900 + k},{np.sin(k / 3):.4f}" for k in range(120)]
    _write(data / "series.csv", "year,level\n" + "\n".join(series))
    numbers = ["one", "two", "three", "four", "five", "six"]
    pairs = [f"{a} {b}\t{b} {a}" for a in numbers for b in numbers] * 2
    _write(data / "pairs.tsv", "source\ttarget\n" + "\n".join(pairs))
    steps = [
        f"{n},{np.sin(n + k / 4):.4f},{np.cos(n + k / 4):.4f}" for n in range(8) for k in range(20)
    ]
    _write(data / "swings.csv", "sequence,push,angle\n" + "\n".join(steps))
    _clips(data / "clips", draw)
    tunes = [TUNE.format(n=n, notes=" ".join(draw.choice(list("CDEFGAB"), 16))) for n in range(12)]
    _write(data / "tunes.abc", "".join(tunes))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _clips(folder: Path, draw: np.random.Generator) -> None:
    for label, hz in (("low", 300), ("high", 1500)):
        (folder / label).mkdir(parents=True)
        for k in range(8):
            wave = 0.3 * np.sin(2 * np.pi * hz * np.arange(4000) / 8000)
            wave += 0.01 * draw.standard_normal(4000)
            soundfile.write(folder / label / f"{k}.wav", wave, 8000)
