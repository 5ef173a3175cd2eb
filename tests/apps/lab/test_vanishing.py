"""The lesson of vanishing gradients: its curves are the probe's, and show what they are for."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor, nn

from elman import cells
from elman.apps.lab.rooms.learning import vanishing
from elman.inspection.lesson.problems import PROBLEMS
from elman.inspection.lesson.training import PROBED, Contestant, Network, can_open
from elman.probe.gradients import gradients


@pytest.fixture
def draw() -> random.Random:
    seed = random.randrange(2**32)
    print("seed", seed)
    return random.Random(seed)


@pytest.mark.parametrize("cell", cells.names())
def test_the_curves_are_the_gradients_by_lag_of_the_network(cell: str, draw: random.Random) -> None:
    steps, radius = draw.randint(15, 40), draw.uniform(0.3, 1.5)
    known = radius if cells.get(cell).recurrent else None
    opened = can_open(cell) and draw.random() < 0.5
    before, after = vanishing.points(vanishing.looked(cell, known, steps, 0, opened=opened), 0)
    assert not after
    torch.manual_seed(vanishing.SEED)
    network = Network(
        Contestant(cell, radius=known, open=opened), PROBLEMS[0], vanishing.UNITS, steps
    )
    x, asked = PROBLEMS[0].draw(PROBED, steps, torch.Generator().manual_seed(vanishing.SEED + 1))

    def loss(model: nn.Module) -> Tensor:
        return PROBLEMS[0].loss(model(x), asked)

    (flow,) = gradients(network, loss, places=PROBED)
    assert [lag for lag, _ in before] == list(range(steps))
    shares = flow.share_by_lag().values
    assert [share for _, share in before] == pytest.approx(shares.clip(vanishing.LEAST), rel=1e-6)
    assert before[0][1] == 1


def test_an_rnn_loses_what_an_lstm_with_open_gates_keeps(draw: random.Random) -> None:
    steps, radius, updates = draw.randint(30, 80), draw.uniform(0.9, 1.0), draw.choice((0, 5))
    simple, gated = (
        vanishing.points(
            vanishing.looked(cell, radius, steps, updates, opened=can_open(cell)), updates
        )
        for cell in ("rnn", "lstm")
    )
    for one, other in zip(simple, gated, strict=True):
        for (lag, lost), (_, kept) in list(zip(one, other, strict=True))[steps // 2 : -1]:
            assert lost < kept, (lag, steps, radius)
