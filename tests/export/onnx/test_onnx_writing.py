"""An export as files: what is refused, what a model says of itself, and that it can be told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from elman.errors import RunError, UserError
from elman.export.onnx import answers, open_written, write
from elman.export.onnx.model import IR_VERSION, OPSET, model_of
from elman.export.program import Add, Export, How, Linear, Program, State, Value


def linear(outputs: int, inputs: int) -> Program:
    """y = W x, and the sum of all x as a state."""
    row = Value("float32", ("B", inputs))
    values = {"x": row, "before": row, "after": row, "y": Value("float32", ("B", outputs))}
    weight = np.broadcast_to(np.float32(0.5), (outputs, inputs))  # takes no memory
    nodes = (Linear("y", "x", "W"), Add("after", "before", "x"))
    state = State("sum", "before", "after", np.array([0.25] * inputs))
    return Program(("x",), ("y",), nodes, values, {"W": weight}, (state,))


def without_state(program: Program) -> Program:
    return replace(program, nodes=program.nodes[:1], states=())


def test_more_than_a_file_can_hold_is_refused_before_anything_is_made() -> None:
    huge = without_state(linear(30_000, 30_000))
    with pytest.raises(UserError, match=r"3.4 GiB.*2 at most; give --precision int8"):
        model_of(huge, "model", "float32", {})
    larger = without_state(linear(60_000, 60_000))
    with pytest.raises(UserError, match="train a smaller model"):
        model_of(larger, "model", "int8", {})


def test_what_onnx_runtime_cannot_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--precision bf16.*float32, int8.*--to c"):
        write(Export("none", {"model": linear(2, 3)}, {}), tmp_path, How("bf16"))
    assert not list(tmp_path.iterdir())


def test_a_model_says_what_it_is_and_where_its_states_begin(tmp_path: Path) -> None:
    programs = {"model": linear(2, 3), "other": without_state(linear(4, 3))}
    known = {"classes": ["好", "bad"], "gain": 0.1}
    written = write(Export("none", programs, known), tmp_path, How(name="mine"))
    assert written.files == ("mine.onnx", "mine_other.onnx")  # the task has no runner
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(written.files)
    model = onnx.load(tmp_path / "mine.onnx")
    assert (model.opset_import[0].version, model.ir_version) == (OPSET, IR_VERSION)
    record = json.loads({p.key: p.value for p in model.metadata_props}["elman"])
    assert record["surroundings"] == known and record["program"] == "model"
    opened = open_written(tmp_path)
    assert opened.keys() == programs.keys() and "surroundings" not in opened["other"].record
    outputs, after = opened["model"].run({"x": np.ones((2, 3), np.float32)})
    np.testing.assert_array_equal(outputs["y"], np.full((2, 2), 1.5))
    np.testing.assert_array_equal(after["sum"], np.full((2, 3), 1.25))


def test_batch_and_time_are_free_and_named(tmp_path: Path) -> None:
    write(Export("none", {"model": linear(2, 3)}, {}), tmp_path, How())
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    assert [given.shape for given in session.get_inputs()] == [["B", 3], ["B", 3]]


def test_a_file_that_fails_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("print(1)\nraise ValueError('no such thing')")
    with pytest.raises(RunError, match=r"model.py: ValueError: no such thing$"):
        answers(tmp_path, [1])
