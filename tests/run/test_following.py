"""A log that is followed tells what it tells who reads it whole, however it came to be written."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from elman.run.folder import RunFolder
from elman.run.following import Follower


def line(step: int, sample: str = "") -> str:
    record = {
        "split": "train", "step": step, "epoch": 0, "loss": 1.5, "learning_rate": 0.1,
        "gradient_norm": 1.0, "sample": sample,
    }  # fmt: skip
    return json.dumps(record, ensure_ascii=False) + "\n"


@given(
    st.lists(st.text(st.characters(codec="utf-8"), max_size=8), max_size=12),
    st.lists(st.integers(0, 400), max_size=12),
)
def test_it_gives_each_record_once(samples: list[str], cuts: list[int]) -> None:
    lines = "".join(line(k, one) for k, one in enumerate(samples))
    whole = (lines + "no record\n" + lines[: len(lines) // 3].split("\n")[0]).encode()
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        log, follower, seen = run.path / "metrics.jsonl", Follower(run), []
        assert follower.new() == ([], False)
        for cut in [*sorted(cuts), len(whole)]:
            log.write_bytes(whole[:cut])
            found, anew = follower.new()
            seen += found
            assert not anew
        assert seen == [json.loads(line(k, one)) for k, one in enumerate(samples)]


@given(st.integers(1, 9), st.integers(0, 9), st.integers(0, 9))
def test_a_log_that_was_cut_to_a_checkpoint_is_read_anew(kept: int, lost: int, more: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        log, follower = run.path / "metrics.jsonl", Follower(run)
        log.write_text("".join(map(line, range(1, kept + lost + 1))))
        follower.new()
        log.write_text("".join(map(line, range(1, kept + 1))))
        with log.open("a") as file:
            file.writelines(line(step, "again") for step in range(kept + 1, kept + more + 1))
        found, anew = follower.new()
        assert anew == (lost > 0)
        assert found == run.metrics()[0 if anew else kept :]
