"""The Python file beside a model answers raw questions as Elman does, without Elman or PyTorch."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_data import (
    Make,
    chorales,
    curves,
    driven,
    labelled,
    pairs,
    said,
    series,
    several,
    sounds,
    tagged,
    text,
    totals,
)

from elman.export import onnx as back_end
from elman.export.certificate import alike
from elman.export.onnx import joining
from elman.export.program import Export, How
from elman.run import prepare
from elman.run.clock import Clock
from elman.run.options import parse

WINDOW = {"bidirectional": (True,), "sequence_length": 8}
CASES: dict[str, tuple[str, Make, dict[str, Any]]] = {
    "characters": ("text", text, {"level": "characters", "layer_norm": True}),
    "words": ("text", text, {"level": "words", "lowercase": True, "cell": ("gru",)}),
    "bytes": ("text", text, {"level": "bytes", "cell": ("mingru",), **WINDOW}),
    "bpe": ("text", text, {"level": "bpe", "vocabulary": 300}),
    "n-grams": ("classify", labelled, {"bag": "ngrams"}),
    "bag": ("classify", labelled, {"bag": "pairs", "pooling": "attention"}),
    "several": ("classify", several, {"bag": "tokens"}),
    "curves": ("classify", curves, {"convolutions": (4, 3), "convolution_stride": (2,)}),
    "tags": ("tag", tagged, {"characters": 3, "token_column": "1", "label_column": "2"}),
    "steps": ("regress", driven, {"target": ("y",), "sequence_column": "run"}),
    "totals": ("regress", totals, {"members": 2, "bidirectional": (True,)}),
    "direct": ("forecast", series, {"horizon": 5, "quantiles": (0.1, 0.5, 0.9), "share": 0.4,
                                    "beside": "both", "static_columns": ("region",)}),
    "own shares": ("forecast", series, {"horizon": 5, "share": 0.4, "each_share": True,
                                        "quantiles": (0.2, 0.5, 0.8),
                                        "beside": "last-season"}),
    "recursive": ("forecast", series, {"horizon": 5, "steps_ahead": "recursive", "share": 0.7,
                                       "beside": "autoregression",
                                       "future_columns": ("price",)}),
    "classes of sounds": ("speech", sounds, {"deltas": True}),
    "transcripts": ("speech", said, {"convolutions": (6,), "causal": True, "averages": (4, 30)}),
    "voices": ("music", chorales, {"head": "voices", "lookback": (0.2, 1.5)}),
    "chords": ("music", chorales, {"head": "chain", "lookback": (0.5,)}),
    "choirs": ("music", chorales, {"head": "voices", "members": 2}),
    "pianos": ("music", chorales, {"head": "chain", "members": 3}),
    "bells": ("music", chorales, {"head": "independent", "members": 2}),
    "translations": ("translate", pairs, {"context": "attention", "level": "words"}),
}  # fmt: skip
SMALL: dict[str, dict[str, Any]] = {
    "text": {"hidden_size": 5, "embedding": 4, "counted": 500, "scored": 500},
    "classify": {"hidden_size": 5, "embedding": 4},
    "tag": {"hidden_size": 5, "embedding": 4},
    "regress": {"hidden_size": 5},
    "forecast": {"hidden_size": 5, "look_back": 10},
    "speech": {"hidden_size": 5, "convolutions": 4},
    "music": {"hidden_size": 6, "head_size": 5, "sequence_length": 16},
    "translate": {"hidden_size": 6, "embedding": 5},
}


@dataclass(frozen=True)
class Exported:
    """An untrained model that has left, and a folder of packages with those two alone."""

    folder: Path
    export: Export
    site: Path

    def run(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-S", *arguments], input=given, capture_output=True, text=True,
            encoding="utf-8", env={**os.environ, "PYTHONPATH": str(self.site)}, check=False,
        )  # fmt: skip

    def answers(self, questions: list[Any]) -> list[Any]:
        asked = "".join(json.dumps(question) + "\n" for question in questions)
        ended = self.run(str(self.folder / "model.py"), "--json", given=asked)
        assert ended.returncode == 0, ended.stderr
        return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    for package in ("numpy", "onnxruntime"):
        found = find_spec(package)
        assert found is not None and found.origin is not None
        own = Path(found.origin).parent
        for place in (own, own.with_name(f"{package}.libs")):
            if place.exists():
                (folder / place.name).symlink_to(place)
    return folder


@pytest.fixture(params=CASES)
def exported(request: pytest.FixtureRequest, tmp_path: Path, site: Path) -> Exported:
    task, make, options = CASES[request.param]
    asked = {"epochs": 1, "sample": 0, "threads": 1, "run": tmp_path / "run"}
    own, how = parse(task, asked | SMALL[task] | options)
    job = prepare.new(task, [str(make(tmp_path))], own, how, Clock(None), lambda line: None)
    torch.manual_seed(3)
    for parameter in job.model.parameters():  # further from zero than in a new model
        torch.nn.init.normal_(parameter, std=0.4)
    for name, buffer in job.model.named_buffers():
        if name.startswith("mixing."):
            buffer.copy_(torch.linspace(0, 1, buffer.numel()).view_as(buffer))
    assert job.task.export is not None
    export = job.task.export(job.model.eval(), job.dataset.preprocessing(), job.options)
    folder = tmp_path / "export"
    folder.mkdir()
    back_end.write(export, folder, How())
    return Exported(folder, export, site)


def test_raw_questions_are_answered_as_elman_answers_them(exported: Exported) -> None:
    raw = exported.export.raw
    assert raw is not None
    questions = raw.drawn(np.random.default_rng(1), 4)
    ours, theirs = raw.answered(questions), exported.answers(questions)
    for question, one, other in zip(questions, ours, theirs, strict=True):
        assert alike(one, other, near=1e-4), (question, one, other)


def test_nothing_but_numpy_and_onnx_runtime_is_there(site: Path, tmp_path: Path) -> None:
    alone = Exported(tmp_path, Export("", {}, {}), site)
    for package in ("numpy", "onnxruntime"):
        assert alone.run("-c", f"import {package}").returncode == 0
    for package in ("elman", "torch", "onnx", "tokenizers"):
        assert alone.run("-c", f"import {package}").returncode != 0


@pytest.mark.parametrize("task", sorted(joining.TASKS))
def test_a_joined_file_is_clean_and_says_nothing_twice(task: str) -> None:
    text = joining.joined(task)
    tree = ast.parse(text)
    imports = [ast.unparse(n) for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    assert not any("elman" in line or "torch" in line for line in imports)
    said: Counter[str] = Counter()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            said[node.name] += 1
        elif isinstance(node, ast.Assign):
            said.update(ast.unparse(target) for target in node.targets)
    linted = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--select=E,F,I,B", "-"], input=text,
        capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    problems = [line for line in linted.stdout.splitlines() if re.match(r"[A-Z]+\d+ ", line)]
    assert not [line for line in problems if not line.startswith("E501")], linted.stdout
    again = {name for name, count in said.items() if count > 1}
    assert again <= {"Floats", "Ints"}  # the same types, wherever they are named
