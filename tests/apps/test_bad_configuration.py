"""Files of options, and of traces, that are damaged or say what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import GOOD, draws, refused


@pytest.mark.parametrize(
    "text",
    [
        "epochs = 0", "epochs = 'two'", "epochs = true", "epochs = [1]", "epochs = {a = 1}",
        "epoch = 2", "epochs = 1\nminutes = 1.0", "hidden_size = []", "hidden_size = ['x']",
        "hidden_size = [[4]]", "hidden_size = 4.5", "level = 3", "level = 'wrods'", "cell = 3",
        "dropout = 'much'", "dropout = nan", "minutes = inf", "lowercase = 'perhaps'",
        "lowercase = 1", "data = 3", "data = [3]", "data = 'absent.txt'", "data = ''",
        "task = 'music'",
        "task = 3", "train = 3", "text = 3", "[train]\nepoch = 3", "[text]\nhiden_size = 3",
        "[music]\nx = 1", "epochs = 1e999", "epochs =", "epochs", "= 1",
        "epochs = 1\nepochs = 2", "[train", "\ufeffepochs = 1", "seed = 0x" + "f" * 5000,
        "dropout = 0x" + "f" * 5000, "seed = " + "9" * 5000, "x = " + "[" * 20_000,
        "seed = 1979-05-27",
        "run = 3", "run = \"a\\u0000b\"",
    ],
)  # fmt: skip
def test_configuration_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "good.txt").write_text(GOOD)
    (tmp_path / "x.toml").write_text(text, encoding="utf-8")
    data = () if "data" in text else (tmp_path / "good.txt",)
    limit = () if "epochs" in text or "minutes" in text else ("--epochs", "1")
    run = () if "run" in text else ("--run", tmp_path / "run")
    refused(tmp_path, "train", "text", *data, *limit, *run, "--config", tmp_path / "x.toml")


@given(st.binary(min_size=1))
@draws
def test_configuration_files_of_any_bytes(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("config")
    (folder / "x.toml").write_bytes(b"\xff" + content)
    assert "x.toml" in refused(folder, "train", "text", "--config", folder / "x.toml")
    refused(folder, "train", "text", "--config", folder)


@pytest.mark.parametrize(
    "text",
    [
        "", "cell = 'rnn'", "cell = 'gur'\ninputs = [1]", "cell = 3", "inputs = 3",
        "inputs = []", "inputs = [nan]", "weights = 3", "[weights]\nweight = 1", "[weights",
        "cell = 'rnn'\ninputs = [1]\n[weights]\nweight_ih = [1]",
        "cell = 'rnn'\ninputs = [1]\n[weights]\nweight_ih = [[1], [2]]\nweight_hh = [[1]]",
        "cell = 'rnn'\ninputs = [1]\n[weights]\nweight_ih = ['x']\nweight_hh = [[1]]",
        "cell = 'rnn'\nlayout = 'left'", "x = " + "[" * 20_000, "x = " + "9" * 5000, "\0",
    ],
)  # fmt: skip
def test_trace_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.toml").write_text(text)
    assert "x.toml" in refused(tmp_path, "trace", "rnn", "--file", tmp_path / "x.toml")
    refused(tmp_path, "trace", "--file", tmp_path / "x.toml", "--json")
