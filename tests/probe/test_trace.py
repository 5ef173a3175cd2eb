from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elman import cells
from elman.errors import UserError
from elman.probe import trace
from elman.probe.trace import Step

TUTORIAL = """
cell = "rnn"
layout = "state_times_weight"
inputs = [1, 2]
[state]
h = [0, 0]
[weights]
weight_hh = [[0.1, 0.2], [0.3, 0.4]]
weight_ih = [0.5, 0.6]
bias = [0.1, -0.1]
[output]
weight = [[0.1], [0.2]]
bias = 0.1
"""


def values(step: Step) -> dict[str, list[float]]:
    return {value.name: list(value.numbers) for value in step.values}


def written(folder: Path, text: str) -> Path:
    path = folder / "numbers.toml"
    path.write_text(text, encoding="utf-8")
    return path


def check_tutorial(steps: list[Step]) -> None:
    recurrent, inward = np.array([[0.1, 0.2], [0.3, 0.4]]), np.array([0.5, 0.6])
    h = np.zeros(2)
    for step, x in zip(steps, [1, 2], strict=True):
        a = h @ recurrent + x * inward + np.array([0.1, -0.1])
        h = np.tanh(a)
        y = h @ np.array([[0.1], [0.2]]) + 0.1
        for name, expected in (("x", [x]), ("a", a), ("h", h), ("y", y)):
            np.testing.assert_allclose(values(step)[name], expected, rtol=0, atol=1e-15)
    np.testing.assert_allclose(values(steps[0])["a"], [0.6, 0.5], rtol=0, atol=1e-15)
    np.testing.assert_allclose(values(steps[1])["a"], [1.29234, 1.39225], rtol=0, atol=1e-5)


def test_the_tutorial_is_built_in() -> None:
    check_tutorial(trace.trace("rnn"))


def test_the_tutorial_is_read_from_its_file(tmp_path: Path) -> None:
    check_tutorial(trace.run(trace.read(written(tmp_path, TUTORIAL))))


def test_the_layouts_say_the_same(tmp_path: Path) -> None:
    turned = (
        TUTORIAL.replace("state_times_weight", "weight_times_state")
        .replace("[[0.1, 0.2], [0.3, 0.4]]", "[[0.1, 0.3], [0.2, 0.4]]")
        .replace("[[0.1], [0.2]]", "[[0.1, 0.2]]")
    )
    check_tutorial(trace.run(trace.read(written(tmp_path, turned))))


@pytest.mark.parametrize("weight", ["[0.1, 0.2]", "[[0.1], [0.2]]"])
def test_a_flat_list_serves_for_one_output(tmp_path: Path, weight: str) -> None:
    text = TUTORIAL.replace("[[0.1], [0.2]]", weight)
    check_tutorial(trace.run(trace.read(written(tmp_path, text))))


def test_inputs_may_be_vectors_and_the_state_given(tmp_path: Path) -> None:
    text = """
    inputs = [[1, 2, 3]]
    state = { h = [0.5], c = [0.25] }
    [weights]
    weight_ih = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]
    weight_hh = [[1], [2], [3], [4]]
    bias_ih = [1, 1, 1, 1]
    bias_hh = [2, 2, 2, 2]
    """
    (step,) = trace.run(trace.read(written(tmp_path, text), "lstm"))
    a = np.array([1, 2, 3, 6]) + np.array([1, 2, 3, 4]) * 0.5 + 3
    i, f, o = 1 / (1 + np.exp(-a[[0, 1, 3]]))
    c = f * 0.25 + i * np.tanh(a[2])
    np.testing.assert_allclose(values(step)["h"], [o * np.tanh(c)], rtol=0, atol=1e-15)


@pytest.mark.parametrize("name", cells.names())
def test_every_cell_has_an_example_that_prints(name: str) -> None:
    steps = trace.trace(name)
    assert len(steps) == 2
    text = trace.render(steps)
    for line in cells.get(name).equations.splitlines():
        assert text.count(f"  {line} ") == 2
    assert max(map(len, text.splitlines())) <= 80
    first, _ = json.loads(json.dumps(trace.as_json(steps)))["steps"]
    assert first == {"step": 1} | values(steps[0])


def test_long_vectors_wrap_in_columns() -> None:
    hidden_size = 23
    weights = trace.Weights(
        torch.randn(3 * hidden_size, 1).double() * 1e-6, torch.zeros(69, 23).double()
    )
    lines = trace.render(trace.trace("gru", weights, torch.ones(1, 1).double())).splitlines()
    assert max(map(len, lines)) <= 80
    ends = {len(line.rstrip()) for line in lines[1:] if line.count(".") == lines[2].count(".")}
    assert len(ends) == 1
    assert sum(line.count(".") for line in lines) == 1 + 5 * hidden_size


