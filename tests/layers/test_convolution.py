"""Convolutions in front of recurrent layers: padding is absent, causal ones see nothing to come."""

from __future__ import annotations

import math
import random

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from elman.errors import UserError
from elman.layers.convolution import Convolutions, MaskedNorm, Norm

# Sums are taken in another order for one sequence than for several; in float64, as a layer norm of
# few filters that are nearly alike makes rounding large.
CLOSE = 1e-9


def made(seed: int, norm: Norm, *, causal: bool) -> Convolutions:
    """A front of random sizes whose norms are no longer at their start."""
    draw = random.Random(seed)
    count = draw.randint(1, 3)
    sizes = [draw.randint(1, 6) for _ in range(3 * count)]
    steps = [draw.randint(1, 3) for _ in range(count)]
    torch.manual_seed(seed)
    layer = Convolutions(
        3, sizes[:count], sizes[count : 2 * count], steps, norm=norm, causal=causal
    )
    for name, value in [*layer.named_parameters(), *layer.named_buffers()]:
        if "norm" in name:
            value.data.uniform_(0.5, 1.5)
    return layer.double().eval()


@settings(max_examples=40)
@given(
    lengths=st.lists(st.integers(1, 20), min_size=2, max_size=5),
    seed=st.integers(0, 10**6),
    norm=st.sampled_from(["batch", "layer"]),
    causal=st.booleans(),
)
def test_a_sequence_reads_the_same_alone_and_among_others(
    lengths: list[int], seed: int, norm: Norm, causal: bool
) -> None:
    layer, steps = made(seed, norm, causal=causal), max(lengths)
    x = torch.randn(len(lengths), steps, 3, dtype=torch.float64)
    for row, length in zip(x, lengths, strict=True):
        row[length:] = torch.nan  # what stands in the padding never enters
    y, left = layer(x, torch.tensor(lengths))
    assert left.tolist() == [functional_length(n, layer.strides) for n in lengths]
    for k, length in enumerate(lengths):
        alone, own = layer(x[k : k + 1, :length], torch.tensor([length]))
        assert own.tolist() == [left[k]] and alone.shape[1] == left[k]
        assert torch.allclose(y[k, : left[k]], alone[0], rtol=0, atol=CLOSE)
        assert not y[k, left[k] :].any()


