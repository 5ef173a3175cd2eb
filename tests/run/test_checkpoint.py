"""A checkpoint is whole or not there, and gives back exactly what was put in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jobs import MakeJob, finish

import elman
from elman.errors import ElmanError, RunError, UserError
from elman.run import checkpoint

STATE = "checkpoint/state.safetensors"


@given(
    rows=st.integers(0, 5), columns=st.integers(1, 4), step=st.integers(0, 2**60),
    best=st.floats(allow_nan=False),
)  # fmt: skip
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_read_is_what_was_written(
    tmp_path: Path, rows: int, columns: int, step: int, best: float
) -> None:
    tensors = {
        "a": torch.randn(rows, columns),
        "b": torch.randn(columns, rows, dtype=torch.float64).T,  # not contiguous
        "c": torch.randint(9, (rows,)),
    }
    plain = {"step": step, "best": best, "name": "狗"}
    checkpoint.write(tmp_path / "file", tensors, plain)
    read, header = checkpoint.read(tmp_path / "file")
    assert header == plain
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[k], v) and read[k].dtype == v.dtype for k, v in tensors.items())
    assert [p.name for p in tmp_path.iterdir() if p.name != "text.txt"] == ["file"]


def test_a_state_may_share_its_memory(tmp_path: Path) -> None:
    both = torch.randn(2, 3, 4)
    carry = [(both[:1], both[1:]), (both[:1],)]
    checkpoint.write(tmp_path / "file", checkpoint.carry_tensors(carry), {})
    read = checkpoint.load_carry(checkpoint.read(tmp_path / "file")[0], "cpu")
    assert read is not None and [len(layer) for layer in read] == [2, 1]
    for layer, other in zip(carry, read, strict=True):
        assert all(map(torch.equal, layer, other))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_file_cut_short_is_damaged(make_job: MakeJob, tmp_path: Path, share: float) -> None:
    finish(make_job())
    for name in (STATE, "model.safetensors"):
        whole = (tmp_path / "run" / name).read_bytes()
        (tmp_path / "run" / name).write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(UserError, match="damaged"):
            elman.resume(tmp_path / "run") if name == STATE else elman.load(tmp_path / "run")
        (tmp_path / "run" / name).write_bytes(whole)


@pytest.mark.parametrize(
    "odd",
    [
        {"step": -1}, {"batch": -1}, {"batch": 0.5}, {"epoch": "two"}, {"best": None},
        {"unheard": 1}, {"metrics_bytes": -5}, {"seconds": -1.0}, {"reached": 3},
    ],
)  # fmt: skip
def test_a_position_that_cannot_be_is_refused(
    odd: dict[str, object], make_job: MakeJob, tmp_path: Path
) -> None:
    finish(make_job())
    path = tmp_path / "run" / STATE
    tensors, plain = checkpoint.read(path)
    checkpoint.write(path, tensors, plain | odd)
    with pytest.raises(ElmanError) as told:
        elman.resume(tmp_path / "run")
    assert "\n" not in str(told.value)


def test_a_state_of_other_shapes_is_refused(make_job: MakeJob, tmp_path: Path) -> None:
    finish(make_job(optimizer="adam"))
    path = tmp_path / "run" / STATE
    tensors, plain = checkpoint.read(path)
    for name, tensor in tensors.items():
        for changed in (tensor.new_zeros(3, 3, 3), None):
            others = {k: v for k, v in tensors.items() if k != name}
            kept = others if changed is None else others | {name: changed}
            if changed is None and name.startswith("optimizer."):
                continue
            checkpoint.write(path, kept, plain)
            with pytest.raises((RunError, UserError)) as told:
                elman.resume(tmp_path / "run")
            assert str(path) in str(told.value)


def test_a_header_that_is_no_object_is_damaged(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.ones(1)}, tmp_path / "file", metadata={"elman": json.dumps([1])})
    with pytest.raises(UserError, match="its header is not an object"):
        checkpoint.read(tmp_path / "file")


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        checkpoint.write(tmp_path / "absent/file", {"a": torch.ones(1)}, {})
