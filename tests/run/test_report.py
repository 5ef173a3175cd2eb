"""The verdict says what the curves say; the card is what model hubs read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from elman import tasks
from elman.run import prepare
from elman.run.report import standing, verdict, write_report

COUNTS = st.integers(4, 40)


def _records(curve: Sequence[float], train: Sequence[float] = ()) -> list[dict[str, Any]]:
    trained = [{"split": "train", "step": k, "loss": loss} for k, loss in enumerate(train)]
    return trained + [
        {"split": "validation", "step": 10 * k, "loss": loss} for k, loss in enumerate(curve)
    ]


@given(count=COUNTS, at=st.floats(0.1, 0.8))
@settings(deadline=None, max_examples=30)
def test_a_curve_that_falls_and_rises_again_is_overfitting(count: int, at: float) -> None:
    turn = int(at * (count - 1))
    curve = [2.0 + 0.05 * abs(k - turn) for k in range(count)]
    told = " ".join(verdict(_records(curve), {}))
    assert "It is overfitting" in told
    assert f"best at step {10 * turn:,} " in told
    assert "--dropout" in told and "still learning" not in told


@given(count=COUNTS)
@settings(deadline=None, max_examples=30)
def test_a_curve_that_still_falls_is_still_learning(count: int) -> None:
    told = " ".join(verdict(_records([3.0 * 0.97**k for k in range(count)]), {}))
    assert "It is still learning" in told and "--minutes or --epochs" in told
    assert "overfitting" not in told


@given(count=COUNTS, loss=st.floats(0.0, 9.0))
@settings(deadline=None, max_examples=30)
def test_a_flat_curve_has_levelled_off_and_training_tells_why(count: int, loss: float) -> None:
    flat = [loss] * count
    assert "levelled off" in " ".join(verdict(_records(flat), {}))
    near = verdict(_records(flat, [loss] * 9), {})
    assert "Training and validation are close" in near[-1]
    far = verdict(_records([loss + 1] * count, [loss / 2] * 9), {})
    assert "far below validation loss" in far[-1]


def test_a_curve_made_flat_by_its_schedule_is_not_called_levelled_off() -> None:
    records = _records([2.0] * 9)
    rates = [1e-3 * (1 - k / 9) for k in range(9)]
    rated = [r | {"learning_rate": rate} for r, rate in zip(records, [*rates[:-1], 0], strict=True)]
    told = " ".join(verdict(rated, {}))
    assert "learning rate has fallen" in told and "levelled off" not in told


def test_too_few_validations_say_nothing() -> None:
    assert verdict(_records([]), {}) == [
        "No validation to say whether it is still learning or overfitting."
    ]
    assert "Too few" in verdict(_records([3.0, 2.0]), {})[0]
    # A validation that failed counts for nothing.
    assert (
        "Too few" in verdict([*_records([3.0, 2.0]), {"split": "validation", "loss": None}], {})[0]
    )


def test_the_baseline_is_beaten_or_a_warning_is_given() -> None:
    def told(own: float) -> str:
        return verdict([], {"scores": {"nats": own}, "baseline": {"nats": 2.0}})[0]

    assert told(1.5) == "The network beats its baseline: nats 1.5000 against 2.0000."
    assert told(2.0).startswith("WARNING: the network is no better than its baseline")
    assert told(2.5).startswith("WARNING: the network loses to its baseline")


@given(own=st.floats(0.1, 9), other=st.floats(0.1, 9), chance=st.floats(0, 9))
def test_what_chance_could_give_is_no_gain(own: float, other: float, chance: float) -> None:
    told = standing({"nats": own}, {"nats": other}, "a guess", chance)
    doubted = own != other and abs(own - other) <= chance
    assert ("nothing is gained over the baseline, a guess" in told) == doubted
    assert told.startswith("The network beats") == (own < other and not doubted)
    assert standing({"nats": own}, {}, "none", chance) == ""


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
    for name, score in run.scores.items():
        assert f"| {name} | {score:.4f} | {run.baseline[name]:.4f} |" in page
    for sample in [r["sample"] for r in run.folder.metrics() if r["sample"]][::2]:
        assert "    " + sample in page
    for name in run.folder.options()["train"]:
        assert f"- `{name}` = " in page
    assert (run.path / "curves.png").read_bytes().startswith(b"\x89PNG\r\n")

    card = (run.path / "README.md").read_text(encoding="utf-8")
    front = re.fullmatch(r"---\n(.*?)\n---\n(.*)", card, re.DOTALL)
    assert front is not None
    lines = dict(line.split(": ", 1) for line in front[1].splitlines())
    assert lines == {
        "library_name": "elman",
        "tags": "[elman, recurrent-network, text]",
        "pipeline_tag": "text-generation",
    }
    assert f"nats {run.scores['nats']:.4f}" in front[2] and "text.txt" in front[2]


def test_a_report_can_be_written_again(text: Path, tmp_path: Path) -> None:
    run = elman.train("text", text, run=tmp_path / "run", epochs=1, hidden_size=3, sample=0)
    before = (run.path / "report.md").read_text(encoding="utf-8")
    page = tasks.get("text").examine(prepare.read_again(prepare.trained(run.path)))
    write_report(run.folder, page.lines(), [])
    assert (run.path / "report.md").read_text(encoding="utf-8") == before


def test_losses_that_do_not_compare_are_not_compared() -> None:
    told = verdict(_records([2.0] * 9, [0.1] * 9), {}, "they are apart")[-1]
    assert told == "Training and validation loss do not compare: they are apart."
    # That validation rises again is seen in its own curve.
    assert "It is overfitting" in verdict(_records([2, 1, 1.1, 1.2, 1.3]), {}, "they are apart")[0]


@pytest.mark.parametrize(
    ("task", "options", "apart"),
    [
        ("regress", {"feedback": True}, True),
        ("regress", {"feedback": False}, False),
        ("forecast", {"steps_ahead": "recursive"}, True),
        ("forecast", {"steps_ahead": "direct"}, False),
    ],
)
def test_a_network_that_reads_its_own_values_has_losses_apart(
    task: str, options: dict[str, Any], apart: bool, tmp_path: Path
) -> None:
    # So small steps leave the curve flat, which asks for a word on the training loss.
    run = elman.train(
        task, run=tmp_path / "run", epochs=5, hidden_size=2, learning_rate=1e-9, threads=1,
        **({"batch_size": 256} | options),
    )  # fmt: skip
    for told in (run.verdict, (run.path / "report.md").read_text(encoding="utf-8")):
        assert ("loss do not compare: in training the network reads true values" in told) == apart
        assert ("Training loss is far" in told or "Training and validation are" in told) != apart
