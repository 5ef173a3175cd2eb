"""The verdict says what the curves say; the card is what model hubs read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard, ModelCardData
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from elman import tasks
from elman.run import prepare
from elman.run.report import course, write_report
from elman.run.verdict import Verdict
from elman.wording import readable

COUNTS = st.integers(4, 40)
TABLES = {
    "task": "tag", "tag": {"hidden_size": [8, 4], "dropout": 0.1}, "train": {"minutes": 3.0}
}  # fmt: skip


def said(
    records: Sequence[dict[str, Any]], apart: str = "", tables: dict[str, Any] = TABLES
) -> list[str]:
    return course(Path("a run"), records, Verdict({}, {}), tables, apart)


def _records(curve: Sequence[float], train: Sequence[float] = ()) -> list[dict[str, Any]]:
    trained = [{"split": "train", "step": k, "loss": loss} for k, loss in enumerate(train)]
    return trained + [
        {"split": "validation", "step": 10 * k, "loss": loss} for k, loss in enumerate(curve)
    ]


@given(count=COUNTS, at=st.floats(0.1, 0.8))
@settings(max_examples=30)
def test_a_curve_that_falls_and_rises_again_is_overfitting(count: int, at: float) -> None:
    turn = int(at * (count - 1))
    curve = [2.0 + 0.05 * abs(k - turn) for k in range(count)]
    told = " ".join(said(_records(curve)))
    assert "It is overfitting" in told
    assert f"best at step {10 * turn:,} " in told
    assert (
        "`elman train tag --config 'a run/options.toml' --dropout 0.3`" in told
        and "still learning" not in told
    )


@given(count=COUNTS)
@settings(max_examples=30)
def test_a_curve_that_still_falls_is_still_learning(count: int) -> None:
    told = " ".join(said(_records([3.0 * 0.97**k for k in range(count)])))
    assert "It is still learning" in told and "`elman resume 'a run' --minutes 6`" in told
    assert "overfitting" not in told


@given(count=COUNTS, loss=st.floats(0.0, 9.0))
@settings(max_examples=30)
def test_a_flat_curve_has_levelled_off_and_training_tells_why(count: int, loss: float) -> None:
    flat = [loss] * count
    assert "levelled off" in " ".join(said(_records(flat)))
    near = said(_records(flat, [loss] * 9))
    assert "Training and validation are close" in near[-1] and "--hidden-size 16,8`" in near[-1]
    far = said(_records([loss + 1] * count, [loss / 2] * 9))
    assert "far below validation loss" in far[-1]


def test_a_curve_made_flat_by_its_schedule_is_not_called_levelled_off() -> None:
    records = _records([2.0] * 9)
    rates = [1e-3 * (1 - k / 9) for k in range(9)]
    rated = [r | {"learning_rate": rate} for r, rate in zip(records, [*rates[:-1], 0], strict=True)]
    told = " ".join(said(rated))
    assert "learning rate has fallen" in told and "levelled off" not in told


def test_too_few_validations_say_nothing() -> None:
    assert said(_records([])) == [
        "No validation to say whether it is still learning or overfitting."
    ]
    assert "Too few" in said(_records([3.0, 2.0]))[0]
    # A validation that failed counts for nothing.
    assert "Too few" in said([*_records([3.0, 2.0]), {"split": "validation", "loss": None}])[0]


def test_advice_never_asks_for_what_is_there_already() -> None:
    """Where much is dropped already, units are taken away; of a run in epochs, epochs are told."""
    rising = _records([2, 1, 1.1, 1.2, 1.3])
    dropped = TABLES | {"tag": {"hidden_size": [8, 1], "dropout": 0.6}}
    assert "--hidden-size 4,1`" in said(rising, tables=dropped)[0]
    falling = _records([3.0 * 0.9**k for k in range(8)])
    counted = TABLES | {"train": {"epochs": 7, "minutes": 3.0}}
    assert "`elman resume 'a run' --epochs 14`" in said(falling, tables=counted)[0]


def test_where_all_is_right_there_is_nothing_to_try() -> None:
    rising = _records([2, 1, 1.1, 1.2, 1.3])
    perfect = Verdict({"accuracy": 1.0, "nats": 0.1}, {})
    assert course(Path("run"), rising, perfect, TABLES) == [
        "Every answer was right: only other data can tell more."
    ]


@pytest.mark.pictures
def test_report_curves_and_card_of_a_run(text: Path, tmp_path: Path) -> None:
    run = elman.train(
        "text", text, run=tmp_path / "run", epochs=3, hidden_size=3, batch_size=8,
        sequence_length=16, sample=40,
    )  # fmt: skip
    page = (run.path / "report.md").read_text(encoding="utf-8")
    for part in (
        "# Report",
        run.verdict.split(". ")[0],
        "Kneser-Ney",
        "curves.png",
        "Memorisation",
    ):
        assert part in page
    compared = run.folder.verdict()
    for name, scores in {"**this network**": run.scores, **compared.rivals}.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| {name} |"))
        assert row.split(" | ")[1] == readable(scores["nats"])
    for sample in [r["sample"] for r in run.folder.metrics() if r["sample"]][::2]:
        assert "    " + sample in page
    for name in run.folder.options()["train"]:
        assert f"- `{name}` = " in page
    assert (run.path / "curves.png").read_bytes().startswith(b"\x89PNG\r\n")

    card = ModelCard((run.path / "README.md").read_text(encoding="utf-8"))
    assert isinstance(card.data, ModelCardData)
    assert (card.data.library_name, card.data.pipeline_tag) == ("elman", "text-generation")
    results = {result.metric_name: result for result in card.data.eval_results or ()}
    assert {name: result.metric_value for name, result in results.items()} == run.scores
    first = results[compared.first]
    assert first.metric_args is not None
    assert first.metric_args["baseline"] == compared.name
    assert first.metric_args["baseline_value"] == compared.baseline[compared.first]
    assert compared.told in card.text and "- text.txt; licence: not told" in card.text


def test_a_report_can_be_written_again(text: Path, tmp_path: Path) -> None:
    run = elman.train("text", text, run=tmp_path / "run", epochs=1, hidden_size=3, sample=0)
    before = (run.path / "report.md").read_text(encoding="utf-8")
    task, trained = tasks.get("text"), prepare.trained(run.path)
    data = prepare.read_again(trained)
    remarks = task.remarks(run.model, data, trained.options, "cpu", "", run.path)
    write_report(run.folder, task.examine(data).lines(), remarks)
    assert (run.path / "report.md").read_text(encoding="utf-8") == before


ALONE = "in training each network answers alone, in validation all together"


def test_losses_that_do_not_compare_are_not_compared() -> None:
    told = said(_records([2.0] * 9, [0.1] * 9), "they are apart")[-1]
    assert told == "Training and validation loss do not compare: they are apart."
    # That validation rises again is seen in its own curve.
    assert "It is overfitting" in said(_records([2, 1, 1.1, 1.2, 1.3]), "they are apart")[0]


@pytest.mark.parametrize(
    ("task", "options", "apart"),
    [
        ("regress", {"feedback": True}, "in training the network reads true values"),
        ("regress", {"feedback": False}, ""),
        ("regress", {"members": 2}, ALONE),
        ("forecast", {"steps_ahead": "recursive", "share": 1.0}, "the network reads true values"),
        ("forecast", {"steps_ahead": "direct", "share": 1.0, "members": 1}, ""),
        ("forecast", {"steps_ahead": "direct", "share": 1.0, "members": 2}, ALONE),
        ("classify", {"members": 2, "folds": 0, "kernels": 0}, ALONE),
        ("tag", {"members": 2}, ALONE),
        ("tag", {}, ""),
    ],
)
def test_losses_of_what_answers_otherwise_than_it_learns_are_apart(
    task: str, options: dict[str, Any], apart: str, tmp_path: Path
) -> None:
    # So small steps leave the curve flat, which asks for a word on the training loss.
    run = elman.train(
        task, run=tmp_path / "run", epochs=5, hidden_size=2, learning_rate=1e-9, threads=1,
        **({"batch_size": 256} | options),
    )  # fmt: skip
    for told in (run.verdict, (run.path / "report.md").read_text(encoding="utf-8")):
        assert ("loss do not compare: " in told) == bool(apart) and apart in told
        compared = "Training loss is far" in told or "Training and validation are" in told
        assert compared != bool(apart)


def test_a_network_that_is_worse_than_a_guess_has_hardly_begun_or_needs_smaller_steps(
    tmp_path: Path,
) -> None:
    run = elman.train("music", run=tmp_path / "run", epochs=1, hidden_size=2, threads=1,
                      learning_rate=1e-9, batch_size=300, sample=0)  # fmt: skip
    assert run.folder.verdict().diverged
    log = run.path / "metrics.jsonl"
    records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    for batches in (1, 49, 50, 3000):
        moved = [json.dumps(record | {"step": batches}) + "\n" for record in records]
        log.write_text("".join(moved), encoding="utf-8")
        assert ("give it longer" in run.verdict) == (batches < 50)
        assert ("--learning-rate" in run.verdict) == (batches >= 50)
