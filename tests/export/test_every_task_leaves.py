"""What leaves of each task, in each of its forms, is the network, and all that stands around it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_every_task import SMALL, TRAINED

from elman import tasks
from elman.errors import UserError
from elman.export import certificate
from elman.export.interpreter import Interpreter
from elman.export.program import Export
from elman.run import prepare
from elman.run.clock import Clock
from elman.run.options import parse

DEEP = {"hidden_size": (4, 5), "cell": ("lstm", "gru")}
FORMS: list[tuple[str, dict[str, Any]]] = [
    ("text", {}),
    ("text", {"bidirectional": True, "embedding": 3}),
    ("text", {**DEEP, "members": 2}),
    ("text", {"members": 3, "bidirectional": True}),
    ("text", {**DEEP, "tie_weights": True, "embedding": 5, "initial_state": "learned"}),
    ("classify", {}),
    ("classify", {"members": 2, "pooling": "attention", "bag": "pairs"}),
    ("tag", {}),
    ("tag", {"characters": 0, "bidirectional": True, "residual": True, "hidden_size": 6,
             "num_layers": 2}),
    ("tag", {"members": 2}),
    ("tag", {"members": 3, "characters": 0}),
    ("regress", {}),
    ("regress", {"feedback": True, "members": 2, "linear": True}),
    ("regress", {"bidirectional": True, "linear": True}),
    ("forecast", {}),
    ("forecast", {"steps_ahead": "recursive", "identity": 2}),
    ("forecast", {"segment": 4, "members": 2, "quantiles": (0.2, 0.5, 0.8), "horizon": 10}),
    ("speech", {}),
    ("speech", {"members": 2, "band_convolutions": (3,), "band_pooling": True}),
    ("speech", {"averages": (3, 40), "band_convolutions": (3,)}),
    ("speech", {"averages": (2, 5), "band_convolutions": 0, "causal": True}),
    ("translate", {}),
    ("translate", {"context": "each", "decoder_cell": ("gru",), "shared_vocabulary": True}),
    ("translate", {"context": "first", **DEEP, "bidirectional": (True, False)}),
    ("translate", {"attention": "multiplicative", "input_feeding": True}),
    ("translate", {"members": 2, "input_feeding": True}),
    ("translate", {"members": 3, "context": "each", **DEEP}),
    ("music", {}),
    ("music", {"head": "chain", "lookback": (0.2, 1.0)}),
    ("music", {"head": "independent", "lookback": (0.0,)}),
    ("music", {"members": 2, "head": "independent"}),
    ("music", {"members": 3, "head": "voices", **DEEP}),
    ("music", {"members": 2, "head": "chain", "lookback": (0.2, 1.0)}),
    ("music", {"members": 2, "form": "events", "head_size": None}),
]  # fmt: skip


Make = Callable[[str, dict[str, Any]], Export]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """A little of it for each task; of sound and music there is what is built in."""
    folder, draw = tmp_path_factory.mktemp("data"), np.random.default_rng(7)
    words = ["the", "dog", "barks", "猫", "sleeps", "and", "Zürich", "2", "a", "tree"]
    lines = [" ".join(draw.choice(words, draw.integers(2, 9))) for _ in range(80)]
    steps = draw.standard_normal((400, 3)).round(3)
    written = {
        "text": "\n".join(lines * 3),
        "classify.csv": "text,label\n" + "".join(f"{s},{'dog' in s}\n" for s in lines),
        "tag.conll": "\n\n".join(
            "\n".join(f"{word}\t{'N' if len(word) > 3 else 'O'}" for word in line.split())
            for line in lines
        ),
        "regress.csv": "sequence,x,y,z\n" + "".join(
            f"{k // 20},{x},{y},{z}\n" for k, (x, y, z) in enumerate(steps)
        ),
        "forecast.csv": "month,one,two\n" + "".join(
            f"{1990 + k // 12}-{k % 12 + 1:02}-01,{5 + y:.3f},{6 + z:.3f}\n"
            for k, (y, z) in enumerate(steps[:150, :2])
        ),
        "translate.tsv": "source\ttarget\n" + "".join(f"{s}\t{s.upper()}\n" for s in lines),
    }  # fmt: skip
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")
    return {name.partition(".")[0]: [str(folder / name)] for name in written}


@pytest.fixture
def made(data: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """What leaves of a new model of a task, with these options."""
    monkeypatch.setenv("ELMAN_CACHE", str(tmp_path / "cache"))

    def make(name: str, form: dict[str, Any]) -> Export:
        own, how = parse(name, TRAINED | SMALL.get(name, {}) | form | {"run": tmp_path / "run"})
        job = prepare.new(name, data.get(name, []), own, how, Clock(None), lambda line: None)
        kept = json.loads(json.dumps(job.dataset.preprocessing()))
        torch.manual_seed(5)
        for parameter in job.model.parameters():  # further from zero than in a new model
            torch.nn.init.normal_(parameter, std=0.4)
        leave = tasks.get(name).export
        assert leave is not None
        found: Export = leave(job.model.eval(), kept, job.options)
        return found

    return make


@pytest.mark.parametrize(("name", "form"), FORMS, ids=[f"{n}-{'-'.join(f)}" for n, f in FORMS])
def test_what_leaves_is_the_network_and_all_that_stands_around_it(
    made: Make, name: str, form: dict[str, Any]
) -> None:
    export = made(name, form)
    opened = {name: Interpreter(program, np.float32) for name, program in export.programs.items()}
    compared = certificate.compare(export, opened, seed=0, cases=5)
    assert {one.program for one in compared} == set(export.programs) == set(export.originals)
    for one in compared:
        # Both are sums of fewer than 1000 products of float32.
        assert one.export.value < 2e-5, one
        assert one.network.value < 2e-5, one

    assert json.loads(json.dumps(export.surroundings, allow_nan=False)) == export.surroundings
    if export.raw is None:
        assert name == "music"
        return
    questions = export.raw.drawn(np.random.default_rng(1), 4)
    assert questions == export.raw.drawn(np.random.default_rng(1), 4) and len(questions) == 4
    again = json.loads(json.dumps(questions))
    assert again == questions
    answers = export.raw.answered(again)
    assert len(answers) == 4 and json.loads(json.dumps(answers, allow_nan=False)) == answers


@pytest.mark.parametrize("form", [{"smoothing": (12,)}, {"distribution": "normal"}])
def test_what_cannot_leave_is_told_in_a_line(made: Make, form: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"--{next(iter(form))} .* cannot leave; train without it"):
        made("forecast", form)
