"""The page of a run and of any model: written, repeatable, and clear about what is wrong."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from calling import call
from torch import Tensor, nn

import elman
from elman.errors import UserError
from elman.inspection import Inspection, inspect_model, of_model, of_run
from elman.inspection.section import Found, Section
from elman.inspection.sections import gates, gradients, sections, stability
from elman.layers.recurrent import Recurrent

pytestmark = pytest.mark.pictures

OURS = ("gradients", "gates", "stability")


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of a trained run beside its text."""
    shutil.copy(trained / "text.txt", tmp_path)
    shutil.copytree(trained / "run", tmp_path / "run")
    options = tmp_path / "run" / "options.toml"
    options.write_text(options.read_text().replace(str(trained), str(tmp_path)))
    return tmp_path / "run"


class LanguageModel(nn.Module):
    """As in PyTorch's examples: embedding, layers, linear."""

    def __init__(self, kind: type[nn.RNNBase] = nn.LSTM) -> None:
        super().__init__()
        self.embed, self.drop = nn.Embedding(11, 6), nn.Dropout(0.5)
        self.rnn, self.decode = kind(6, 7, 2, dropout=0.5), nn.Linear(7, 11)  # type: ignore[arg-type]

    def forward(self, tokens: Tensor) -> Tensor:
        y, _ = self.rnn(self.drop(self.embed(tokens)))
        scores: Tensor = self.decode(self.drop(y))
        return scores


def next_token(tokens: Tensor, model: nn.Module) -> Tensor:
    scores = model(tokens[:-1])
    return F.cross_entropy(scores.flatten(0, 1), tokens[1:].flatten(), reduction="sum")


def test_the_page_of_a_run_holds_findings_pictures_and_numbers(run: Path) -> None:
    ended = call("inspect", run, "--only", ",".join(OURS), "--json")
    assert ended.code == 0, ended.err
    record = json.loads(ended.out)
    page = (run / "inspect.md").read_text(encoding="utf-8")
    assert record["page"] == str(run / "inspect.md") and record["what"] in page
    assert tuple(record["sections"]) == OURS and len(record["findings"]) >= 4
    for finding in record["findings"]:
        assert f"- {finding}\n" in page
    for name in OURS:
        assert (run / f"inspect-{name}.png").stat().st_size > 5_000
        assert f"](inspect-{name}.png)" in page
        for measured in record["sections"][name]["measured"]:
            assert measured["sample"] > 0 and measured["name"] and "values" in measured
    assert json.dumps(record, allow_nan=False)
    again = call("inspect", run, "--only", ",".join(OURS), "--json")
    assert json.loads(again.out)["findings"] == record["findings"]
    other = call("inspect", run, "--only", ",".join(OURS), "--json", "--seed", "5")
    assert json.loads(other.out)["findings"] != record["findings"]


def test_every_section_is_asked_and_the_run_is_left_as_it_was(run: Path) -> None:
    loaded = elman.load(run)
    before = {name: value.clone() for name, value in loaded.model.state_dict().items()}
    drawn, modes = torch.get_rng_state(), [m.training for m in loaded.model.modules()]
    found = loaded.inspect(seconds=2)
    assert isinstance(found, Inspection) and found.seconds < 60
    assert {answer.section.name for answer in found.answers} >= set(OURS)
    assert torch.equal(drawn, torch.get_rng_state())
    assert modes == [m.training for m in loaded.model.modules()]
    assert all(p.grad is None and not p._backward_hooks for p in loaded.model.parameters())
    after = loaded.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_other_data_is_looked_at_in_place_of_the_validation_part(run: Path) -> None:
    other = run.parent / "other.txt"
    other.write_text("the lazy dog jumps over the quick brown fox. " * 30)
    assert call("inspect", run, other, "--only", "gates").code == 0
    subject = of_run(elman.load(run), str(other), size=3)
    assert subject.look is not None and "of the text" in subject.what
    assert all("".join(s).replace("␣", " ")[:9] for s in subject.look.steps)
    (run.parent / "text.txt").write_text("something else altogether " * 200)
    ended = call("inspect", run)
    assert ended.code == 2 and "data has changed" in ended.err and "name data" in ended.err
    assert call("inspect", run, other, "--only", "gates").code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--only", "gatse"], 'no section "gatse"; there are gradients, gates'),
        (["--seconds", "0"], "--seconds 0: needs a value from 1"),
        (["--size", "0"], "--size 0: needs a value from 1"),
        (["--seed", "-1"], "--seed -1: needs a value from 0"),
        (["no-such.txt"], "no-such.txt"),
        (["empty.txt"], "empty.txt"),
        (["--sise", "3"], "--sise"),
    ],
)
def test_what_is_asked_wrongly_is_a_clear_line(run: Path, arguments: list[str], told: str) -> None:
    (run.parent / "empty.txt").write_text("")
    ended = call("inspect", run, *arguments)
    assert ended.code == 2 and told in ended.err and "Traceback" not in ended.err
    assert not (run / "inspect.md").exists() and not ended.out


