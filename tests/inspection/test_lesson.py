"""The lesson: its problems ask for memory, its gradients are those of its networks."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from calling import call

from elman import cells
from elman.errors import UserError
from elman.inspection.lesson import Lesson, teach
from elman.inspection.lesson.lesson import HEADS, findings, table
from elman.inspection.lesson.problems import ADDING, COPIED, COPYING, PROBLEMS
from elman.inspection.lesson.training import Contestant, Network, spectral_radius, train

pytestmark = pytest.mark.pictures


def test_the_adding_problem_asks_for_two_marked_numbers_one_in_each_half() -> None:
    x, asked = ADDING.draw(50, 21, torch.Generator().manual_seed(1))
    values, marks = x.unbind(-1)
    assert (marks[:10].sum(0) == 1).all() and (marks[10:].sum(0) == 1).all()
    assert set(marks.flatten().tolist()) == {0, 1} and 0 <= values.min() <= values.max() <= 1
    torch.testing.assert_close((values * marks).sum(0), asked)
    right = torch.zeros(21, 50, 1)
    right[-1, :, 0] = asked
    assert ADDING.loss(right, asked) == 0


def test_the_copy_task_asks_for_the_first_symbols_at_the_end() -> None:
    x, asked = COPYING.draw(20, 30, torch.Generator().manual_seed(2))
    assert (x.sum(-1) == 1).all()
    read = x.argmax(-1)
    assert (read[:COPIED] == asked).all() and (read[COPIED:-COPIED] == read[COPIED, 0]).all()
    right = torch.zeros(30, 20, COPYING.outputs)
    right[-COPIED:] = 50 * torch.nn.functional.one_hot(asked, COPYING.outputs)
    assert COPYING.loss(right, asked) < 1e-6


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_a_guess_has_the_loss_that_is_told(problem: object) -> None:
    assert problem in (ADDING, COPYING)
    for one, guess in ((ADDING, torch.ones(1)), (COPYING, torch.zeros(COPYING.outputs))):
        _, asked = one.draw(20_000, 12, torch.Generator().manual_seed(3))
        outputs = guess.expand(12, 20_000, one.outputs)
        assert float(one.loss(outputs, asked)) / one.count(asked) == pytest.approx(
            one.guess, rel=0.03
        )


def test_contestants_start_as_they_say() -> None:
    torch.manual_seed(4)
    for cell in filter(lambda name: cells.get(name).recurrent, cells.names()):
        weight = Network(Contestant(cell, radius=1.7), ADDING, 11, 40).recurrent.weight_hh_l0
        assert isinstance(weight, torch.Tensor)
        for gate in weight.chunk(len(cells.get(cell).gates)):
            assert spectral_radius(gate) == pytest.approx(1.7, rel=1e-5)
    for cell, sign in (("lstm", 1), ("gru", 1), ("mingru", -1), ("hgrn", 1)):
        opened = Network(Contestant(cell, open=True), ADDING, 200, 40).recurrent
        bias = opened.bias_ih_l0
        assert isinstance(bias, torch.Tensor)
        which = {"lstm": 1, "gru": 1, "mingru": 0, "hgrn": 0}[cell]
        part = sign * bias.detach().chunk(len(opened.cell[0].gates))[which]
        # The logarithm of numbers spread evenly from 1 to T - 1.
        assert part.min() >= 0 and part.max() <= math.log(39)
        assert float(part.exp().mean()) == pytest.approx(20, rel=0.2)


def test_the_gradient_by_lag_is_that_of_the_network_itself() -> None:
    """By finite differences of the loss, a state at a time."""
    found = train(Contestant("gru"), ADDING, 14, 1, 5, seed=6)
    flow = found.before.flow
    seen = flow.seen
    for lag in (0, 1, 6, 13):
        t = 13 - lag
        h = seen.steps[t].after[0].detach().double()
        slopes = []
        for unit in range(h.shape[1]):
            nudge = 1e-3 * torch.eye(h.shape[1]).double()[unit]
            slopes.append((_losses_from(h + nudge, t) - _losses_from(h - nudge, t)) / 2e-3)
        norms = torch.stack(slopes).norm(dim=0)
        mean = flow.by_lag().values[lag]
        assert mean == pytest.approx(float(norms.mean()), rel=1e-3)


def _losses_from(h: torch.Tensor, t: int) -> torch.Tensor:
    """The loss of each sequence of the probe from the states after step `t` on."""
    torch.manual_seed(6)
    network = Network(Contestant("gru"), ADDING, 5, 14).double()
    x, asked = ADDING.draw(16, 14, torch.Generator().manual_seed(7))
    with torch.no_grad():
        told = network.output(h)
        if t < 13:
            y, _ = network.recurrent(x[t + 1 :].double(), [(h.unsqueeze(0),)])
            told = network.output(y)[-1]
        losses: torch.Tensor = (told[:, 0] - asked) ** 2
    return losses


def test_clipping_bounds_the_update_and_nothing_else() -> None:
    clipped, free = (
        train(Contestant("rnn", 3.0, clip), COPYING, 30, 1, 8, seed=2) for clip in (0.5, None)
    )
    assert clipped.norms == free.norms and clipped.losses == free.losses


def test_the_lesson_shows_what_it_is_for(tmp_path: Path) -> None:
    """Small gates vanish, open ones do not, a large radius explodes."""
    taught = teach(Lesson(steps=60, updates=2, hidden_size=24, radius=2.5))
    factor = {one.contestant.name: one.before.flow.growth().number for one in taught.of("copy")}
    assert max(factor["rnn"], factor["lstm"], factor["gru"]) < 0.8
    assert min(factor["lstm, open gates"], factor["gru, open gates"]) > 0.95
    assert factor["rnn, radius 2.5, not clipped"] > 1.02
    assert all(len(row) == len(HEADS) for row in table(taught))
    assert len(findings(taught)) == len(taught.trained) == 14
    assert json.loads(json.dumps(taught.record(), allow_nan=False))["lesson"]["steps"] == 60
    # The same again, to the last digit.
    assert teach(taught.lesson).record() == taught.record()


def test_the_command_writes_a_picture_and_the_numbers(tmp_path: Path) -> None:
    ended = call(
        "probe", "gradients", "--cells", "rnn,lstm", "--steps", "20", "--updates", "2",
        "--hidden-size", "4", "--output", "out", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    record = json.loads(ended.out)
    assert record == json.loads(Path("out/gradients.json").read_text())
    assert {one["network"] for one in record["trained"]} >= {"rnn", "lstm", "lstm, open gates"}
    assert Path("out/gradients.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--cells", "rnm"), 'unknown cell "rnm"'),
        (("--cells", "rnn,rnn"), "each once"),
        (("--steps", "3"), "--steps 3: needs a value from 12"),
        (("--updates", "0"), "--updates 0: needs a value from 1"),
        (("--radius", "0"), "--radius 0: needs a value above 0"),
        (("--clip", "nan"), "--clip nan: needs a value above 0"),
        (("--steps", "many"), "needs a whole number"),
        (("--threads", "0"), "--threads 0"),
    ],
)
def test_options_that_do_not_fit_are_told(arguments: tuple[str, ...], message: str) -> None:
    ended = call("probe", "gradients", *arguments)
    assert ended.code == 2 and message in ended.err and len(ended.err.splitlines()) == 1
    assert not Path("lesson").exists()
    with pytest.raises(UserError):
        Lesson(cells=())
