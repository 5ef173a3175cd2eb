"""Sequences with values: the same whatever file they stand in, and what is refused."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from elman.data.built_in.built_in import pendulum
from elman.data.tables.content import BadRows
from elman.data.trajectories import trajectories
from elman.data.trajectories.roles import Columns
from elman.data.trajectories.trajectories import Trajectories, Trajectory
from elman.errors import UserError

Values = NDArray[np.float64]
HEAD = "sequence,u,v,y_1,y_2,initial_a,static_m"


def drawn(lengths: list[int], seed: int = 0) -> list[dict[str, Values]]:
    """Sequences of 2 inputs, 2 targets, 1 state and 1 static value; all numbers differ."""
    draw = np.random.default_rng(seed)
    return [
        {
            "x": draw.normal(size=(T, 2)), "y": draw.normal(size=(T, 2)),
            "h0": draw.normal(size=1), "static": draw.normal(size=1),
        }
        for T in lengths
    ]  # fmt: skip


def write_steps(path: Path, parts: list[dict[str, Values]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writerow(HEAD.split(","))
        for k, part in enumerate(parts):
            for x, y in zip(part["x"], part["y"], strict=True):
                writer.writerow([f"s{k}", *x, *y, *part["h0"], *part["static"]])


def write_lines(path: Path, parts: list[dict[str, Values]]) -> None:
    lines = [json.dumps({name: v.tolist() for name, v in part.items()}) for part in parts]
    path.write_text("\n".join(lines) + "\n")


def read(path: Path, bad: BadRows | None = None, **columns: object) -> Trajectories:
    return trajectories.read([str(path)], Columns(**columns), bad or BadRows(False))  # type: ignore[arg-type]


def same(items: list[Trajectory], parts: list[dict[str, Values]]) -> bool:
    return len(items) == len(parts) and all(
        np.array_equal(item.x, part["x"])
        and np.array_equal(item.y, part["y"])
        and np.array_equal(item.state, part["h0"])
        and np.array_equal(item.static, part["static"])
        for item, part in zip(items, parts, strict=True)
    )


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 99))
def test_sequences_are_the_same_as_steps_in_a_table_and_as_lists(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], seed: int
) -> None:
    folder, parts = tmp_path_factory.mktemp("data"), drawn([*lengths, 3], seed)
    for name in ("a.csv", "a.tsv"):
        write_steps(folder / name, parts)
    write_lines(folder / "a.jsonl", parts)
    for name in ("a.csv", "a.tsv", "a.jsonl"):
        found = read(folder / name, every_step=True)
        assert same(found.items, parts)
        assert read(folder / name).columns.every_step


def test_arrays_hold_the_same_as_lists(tmp_path: Path) -> None:
    parts = drawn([4, 4, 4])
    whole = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    np.savez(tmp_path / "a.npz", **whole)  # type: ignore[arg-type]
    assert same(read(tmp_path / "a.npz").items, parts)


def test_columns_are_guessed_by_their_names_and_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_steps(path, drawn([3, 2]))
    found = read(path)
    assert found.columns.sequence == ("sequence",) and found.columns.inputs == ("u", "v")
    assert found.columns.targets == ("y_1", "y_2") and found.columns.states == ("initial_a",)
    assert found.columns.statics == ("static_m",)
    assert any("inputs u, v" in fact for fact in found.facts)
    # What begins as initial_NAME makes NAME the target; time and words are no inputs.
    path.write_text("id,t,force,speed,initial_speed,note\na,1,2,3,4,x\na,2,5,6,4,y\nb,1,7,8,9,z\n")
    found = read(path)
    assert found.columns.targets == ("speed",) and found.columns.inputs == ("force",)
    assert [item.name for item in found.items] == ["a", "b"]
    assert found.items[0].state.tolist() == [4] and found.items[1].y.tolist() == [[8]]


def test_columns_that_are_named_are_taken_and_no_others(tmp_path: Path) -> None:
    path, parts = tmp_path / "a.csv", drawn([3, 2])
    write_steps(path, parts)
    found = read(path, input_columns=("v",), target=("u",), state_columns=("y_2", "y_1"))
    assert [item.x.tolist() for item in found.items] == [p["x"][:, 1:].tolist() for p in parts]
    assert [item.y.tolist() for item in found.items] == [p["x"][:, :1].tolist() for p in parts]
    # A state is what stands in the first row of its sequence.
    states = [item.state.tolist() for item in found.items]
    assert states == [p["y"][0, ::-1].tolist() for p in parts]
    # It may be the first value of a target, which stays one.
    found = read(path, state_columns=("y_1",))
    assert found.columns.targets == ("y_1", "y_2") and found.columns.inputs[:2] == ("u", "v")


ONE_VALUE = {
    "constant.csv": "sequence,u,y\na,1,5\na,2,5\nb,3,6\n",
    "at the end.csv": "sequence,u,y\na,1,\na,2,5\nb,3,6\n",
    "numbers.jsonl": '{"x": [1, 2], "y": 5}\n{"x": [3], "y": 6}\n',
    "vectors.jsonl": '{"x": [1, 2], "y": [5]}\n{"x": [3], "y": [6]}\n',
}


@pytest.mark.parametrize("name", ONE_VALUE)
def test_one_value_a_sequence_is_told_from_one_at_every_step(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(ONE_VALUE[name])
    found = read(path)
    assert found.columns.every_step is False
    assert [item.y.tolist() for item in found.items] == [[5], [6]]
    assert [item.x.tolist() for item in found.items] == [[[1], [2]], [[3]]]


def test_arrays_of_one_vector_a_sequence(tmp_path: Path) -> None:
    x, y = np.arange(24.0).reshape(4, 3, 2), np.arange(20.0).reshape(4, 5)
    np.savez(tmp_path / "a.npz", x=x, y=y)
    found = read(tmp_path / "a.npz")
    assert not found.columns.every_step
    assert np.array_equal(np.stack([item.y for item in found.items]), y)
    assert trajectories.target_names(found.columns, 5)[4] == "y_5"


GOOD = f"{HEAD}\na,1,2,3,4,5,6\na,2,3,4,5,5,6\nb,3,4,5,6,7,8\n"
Wrong: TypeAlias = tuple[str, dict[str, Any], list[str]]  # a text, how it is read, what is told
BAD: dict[str, Wrong] = {
    "a word": (GOOD.replace("a,2,3", "a,two,3"), {}, ["line 3", '"u"', "'two'", "not a number"]),
    "infinite": (GOOD.replace("b,3", "b,inf"), {}, ["line 4", '"u"', "not a finite number"]),
    "too large": (GOOD.replace("b,3", "b,4e30"), {}, ["line 4", "up to 1e+30"]),
    "empty input": (GOOD.replace("a,2,3", "a,,3"), {}, ["line 3", '"u" holds no number']),
    "empty target": (GOOD.replace("3,4,5,5", "3,,5,5"), {}, ["line 3:", '"y_1" holds no number']),
    "too few cells": (GOOD.replace("b,3,4", "b,3"), {}, ["line 4", "6 cells"]),
    "not together": (GOOD + "a,1,2,3,4,5,6\n", {}, ["line 5", '"a" goes on', "stand together"]),
    "no such column": (GOOD, {"input_columns": ("u", "w_1")}, ['unknown column "w_1"', "y_1"]),
    "near match": (GOOD, {"sequence_column": ("sequense",)}, ['did you mean "sequence"?']),
    "input and target": (
        GOOD, {"input_columns": ("u", "y_1"), "target": ("y_1",)}, ['"y_1"', "--feedback"],
    ),
    "no numbers": ("sequence,word\na,x\na,y\n", {}, ["--target"]),
    "no rows": ("sequence,u,y\n", {}, ["holds no rows"]),
    "no target anywhere": (
        "sequence,u,y\na,1,\na,2,\nb,1,2\nb,2,2\n", {"every_step": False}, ["line 2", "no target"],
    ),
}  # fmt: skip
BAD_LINES: dict[str, Wrong] = {
    "words": ('{"x": ["a"], "y": [1]}', {}, ["line 1", '"x"', "list of numbers"]),
    "ragged": ('{"x": [[1], [1, 2]], "y": [1, 2]}', {}, ["line 1", "equally long"]),
    "nothing": ('{"x": [], "y": [1]}', {}, ["line 1", "0 steps"]),
    "lengths": (
        '{"a": [1, 2], "b": [1], "y": [1, 2]}', {"input_columns": ("a", "b")}, ['"a" 2, "b" 1'],
    ),
    "too few targets": ('{"x": [1, 2], "y": [[1]]}', {"every_step": True}, ["[1, 1] for 2 steps"]),
    "missing": ('{"x": [1], "y": [1]}\n{"y": [1]}', {}, ["line 2"]),
    "widths": ('{"x": [1], "y": [1]}\n{"x": [[1, 2]], "y": [1]}', {}, ["line 2", "2 inputs", "1"]),
}  # fmt: skip


@pytest.mark.parametrize("name", [*BAD, *BAD_LINES])
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, name: str) -> None:
    text, columns, told = BAD[name] if name in BAD else BAD_LINES[name]
    path = tmp_path / ("a.csv" if name in BAD else "a.jsonl")
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read(path, **columns)
    assert all(part in str(caught.value) for part in told), caught.value
    assert "\n" not in str(caught.value)


def test_arrays_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    wrong = {
        "unequal numbers": {"x": np.zeros((3, 2)), "y": np.zeros((2, 2))},
        "no numbers": {"x": np.array([["a"]]), "y": np.zeros(1)},
        "must be named": {"a": np.zeros((3, 2))},
        "not finite": {"x": np.full((2, 2), np.inf), "y": np.zeros((2, 2))},
        "holds objects": {"x": np.array([[1], None], dtype=object), "y": np.zeros(2)},
    }
    for told, arrays in wrong.items():
        np.savez(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
        with pytest.raises(UserError, match=told):
            read(tmp_path / "a.npz")


def test_a_bad_row_leaves_out_its_sequence_and_no_other(tmp_path: Path) -> None:
    path, parts = tmp_path / "a.csv", drawn([3, 2, 4, 2])
    write_steps(path, parts)
    lines = path.read_text().splitlines()
    lines[2] = lines[2].replace("s0,", "s0,x")  # no number
    lines[7] = "s2,1,2"  # cells missing: no one knows what it holds
    path.write_text("\n".join(lines) + "\n")
    bad = BadRows(skip=True)
    assert same(read(path, bad).items, [parts[1], parts[3]])
    assert bad.count == 3 and "line 3" in bad.first[0] and "3 cells" in bad.first[1]
    # Between two sequences it may be of either.
    lines[7], lines[9] = lines[6], "s2,1,2"
    path.write_text("\n".join(lines) + "\n")
    assert same(read(path, BadRows(skip=True)).items, [parts[1]])
    with pytest.raises(UserError, match=r"line 3.*--skip-bad-rows"):
        read(path)


@given(st.lists(st.integers(0, 5), min_size=2, max_size=30), st.floats(0.01, 0.9))
def test_whole_sequences_are_split_and_equal_ones_stay_together(
    kinds: list[int], share: float
) -> None:
    parts = drawn([2] * 6)
    items = [Trajectory("", "", p["x"], p["y"], p["h0"], p["static"]) for p in parts]
    chosen = [items[kind] for kind in kinds]
    kept, held = trajectories.split(chosen, share)
    assert sorted([*kept, *held]) == list(range(len(kinds))) and kept and held
    if len(set(kinds)) == 1:
        return
    assert not {kinds[k] for k in kept} & {kinds[k] for k in held}
    # The same ones, in whatever order they come.
    _, again = trajectories.split(chosen[::-1], share)
    assert {kinds[k] for k in held} == {kinds[::-1][k] for k in again}


@given(st.lists(st.integers(1, 20), min_size=1, max_size=4), st.integers(1, 9))
def test_parts_side_by_side_are_the_sequence(lengths: list[int], steps: int) -> None:
    none = np.zeros(0)
    items = [Trajectory("a", "b", p["x"], p["y"], none, none) for p in drawn(lengths)]
    parts = trajectories.cut(items, steps)
    assert max(len(part.x) for part in parts) <= steps
    for what in ("x", "y"):
        whole, again = (np.concatenate([getattr(i, what) for i in some]) for some in (items, parts))
        assert np.array_equal(whole, again)
    assert len(parts) == sum(-(-length // steps) for length in lengths)


def test_the_pendulum_moves_by_its_equation() -> None:
    data = pendulum()
    assert data == pendulum()
    rows = np.array([line.split(b",") for line in data.splitlines()[1:]], dtype=np.float64)
    assert rows.shape == (40_000, 6) and len(np.unique(rows[:, 0])) == 200
    whole = rows.reshape(200, 200, 6)
    assert (np.diff(whole[:, :, 4:], axis=1) == 0).all()
    angle = np.concatenate([whole[:, :1, 4], whole[:, :, 2]], 1)
    velocity = np.concatenate([whole[:, :1, 5], whole[:, :, 3]], 1)
    for at, rate in (
        (angle, velocity),
        (velocity[:, :-1], -9.81 * np.sin(angle) - 0.2 * velocity),
    ):
        # Over a step a value grows by the mean of its rates at both ends; the rest is noise, and
        # the torque, which the second rate lacks.
        rest = np.diff(at) / 0.05 - (rate[:, : at.shape[1] - 1] + rate[:, 1 : at.shape[1]]) / 2
        if at is not angle:
            rest = rest - whole[:, : rest.shape[1], 1]
        # Nor is there a part of it that goes with the velocity: the damping is as said.
        speed = (velocity[:, : rest.shape[1]] + velocity[:, 1 : rest.shape[1] + 1]) / 2
        assert abs((rest * speed).sum() / (speed**2).sum()) < 0.02
        assert abs(rest.mean()) < 0.02 and rest[:, 1:].std() < 1.1 * np.sqrt(2) * 0.03 / 0.05


def write_table(path: Path, head: str, rows: list[list[Any]]) -> None:
    path.write_text("\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n")


@pytest.mark.parametrize("seed", range(12))
def test_sequences_are_found_by_what_makes_times_come_once(tmp_path: Path, seed: int) -> None:
    """Whatever the columns are called, in whatever order the rows stand."""
    draw = np.random.default_rng(seed)
    names = [["unit_nr"], ["patient"], ["store", "item"], ["site", "line"]][seed % 4]
    time = ["time_cycles", "date", "t"][seed % 3]
    several = len(names) == 2
    keys = list(itertools.product(range(3), range(2))) if several else [(a,) for a in range(5)]
    rows: list[list[Any]] = []
    whole: dict[str, list[Any]] = {}
    for key in keys:
        T = int(draw.integers(4, 9))
        for k in range(T):
            when = f"2021-03-{k + 1:02}" if time == "date" else k + 1
            rows.append([*key, when, f"{draw.normal():.4f}", f"{draw.normal():.4f}"])
        whole[" / ".join(map(str, key))] = [row[-2:] for row in rows[-T:]]
    if seed % 2:
        draw.shuffle(rows)
    path = tmp_path / "a.csv"
    write_table(path, ",".join([*names, time, "s1", "RUL"]), rows)
    found = read(path)
    assert found.columns.sequence == tuple(names) and found.columns.time == time
    assert found.columns.inputs == ("s1",) and found.columns.targets == ("RUL",)
    assert {item.name for item in found.items} == whole.keys()
    for item in found.items:
        steps = [[f"{x[0]:.4f}", f"{y[0]:.4f}"] for x, y in zip(item.x, item.y, strict=True)]
        assert steps == whole[item.name]
    assert any("rows sorted" in fact for fact in found.facts) == bool(seed % 2)


def test_rows_that_have_no_order_are_told_with_both_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("sequence,t,u,y\na,2,1,1\na,1,2,2\na,2,3,3\n")
    with pytest.raises(UserError, match=r"line 4: .t. is 2, as in .*line 2"):
        read(path)
    assert read(path, time_column="none").items[0].x.tolist() == [[1], [2], [3]]
    path.write_text("t,u,y\n1,0.5,1\n2,0.25,2\n1,0.5,3\n2,0.125,4\n")
    with pytest.raises(UserError, match="--sequence-column"):
        read(path)


def test_the_number_of_the_row_and_empty_columns_are_passed_over_and_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [[k, f"{k}.5", k % 2 == 0, "", f"{k}.25"] for k in range(12)]
    write_table(path, ",u,valve,nothing,y", rows)
    found = read(path)
    assert found.columns.inputs == ("u", "valve") and found.columns.targets == ("y",)
    assert len(found) == 1 and found.items[0].x[:2].tolist() == [[0.5, 1], [1.5, 0]]
    told = " ".join(found.facts)
    assert "without a name, the row number" in told and '"nothing", empty' in told


def test_numbers_and_dates_are_read_as_the_whole_column_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "Datum;Durchfluss;y\n31.12.2020;1.234,5;1\n29.12.2020;2,25;2\n30.12.2020;3;3\n",
        encoding="utf-8",
    )
    found = read(path)
    assert found.items[0].x.tolist() == [[2.25], [3], [1234.5]]
    path.write_text("Datum;Durchfluss;y\n31.12.2020;1.5;1\n")
    with pytest.raises(
        UserError, match=r"line 2: .Durchfluss. is '1.5', not a number \(decimal comma"
    ):
        trajectories.read([str(path)], found.columns, BadRows(False), known=found.reading)


def test_steps_that_are_numbered_anew_tell_sequences_apart(tmp_path: Path) -> None:
    """As the turbofan data has it: without a header, parted by spaces."""
    path = tmp_path / "train_FD001.txt"
    rows = [f"{u} {k} {u * 0.5:.4f} {k * 1.5:.2f} 7  " for u in (1, 2, 3) for k in range(1, 6 + u)]
    path.write_text("\n".join(rows) + "\n")
    found = read(path)
    assert found.columns.sequence == ("1",) and found.columns.time == "2"
    assert [len(item.x) for item in found.items] == [6, 7, 8]
    assert found.columns.inputs == ("3", "4") and found.columns.targets == ("5",)


def test_times_that_are_not_understood_are_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "icu.csv"
    rows = [[f"{9000 + k // 4}", f"day {k % 4}, noon", "HR", f"{k}.5"] for k in range(24)]
    write_table(path, "RecordID,Time,Parameter,Value", [[r[0], f'"{r[1]}"', *r[2:]] for r in rows])
    with pytest.raises(UserError, match=r'"Time" holds no dates that are .*--time-column'):
        read(path)
    assert read(path, time_column="none").columns.sequence == ("RecordID",)


# ---- Missing inputs ------------------------------------------------------------------------


def test_few_missing_inputs_are_filled_with_the_value_before_and_told(tmp_path: Path) -> None:
    rows = [f"{s},{t},{t if t not in (0, 7, 8) else ''},{t}" for s in "ab" for t in range(40)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["id,t,u,y", *rows]) + "\n")
    columns = Columns(input_columns=("u",), target=("y",))
    found = trajectories.read([str(path)], columns, BadRows(skip=False))
    assert found.items[0].x[:10, 0].tolist() == [1, 1, 2, 3, 4, 5, 6, 6, 6, 9]
    assert any("6 missing inputs filled" in fact for fact in found.facts)
    # No step reads what comes after it: the same steps cut off give the same values.
    for wrong, told in (({3, 4, 5, 6}, "4 steps in a row"), ({3, 9, 15, 21, 27}, "5 of 40 steps")):
        lines = [f"a,{t},{'' if t in wrong else t},{t}" for t in range(40)]
        path.write_text("\n".join(["id,t,u,y", *lines]) + "\n")
        with pytest.raises(UserError, match=told) as caught:
            trajectories.read([str(path)], columns, BadRows(skip=False))
        assert "line 5" in str(caught.value)


def test_one_number_a_sequence_may_stand_in_an_array_without_a_second_axis(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(6, 4, 2))
    for y in (x.sum((1, 2)), np.arange(6)):
        np.savez(tmp_path / "a.npz", x=x, y=y)
        found = trajectories.read([str(tmp_path / "a.npz")], Columns(), BadRows(skip=False))
        assert not found.columns.every_step
        assert [item.y.tolist() for item in found.items] == [[v] for v in y.tolist()]