def test_numbers_far_from_one_keep_their_digits() -> None:
    weights = trace.Weights(*(torch.zeros(1, 1).double() for _ in range(2)))
    for number, shown in ((1.25e-7, "1.250e-07"), (-2.5e30, "-2.500e+30"), (0.0, "0.000000")):
        text = trace.render(trace.trace("rnn", weights, torch.tensor([[number]]).double()))
        assert text.splitlines()[1].endswith(f" {shown}")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[1, 2]", "[]", "inputs must be a list, not empty"),
        ("[1, 2]", '[1, "two"]', "row 2 of inputs: 'two' is not a number"),
        ("[1, 2]", "[1, true]", "True is not a number"),
        ("[1, 2]", "[1, inf]", "row 2 of inputs: inf is not finite"),
        ("[1, 2]", "[1, nan]", "nan is not finite"),
        ("[1, 2]", "[1, 1" + 400 * "0" + "]", "is not finite"),
        ("[1, 2]", "[1, 1" + 9000 * "0" + "]", "a number is too long"),
        ("[1, 2]", "[[1, 2], [3]]", "inputs: row 2 has length 1, row 1 has length 2"),
        ("[1, 2]", 3000 * "[" + 3000 * "]", "nested too deeply"),
        ("[1, 2]", "[[1, 2], [3, 4]]", "weight_ih has shape 1 x 2; 2 x 2 fits"),
        ("inputs = [1, 2]", "", "inputs are missing"),
        ("inputs", "imputs", 'unknown key "imputs"; did you mean "inputs"'),
        ("weight_hh", "weigth_hh", 'key in .weights. "weigth_hh"; did you mean "weight_hh"'),
        ("weight_hh = [[0.1, 0.2], [0.3, 0.4]]", "", "weight_hh is missing"),
        ("weight_ih = [0.5, 0.6]", "", "weight_ih is missing"),
        ("[[0.1, 0.2], [0.3, 0.4]]", "[[0.1, 0.2]]", "weight_hh has shape 1 x 2"),
        ("[0.1, -0.1]", "[0.1]", "bias_ih has shape 1; 2 fits"),
        ("bias = [", "bias_ih = [1, 1]\nbias = [", "give bias alone"),
        ("h = [0, 0]", "h = [0, 0, 0]", "state h has shape 3; 2 fits"),
        ("h = [0, 0]", "c = [0, 0]", 'unknown key in .state. "c"'),
        ("[[0.1], [0.2]]", "[[0.1]]", "output weight has shape 1 x 1; 2 x 1 fits"),
        ("bias = 0.1", "bias = [1, 2]", "output bias has shape 2; 1 fits"),
        ("weight = [[0.1], [0.2]]", "", "weight is missing in .output."),
        ("state_times_weight", "state_times_weigh", 'did you mean "state_times_weight"'),
        ('"rnn"', '"rnm"', 'unknown cell "rnm"'),
        ('"rnn"', "3", "cell must be a name, got 3"),
        ('"rnn"', '"mingru"', "mingru has no recurrent weights"),
        ('cell = "rnn"', "", "cell is missing"),
        ("[weights]", "[weights", "not TOML"),
        ("inputs", "weights = 3\ninputs", "not TOML"),
        ("[state]\nh = [0, 0]", "[other]", 'unknown key "other"'),
    ],
)
def test_a_file_that_does_not_fit_is_told_in_one_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in TUTORIAL
    path = written(tmp_path, TUTORIAL.replace(old, new, 1))
    with pytest.raises(UserError, match=message) as told:
        trace.read(path)
    assert str(told.value).startswith(f"{path}: ")
    assert "\n" not in str(told.value)


def test_a_cell_other_than_the_file_s_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='for cell "rnn", not for "lstm"'):
        trace.read(written(tmp_path, TUTORIAL), "lstm")
    check_tutorial(trace.run(trace.read(written(tmp_path, TUTORIAL), "rnn")))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    large, latin = tmp_path / "large.toml", tmp_path / "latin.toml"
    large.write_bytes(b"#" * 1_000_001)
    latin.write_bytes(b'cell = "\xe9"')
    for path, message in (
        (tmp_path / "absent.toml", "No such file"),
        (tmp_path, "directory"),
        (Path("a\0b"), "null byte"),
        (large, "too large"),
        (latin, "not UTF-8 at byte 8"),
    ):
        with pytest.raises(UserError, match=message):
            trace.read(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_is_told_and_never_a_traceback(tmp_path: Path, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(TUTORIAL)))
    cut = data.draw(st.integers(0, 20))
    put = data.draw(st.text(max_size=10).filter(lambda t: t.isprintable()))
    path = written(tmp_path, TUTORIAL[:at] + put + TUTORIAL[at + cut :])
    try:
        trace.run(trace.read(path))
    except UserError as error:
        assert "\n" not in str(error)


def test_shapes_are_checked_without_a_file() -> None:
    with pytest.raises(UserError, match="inputs are missing"):
        trace.trace("rnn", trace.example("rnn").weights)
    with pytest.raises(UserError, match="weight_ih has shape 2 x 1; 2 x 3 fits"):
        trace.trace("rnn", inputs=torch.ones(4, 3).double())
    with pytest.raises(UserError, match="float64"):
        trace.trace("rnn", inputs=torch.ones(4, 1))
