"""Options whose values mean nothing, or that exclude one another."""

from __future__ import annotations

from pathlib import Path

import pytest
from refusals import GOOD, refused


@pytest.mark.parametrize(
    "flags",
    [
        "--hidden-size=0", "--hidden-size=-5", "--hidden-size=1000000000000", "--hidden-size=x",
        "--hidden-size=4,", "--hidden-size=,", "--hidden-size=4.5", "--hidden-size=", "--epochs=0",
        "--epochs=-1", "--epochs=1.5", "--epochs=many", "--epochs=99999999999", "--minutes=0",
        "--minutes=-1", "--minutes=nan", "--minutes=inf", "--minutes=soon", "--batch-size=0",
        "--batch-size=1000000", "--learning-rate=0", "--learning-rate=-1", "--learning-rate=nan",
        "--learning-rate=inf", "--dropout=1", "--dropout=-0.1", "--dropout=nan", "--zoneout=2",
        "--input-dropout=1.0", "--recurrent-dropout=1", "--weight-drop=-1", "--validation=1",
        "--validation=-0.1", "--validation=nan", "--validation=0.999", "--momentum=1", "--warmup=1",
        "--clip-norm=-1", "--clip-value=inf", "--l1=-1", "--l2=nan", "--patience=-1", "--seed=-1",
        "--seed=18446744073709551616", "--threads=0", "--threads=100000", "--sample=-1",
        "--save-every=-1", "--num-layers=0", "--num-layers=65", "--num-layers=x",
        "--sequence-length=0", "--sequence-length=100000", "--embedding=-1", "--embedding=100000",
        "--vocabulary=1", "--vocabulary=0", "--vocabulary=10000000", "--level=bytes --vocabulary=9",
        "--level=bpe --vocabulary=9", "--cell=lstm,gru --hidden-size=4,4,4",
        "--bidirectional=maybe",
        "--num-layers=2 --hidden-size=4,4,4", "--tie-weights --embedding=5 --hidden-size=4",
        "--tie-weights=perhaps",
        "--bidirectional=true --sequence-length=60000", "--device=gpu", "--device=cuda:99",
        "--device=cpu:x", "--device=", "--epochs=1 --minutes=1", "--epochs=" + "9" * 5000,
        "--epochs=0x" + "f" * 5000, "--cell=", "--cell=gur", "--cell=lstm,gur", "--level=wrods",
        "--optimizer=adamm", "--schedule=cosin", "--initial-state=zeros", "--hiden-size=4",
        "--mintes=3",
        "--force=perhaps", "-x", "--", "--epochs", "--run",
    ],
)  # fmt: skip
def test_options_of_train(tmp_path: Path, flags: str) -> None:
    data = tmp_path / "good.txt"
    data.write_text(GOOD)
    begin = ("train", "text", data, "--run", tmp_path / "run")
    limit = () if "--epochs" in flags or "--minutes" in flags else ("--epochs", "1")
    if flags == "--":
        refused(tmp_path, *begin, *limit, "--", "--absent")
    else:
        refused(tmp_path, *begin, *limit, *flags.split(" "))


@pytest.mark.parametrize(
    "flags",
    [
        "--length=-1", "--length=99999999999", "--length=x", "--temperature=-1",
        "--temperature=nan",
        "--temperature=hot", "--top-k=-1", "--top-k=1.5", "--top-p=0", "--top-p=1.1", "--top-p=nan",
        "--repetition-penalty=0", "--repetition-penalty=-1", "--repetition-penalty=inf",
        "--seed=-1",
        "--seed=36893488147419103232", "--tempreature=1", "--state=/absent", "--state=/",
        "--device=tpu", "--weights=int4", "--weights", "--weights=Float16",
        "--prompt", "another",
    ],
)  # fmt: skip
def test_options_of_generate(trained: Path, flags: str) -> None:
    refused(trained, "generate", trained / "run", flags)


@pytest.mark.parametrize(
    "flags",
    ["--epochs=0", "--minutes=-1", "--learning-rate=0", "--epochs=3 --minutes=1", "--epoch=3"],
)
def test_options_of_resume(trained: Path, flags: str) -> None:
    refused(trained, "resume", trained / "run", *flags.split(" "))
