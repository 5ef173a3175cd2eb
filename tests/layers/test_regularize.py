from __future__ import annotations

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

from elman import cells
from elman.layers.recurrent import Recurrent
from elman.layers.regularize import bernoulli, dropout, locked_dropout, weight_drop, zoneout_shares


def test_a_locked_mask_is_the_same_at_all_steps_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    y = locked_dropout(torch.ones(7, 40, 50), 0.25, training=True)
    assert torch.equal(y, y[:1].expand_as(y))
    torch.testing.assert_close(torch.unique(y), torch.tensor([0.0, 4 / 3]))
    # 2,000 independent draws: the share dropped has standard deviation 0.01
    assert abs((y[0] == 0).float().mean() - 0.25) < 0.05


def test_a_locked_mask_follows_each_packed_sequence() -> None:
    torch.manual_seed(0)
    packed = pack_padded_sequence(torch.ones(5, 3, 20), [5, 3, 1])
    y = locked_dropout(packed.data, 0.5, training=True, batch_sizes=packed.batch_sizes)
    first = y[:3]
    at = 0
    for n in packed.batch_sizes.tolist():
        assert torch.equal(y[at : at + n], first[:n])
        at += n
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize("p", [0.1, 0.5, 0.93])
def test_dropout_drops_its_share_and_keeps_the_mean(p: float) -> None:
    torch.manual_seed(1)
    x = torch.full((403, 507), 2.0, dtype=torch.float64, requires_grad=True)
    y = dropout(x, p, training=True)
    kept = y != 0
    spread = (p * (1 - p) / x.numel()) ** 0.5
    assert abs(float(kept.double().mean()) - (1 - p)) < 5 * spread
    assert torch.allclose(y[kept], torch.tensor(2 / (1 - p), dtype=torch.float64), rtol=1e-3)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(gradient * 2, y.detach())
    for one in (kept, kept.T):  # rows and columns alike, none of them as its neighbour
        share = one.double().mean(0)
        assert float((share - share.mean()).abs().max()) < 6 * (p * (1 - p) / len(one)) ** 0.5
        assert not bool((one[:, 1:] == one[:, :-1]).all(0).any())
    assert dropout(x, p, training=False) is x and not dropout(x, 1.0, training=True).any()


def test_nothing_is_dropped_outside_training() -> None:
    x = torch.randn(3, 4, 5)
    assert locked_dropout(x, 0.5, training=False) is x
    assert torch.equal(weight_drop(x[0], 0.5, training=False), x[0])


def test_weight_drop_drops_its_share_of_the_weights() -> None:
    torch.manual_seed(0)
    dropped = weight_drop(torch.ones(100, 100), 0.3, training=True)
    # 10,000 draws: standard deviation 0.005
    assert abs((dropped == 0).float().mean() - 0.3) < 0.025
    assert dropped.max() == pytest.approx(1 / 0.7)


@pytest.mark.parametrize("p", [0.1, 0.6])
def test_zoneout_keeps_about_p_of_each_state(p: float) -> None:
    torch.manual_seed(0)
    h, c = zoneout_shares(torch.empty(0), 50, 100, 2, p, training=True)
    for kept in (h, c):
        assert set(kept.flatten().tolist()) == {0.0, 1.0}
        # 5,000 draws: standard deviation below 0.007
        assert abs(kept.mean() - p) < 0.035
    assert not torch.equal(h, c)


@pytest.mark.parametrize("cell", cells.names())
def test_zoneout_of_one_never_moves_and_of_half_goes_half_way(cell: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 3, 4)
    state = [tuple(torch.randn(1, 3, 5) for _ in cells.get(cell).states)]
    layers = [Recurrent(4, 5, cell=cell, zoneout=p) for p in (0.0, 0.5, 1.0)]
    for layer in layers[1:]:
        layer.load_state_dict(layers[0].state_dict())
    _, ((*still,),) = layers[2](x, state)
    _, ((*moved,),) = layers[0](x, state)
    _, ((*half,),) = layers[1].eval()(x, state)
    for k, old in enumerate(state[0]):
        assert torch.equal(still[k], old)
        torch.testing.assert_close(half[k], (old + moved[k]) / 2)


@pytest.mark.parametrize(
    "share", ["dropout", "recurrent_dropout", "zoneout", "weight_drop", "locked"]
)
def test_every_draw_follows_the_global_generator(share: str) -> None:
    options = {"dropout": 0.5, "locked_dropout": True} if share == "locked" else {share: 0.5}
    layer, x = Recurrent(4, 5, 2, "gru", **options), torch.randn(6, 3, 4)  # type: ignore[arg-type]
    outputs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outputs.append(layer(x)[0])
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


@pytest.mark.parametrize("p", [0.0, 1e-9, 0.003, 0.25, 0.5, 0.9, 1 - 1e-9, 1.0])
def test_draws_have_their_share_of_ones_wherever_they_lie(p: float) -> None:
    torch.manual_seed(3)
    drawn = bernoulli(torch.empty(0), (401, 1003), p)
    assert set(drawn.flatten().tolist()) <= {0.0, 1.0}
    deviation = (p * (1 - p) / drawn.numel()) ** 0.5
    assert abs(drawn.mean() - p) <= 5 * deviation + 1e-5
    for part in (drawn[:, ::4], drawn[:, 1::4], drawn[::2]):  # elements that share a draw
        assert abs(part.mean() - p) <= 10 * deviation + 1e-5
    neighbours = drawn[:, 1:] * drawn[:, :-1]
    assert abs(neighbours.mean() - p * p) <= 10 * deviation + 1e-5
