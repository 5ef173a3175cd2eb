"""Sequences of numbers: what is read of them, what is told of them, and that a run is one of many
that would have been the same."""

from __future__ import annotations

import copy
import csv
import io
import json
import random
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import PowerCut, fails_after, final, finish

import elman
from elman.data.batching import padded
from elman.errors import UserError
from elman.run import prepare
from elman.run.clock import Clock
from elman.run.job import Job
from elman.run.options import parse
from elman.tasks.classify import plan
from elman.tasks.classify.curves import kernels, ridge, scaling, stretches
from elman.tasks.classify.curves.augmentation import Augmentation
from elman.tasks.classify.curves.kernels import Kernels, KernelScores, Shape, shape_of
from elman.tasks.classify.model import Classifier, Member
from elman.tasks.classify.scores import MIXES, probabilities, validate

SMALL: dict[str, Any] = {
    "hidden_size": 3, "convolutions": "4,3", "kernels": 400, "epochs": 2, "threads": 1,
    "batch_size": 6,
}  # fmt: skip


def bumps(count: int, seed: int = 0) -> list[tuple[np.ndarray, str]]:
    """Noise with a bump, early in one class and late in the other."""
    draw = np.random.default_rng(seed)
    made = []
    for k in range(count):
        x = 0.1 * draw.normal(size=(int(draw.integers(24, 36)), 1))
        at = int(draw.integers(2, 5)) + 12 * (k % 2)
        x[at : at + 6, 0] += 2
        made.append((x.astype(np.float32), ("early", "late")[k % 2]))
    return made


def table(path: Path, count: int = 20, seed: int = 0) -> Path:
    rows = ({"x": x.round(4).tolist(), "y": y} for x, y in bumps(count, seed))
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def job(data: Path, run: Path, **options: Any) -> Job:
    own, how = parse("classify", SMALL | {"run": run} | options)
    return prepare.new("classify", [str(data)], own, how, Clock(None), lambda line: None)


# ---- Fixed convolutions --------------------------------------------------------------------


def test_features_are_how_often_a_filter_is_above_its_level() -> None:
    draw = np.random.default_rng()
    x = draw.normal(size=(int(draw.integers(6, 14)), 2)).astype(np.float32)
    made = Kernels(Shape(2, (1, 2), 3))
    made.fit([x, x[:4] + 1], draw)
    wanted, unsure = [], []
    for side, values in enumerate((x, np.diff(x, axis=0))):
        for k, stretch in enumerate((1, 2)):
            wide = np.pad(values, ((4 * stretch, 4 * stretch), (0, 0)))
            for level in range(3):
                for f, high in enumerate(combinations(range(9), 3)):
                    read = made.filters[side, k, f].abs().amax(1).numpy() > 0
                    weights = [2.0 if j in high else -1.0 for j in range(9)]
                    said = np.array([
                        sum(w * wide[t + j * stretch, read].sum() for j, w in enumerate(weights))
                        for t in range(len(values))
                    ])  # fmt: skip
                    bound = made.levels[side, k, f, level].item()
                    wanted.append(float((said > bound).mean()))
                    unsure.append(bool(np.abs(said - bound).min() < 1e-4))
    found, sure = made(*padded([x]))[0].numpy(), ~np.array(unsure)
    assert found.shape == (len(wanted),) and sure.mean() > 0.5  # others rounding decides
    assert np.allclose(found[sure], np.array(wanted)[sure], atol=1e-6)


@settings(max_examples=15)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=2, max_size=5), inputs=st.integers(1, 12),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_features_do_not_depend_on_who_stands_beside(
    lengths: list[int], inputs: int, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    xs = [draw.normal(size=(n, inputs)).astype(np.float32) for n in lengths]
    made = Kernels(shape_of(inputs, max(lengths), 500))
    made.fit(xs, draw)
    together = made(*padded(xs))
    assert together.shape == (len(xs), made.shape.features)
    assert float(together.min()) >= 0 and float(together.max()) <= 1
    for k, x in enumerate(xs):  # a value at its level may lie on either side of it by rounding
        assert (made(*padded([x]))[0] - together[k]).abs().mean() < 0.02


def test_many_sequences_are_sampled_and_the_same_ones_give_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernels, "LEARNT", 20)
    pairs = bumps(40)
    xs, y = [x for x, _ in pairs], np.array([k % 2 for k in range(40)])
    made = [KernelScores(shape_of(1, 30, 500), 2, 1) for _ in range(2)]
    for one in made:
        one.fit(xs, y, [np.arange(40)])
    states = [one.state_dict() for one in made]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    others = [x for x, _ in bumps(30, seed=5)]
    said = made[0](*padded(others)).argmax(1).tolist()
    assert said == [k % 2 for k in range(30)]


