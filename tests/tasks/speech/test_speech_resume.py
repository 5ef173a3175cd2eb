"""A training that is killed at any instant and resumed ends as if it had been left alone."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tones
import torch
from calling import call
from jobs import final

import elman

# With these every part of the state matters: changed and masked clips, masks of dropout, batch
# norm's running statistics, mean and spread of the training part.
LEARNS: dict[str, Any] = tones.SMALL | {
    "hidden_size": 8, "convolutions": 6, "dropout": 0.2, "epochs": 6, "save_every": 0.0,
    "schedule": "cosine", "batch_size": 4,
}  # fmt: skip


@pytest.mark.parametrize("mode", ["transcribe", "classify"])
def test_a_killed_training_ends_as_one_left_alone(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Changed from the second epoch on: so both kinds of batches are there.
    monkeypatch.setattr("elman.tasks.speech.training.PLAIN", 5)
    how = LEARNS | {"augment": True}
    if mode == "transcribe":
        data = tones.folder(tmp_path / "data", tones.texts(24, np.random.default_rng(1)))
        how |= {"streaming": True}
    else:
        data = tones.classes(tmp_path / "data", 8)
        how |= {"normalise": "training"}
    alone = elman.train("speech", data, run=tmp_path / "alone", **how)

    killed = tmp_path / "killed"
    program = (
        "import sys; from elman.tasks.speech import training; training.PLAIN = 5; "
        "from elman.apps.cli import main; main()"
    )
    command = [sys.executable, "-c", program, "train", "speech", str(data), "--run", str(killed)]
    process = subprocess.Popen(
        [*command, *tones.flags(how)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    state = killed / "checkpoint/state.safetensors"
    until(lambda: state.exists(), process)
    time.sleep(random.uniform(0, 0.5))
    process.kill()
    assert process.wait() == -signal.SIGKILL  # it had not come to its end
    resumed = elman.resume(killed)

    a, b = final(alone.path), final(resumed.path)
    assert a.keys() == b.keys()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []
    assert resumed.scores == alone.scores
    clip = data / ("000.wav" if mode == "transcribe" else "a/000.wav")
    assert resumed.transcribe(clip) == alone.transcribe(clip)


def until(holds: Any, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert process.poll() is None, process.returncode
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_command_does_all_from_a_folder_to_a_text(tmp_path: Path) -> None:
    """Chinese, by characters: train, evaluate, predict."""
    letters = {"一": "a", "二": "b", "三": "c"}
    draw = np.random.default_rng(6)
    said = ["".join(draw.choice(list(letters), draw.integers(1, 4))) for _ in range(60)]
    latin = ["".join(letters[letter] for letter in text) for text in said]
    data = tones.folder(tmp_path / "data", latin)
    table = (data / "metadata.csv").read_text(encoding="utf-8")
    for letter, own in letters.items():
        head, _, rows = table.partition("\n")
        rows = "\n".join(
            name + "," + text.replace(own, letter)
            for name, _, text in (row.partition(",") for row in rows.split())
        )
        table = f"{head}\n{rows}"
    (data / "metadata.csv").write_text(table, encoding="utf-8")
    run = tmp_path / "run"
    how = tones.SMALL | {"epochs": 12, "normalise": "training"}
    ended = call("train", "speech", data, "--run", run, "--json", *tones.flags(how))
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)["scores"]
    assert next(iter(told)) == "cer"
    assert told["cer"] < 0.1
    found = call("evaluate", run, data)
    assert found.code == 0, found.err
    assert found.out.splitlines()[1].split()[:2] == ["cer", "0.0000"]
    heard = call("predict", run, data / "000.wav", data / "001.wav")
    assert [row.split(",")[1] for row in heard.out.splitlines()[1:]] == said[:2]
