"""Sections on context, units, saliency, ablation and fixed points, of runs and of other models."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from calling import call
from torch import Tensor, nn

import elman
from elman.errors import UserError
from elman.inspection import inspect_model, of_text
from elman.inspection.sections import sections

pytestmark = pytest.mark.pictures

MINE = ("context", "units", "saliency", "ablation", "fixed_points")


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "copy")
    return tmp_path / "copy" / "run"


def test_a_text_that_is_given_is_read_whole(run: Path) -> None:
    print("drawn by", seed := random.randrange(2**32))
    draw = random.Random(seed)
    text = "".join(draw.choices("thequickbrownfox", k=draw.randint(2, 4000)))
    subject = of_text(elman.load(run), text)
    (steps,) = subject.steps_of(subject.calls[0]) or []
    assert "".join(steps) == text[:-1]  # what follows the last is not known


def test_a_run_of_text_is_told_of_in_numbers_that_hang_together(run: Path) -> None:
    made = elman.load(run).inspect(seconds=6, only=MINE, units=["fox|dog", "line-position"])
    assert [answer.section.name for answer in made.answers] == [
        section.name for section in sections() if section.name in MINE
    ]
    found = {answer.section.name: answer.found for answer in made.answers}
    record = json.loads(json.dumps(made.record()))["sections"]
    for name, one in found.items():
        assert one.measured
        assert (run / f"inspect-{name}.png").stat().st_size > 1000
        assert record[name]["picture"] == f"inspect-{name}.png"
    cut, elsewhere = found["context"].measured
    assert cut.values[-1] == elsewhere.values[-1]
    assert f"to {cut.values[-1]:.3f} after" in found["context"].findings[0]
    fires, follows = found["units"].measured
    assert f"F1 {fires.values[0]:.2f}" in found["units"].findings[0]
    assert "`fox|dog`" in found["units"].findings[0]
    assert f"rank correlation {follows.values[0]:.2f}" in found["units"].findings[1]
    assert any("fox" in line for line in found["units"].lines)
    _, by_lag = found["saliency"].measured
    np.testing.assert_allclose(np.nansum(by_lag.values), 1, atol=1e-6)
    (costs,) = found["ablation"].measured
    assert f"{np.nanmax(costs.values):.1%}" in found["ablation"].findings[0]


def test_what_was_not_asked_for_is_usual(run: Path, translated: Path) -> None:
    made = elman.load(run).inspect(seconds=4, only=["units"])
    assert len(made.findings) == 1
    assert "line-position" in made.findings[0]
    folder = run.parent / "pairs"
    shutil.copytree(translated, folder)
    pytest.MonkeyPatch().chdir(folder)
    made = elman.load(folder / "run").inspect(seconds=4, only=MINE)
    assert {answer.section.name for answer in made.answers} >= {"saliency", "ablation"}


def test_a_model_of_another_package_is_told_of(tmp_path: Path) -> None:
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.out = nn.GRU(3, 6, batch_first=True), nn.Linear(6, 1)

        def forward(self, x: Tensor) -> Tensor:
            y, _ = self.rnn(x)
            told: Tensor = self.out(y[:, -1])
            return told

    x, y = torch.randn(12, 20, 3), torch.randn(12, 1)
    model = Net().train()
    made = inspect_model(
        model, lambda m: (m(x) - y).square().sum(), tmp_path / "page", seconds=5, only=MINE
    )
    assert model.training
    names = {answer.section.name for answer in made.answers}
    assert names == {"saliency", "ablation", "fixed_points"}
    (answer,) = [a for a in made.answers if a.section.name == "saliency"]
    values = answer.found.measured[0].values
    with torch.no_grad():
        model.eval()
        change = (model(0 * x) - y).square().sum() - (model(x) - y).square().sum()
    np.testing.assert_allclose(values.sum(), float(change), rtol=0.01)


def test_what_cannot_be_sought_is_told_in_a_line(run: Path) -> None:
    for asked, told in (
        ("(a", "no regular expression"),
        ("label:N", "20|label"),
        ("never seen here", "never"),
    ):
        with pytest.raises(UserError, match=told):
            elman.load(run).inspect(seconds=2, only=["units"], units=[asked])
        with pytest.raises(UserError, match=told):  # with others it is not dropped in silence
            elman.load(run).inspect(seconds=1, units=[asked])
    ended = call("inspect", run, "--only", "units", "--unit", "(a", "--seconds", "2")
    assert ended.code == 2
    assert "no regular expression" in ended.err
    ended = call("inspect", run, "--only", "units", "--unit", "fox", "--unit", "position")
    assert ended.code == 0, ended.err
    assert "`fox`" in ended.out
    assert "with position" in ended.out
