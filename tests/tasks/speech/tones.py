"""Made clips: a letter is a tone, silence parts letters; what a small network learns in seconds."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 8_000  # Hz
LETTERS = {"a": 400.0, "b": 800.0, "c": 1600.0, " ": 0.0}
TONE, PAUSE = 0.1, 0.06  # seconds
SMALL: dict[str, Any] = {
    "hidden_size": 24, "band_convolutions": 4, "convolutions": 16, "mels": 12, "dropout": 0.0,
    "sample": 0, "threads": 1, "batch_size": 4, "learning_rate": 0.02, "schedule": "constant",
    "seed": 1, "augment": False, "hop": 20,
}  # fmt: skip
"""A network that is trained and run in no time."""


def flags(options: dict[str, Any]) -> list[str]:
    """Options as on the command line."""
    return [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]


def wave(text: str, draw: np.random.Generator, rate: int = RATE) -> NDArray[np.float32]:
    """The sound of a text [S], never twice the same."""
    pieces = [_quiet(draw, rate, draw.uniform(0.05, 0.15))]
    for letter in text:
        seconds = TONE * draw.uniform(0.9, 1.1)
        at = np.arange(int(seconds * rate)) / rate
        hz, loud = LETTERS[letter], draw.uniform(0.2, 0.5)
        tone = loud * np.sin(2 * np.pi * (hz * at + draw.uniform())) if hz else 0 * at
        pieces += [tone + 0.002 * draw.standard_normal(len(at)), _quiet(draw, rate, PAUSE)]
    pieces.append(_quiet(draw, rate, draw.uniform(0.1, 0.2)))
    return np.concatenate(pieces).astype(np.float32)


def _quiet(draw: np.random.Generator, rate: int, seconds: float) -> NDArray[np.float64]:
    return 0.002 * draw.standard_normal(int(seconds * rate))


def texts(count: int, draw: np.random.Generator, most: int = 5) -> list[str]:
    """Letters of a to c, `most` in each."""
    return ["".join(draw.choice(list("abc"), draw.integers(1, most + 1))) for _ in range(count)]


def folder(
    path: Path, said: Sequence[str], seed: int = 0, rate: int = RATE, column: str = "text",
    speakers: Sequence[str] = (),
) -> Path:  # fmt: skip
    """A folder with a clip of each text, and a table of them."""
    draw = np.random.default_rng(seed)
    path.mkdir(parents=True, exist_ok=True)
    with (path / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file_name", column, *(["speaker"] if speakers else [])])
        for k, text in enumerate(said):
            soundfile.write(path / f"{k:03}.wav", wave(text, draw, rate), rate)
            rows.writerow([f"{k:03}.wav", text, *speakers[k : k + 1]])
    return path


def classes(path: Path, count: int, letters: str = "abc", seed: int = 0) -> Path:
    """A folder for each letter, with so many clips."""
    draw = np.random.default_rng(seed)
    for letter in letters:
        (path / letter).mkdir(parents=True)
        for k in range(count):
            soundfile.write(path / letter / f"{k:03}.wav", wave(letter, draw), RATE)
    return path
