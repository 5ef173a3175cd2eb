"""Regression: what is told follows from the first state, the inputs and, fed back, itself."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from calling import call
from numpy.typing import NDArray
from torch import Tensor, nn

import elman
from elman import cells
from elman.options import make
from elman.run.trained import Run
from elman.tasks.regress.data import Encoded, Encoder, Scale
from elman.tasks.regress.model import Member, Regressor
from elman.tasks.regress.options import RegressOptions
from elman.tasks.regress.scores import errors, tell
from elman.tasks.regress.training import batch_of

ROUNDING = 1e-10  # of sums in float64 in another order
SETTLED = {"dropout": 0.0, "weight_drop": 0.0}
SMALL: dict[str, Any] = {"epochs": 2, "hidden_size": 4, "threads": 1, "batch_size": 4}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(1)


def settled(**options: object) -> RegressOptions:
    return make(RegressOptions, SETTLED | {"initial_state": "zero", "hidden_size": (5,)} | options)


def encoder(inputs: int = 3, targets: int = 2, states: int = 0, *, every_step: bool = True
            ) -> Encoder:  # fmt: skip
    draw = np.random.default_rng(7)
    scales = [
        Scale(draw.normal(size=n), draw.uniform(0.5, 2, n)) for n in (inputs, targets, states, 4)
    ]
    return Encoder(scales[0], scales[1], scales[2], scales[3], every_step)


def drawn(lengths: list[int], made: Encoder, seed: int = 0) -> list[Encoded]:
    draw = np.random.default_rng(seed)
    sizes = [len(s.mean) for s in (made.x, made.y, made.state, made.static)]

    def numbers(*shape: int) -> NDArray[np.float32]:
        return draw.normal(size=shape).astype(np.float32)

    return [
        Encoded(
            numbers(T, sizes[0]),
            numbers(T, sizes[1]) if made.every_step else numbers(sizes[1]),
            numbers(sizes[2]),
            numbers(sizes[3]),
        )
        for T in lengths
    ]


def first(model: Regressor) -> Member:
    member = model.members[0]
    assert isinstance(member, Member)
    return member


# ---- Feedback ------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", cells.names())
@pytest.mark.parametrize("start", ["zero", "learned", "given", "encoded"])
def test_run_freely_over_one_step_it_tells_what_it_tells_of_one_step(cell: str, start: str) -> None:
    made = encoder(states=2)
    options = settled(cell=(cell,), hidden_size=(5, 4), initial_state=start, feedback=True)
    model, items = Regressor(options, made).eval(), drawn([1] * 7, made)
    free = tell(model, items, options, "cpu")
    near = tell(model, items, options, "cpu", one_step=True)
    assert np.allclose(np.stack(free), np.stack(near), rtol=0, atol=1e-6)  # in float32


@pytest.mark.parametrize("cell", cells.names())
def test_fed_its_own_values_as_true_ones_a_pass_over_the_sequence_tells_them_again(
    cell: str,
) -> None:
    made = encoder(states=3)
    options = settled(cell=(cell,), hidden_size=(5, 4), initial_state="given", feedback=True)
    model = Regressor(options, made).double().eval()
    draw = torch.Generator().manual_seed(3)
    x = torch.randn(6, 9, 3, generator=draw, dtype=torch.float64)
    known = torch.randn(6, 3, generator=draw, dtype=torch.float64)
    with torch.no_grad():
        free = model.run_freely(x, known)
        past = torch.cat([torch.zeros_like(free[:, :1]), free[:, :-1]], 1)
        again = model(torch.cat([x, past], -1), torch.full((6,), 9), known)
    assert (free - again).abs().max() < ROUNDING
    # It is fed back at all: another value of the first step changes what is told after it.
    past[:, 1:2] += 1
    changed = model(torch.cat([x, past], -1), torch.full((6,), 9), known)
    gap = (changed - free).abs()
    assert gap[:, 0].max() < ROUNDING and gap[:, 1:].max() > 1e-4


def test_the_true_values_that_are_fed_are_those_of_the_step_before() -> None:
    made = encoder()
    batch = batch_of(drawn([4, 2], made), settled(feedback=True))
    x = batch.with_past()
    assert torch.equal(x[..., :3], batch.x) and not x[:, 0, 3:].any()
    assert torch.equal(x[:, 1:, 3:], batch.y[:, :-1])


def test_noise_on_what_is_fed_back_is_there_in_training_alone() -> None:
    options = settled(feedback=True, feedback_noise=0.5)
    model, known = Regressor(options, encoder()), torch.zeros(3, 0)
    x, lengths = torch.randn(3, 6, 5), torch.full((3,), 6)
    twice = [model.train()(x, lengths, known) for _ in range(2)]
    assert not torch.equal(*twice)
    twice = [model.eval()(x, lengths, known) for _ in range(2)]
    assert torch.equal(*twice)


# ---- Padding and first states --------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"feedback": True}, {"bidirectional": True}, {"initial_state": "given"},
        *({"pooling": how, "every_step": False} for how in ("last", "mean", "max", "attention")),
    ],
)  # fmt: skip
def test_padding_changes_nothing_that_is_told(options: dict[str, Any]) -> None:
    made = encoder(states=2, every_step=options.get("every_step", True))
    chosen = settled(**options)
    model = Regressor(chosen, made).eval()
    items = drawn([5, 1, 9, 3, 9, 2], made)
    together = tell(model, items, chosen, "cpu")
    for item, told in zip(items, together, strict=True):
        (alone,) = tell(model, [item], chosen, "cpu")
        assert told.shape == alone.shape == item.y.shape
        assert np.allclose(told, alone, rtol=0, atol=1e-6)  # in float32


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
@pytest.mark.parametrize("feedback", [False, True])
def test_the_loss_of_a_batch_is_that_of_its_sequences_alone(loss: str, feedback: bool) -> None:
    made, options = encoder(), settled(loss=loss, feedback=feedback)
    model, items = Regressor(options, made), drawn([5, 1, 9, 3], made)
    task = elman.tasks.get("regress")
    whole, count, _ = task.loss(model, batch_of(items, options), None, "cpu")
    alone = [task.loss(model, batch_of([item], options), None, "cpu") for item in items]
    assert count == sum(part[1] for part in alone) == 2 * (5 + 1 + 9 + 3)
    assert abs(whole - sum(part[0] for part in alone)) < 1e-4  # in float32
    if not feedback:
        told = np.concatenate(tell(model, items, options, "cpu"))
        gap = abs(told - np.concatenate([item.y for item in items]))
        by_hand = {
            "mse": gap**2, "mae": gap, "huber": np.where(gap < 1, gap**2 / 2, gap - 1 / 2),
        }  # fmt: skip
        assert abs(whole.item() - by_hand[loss].sum()) < 1e-4


def test_a_first_state_as_wide_as_all_states_is_taken_as_it_is() -> None:
    made, B, T = encoder(states=5), 3, 4
    model = Regressor(settled(cell=("rnn",), initial_state="given"), made).eval()
    peer = nn.RNN(3, 5)
    own = dict(first(model).reader.recurrent.named_parameters())
    peer.load_state_dict({name: value.detach() for name, value in own.items()})
    x, h0 = torch.randn(B, T, 3), torch.randn(B, 5)
    expected: Tensor = first(model).output(peer(x.transpose(0, 1), h0[None])[0].transpose(0, 1))
    told = model(x, torch.full((B,), T), h0)
    assert (told - expected).abs().max() < 1e-6  # in float32


def test_a_first_state_is_split_layer_by_layer_direction_by_direction() -> None:
    sizes = {"cell": ("lstm", "gru"), "hidden_size": (3, 2), "bidirectional": (True, False)}
    total = 2 * 2 * 3 + 2
    model = Regressor(settled(initial_state="given", **sizes), encoder(states=total))
    start = first(model).start
    assert start is not None and start.outer is None
    known = torch.arange(4.0 * total).view(4, total)
    lstm, gru = start(known)
    assert [s.shape for s in lstm] == [(2, 4, 3)] * 2 and [s.shape for s in gru] == [(1, 4, 2)]
    flat = [t[d] for layer in (lstm, gru) for t in layer for d in range(len(t))]
    assert torch.equal(torch.cat(flat, -1), known)


def test_a_first_state_of_another_width_is_scaled_and_mapped() -> None:
    made = encoder(states=2)
    model = Regressor(settled(cell=("gru",), initial_state="given"), made)
    start = first(model).start
    assert start is not None and start.outer is not None
    known = torch.randn(7, 2)
    scale = made.state
    scaled = (known - torch.tensor(scale.mean)) / torch.tensor(scale.deviation)
    expected = start.outer(scaled.float())
    assert torch.allclose(start(known)[0][0][0], expected, rtol=0, atol=1e-6)


# ---- Errors --------------------------------------------------------------------------------


def test_errors_are_in_the_units_of_the_data_and_count_every_step_alike() -> None:
    made = encoder()
    true = [item.y for item in drawn([4, 1, 7], made)]
    told = [item.y for item in drawn([4, 1, 7], made, seed=1)]
    found = errors(told, true, made.y)
    a, b = (np.concatenate([made.y.back(v) for v in part]) for part in (told, true))
    assert np.allclose(found.rmse, np.sqrt(((a - b) ** 2).mean(0)))
    assert np.allclose(found.mae, abs(a - b).mean(0))
    assert np.allclose(found.r2, 1 - ((a - b) ** 2).sum(0) / ((b - b.mean(0)) ** 2).sum(0))
    scores = found.scores("one_step_")
    assert scores["one_step_rmse"] == pytest.approx(float(np.sqrt(((a - b) ** 2).mean())))
    wider = Scale(made.y.mean, made.y.deviation * 1000)
    assert errors(told, true, wider).scores()["rmse"] == pytest.approx(
        1000 * found.scores()["rmse"]
    )
    still = [np.full_like(y, 2) for y in true]
    assert errors(still, still, made.y).r2.tolist() == [1, 1]
    assert errors(told, still, made.y).r2.tolist() == [0, 0]


# ---- Runs ----------------------------------------------------------------------------------


def steps(path: Path, sequences: int = 24, *, one_value: bool = False) -> Path:
    """A drifting value: `place` is where it began plus the sum of `push`; sizes are units apart."""
    draw = np.random.default_rng(5)
    rows = ["id,push,place,heat,initial_place,static_heat"]
    for k in range(sequences):
        start, heat = draw.normal(), draw.normal()
        place = start
        for push in draw.normal(size=3 + k % 4):
            place += push
            told = start if one_value else place
            rows.append(f"n{k},{push:.4f},{told:.4f},{1000 * heat:.4f},{start:.4f},{heat:.4f}")
    path.write_text("\n".join(rows) + "\n")
    return path


def trained(path: Path, **options: Any) -> Run:
    return elman.train("regress", path, run=path.with_name("run"), **(SMALL | options))


@pytest.mark.parametrize(
    ("target", "start", "told"),
    [
        ("place", "given", True), ("place", "zero", False),
        ("heat", "encoded", True), ("heat", "learned", False),
    ],
)  # fmt: skip
def test_what_only_the_start_knows_is_told_from_the_start_alone(
    tmp_path: Path, target: str, start: str, told: bool
) -> None:
    path = steps(tmp_path / "a.csv", 40, one_value=True)
    run = trained(
        path, target_columns=target, input_columns="push", every_step=True, initial_state=start,
        hidden_size=8, cell="gru", epochs=12, learning_rate=0.03, batch_size=8,
    )  # fmt: skip
    assert (run.scores["r2"] > 0.9) == told and (run.scores["r2"] < 0.3) == (not told)


def test_the_loss_of_a_validation_is_the_squared_error_of_scaled_values(tmp_path: Path) -> None:
    run = trained(steps(tmp_path / "a.csv"), target_columns="place")
    records = [r for r in run.folder.metrics() if r["split"] == "validation"]
    deviation = run.folder.preprocessing()["encoder"]["y"]["deviation"][0]
    for record in records:
        assert record["loss"] * deviation**2 == pytest.approx(record["scores"]["rmse"] ** 2)


@pytest.mark.parametrize("loss", ["mae", "huber"])
def test_training_makes_the_chosen_error_small(tmp_path: Path, loss: str) -> None:
    run = trained(
        steps(tmp_path / "a.csv", 60), target_columns="place", loss=loss, epochs=15,
        learning_rate=0.02, linear=False,
    )  # fmt: skip
    mean = run.folder.verdict().rivals["always the mean of the training part"]
    assert run.scores["rmse"] < 0.5 * mean["rmse"]


@pytest.mark.pictures
def test_with_feedback_both_errors_are_told_apart_and_in_the_report(tmp_path: Path) -> None:
    run = trained(steps(tmp_path / "a.csv"), feedback=True, initial_state="zero")
    assert list(run.scores) == [
        *("rmse", "mae", "r2"), *("one_step_rmse", "one_step_mae", "one_step_r2"),
    ]  # fmt: skip
    assert run.scores["rmse"] != run.scores["one_step_rmse"]
    report = (run.path / "report.md").read_text()
    assert "rmse, one step" in report and (run.path / "predictions.png").stat().st_size > 1000


def test_evaluating_on_what_was_trained_on_says_so(tmp_path: Path) -> None:
    path = steps(tmp_path / "a.csv")
    run = trained(path)
    found = run.evaluate(path)
    assert "were trained on" in found.warning and found.scores.keys() == run.scores.keys()


@pytest.mark.parametrize("options", [{}, {"feedback": True}])
def test_rows_come_back_with_what_is_told_and_need_no_targets(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    path = steps(tmp_path / "a.csv", 12)
    trained(path, target_columns=("place", "heat"), **options)
    whole = call("predict", tmp_path / "run", path)
    lines, came = whole.out.splitlines(), path.read_text().splitlines()
    assert whole.code == 0 and len(lines) == len(came)
    assert lines[0] == came[0] + ",predicted_place,predicted_heat"
    assert all(line.startswith(before + ",") for line, before in zip(lines, came, strict=True))
    # The same from a stream, and without the columns that are to be told.
    stream = call("predict", tmp_path / "run", "-", stdin=path.read_bytes())
    assert stream.out == whole.out
    bare, cells = tmp_path / "bare.csv", [row.split(",") for row in came]
    unknown = [cells[0], *([*row[:2], "?", "", *row[4:]] for row in cells[1:])]
    for table in ([[*row[:2], *row[4:]] for row in cells], unknown):
        bare.write_text("".join(",".join(row) + "\n" for row in table))
        told = call("predict", tmp_path / "run", bare)
        assert told.code == 0, told.err
        answers = [line.split(",")[-2:] for line in told.out.splitlines()]
        assert answers == [line.split(",")[-2:] for line in lines]


def test_what_is_told_does_not_depend_on_how_many_sequences_are_held_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = steps(tmp_path / "a.csv", 12)
    trained(path)
    whole = call("predict", tmp_path / "run", path).out.splitlines()[1:]
    monkeypatch.setattr("elman.tasks.regress.predict.STEPS", 1)
    alone = call("predict", tmp_path / "run", path).out.splitlines()[1:]
    gaps = [
        abs(float(a.split(",")[-1]) - float(b.split(",")[-1]))
        for a, b in zip(whole, alone, strict=True)
    ]
    assert max(gaps) < 2e-3  # the target goes in thousands, its six digits are shown


def test_a_stream_is_answered_as_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = steps(tmp_path / "a.csv", 30)
    run = trained(path)
    out, ahead = io.StringIO(), []

    class Slow(io.BytesIO):
        """Lines that come one by one; notes how many have been read and not been answered."""

        def read1(self, size: int | None = -1, /) -> bytes:
            ahead.append(self.getvalue()[: self.tell()].count(b"\n") - out.getvalue().count("\n"))
            return self.readline()

    monkeypatch.setattr("elman.tasks.regress.predict.AT_ONCE", 2)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Slow(path.read_bytes())))
    run.predict("-", out=out)
    assert out.getvalue().count("\n") == path.read_text().count("\n")
    assert max(ahead) <= 3 * 6 + 1  # two sequences held, and a third that has not ended


def test_sequences_in_lists_are_answered_in_lists(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    draw = np.random.default_rng(2)
    records = [
        {"name": f"n{k}", "x": draw.normal(size=T).tolist(), "y": draw.normal(size=T).tolist()}
        for k, T in enumerate([3, 1, 4, 1, 5, 9, 2, 6])
    ]
    path.write_text("\n".join(map(json.dumps, records)))
    trained(path)
    ended = call("predict", tmp_path / "run", path)
    told = [json.loads(line) for line in ended.out.splitlines()]
    assert [{k: v for k, v in t.items() if k != "predicted"} for t in told] == records
    assert [len(t["predicted"]) for t in told] == [3, 1, 4, 1, 5, 9, 2, 6]


@pytest.mark.pictures
def test_one_value_a_sequence_stands_in_each_of_its_rows(tmp_path: Path) -> None:
    path = steps(tmp_path / "a.csv", 12, one_value=True)
    run = trained(path, target_columns="place")
    rows = [row.split(",") for row in call("predict", run.path, path).out.splitlines()[1:]]
    for name in {row[0] for row in rows}:
        assert len({row[-1] for row in rows if row[0] == name}) == 1
    assert "predicted" in (run.path / "report.md").read_text()


def test_arrays_are_answered_with_a_row_for_each_step(tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    path = tmp_path / "a.npz"
    np.savez(path, x=draw.normal(size=(8, 3, 2)), y=draw.normal(size=(8, 3)))
    trained(path)
    lines = call("predict", tmp_path / "run", path).out.splitlines()
    assert lines[0] == "sequence,step,predicted" and len(lines) == 1 + 8 * 3
    assert lines[5].split(",")[-2] == "2"


def test_sequences_that_cannot_be_read_are_left_out_and_told(tmp_path: Path) -> None:
    path = steps(tmp_path / "a.csv", 12)
    trained(path)
    rows = path.read_text().splitlines()
    rows[1] = rows[1].replace("n0,", "n0,x")
    path.write_text("\n".join(rows) + "\n")
    refused = call("predict", tmp_path / "run", path)
    assert refused.code == 2 and "line 2" in refused.err and "not a number" in refused.err
    left = call("predict", tmp_path / "run", path, "--skip-bad-rows")
    assert left.code == 0 and "1 row left out" in left.err
    assert len(left.out.splitlines()) == len(rows) - 3  # all three steps of n0
    bare = tmp_path / "bare.csv"
    bare.write_text("id,pusch,initial_place\na,1,2\n")
    missing = call("predict", tmp_path / "run", bare)
    assert missing.code == 2 and 'did you mean "pusch"?' in missing.err


REFUSED = {
    "--initial-state given --state-columns": ["--initial-state", "given"],
    "--initial-state encoded": ["--initial-state", "encoded"],
    "--feedback-noise": ["--feedback-noise", "0.1"],
    "one direction": ["--feedback", "--bidirectional", "yes"],
    "did you mean": ["--input-columns", "pusch"],
    "--encoding": ["--encoding", "utf-99"],
}


@pytest.mark.parametrize("told", REFUSED)
def test_options_that_do_not_fit_are_refused_before_anything_is_written(
    tmp_path: Path, told: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,push,place\n" + "a,1,2\na,2,3\nb,3,4\nb,4,6\n")
    ended = call("train", "regress", path, "--run", tmp_path / "run", *REFUSED[told])
    assert ended.code == 2 and told.split(" --")[0] in ended.err and ended.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_run_that_is_damaged_is_refused_in_one_line(tmp_path: Path) -> None:
    path = steps(tmp_path / "a.csv", 6)
    run = trained(path)
    kept = run.folder.preprocessing()
    nowhere = {"mean": [float("nan")], "deviation": [1.0]}
    wrong: list[tuple[str, Any]] = [
        ("columns", None), ("columns", {"inputs": 3}), ("columns", {"input_columns": 3}),
        ("encoder", None), ("encoder", [1]), ("encoder", kept["encoder"] | {"y": nowhere}),
        ("encoder", kept["encoder"] | {"x": {"mean": [1, 2], "deviation": [1]}}),
        ("encoder", kept["encoder"] | {"x": {"mean": [1, 2, 3], "deviation": [1, 1, 1]}}),
    ]  # fmt: skip
    for name, value in wrong:
        (run.path / "preprocessing.json").write_text(json.dumps(kept | {name: value}))
        ended = call("predict", run.path, path)
        assert ended.code == 2 and ended.err.count("\n") == 1, (name, value, ended.err)


def test_one_long_record_is_cut_and_its_last_parts_are_for_validation(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    draw = np.random.default_rng(4)
    u = draw.normal(size=100)
    rows = [f"{k},{v:.4f},{y:.4f}" for k, (v, y) in enumerate(zip(u, u.cumsum(), strict=True))]
    path.write_text("\n".join(["t,u,y", *rows]) + "\n")
    whole = call("train", "regress", path, "--epochs", "1", "--run", tmp_path / "whole")
    assert whole.code == 0 and "one sequence: cut into parts of 10 steps" in whole.err
    task = elman.tasks.get("regress")
    dataset = task.read([str(path)], make(RegressOptions, {"cut": 15}), 0.3)
    assert [len(item.x) for item in dataset.train.items] == [15] * 5
    assert [len(item.x) for item in dataset.check.items] == [15, 10]
    assert dataset.check.items[0].x[0, 0] == round(u[75], 4)
    trained(path, cut=15)
    given = call("train", "regress", path, "--cut", "15", "--state-columns", "y")
    assert given.code == 2 and "--cut" in given.err


def test_feedback_needs_a_target_at_every_step(tmp_path: Path) -> None:
    path = steps(tmp_path / "a.csv", 4, one_value=True)
    ended = call("train", "regress", path, "--target-columns", "place", "--feedback")
    assert ended.code == 2 and "--feedback" in ended.err
