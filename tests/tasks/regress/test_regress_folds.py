"""Few sequences, several networks, rivals: nobody is scored on what he has seen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from calling import call
from numpy.typing import NDArray

import elman
from elman.options import make
from elman.run import prepare
from elman.tasks.regress.advice import next_try
from elman.tasks.regress.data import Measured, Scale
from elman.tasks.regress.model import Regressor
from elman.tasks.regress.options import RegressOptions
from elman.tasks.regress.plan import members_for
from elman.tasks.regress.scores import tally_of, tell
from elman.tasks.regress.task import TASK
from elman.tasks.regress.training import batch_of
from elman.tasks.rivals import Rival

SETTLED = {"dropout": 0.0, "weight_drop": 0.0, "initial_state": "zero", "hidden_size": (5,)}
QUICK: dict[str, Any] = {"epochs": 2, "hidden_size": 4, "threads": 1}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(1)


def written(path: Path, sequences: int, kind: str = "bent", steps: int = 12, seed: int = 0) -> Path:
    """Inputs x and what follows from them: a recursion, linear or bent, or nothing but noise."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(sequences, steps, 2))
    y = np.zeros((sequences, steps, 1))
    for t in range(steps):
        past = y[:, t - 1, 0] if t else np.zeros(sequences)
        now = 0.6 * past + x[:, t, 0] - 0.5 * x[:, t, 1]
        y[:, t, 0] = {"bent": np.tanh(now), "linear": now, "noise": draw.normal(size=sequences)}[
            kind
        ]
    np.savez(path, x=x, y=y)
    return path


def read(path: Path, validation: float = 0.1, **options: Any) -> tuple[Measured, RegressOptions]:
    own = make(RegressOptions, SETTLED | options)
    dataset = TASK.read([str(path)], own, validation)
    settled = replace(
        own, folds=dataset.folds, linear=bool(dataset.encoder.linear),
        members=members_for(own.members, dataset.folds),
    )  # fmt: skip
    return dataset, settled


def gradients(model: Regressor, dataset: Measured, options: RegressOptions) -> list[list[Any]]:
    """Of each network, by the loss over all that is trained on."""
    batch = batch_of(dataset.inputs[: dataset.trained], options)
    total, _, _ = TASK.loss(model, batch, None, "cpu")
    model.zero_grad()
    torch.autograd.backward(total)
    return [[p.grad.numpy().copy() for p in member.parameters() if p.grad is not None]
            for member in model.members]  # fmt: skip


# ---- Folds ---------------------------------------------------------------------------------


@pytest.mark.parametrize("feedback", [False, True])
def test_a_network_learns_nothing_of_its_own_fold_which_it_alone_is_asked_of(
    tmp_path: Path, feedback: bool
) -> None:
    dataset, options = read(written(tmp_path / "a.npz", 15), feedback=feedback)
    assert dataset.folds == 5 and options.members == 5 and options.linear
    model = Regressor(options, dataset.encoder)
    before = gradients(model, dataset, options)
    n = 3
    fold = dataset.inputs[n].fold
    changed = list(dataset.inputs)
    changed[n] = changed[n]._replace(y=changed[n].y + 1)
    after = gradients(model, replace(dataset, inputs=changed), options)
    same = [all(map(np.array_equal, a, b)) for a, b in zip(before, after, strict=True)]
    assert same == [k == fold for k in range(5)]
    # What is told of it, to be scored, comes from that network.
    (told,) = tell(model, [dataset.inputs[n]], options, "cpu")
    with torch.no_grad():
        for parameter in model.members[fold].parameters():
            parameter.add_(0.1)
    (other,) = tell(model, [dataset.inputs[n]], options, "cpu")
    assert not np.allclose(told, other)
    with torch.no_grad():
        for parameter in model.members[(fold + 1) % 5].parameters():
            parameter.add_(0.1)
    assert np.array_equal(tell(model, [dataset.inputs[n]], options, "cpu")[0], other)


def test_the_linear_answer_to_a_fold_has_not_seen_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "elman.tasks.regress.reading.drawn", lambda digests, folds: np.arange(len(digests)) % folds
    )
    path, n, fold = written(tmp_path / "a.npz", 15), 8, 3
    raw = []
    for change in (0.0, 3.0):
        arrays = dict(np.load(path))
        arrays["y"][n] += change * np.random.default_rng(3).normal(size=arrays["y"][n].shape)
        np.savez(path, **arrays)
        dataset, _ = read(path)
        assert dataset.inputs[n].fold == fold
        raw.append([dataset.encoder.y.back(part) for part in dataset.inputs[n].linear])
    # Values are scaled by all sequences, which moves the ridge a little.
    near = [bool(np.allclose(a, b, rtol=0, atol=0.02)) for a, b in zip(*raw, strict=True)]
    assert near == [k == fold for k in range(5)]


