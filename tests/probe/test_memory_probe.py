"""Networks that remember so many steps and no more, and everything against brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from handmade import counter, delay
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from elman import cells
from elman.errors import UserError
from elman.layers.recurrent import Recurrent
from elman.probe.memory import Memory, contexts, remembered

seeds = st.integers(0, 2**32 - 1)
V = 4


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(V, shape, generator=torch.Generator().manual_seed(seed))


def recalling(lag: int) -> tuple[nn.Module, object]:
    """A network that tells the token `lag` steps before the last one, and its loss."""
    layer = delay(lag, V)

    def losses(x: Tensor, y: Tensor) -> Tensor:
        held, _ = layer(x)
        scores = 20 * held[-1, :, lag * V : (lag + 1) * V]
        return F.cross_entropy(scores, y, reduction="none")

    return layer, losses


@settings(max_examples=6)
@given(st.integers(1, 9), seeds)
def test_a_delay_line_gains_all_at_once(lag: int, seed: int) -> None:
    x = drawn(12, 60, seed=seed)
    model, losses = recalling(lag)
    found = remembered(model, losses, x, x[-1 - lag], asked=range(1, 13), seed=seed)  # type: ignore[arg-type]
    assert found.contexts == tuple(range(1, 13))
    for way in ("cut", "elsewhere", "shuffled"):
        mean = found.losses[way].mean(1)
        assert (mean[lag:] < 1e-6).all()
        assert (mean[:lag] > 0.5).all()
        for share in (0.5, 0.95, 0.99):
            enough, low, high = found.enough(share, way)
            assert enough == high == lag + 1
            # Half of the gain may be there by luck, in few sequences that are drawn anew.
            assert low <= lag + 1 if share == 0.5 else low == lag + 1
    # Cut too short nothing is known; from elsewhere something is, and it is wrong 3 times in 4.
    np.testing.assert_allclose(found.losses["cut"][0], np.log(V))
    gained, bounds = found.beyond(lag)
    assert gained > 1
    assert bounds is not None
    assert bounds[0] > 1
    assert found.beyond(lag + 1)[0] == 0
    told = " ".join(found.told(truncation=lag)) if lag > 1 else "may help"
    assert "may help" in told
    if lag < 5:
        assert "hardly help" in " ".join(found.told(truncation=11))
    if lag >= 6:
        assert "uses nearly all of the 10" in " ".join(found.told(truncation=10)) or lag == 9


def test_a_counter_does_not_mind_the_order() -> None:
    """It knows how many there were, which shuffling keeps and cutting does not."""
    x = drawn(16, 40)
    y = (x == 0).sum(0)
    layer = counter("rnn-relu")

    def losses(x: Tensor, y: Tensor) -> Tensor:
        counted, _ = layer(x.clamp(max=2))
        missed: Tensor = counted[-1, :, 0] - y
        return missed.square()

    found = remembered(layer, losses, x, y)
    assert found.losses["shuffled"].max() == 0
    assert "brings nothing" in found.told(way="shuffled")[0]
    far = np.array([(x[:-k] == 0).sum(0) for k in found.contexts[:-1]])
    assert sorted(found.losses["cut"][0]) == sorted(far[0] ** 2)
    assert found.losses["elsewhere"][0].mean() > 0


@pytest.mark.parametrize("cell", cells.names())
def test_every_loss_is_that_of_a_call_by_itself(cell: str) -> None:
    torch.manual_seed(0)
    layer = Recurrent(V, 5, cell=cell, dropout=0.5, num_layers=2)
    out = nn.Linear(5, V)
    model = nn.ModuleList([layer, out]).train()
    before = torch.get_rng_state()
    x, y = drawn(7, 9), drawn(9, seed=1)
    asked: list[tuple[int, ...]] = []

    def losses(x: Tensor, y: Tensor) -> Tensor:
        asked.append(tuple(x.shape))
        h, _ = layer(x)
        return F.cross_entropy(out(h[-1]), y, reduction="none")

    found = remembered(model, losses, x, y, asked=(1, 3), ways=("cut", "elsewhere", "shuffled"))
    assert model.training
    assert layer.training
    assert (torch.get_rng_state() == before).all()
    assert found.contexts == (1, 3, 7)
    assert {shape[0] for shape in asked} == {1, 3, 7}
    model.eval()
    with torch.no_grad():
        for k, way_losses in zip((1, 3), found.losses["cut"], strict=False):
            alone = [float(losses(x[-k:, [p]], y[[p]])) for p in range(9)]
            np.testing.assert_allclose(sorted(way_losses), sorted(alone), atol=1e-5)
        for way in found.losses:
            alone = [float(losses(x[:, [p]], y[[p]])) for p in range(9)]
            np.testing.assert_allclose(sorted(found.losses[way][-1]), sorted(alone), atol=1e-5)
        # From elsewhere: the far part of each is that of exactly one other.
        pairs = {
            (p, q): float(losses(torch.cat([x[:4, [q]], x[4:, [p]]]), y[[p]]))
            for p in range(9)
            for q in range(9)
        }
        whole = [pairs[p, p] for p in range(9)]
        for lost, all_ in zip(found.losses["elsewhere"][1], found.losses["cut"][2], strict=True):
            p = int(np.argmin(abs(np.array(whole) - all_)))
            assert min(abs(pairs[p, q] - lost) for q in range(9) if q != p) < 1e-5


@settings(max_examples=30)
@given(seeds, st.integers(2, 7), st.floats(0.5, 0.99))
def test_enough_is_the_first_from_which_on_it_stays(
    seed: int, contexts_: int, share: float
) -> None:
    draw = np.random.default_rng(seed)
    each = draw.random((contexts_, 20)) + np.linspace(2, 0, contexts_)[:, None]
    memory = Memory(tuple(range(1, contexts_ + 1)), {"cut": each})
    mean = each.mean(1)
    kept = (mean[0] - mean) / (mean[0] - mean[-1])
    k, low, high = memory.enough(share)
    assert kept[k - 1 :].min() >= share - 1e-12
    assert k == 1 or kept[k - 2] < share
    assert low <= k <= high
    gained, bounds = memory.beyond(1)
    np.testing.assert_allclose(gained, memory.gain())
    assert bounds is not None
    assert bounds[0] < gained < bounds[1]
    (measured,) = memory.measured()
    np.testing.assert_allclose(measured.values, mean)
    assert measured.sample == 20


def test_time_is_bounded_and_what_does_not_fit_is_told() -> None:
    assert contexts(20) == (1, 2, 3, 4, 6, 8, 12, 16, 20)
    model, losses = recalling(2)
    x = drawn(8, 500)
    few = remembered(model, losses, x, x[-3], seconds=0.0)  # type: ignore[arg-type]
    assert few.places == 8
    assert remembered(model, losses, x, x[-3], ways=("cut",)).places == 500  # type: ignore[arg-type]
    for a, b, more, told in (
        (x[:, :3], x[0, :3], {}, "3 places"),
        (x[:1], x[0], {}, "of 1 step"),
        (x, x[0, :9], {}, "9 answers"),
        (x, x[0], {"asked": (9,)}, "between 1 and 8"),
        (x, x[0], {"asked": (0,)}, "between 1 and 8"),
    ):
        with pytest.raises(UserError, match=told):
            remembered(model, losses, a, b, **more)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="context 5"):
        few.beyond(5)