def test_folders_that_are_no_good_run_are_a_clear_line(run: Path) -> None:
    place = run.parent
    assert "no such run folder" in call("inspect", place / "nowhere").err
    (place / "bare").mkdir()
    assert "not a run folder" in call("inspect", place / "bare").err
    weights = run / "model.safetensors"
    whole = weights.read_bytes()
    for damaged in (whole[:100], b"", b"\xff" * 200):
        weights.write_bytes(damaged)
        ended = call("inspect", run)
        assert ended.code == 2 and "model.safetensors" in ended.err
    weights.write_bytes(whole)
    options = run / "options.toml"
    options.write_text(options.read_text().replace('"lstm"', '"lstn"'))
    ended = call("inspect", run)
    assert ended.code == 2 and "lstn" in ended.err


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_any_model_is_looked_into_and_stays_as_it_is(
    kind: type[nn.RNNBase], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model, tokens = LanguageModel(kind).train(), torch.randint(11, (30, 4))
    before = [parameter.clone() for parameter in model.parameters()]
    found = inspect_model(
        model, lambda model: next_token(tokens, model), tmp_path / "page", what="4 random texts",
        only=OURS,
    )  # fmt: skip
    assert "Looked at: 4 random texts." in found.page.read_text()
    assert [answer.section.name for answer in found.answers] == list(OURS)
    assert model.training and all(map(torch.equal, before, model.parameters()))
    rows = {row for answer in found.answers for row in answer.found.lines}
    assert any("layer 1" in row for row in rows) and any("layer 2" in row for row in rows)


def test_models_that_cannot_be_looked_into_are_a_clear_error(tmp_path: Path) -> None:
    tokens = torch.randint(11, (9, 2))
    for model, told in ((nn.Linear(2, 2), "there is none"), (nn.LSTMCell(2, 3), "a loop in")):
        with pytest.raises(UserError, match=told):
            inspect_model(model, lambda model: torch.zeros(()), tmp_path / "page")
    with pytest.raises(UserError, match="asks no recurrent layer"):
        inspect_model(LanguageModel(), lambda model: torch.zeros(()), tmp_path / "page")
    with pytest.raises(TypeError):
        of_model("model", lambda model: torch.zeros(()))  # type: ignore[arg-type]
    assert not (tmp_path / "page").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        inspect_model(LanguageModel(), lambda m: next_token(tokens, m), tmp_path / "file" / "page")


def linear(factor: float) -> nn.Module:
    layer = Recurrent(1, 4, cell="rnn-relu", bias=False)
    with torch.no_grad():
        weights = dict(layer.named_parameters())
        weights["weight_ih_l0"].fill_(1.0)
        weights["weight_hh_l0"].copy_(factor * torch.eye(4))
    return layer


def test_what_one_section_cannot_tell_the_others_may(tmp_path: Path) -> None:
    """A loss that no output reaches yet has no gradient to follow."""
    layer, x = nn.GRU(1, 3), torch.randn(7, 2, 1)
    found = inspect_model(layer, lambda model: 0 * model(x)[0].sum(), tmp_path, only=OURS)
    told = {answer.section.name: answer.found for answer in found.answers}
    assert told["gates"].findings and told["stability"].findings
    assert told["gradients"].lines == ["Not told: the loss does not depend on any recurrent layer."]
    assert told["gradients"].lines[0] in found.page.read_text()


@pytest.mark.parametrize(
    ("factor", "told"),
    [
        (0.5, "Gradients fall to 1% after 7 steps (± 0.0, 64 places)"),
        (1.0, "Gradients have 1 of their size left 30 steps back"),
        (1.2, "explode"),
    ],
)
def test_findings_say_what_a_known_network_does(factor: float, told: str) -> None:
    x = torch.rand(40, 4, 1) + 0.1
    subject = of_model(linear(factor), lambda model: model(x)[0].sum())
    found = gradients.find(subject)
    assert found is not None and told in found.findings[0]
    assert ("lstm or gru reach further" in found.findings[0]) == (factor < 1)
    stable = stability.find(subject)
    assert stable is not None and f"spectral radius {factor:.2f}" in stable.findings[0]
    ends = {0.5: "fades to a tenth within 3 steps", 1.0: "lasts", 1.2: "may grow"}
    assert ends[factor] in stable.findings[0]


def test_a_gate_that_is_set_by_hand_is_told() -> None:
    """Forget gates that are always 0.8 hold for -1 / ln 0.8 = 4.5 steps; output gates are shut."""
    layer = nn.LSTM(2, 5)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        bias = layer.get_parameter("bias_ih_l0")
        bias[5:10] = math.log(0.8 / 0.2)
        bias[15:] = -9.0
    x = torch.randn(12, 3, 2)
    found = gates.find(of_model(layer, lambda model: model(x)[0].sum()))
    assert found is not None
    assert found.findings[0].startswith("0% of the forget gates let go at once and 0% hold fast")
    assert "(36 steps, 5 units): a unit holds c for 4.5 steps" in found.findings[0]
    assert "| layer 1 | `o` | 100.0% | 0.0% | 0.0% |" in found.lines
    assert any("5 of 5 units never move" in line for line in found.findings)


def test_sections_keep_to_their_share_of_the_time_and_come_in_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = [section.name for section in sections()]
    assert len(set(names)) == len(names) and names[:3] == list(OURS)
    allowed: list[float] = []

    def find(subject: object) -> Found:
        allowed.append(subject.seconds)  # type: ignore[attr-defined]
        return Found(["Told."])

    made = tuple(Section(f"s{k}", f"S{k}", k, share, find) for k, share in enumerate((1.0, 3.0)))
    monkeypatch.setattr("elman.inspection.page.sections", lambda: made)
    x = torch.randn(5, 2, 1)
    found = inspect_model(linear(1), lambda model: model(x)[0].sum(), tmp_path, seconds=8)
    assert allowed[0] == pytest.approx(2, abs=0.2) and allowed[1] == pytest.approx(8, abs=0.3)
    assert found.findings == ["Told.", "Told."]
    assert "## S1" in found.page.read_text() and not list(tmp_path.glob("*.png"))