@pytest.mark.parametrize(
    ("sequences", "options", "folds"),
    [
        (12, {}, 5), (3, {}, 3), (60, {}, 0), (12, {"folds": 0}, 0), (60, {"folds": 4}, 4),
        (12, {"cut": 5}, 5), (12, {"validation": 0.0}, 0),
    ],
)  # fmt: skip
def test_there_are_folds_where_sequences_are_few(
    tmp_path: Path, sequences: int, options: dict[str, Any], folds: int
) -> None:
    validation = options.pop("validation", 0.1)
    dataset, _ = read(written(tmp_path / "a.npz", sequences), validation, **options)
    assert dataset.folds == folds
    if folds:
        assert len(dataset.held) == dataset.trained
        names = [item.where.split(", from")[0] for item in dataset.train.items]
        of = {name: item.fold for name, item in zip(names, dataset.held, strict=True)}
        assert [of[name] for name in names] == [item.fold for item in dataset.held]
        assert set(of.values()) == set(range(folds))


def test_few_sequences_are_trained_on_scored_and_answered_without_an_option(tmp_path: Path) -> None:
    path = written(tmp_path / "a.npz", 12)
    ended = call("train", "regress", path, "--run", tmp_path / "run", "--epochs", 2, "--threads", 1)
    assert ended.code == 0 and "by 5 folds" in ended.err, ended.err
    run = elman.load(tmp_path / "run")
    record = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert record["gain"]["units"] == 12 and next(iter(record["rivals"])).startswith("a linear")
    assert run.evaluate().scores == pytest.approx(run.scores)
    other = run.evaluate(written(tmp_path / "b.npz", 7, seed=1))
    assert other.scores.keys() == run.scores.keys() and not other.warning
    told = call("predict", tmp_path / "run", tmp_path / "b.npz")
    assert told.code == 0 and len(told.out.splitlines()) == 1 + 7 * 12
    settled = (tmp_path / "run" / "options.toml").read_text()
    assert "members = 5" in settled and "folds = 5" in settled
    again = call("resume", tmp_path / "run", "--epochs", 3)
    assert again.code == 0, again.err
    refused = call("train", "regress", path, "--folds", 13)
    assert refused.code == 2 and "12 different sequences" in refused.err


def test_several_networks_tell_the_mean_of_what_each_tells(tmp_path: Path) -> None:
    dataset, options = read(written(tmp_path / "a.npz", 50), members=3)
    model = Regressor(options, dataset.encoder).eval()
    whole = tell(model, dataset.held, options, "cpu")
    each = []
    for member in model.members:
        single = Regressor(replace(options, members=1), dataset.encoder).eval()
        single.members[0] = member
        each.append(tell(single, dataset.held, options, "cpu"))
    for n, told in enumerate(whole):
        assert np.allclose(told, np.mean([part[n] for part in each], 0), rtol=0, atol=1e-6)


# ---- Beside a linear answer ----------------------------------------------------------------


@pytest.mark.parametrize("feedback", [False, True])
def test_a_network_begins_close_to_the_linear_answer_and_can_be_kept_from_it(
    tmp_path: Path, feedback: bool
) -> None:
    path = written(tmp_path / "a.npz", 60)
    dataset, options = read(path, feedback=feedback)
    assert options.linear
    model = Regressor(options, dataset.encoder).eval()
    found = TASK.validate(model, dataset, options, "cpu").scores["rmse"]
    linear = TASK.rivals(dataset, options, dataset)[0]
    assert linear.name.startswith("a linear") and found == pytest.approx(
        linear.scores["rmse"], rel=0.05
    )
    bare, without = read(path, feedback=feedback, linear=False)
    assert not bare.encoder.linear and not without.linear
    # The rival stays.
    assert TASK.rivals(bare, without, bare)[0].name.startswith("a linear")
    noise, _ = read(written(tmp_path / "b.npz", 60, "noise"))
    assert not noise.encoder.linear


