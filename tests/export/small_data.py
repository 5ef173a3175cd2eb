"""Small files that a run of each task can be made of."""

from __future__ import annotations

import json
import math
import random
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

GOOD, BAD = ("good", "great", "好", "lovely"), ("bad", "awful", "坏", "dull")
OTHERS = ("the", "film", "it's", "x-ray", "42", "电影", "and", "don't")


def words(draw: random.Random, kind: tuple[str, ...]) -> str:
    return " ".join(draw.choice(kind if draw.random() < 0.5 else OTHERS) for _ in range(8))


def text(folder: Path) -> Path:
    draw, path = random.Random(0), folder / "text.txt"
    lines = (f"{words(draw, GOOD)}, (so) {words(draw, BAD)}." for _ in range(80))
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def labelled(folder: Path) -> Path:
    draw, path = random.Random(0), folder / "labelled.csv"
    rows = [f"{words(draw, GOOD)},yes\n{words(draw, BAD)},no" for _ in range(12)]
    path.write_text("text,label\n" + "\n".join(rows), encoding="utf-8")
    return path


def several(folder: Path) -> Path:
    draw, path = random.Random(0), folder / "several.csv"
    rows = []
    for _ in range(60):
        good, bad = draw.random() < 0.5, draw.random() < 0.5
        kinds = (*(GOOD if good else ()), *(BAD if bad else ())) or OTHERS
        rows.append(f"{words(draw, kinds)},{int(good)},{int(bad)}")
    path.write_text("text,good,bad\n" + "\n".join(rows), encoding="utf-8")
    return path


def curves(folder: Path) -> Path:
    draw, path = np.random.default_rng(0), folder / "curves.jsonl"
    rows = []
    for k in range(40):
        steps = np.arange(draw.integers(10, 25))
        x = np.stack([np.sin(steps * (0.5 + k % 2)), draw.standard_normal(len(steps))], 1)
        rows.append(json.dumps({"x": x.round(3).tolist(), "label": ["slow", "fast"][k % 2]}))
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def tagged(folder: Path) -> Path:
    draw, path = random.Random(0), folder / "tagged.conll"
    kinds = {"NOUN": ("cat", "film", "电影"), "VERB": ("runs", "is"), "DET": ("the", "a")}
    sentences = []
    for _ in range(40):
        tags = draw.choices(list(kinds), k=draw.randint(1, 9))
        sentences.append("\n".join(f"{draw.choice(kinds[tag])}\t{tag}" for tag in tags))
    path.write_text("\n\n".join(sentences), encoding="utf-8")
    return path


def driven(folder: Path) -> Path:
    """A damped system, driven: a row a step, with what it started from."""
    draw, path = np.random.default_rng(0), folder / "driven.csv"
    rows = ["run,u,v,static_start,y"]
    for run in range(12):
        y = start = float(draw.standard_normal())
        for _ in range(20):
            u, v = draw.standard_normal(2)
            rows.append(f"{run},{u:.4f},{v:.4f},{start:.4f},{y:.4f}")
            y = 0.8 * y + 0.5 * u - 0.2 * math.tanh(v)
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def totals(folder: Path) -> Path:
    """One value for each sequence."""
    draw, path = np.random.default_rng(0), folder / "totals.jsonl"
    rows = []
    for _ in range(60):
        x = draw.standard_normal((int(draw.integers(3, 15)), 2)).round(3)
        rows.append(json.dumps({"x": x.tolist(), "y": float(np.tanh(x).mean())}))
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def series(folder: Path) -> Path:
    draw, path = np.random.default_rng(0), folder / "series.csv"
    rows = ["unique_id,t,y,price,region"]
    for name, region in (("a", "north"), ("b", "south")):
        for t in range(120):
            y = 10 + 3 * math.sin(t * 2 * math.pi / 7) + 0.02 * t + 0.5 * draw.standard_normal()
            rows.append(f"{name},{t},{y:.3f},{1 + t % 5 / 10:.1f},{region}")
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def sounds(folder: Path) -> Path:
    """Tones of two pitches in folders of their names, each said twice at most."""
    for k in range(24):
        name, pitch = (("high", 1500), ("low", 300))[k % 2]
        place = folder / "sounds" / name
        place.mkdir(parents=True, exist_ok=True)
        tone(place / f"{k}.wav", [pitch] * (1 + k % 3))
    return folder / "sounds"


def said(folder: Path) -> Path:
    """Tones with transcripts: h for a high one, l for a low one."""
    place = folder / "said"
    place.mkdir()
    draw = random.Random(0)
    for k in range(30):
        letters = "".join(draw.choices("hl", k=draw.randint(1, 4)))
        tone(place / f"{k}.wav", [1500 if letter == "h" else 300 for letter in letters])
        (place / f"{k}.txt").write_text(" ".join(letters), encoding="utf-8")
    return place


def tone(path: Path, pitches: list[int]) -> None:
    at, draw = np.arange(1200) / 8000, np.random.default_rng(len(path.name))
    parts = [np.concatenate([np.sin(2 * np.pi * p * at), np.zeros(400)]) for p in pitches]
    samples = 0.5 * np.concatenate(parts) + 0.01 * draw.standard_normal(1600 * len(pitches))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((samples * 32767 / 2).astype("<i2").tobytes())


def pairs(folder: Path) -> Path:
    draw, path = random.Random(0), folder / "pairs.tsv"
    there = dict(zip(("one", "two", "three", "four"), "一二三四", strict=True))
    rows = []
    for _ in range(80):
        said = draw.choices(list(there), k=draw.randint(1, 5))
        rows.append(" ".join(said) + "\t" + "".join(map(there.__getitem__, said)))
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def chorales(folder: Path) -> Path:
    """Pieces in two voices, the lower one silent at times."""
    draw, path = random.Random(0), folder / "chorales.json"
    pieces = [
        [[60 + draw.randint(0, 12), draw.choice((-1, 48, 50, 52))] for _ in range(32)]
        for _ in range(12)
    ]
    path.write_text(json.dumps(pieces))
    return path


Make = Callable[[Path], Path]
