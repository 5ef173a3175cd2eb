"""One step on: which tokens continue which hypotheses of a group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from elman.decode import Sampling, choose, distribution
from elman.errors import RunError

# Options are listed in milliseconds: what needs PyTorch loads it when it is called.
if TYPE_CHECKING:
    from torch import Tensor

NEVER = float("-inf")


class Picked(NamedTuple):
    """For each of G groups its new hypotheses, best first, on the CPU.

    parents int64 [G, W]: which of the group's hypotheses is continued; tokens int64 [G, W]: by
    what; totals float64 [G, W]: log probability in nats, -inf where there is no such hypothesis.
    """

    parents: Tensor
    tokens: Tensor
    totals: Tensor


def likeliest(log_p: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Of each row of `log_p` [N, V] the k largest, best first, [N, k], float64, and their ids.

    Of equals the lower id comes first, which topk leaves open. Both are on the CPU. Raises
    RunError where a row has NaN or +inf.
    """
    found, ids = log_p.topk(min(k + 1, log_p.shape[1]))  # one more, to see a tie at the edge
    found, ids = found.cpu(), ids.cpu()
    if not bool((found < float("inf")).all()):  # false for NaN too, which topk takes for largest
        raise RunError("the model gives log probabilities that are not numbers; it is damaged")
    tied = ((found[:, 1:] == found[:, :-1]) & (found[:, 1:] > NEVER)).any(1)
    if bool(tied.any()):
        again = log_p[tied.to(log_p.device)].sort(dim=1, descending=True, stable=True)
        found[tied] = again.values[:, : found.shape[1]].cpu()
        ids[tied] = again.indices[:, : found.shape[1]].cpu()
    return found[:, :k].double(), ids[:, :k]


def best(values: Tensor, ids: Tensor, totals: Tensor, width: int) -> Picked:
    """The `width` best continuations of each group, fewer where there are not as many.

    values float64 and ids int64 [G W, k]: the likeliest tokens of each hypothesis, as `likeliest`
    gives them; totals [G, W]. Of equals the one of the better hypothesis comes first.
    """
    G, k = len(totals), values.shape[1]
    sums = (totals.view(-1, 1) + values).where(totals.view(-1, 1) > NEVER, NEVER).view(G, -1)
    sums, order = sums.sort(dim=1, descending=True, stable=True)
    order = order[:, :width]
    return Picked(order // k, ids.reshape(G, -1).gather(1, order), sums[:, :width])


def draw(
    log_p: Tensor,
    totals: Tensor,
    history: Sequence[Sequence[int]],
    sampling: Sampling,
    uniforms: Sequence[float],
) -> Picked:
    """One token for each of G hypotheses, each a group of its own: log_p [G, V], totals [G, 1].

    `uniforms`: for each a number in [0, 1) that chooses. Raises what `distribution` raises.
    """
    import torch

    log_p = log_p.cpu()
    dead = (log_p == NEVER).all(1).tolist()
    drawn = [
        0 if none else choose(distribution(row, said, sampling), uniform)
        for row, none, said, uniform in zip(log_p, dead, history, uniforms, strict=True)
    ]
    tokens = torch.tensor(drawn).view(-1, 1)
    # The model's own log probability, whatever the sampling made of it.
    totals = totals + log_p.gather(1, tokens).double()
    return Picked(torch.zeros_like(tokens), tokens, totals)
