"""Workers as processes of their own: killed, joined, on a journal and on databases, for real."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from databases import postgresql, programs

from elman.errors import UserError
from elman.tune import study, tune
from elman.tune.result import gathered

KILLS = int(os.environ.get("ELMAN_KILLS", "1"))  # ten in full
SMALL = ("--epochs", "2", "--batch-size", "4", "--sequence-length", "16", "--sample", "0",
         "--threads", "1", "--seeds", "1", "--minutes", "600", "--jobs", "1", "--pruner", "none",
         "--search", "hidden_size=4..48", "--save-every", "0")  # fmt: skip


# Without matplotlib, as the tests of this process: drawing takes most of the time of a short run.
ELMAN = "import sys; sys.modules['matplotlib'] = None; from elman.apps import cli; cli.main()"


def worker(text: Path, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", ELMAN, "tune", "text", str(text), *SMALL, *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def ended(folder: Path) -> dict[int, Any]:
    """The trials that have ended, and their values."""
    if not study.there(folder):
        return {}
    trials = study.read(folder).study.get_trials(deepcopy=False)
    return {t.number: t.value for t in trials if t.state.is_finished()}


def test_killed_workers_lose_no_trial_that_has_ended(text: Path) -> None:
    folder, trials = Path("study"), KILLS + 2
    kept: dict[int, Any] = {}
    for _ in range(KILLS):
        one = worker(text, "--run", str(folder), "--trials", str(trials))
        known = len(ended(folder))
        # In the middle of a trial after one more has ended.
        while one.poll() is None and len(ended(folder)) <= known:
            time.sleep(0.1)
        one.send_signal(signal.SIGKILL)
        one.wait()
        now = ended(folder)
        assert kept.items() <= now.items()
        kept = now
    assert worker(text, "--run", str(folder), "--trials", str(trials)).wait() == 0
    found = study.read(folder)
    assert kept.items() <= ended(folder).items()
    all_trials = found.study.get_trials(deepcopy=False)
    assert len(all_trials) == trials  # taken over, not begun anew
    assert all(t.state.is_finished() for t in all_trials)
    assert len(list((folder / "trials").iterdir())) == trials
    assert gathered(found).ended == gathered(found).wanted == 3


def join(text: Path, run: Path, url: str, **other: Any) -> Any:
    asked: dict[str, Any] = {
        "epochs": 1, "batch_size": 4, "sequence_length": 16, "threads": 1, "sample": 0, "jobs": 1,
        "search": "hidden_size=4..12", "seeds": 1, "minutes": 600, "run": run, "storage": url,
    }  # fmt: skip
    return tune("text", str(text), **asked | other)


def search_in_a_database(text: Path, url: str) -> None:
    """One machine begins, and another, which sees another folder, joins what it has done."""
    first = join(text, Path("one/study"), url, trials=2)
    assert first.trials == {"complete": 2} and first.ended == 2
    other = join(text, Path("two/study"), url, trials=2)
    assert other.trials == first.trials
    assert [row.by_seed for row in other.rows] == [row.by_seed for row in first.rows]
    assert not Path("two/study/trials").exists()  # nothing was done twice
    with pytest.raises(UserError, match=r"holds another search .seeds"):
        join(text, Path("three/study"), url, seeds=2)
    longer = join(text, Path("two/study"), url, trials=3, minutes=700)
    assert longer.trials == {"complete": 3}


def test_a_study_in_sqlite(text: Path) -> None:
    search_in_a_database(text, "sqlite:///studies.db")


@pytest.mark.skipif(programs() is None, reason="Debian's postgresql is not installed")
def test_a_study_in_postgresql(text: Path) -> None:
    with postgresql() as url:
        search_in_a_database(text, url)
        shutil.rmtree("two")
        secret = url.replace("elman@", "elman:secret@")
        with pytest.raises(UserError, match="holds another search"):
            join(text, Path("four/study"), secret, seeds=2)
        assert not any("secret" in p.read_text() for p in Path("four").rglob("*.json"))
    with pytest.raises(UserError, match="the study cannot be reached"):
        join(text, Path("five/study"), url)
    assert not Path("five").exists()  # nothing was written
