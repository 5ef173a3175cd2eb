"""No export passes that is not its network, wherever it differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from elman.export import certificate
from elman.export.building import Builder
from elman.export.interpreter import Interpreter
from elman.export.program import Arrays, Export, Program, Runner
from elman.layers.recurrent import Recurrent

Change = Callable[[dict[str, Any], dict[str, Any], Arrays, "Changed"], None]


def streaming() -> Program:
    torch.manual_seed(1)
    stack = Recurrent(3, [4, 5], cell=["lstm", "gru"])
    build = Builder(stack)
    y, _ = build.stack(stack, build.numbers("x", "B", "T", 3), carried=True)
    return build.done(build.named(y, "y"))


def padded() -> Program:
    torch.manual_seed(2)
    stack, output = Recurrent(4, 5, cell="rnn", bidirectional=True), nn.Linear(10, 2)
    build = Builder(nn.ModuleList([stack, output]))
    ids, lengths = build.ids("ids", ("B", "T"), 4), build.lengths()
    y, _ = build.stack(stack, build.one_hot(ids, 4), lengths)
    return build.done(build.linear(y, output, "y"), build.pool(y, "max", lengths))


@dataclass
class Changed:
    """A runner of a program that does something wrong."""

    program: Program
    change: Change
    kept: dict[str, Any] = field(default_factory=dict)

    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        given = dict(states) if states else None
        outputs, after = Interpreter(self.program, np.float32).run(inputs, given)
        self.change(outputs, after, inputs, self)
        return outputs, after


def passes(program: Program, runner: Runner, cases: int = certificate.CASES) -> bool:
    network = {"model": Interpreter(program, np.float32)}
    export = Export("text", {"model": program}, {}, network)
    compared = certificate.compare(export, {"model": runner}, seed=3, cases=cases)
    return certificate.passes(compared, None, "float32")


def nothing(outputs: Any, after: Any, inputs: Any, own: Changed) -> None:
    """All is right."""


def last_row(outputs: Any, after: Any, inputs: Any, own: Changed) -> None:
    if len(inputs["x"]) > 3:
        outputs["y"][-1, 0, 0] += 1e-3


def late(outputs: Any, after: Any, inputs: Any, own: Changed) -> None:
    if inputs["x"].shape[1] > 20:
        outputs["y"][0, 20] += 1e-3


def no_number(outputs: Any, after: Any, inputs: Any, own: Changed) -> None:
    outputs["y"][0, -1, 0] = np.nan


def one_state(outputs: Any, after: Any, inputs: Any, own: Changed) -> None:
    after["c_l0"] = np.round(after["c_l0"], 2)


def leaking(outputs: Any, after: Any, inputs: Any, own: Changed) -> None:
    """A state that stays from another stream."""
    before = own.kept.get("h")
    own.kept["h"] = after["h_l1"]
    if before is not None and before.shape == after["h_l1"].shape:
        after["h_l1"] = before


@pytest.mark.parametrize("change", [last_row, late, no_number, one_state, leaking])
def test_whatever_is_wrong_with_a_stream_is_seen(change: Change) -> None:
    program = streaming()
    assert passes(program, Changed(program, nothing))
    assert not passes(program, Changed(program, change))


def test_states_are_compared_where_no_call_follows_too() -> None:
    program = streaming()
    assert passes(program, Changed(program, nothing), cases=1)
    assert not passes(program, Changed(program, one_state), cases=1)


def test_first_states_that_are_forgotten_are_seen() -> None:
    @dataclass
    class Forgetful(Changed):
        def run(self, inputs: Arrays, states: Arrays | None = None) -> Any:
            return super().run(inputs, None)

    program = streaming()
    assert not passes(program, Forgetful(program, nothing))


def test_what_stands_in_padding_is_nobodys_business_but_what_padding_changes_is() -> None:
    def in_padding(outputs: Any, after: Any, inputs: Any, own: Changed) -> None:
        steps = np.arange(inputs["ids"].shape[1])
        outputs["y"][steps >= inputs["lengths"][:, None]] = np.nan

    @dataclass
    class Unaware(Changed):
        def run(self, inputs: Arrays, states: Arrays | None = None) -> Any:
            full = np.full(len(inputs["ids"]), inputs["ids"].shape[1])
            return super().run({**inputs, "lengths": full}, states)

    program = padded()
    assert passes(program, Changed(program, in_padding))
    assert not passes(program, Unaware(program, nothing))


def test_the_same_seed_draws_the_same_and_another_one_something_else() -> None:
    def drawn(seed: int) -> list[Any]:
        cases = certificate.drawn(streaming(), seed, 6)
        return [(case.rows, case.steps, case.parts, case.inputs["x"].tolist()) for case in cases]

    assert drawn(1) == drawn(1) != drawn(2)
    assert drawn(1)[0][:2] == (1, 1)  # the smallest there is
    assert any(len(parts) > 1 for _, _, parts, _ in drawn(1))


def test_answers_are_alike_where_only_rounding_differs() -> None:
    ours = [{"predicted": "a", "probability": 0.5}, ["x", 1.0], "text"]
    asked = certificate.asked
    found = asked(ours, ours, [{"predicted": "a", "probability": 0.50001}, *ours[1:]], "float32")
    assert (found.asked, found.alike, found.first) == (3, 3, None)
    for k, other in enumerate(
        [{"predicted": "b", "probability": 0.5}, ["x", float("nan")], "texts"]
    ):
        theirs = [other if n == k else one for n, one in enumerate(ours)]
        found = asked(["q1", "q2", "q3"], ours, theirs, "float32")
        assert found.alike == 2 and found.first is not None
        assert found.first["question"] == f"q{k + 1}"
        assert not certificate.passes([], found, "float32")
        assert certificate.passes([], found, "int8")


def test_the_worst_is_told_with_its_place() -> None:
    program = streaming()
    network: dict[str, Runner] = {"model": Interpreter(program)}
    export = Export("text", {"model": program}, {}, network)

    def one(outputs: Any, after: Any, inputs: Any, own: Changed) -> None:
        if inputs["x"].shape[:2] == (1, 1):
            outputs["y"][0, 0, 2] = 7

    (found,) = certificate.compare(export, {"model": Changed(program, one)}, 0)
    assert (found.export.name, found.export.at, found.export.case) == ("y", (0, 0, 2), 0)
    assert found.network.value < 1e-9 < found.export.value
    assert "y differs by" in certificate.told([found], None, "float32")
    assert replace(found).to_json()["export"]["at"] == (0, 0, 2)