def functional_length(steps: int, strides: tuple[int, ...]) -> int:
    for stride in strides:
        steps = math.ceil(steps / stride)
    return steps


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_causal_filters_see_no_step_that_is_still_to_come(norm: Norm) -> None:
    for seed in range(20):
        layer, length = made(seed, norm, causal=True), random.randint(2, 15)
        x, at = torch.randn(1, length, 3, dtype=torch.float64), random.randrange(length)
        changed = x.clone()
        changed[:, at] += 1
        one, other = (layer(each, torch.tensor([length]))[0] for each in (x, changed))
        stride = math.prod(layer.strides)
        before = -(-at // stride)  # outputs that stand at steps before the changed one
        assert torch.allclose(one[:, :before], other[:, :before], rtol=0, atol=CLOSE)


def test_it_is_convolution_batch_norm_and_relu_of_pytorch() -> None:
    layer = Convolutions(2, [4, 3], [5, 3], [1, 2])
    theirs: list[nn.Module] = []
    for convolution, norm in zip(layer.layers, layer.norms, strict=True):
        assert isinstance(convolution, nn.Conv1d) and isinstance(norm, MaskedNorm)
        width, stride = convolution.kernel_size[0], convolution.stride[0]
        same = nn.Conv1d(convolution.in_channels, convolution.out_channels, width, stride,
                         padding=width // 2, bias=False)  # fmt: skip
        same.load_state_dict(convolution.state_dict())
        theirs += [same, nn.BatchNorm1d(len(norm.weight)), nn.ReLU()]
    whole, x = nn.Sequential(*theirs), torch.randn(6, 11, 2)
    full = torch.full((6,), 11)
    for _ in range(2):  # in training, the second time with running statistics of the first
        found = layer(x, full)[0].transpose(1, 2)
        assert torch.allclose(found, whole(x.transpose(1, 2)), atol=1e-5)
    found = layer.eval()(x, full)[0].transpose(1, 2)
    assert torch.allclose(found, whole.eval()(x.transpose(1, 2)), atol=1e-5)


def test_statistics_are_those_of_steps_that_are_no_padding() -> None:
    lengths = [7, 1, random.randint(2, 6)]
    norm, y = MaskedNorm(4), torch.randn(3, 4, 7) * 3 + 1
    alive = (torch.arange(7) < torch.tensor(lengths)[:, None])[:, None]
    rows = torch.cat([y[k, :, :n].T for k, n in enumerate(lengths)])  # [N, F]
    found = norm(torch.where(alive, y, 50.0), torch.tensor(lengths))
    wanted = F.relu(F.batch_norm(rows, None, None, training=True))
    got = torch.cat([found[k, :, :n].T for k, n in enumerate(lengths)])
    assert torch.allclose(got, wanted, atol=1e-5)
    norm.eval()(y, None)  # by which the running ones have been made
    assert torch.allclose(norm.running_mean, 0.1 * rows.mean(0), atol=1e-5)
    assert torch.allclose(norm.running_var, 0.9 + 0.1 * rows.var(0), atol=1e-5)


@pytest.mark.parametrize("seed", range(12))
def test_the_gradient_is_that_of_norm_and_relu_over_steps_that_are_no_padding(seed: int) -> None:
    torch.manual_seed(seed)
    draw = random.Random(seed)
    size, shared, steps = draw.randint(1, 4), draw.randint(1, 3), draw.randint(2, 9)
    lengths = [steps, *(draw.randint(1, steps) for _ in range(draw.randint(0, 4)))]
    norm = MaskedNorm(size, shared).double()
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    between = [shared] if shared > 1 or seed % 2 else []
    y = 3 * torch.randn(len(lengths), size, *between, steps) + 1
    y = y.transpose(1, -1).contiguous().transpose(1, -1)  # what a step has may lie side by side
    y = y.double().requires_grad_()
    onto = torch.randn(y.shape).double()

    def stretches(of: Tensor) -> Tensor:
        """The steps that are no padding, side by side: [size, all of them]."""
        each = [of[k, ..., :n].reshape(size, -1) for k, n in enumerate(lengths)]
        return torch.cat(each, 1)

    def learnt(total: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad(total, [y, norm.weight, norm.bias])

    found, before = norm(y, torch.tensor(lengths)), y.detach().clone()
    rows = F.batch_norm(stretches(y).T, None, None, norm.weight, norm.bias, training=True)
    wanted = F.relu(rows).T
    torch.testing.assert_close(stretches(found), wanted)
    assert not any(found[k, ..., n:].any() for k, n in enumerate(lengths))
    ours = learnt((found * onto).sum())
    theirs = learnt((wanted * stretches(onto)).sum())
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)
    assert torch.equal(y.detach(), before)


def test_a_batch_read_again_after_a_cut_counts_once() -> None:
    def buffers(norm: MaskedNorm) -> list[Tensor]:
        return [b.clone() for b in norm.buffers()]

    left, cut = MaskedNorm(3), MaskedNorm(3)
    batches = [torch.randn(4, 3, 5) for _ in range(3)]
    for batch in batches:
        left(batch, None)
    cut(batches[0], None)
    cut(batches[1], None)
    saved = cut.state_dict()  # before the update by batches[1], which is read again
    again = MaskedNorm(3)
    again.load_state_dict(saved)
    again(batches[1], None)
    again(batches[2], None)
    assert all(map(torch.equal, buffers(left), buffers(again)))


def test_one_step_alone_has_no_statistics() -> None:
    norm = MaskedNorm(2)
    assert torch.equal(norm(torch.ones(1, 2, 1), None), norm.eval()(torch.ones(1, 2, 1), None))


def test_sizes_that_do_not_fit_are_told() -> None:
    with pytest.raises(UserError, match="2 filters, 1 widths, 2 strides"):
        Convolutions(1, [2, 2], [3], [1, 1])
    with pytest.raises(UserError, match="at least 1"):
        Convolutions(1, [2], [0], [1])