@pytest.mark.parametrize("several", [False, True])
def test_each_is_left_out_as_if_it_had_never_been_there(
    several: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng()
    n, features, classes = 12, int(draw.integers(5, 30)), 3
    x = draw.normal(size=(n, features))
    x = (x - x.mean(0)) / x.std(0)
    y = draw.integers(0, 2, size=(n, classes)) if several else draw.permutation(n) % classes
    signs = 2.0 * (y if several else np.eye(classes)[y]) - 1
    monkeypatch.setattr(ridge, "PENALTIES", np.array([0.3]))
    centred = x - x.mean(0)
    penalty = 0.3 * np.linalg.eigvalsh(centred @ centred.T).clip(0).mean()
    found = ridge.left_out(x, y, classes)
    wanted = np.empty_like(found)
    for k in range(n):
        rest = np.arange(n) != k
        mean, middle = x[rest].mean(0), signs[rest].mean(0)
        gram = (x[rest] - mean).T @ (x[rest] - mean) + penalty * np.eye(features)
        weights = np.linalg.solve(gram, (x[rest] - mean).T @ (signs[rest] - middle))
        wanted[k] = (x[k] - mean) @ weights + middle
    sharp = float((found * wanted).sum() / (wanted**2).sum())  # scores are sharpened, all alike
    assert sharp > 0 and np.allclose(found, sharp * wanted, atol=1e-6)
    rest = np.arange(n) > 3
    for one, rows in zip(
        ridge.solve(x, y, classes, [np.arange(n), np.flatnonzero(rest)]), (rest | True, rest),
        strict=True,
    ):  # fmt: skip
        centred, middle = x[rows] - x[rows].mean(0), signs[rows].mean(0)
        penalty = 0.3 * np.linalg.eigvalsh(centred @ centred.T).clip(0).mean()
        gram = centred.T @ centred + penalty * np.eye(features)
        weights = np.linalg.solve(gram, centred.T @ (signs[rows] - middle))
        wanted, found = (x - x[rows].mean(0)) @ weights + middle, x @ one.weights + one.shift
        sharp = float((found * wanted).sum() / (wanted**2).sum())
        assert sharp > 0 and np.allclose(found, sharp * wanted, atol=1e-6)


# ---- Scaling -------------------------------------------------------------------------------


def test_level_is_kept_where_it_tells_and_taken_away_where_it_does_not() -> None:
    draw = np.random.default_rng()
    y = np.arange(24) % 2
    level = [(draw.normal(size=(20, 1)) + 2 * k).astype(np.float32) for k in y]
    found = scaling.find(level, y, 2)
    assert found.scaling == "channel" and found.told.startswith("level and size are kept")
    ramps = [np.linspace(0, 1, 20)[:, None] ** (1 + 3 * k) for k in y]
    moved = [(r * draw.lognormal(0, 2) + 50 * draw.normal()).astype(np.float32) for r in ramps]
    found = scaling.find(moved, y, 2)
    assert found.scaling == "sequence" and found.told.startswith("each sequence is scaled by its")
    equal = scaling.Found("sequence", 0.75, 0.75).told
    assert "75% from the other sequences either way" in equal
    done = [scaling.by_itself(x) for x in moved]
    assert (
        scaling.find(done, y, 2) == scaling.Found("channel") and not scaling.Found("channel").told
    )
    for x in done:
        assert np.allclose(x.mean(0), 0, atol=1e-5) and np.allclose(x.std(0), 1, atol=1e-4)
    assert not scaling.by_itself(np.full((5, 2), 7, dtype=np.float32)).any()


# ---- Augmentation --------------------------------------------------------------------------


@settings(max_examples=60)
@given(
    steps=st.integers(1, 40), inputs=st.integers(1, 3), seed=st.integers(0, 999),
    warping=st.floats(0, 1), slicing=st.floats(0, 0.9),
)  # fmt: skip
def test_time_passes_unevenly_but_forward_and_values_stay_between_their_neighbours(
    steps: int, inputs: int, seed: int, warping: float, slicing: float
) -> None:
    change = Augmentation(warping=warping, slicing=slicing)
    rising = np.tile(np.arange(steps, dtype=np.float32)[:, None], (1, inputs))
    found = change(rising, np.random.default_rng(seed))
    assert found.shape == rising.shape and found.dtype == np.float32
    assert (np.diff(found, axis=0) >= 0).all()
    assert found.min() >= 0 and found.max() <= steps - 1
    kept = 1.0 if steps < 2 else float(np.ptp(found[:, 0])) / (steps - 1)
    assert kept >= 1 - slicing - 1e-4
    if not slicing:
        assert steps < 2 or kept == pytest.approx(1, abs=1e-4)


def test_noise_and_size_are_as_large_as_asked_for_and_nothing_changes_for_nothing() -> None:
    draw = np.random.default_rng(1)
    x = draw.normal(size=(30, 2)).astype(np.float32)
    assert not Augmentation().any and Augmentation()(x, draw) is x
    noise = np.concatenate([Augmentation(jitter=0.3)(x, draw) - x for _ in range(200)])
    assert float(noise.std()) == pytest.approx(0.3, rel=0.03)
    sizes = [Augmentation(scaling=0.2)(x, draw) / x for _ in range(2000)]
    assert max(float(np.ptp(s)) for s in sizes) < 1e-4, "a sequence changes as a whole"
    assert float(np.std([np.log(s[0, 0]) for s in sizes])) == pytest.approx(0.2, rel=0.1)


# ---- The stretch that decided --------------------------------------------------------------


@settings(max_examples=60)
@given(steps=st.integers(1, 300))
def test_stretches_cover_every_step_and_are_equally_long(steps: int) -> None:
    places = stretches.stretches(steps)
    assert set().union(*(range(a, b) for a, b in places)) == set(range(steps))
    assert len({b - a for a, b in places}) == 1 and len(places) <= stretches.PLACES


def test_what_is_hidden_is_a_straight_line() -> None:
    line = np.outer(np.arange(20), [1.0, -2.0]).astype(np.float32)
    assert np.allclose(stretches.hidden(line, 5, 11), line, atol=1e-5)
    noisy = np.random.default_rng().normal(size=(20, 2)).astype(np.float32)
    for start, stop in ((0, 4), (7, 12), (15, 20)):
        found = stretches.hidden(noisy, start, stop)
        rest = [*range(start), *range(stop, 20)]
        assert np.array_equal(found[rest], noisy[rest])
        assert np.allclose(np.diff(found[start:stop], 2, axis=0), 0, atol=1e-5)
    assert (stretches.hidden(noisy, 0, 4)[:4] == noisy[4]).all()


def test_weights_are_how_far_the_answer_falls_where_a_step_is_hidden() -> None:
    draw = random.Random()
    steps, first = draw.randint(30, 80), draw.randint(5, 15)
    decides = range(first, first + draw.randint(3, 10))
    x = np.zeros((steps, 1), dtype=np.float32)
    x[list(decides)] = 1

    def ask(sequences: Any) -> Any:
        share = np.array([0.4 + 0.6 * s[list(decides), 0].mean() for s in sequences])
        return np.stack([1 - share, share], 1)

    found, places = stretches.weights(ask, x), stretches.stretches(steps)
    for t in range(steps):
        over = [(a, b) for a, b in places if a <= t < b]
        falls = [1.0 - ask([stretches.hidden(x, a, b)])[0, 1] for a, b in over]
        assert found[t] == pytest.approx(np.mean(falls))
        if all(b <= decides.start or a >= decides.stop for a, b in over):
            assert found[t] == pytest.approx(0)
    assert int(found.argmax()) in range(decides.start - 1, decides.stop + 1) and found.max() > 0


# ---- The task ------------------------------------------------------------------------------


@pytest.mark.pictures
def test_it_learns_from_few_tells_what_decided_and_answers_the_same_later(tmp_path: Path) -> None:
    data = table(tmp_path / "a.jsonl")
    run = elman.train("classify", data, run=tmp_path / "run", **SMALL | {"epochs": 12})
    assert run.scores["accuracy"] >= 0.9
    report = (run.path / "report.md").read_text(encoding="utf-8")
    assert "| early | 10 |" in report and "for validation in 5 folds" in report
    assert "The networks count for" in report and "(stretches.png)" in report
    assert (run.path / "stretches.png").exists() and (run.path / "confusion.png").exists()
    kept = elman.load(run.path)
    assert kept.evaluate().scores == pytest.approx(run.scores)
    other = table(tmp_path / "b.jsonl", 12, seed=3)
    assert kept.evaluate(other).scores["accuracy"] >= 0.9
    out = io.StringIO()
    kept.predict(other, out=out)
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert sum(row["predicted"] == row["y"] for row in rows) >= 11


def test_a_run_with_convolutions_and_folds_resumes_exactly(tmp_path: Path) -> None:
    data = table(tmp_path / "a.jsonl", 15)
    options: dict[str, Any] = {"save_every": 0.0, "sample": 0, "epochs": 3}
    finish(job(data, tmp_path / "alone", **options))
    cut = job(data, tmp_path / "cut", **options)
    with pytest.raises(PowerCut):
        finish(fails_after(cut, random.randrange(1, 6)))
    finish(prepare.again(tmp_path / "cut", None, None, Clock(None), lambda line: None))
    alone, resumed = final(tmp_path / "alone"), final(tmp_path / "cut")
    assert alone.keys() == resumed.keys() and any("running_mean" in name for name in alone)
    assert [name for name in alone if not torch.equal(alone[name], resumed[name])] == []


def test_the_answer_is_a_mixture_that_the_validation_part_has_chosen(tmp_path: Path) -> None:
    made = job(table(tmp_path / "a.jsonl"), tmp_path / "run", members=2)
    model, dataset = made.model.eval(), made.dataset
    assert isinstance(model, Classifier) and model.mix is not None and model.kernels is not None
    found = made.task.validate(model, dataset, made.options, "cpu")
    chosen, costs = float(model.mix), {}
    for share in MIXES:
        model.mix.fill_(float(share))
        said = np.empty((20, 2))
        for k in range(20):
            fold = int(dataset.folds[k])
            inputs = [dataset.inputs[dataset.trained + k]]
            said[k] = probabilities(model, inputs, "cpu", fold)[0]
        truth = dataset.targets[dataset.trained :]
        own = np.log(said[np.arange(20), truth])
        costs[float(share)] = -((1 - 1 / 21) * own + np.log(said).mean(1) / 21).mean()
        if share == chosen or abs(share - chosen) < 1e-6:
            assert found.loss.mean == pytest.approx(-own.mean(), rel=1e-5)
    assert min(costs, key=lambda share: costs[share]) == pytest.approx(chosen)
    x, lengths = padded(dataset.inputs[:3])
    nets = [torch.log_softmax(member(x, lengths), -1) for member in model.members]
    model.mix.fill_(0.3)
    sides = (
        torch.log_softmax(torch.stack(nets).mean(0), -1),
        torch.log_softmax(model.kernels(x, lengths), -1),
    )
    both = torch.softmax(0.3 * sides[0] + 0.7 * sides[1], -1)
    assert torch.allclose(model.probabilities(x, lengths).float(), both, atol=1e-6)


def test_the_whole_classifier_reads_a_sequence_the_same_alone_and_among_others(
    tmp_path: Path,
) -> None:
    made = job(table(tmp_path / "a.jsonl"), tmp_path / "run", convolution_stride="2,1")
    model, inputs = made.model.eval(), made.dataset.inputs[:20]
    assert isinstance(model, Classifier)
    x, lengths = padded(inputs)
    together = model.networks(x, lengths)
    for k, one in enumerate(inputs):
        assert torch.allclose(model.networks(*padded([one]))[0], together[k], atol=1e-5)


def test_options_that_do_not_fit_are_told(tmp_path: Path) -> None:
    data, run = table(tmp_path / "a.jsonl"), tmp_path / "run"
    cases: list[tuple[dict[str, Any], str]] = [
        ({"convolutions": "4,0"}, "a number of filters for each convolution, or 0 alone"),
        ({"convolutions": "4,4", "convolution_width": "3,3,3"}, "one value, or as many as --conv"),
        ({"convolutions": "0", "convolution_stride": "2"}, "--convolutions 0 leaves out"),
        ({"slicing": 1.0}, "--slicing 1.0: needs a value from 0 to below 1"),
        ({"bag": "pairs"}, "needs texts"),
    ]
    for options, told in cases:
        with pytest.raises(UserError, match=told):
            job(data, run, **options)
    with (tmp_path / "b.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [["text", "label"], *[[f"w{k}", "ab"[k % 2]] for k in range(20)]]
        )
    for options in ({"convolutions": "4"}, {"kernels": 100, "convolutions": None}):
        with pytest.raises(UserError, match="numbers"):
            job(tmp_path / "b.csv", run, **options)
    assert not run.exists()
    plain = job(data, run, convolutions="0", kernels=0, members=1, folds=0)
    assert isinstance(plain.model, Classifier) and plain.options.folds == 0
    first = plain.model.members[0]
    assert isinstance(first, Member) and first.front is None
    assert plain.model.kernels is None


@settings(max_examples=60)
@given(seconds=st.floats(1, 1e4), passes=st.integers(1, 500), each=st.floats(1e-3, 100))
def test_there_are_as_many_networks_as_the_time_has_room_for(
    seconds: float, passes: int, each: float
) -> None:
    count = plan.members(seconds, passes, each)
    assert 1 <= count <= plan.MOST_MEMBERS and plan.members(None, passes, each) == 1
    assert count == 1 or count * passes * each <= seconds
    assert count == plan.MOST_MEMBERS or (count + 1) * passes * each > seconds


@pytest.mark.parametrize("steps", [7, 64, 65, 251, 1460, 1999])
def test_long_sequences_are_brought_down_to_few_steps_and_short_ones_left(
    steps: int, tmp_path: Path
) -> None:
    draw = np.random.default_rng(steps)
    rows = [{"x": draw.normal(size=(steps, 1)).round(2).tolist(), "y": k % 2} for k in range(10)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    made = job(tmp_path / "a.jsonl", tmp_path / "run", convolutions=None, kernels=0, epochs=1)
    strides = made.options.convolution_stride
    left = steps
    for stride in strides:
        left = -(-left // stride)
    assert len(strides) == 3 and left <= plan.STEPS and (left == steps or left > 25)


def test_what_answers_beside_is_asked_once_for_the_same_sequences_and_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any validation, of which the first takes no longer than the others."""
    asked: list[int] = []
    forward = KernelScores.forward

    def counting(self: KernelScores, x: torch.Tensor, *rest: Any) -> torch.Tensor:
        asked.append(len(x))
        return forward(self, x, *rest)

    monkeypatch.setattr(KernelScores, "forward", counting)
    count = random.randint(20, 40)
    one = job(table(tmp_path / "data.jsonl", count), tmp_path / "run")
    assert sum(asked) == len(one.dataset.check) and one.task.start is not None
    fresh = replace(one.dataset, said=[])  # as a run that goes on has it
    one.model.eval()  # as everywhere when a model is validated: nothing is dropped
    again = copy.deepcopy(one.model)
    told = [
        validate(model, dataset, one.options, "cpu")
        for model, dataset in ((one.model, one.dataset), (again, one.dataset), (again, fresh))
    ]
    assert told[0].scores == told[1].scores == told[2].scores
    assert sum(asked) == 2 * len(one.dataset.check)
    assert isinstance(again, Classifier) and again.kernels is not None
    again.kernels.shift += 1e-3 * torch.randn_like(again.kernels.shift)
    validate(again, one.dataset, one.options, "cpu")
    assert sum(asked) == 3 * len(one.dataset.check)