@pytest.mark.parametrize("every_step", [True, False])
def test_rivals_and_their_order_do_not_look_at_what_is_scored(
    tmp_path: Path, every_step: bool
) -> None:
    dataset, options = read(written(tmp_path / "a.npz", 300), every_step=every_step)
    assert not dataset.folds
    names = [rival.name for rival in TASK.rivals(dataset, options, dataset)]
    changed = [
        item if n < dataset.trained else item._replace(y=item.x[:, :1] * np.float32(1e3))
        for n, item in enumerate(dataset.inputs)
    ]
    if every_step:
        other = replace(dataset, inputs=changed)
        assert [rival.name for rival in TASK.rivals(other, options, other)] == names
    assert names[0].startswith("a linear") and "always the mean of the training part" in names


def test_rivals_are_scored_as_the_network_is_and_an_input_may_be_one(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    walks = draw.normal(size=(60, 30, 1)).cumsum(1)
    np.savez(tmp_path / "a.npz", x=walks[:, :-1], y=walks[:, 1:])
    for feedback in (False, True):
        dataset, options = read(tmp_path / "a.npz", feedback=feedback)
        model = Regressor(options, dataset.encoder).eval()
        scores = TASK.validate(model, dataset, options, "cpu").scores
        found = TASK.rivals(dataset, options, dataset)
        assert all(list(rival.scores) == list(scores) for rival in found)
        copied = next(rival for rival in found if rival.name == "the input x as it is")
        assert copied.scores["rmse"] == pytest.approx(1, abs=0.1)  # a step of the walk
        if feedback:
            name = "for one step the value before, else the mean"
            before = next(rival for rival in found if rival.name == name)
            assert before.scores["one_step_rmse"] < 1.5 < before.scores["rmse"]


@pytest.mark.parametrize("kind", ["noise", "linear"])
def test_where_nothing_can_be_gained_the_verdict_says_so(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path / "a.npz", 80, kind)
    draw = np.random.default_rng(1)
    arrays = dict(np.load(path))
    if kind == "linear":  # and noise that nothing can tell
        arrays["y"] += 0.1 * draw.normal(size=arrays["y"].shape)
        np.savez(path, **arrays)
    ended = call("train", "regress", path, "--run", tmp_path / "run", "--epochs", 8, "--threads", 1,
                 "--hidden-size", 8)  # fmt: skip
    first = (tmp_path / "run" / "report.md").read_text().splitlines()[2]
    assert ended.code == 0 and first.startswith("WARNING: nothing is gained over"), first
    rival = "always the mean" if kind == "noise" else "a linear recursion"
    assert f"nothing is gained over {rival}" in first, first


def test_a_tally_gives_the_score_of_all_and_blocks_where_sequences_are_few() -> None:
    dataset_scale = Scale(np.array([1.0]), np.array([3.0]))
    draw = np.random.default_rng(0)
    for sequences, unit, units in ((12, "sequence", 12), (3, "block", 21)):
        true: list[NDArray[np.float32]] = [
            draw.normal(size=(40 + k, 1)).astype(np.float32) for k in range(sequences)
        ]
        told = [value + np.float32(0.5) for value in true]
        tally = tally_of(told, true, dataset_scale)
        assert (tally.unit, len(tally.sums)) == (unit, units)
        assert float(tally.score(tally.sums.sum(0))) == pytest.approx(1.5)


def test_a_run_goes_on_though_what_was_fitted_differs_in_its_last_digits(tmp_path: Path) -> None:
    path = written(tmp_path / "a.npz", 60)
    elman.train("regress", path, run=tmp_path / "run", **QUICK)
    place = tmp_path / "run" / "preprocessing.json"
    kept = json.loads(place.read_text())
    weights = kept["encoder"]["linear"][0]["weights"]
    weights[0][0] *= 1 + 1e-12
    place.write_text(json.dumps(kept))
    prepare.read_again(prepare.trained(tmp_path / "run"))
    weights[0][0] *= 1.01
    place.write_text(json.dumps(kept))
    with pytest.raises(elman.errors.UserError, match="data has changed"):
        prepare.read_again(prepare.trained(tmp_path / "run"))


def test_the_report_names_what_would_be_tried_next(tmp_path: Path) -> None:
    def rival(error: float) -> Rival:
        return Rival("a linear recursion of order 2", {"rmse": error})

    bare, beside = make(RegressOptions, SETTLED), make(RegressOptions, SETTLED | {"linear": True})
    several = make(RegressOptions, SETTLED | {"members": 3})
    for own, options, told in (
        (1.1, bare, f"elman train regress --config {tmp_path}/options.toml --linear`"),
        (0.99, beside, "add next to nothing"), (0.5, beside, "--members 3`"),
        (0.5, several, ""),
    ):  # fmt: skip
        lines = next_try(own, [rival(1.0)], options, tmp_path)
        assert (told in lines[0]) if told else lines == []
