"""The step-to-step Jacobian: how a small change of the state at one step moves that at the next.

Its singular values say by how much a change can grow or shrink in one step, its spectral radius
what becomes of it if every step were like this one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elman.layers.scan import State
from elman.probe.measured import Measured, one
from elman.probe.opened import Pass

Place = tuple[int, int]  # step, and row among those alive at it
AT_ONCE = 1 << 24  # numbers of gradients that are asked for together
WARM, FOLLOWED = 20, 40  # steps of the power method: until the largest parts rule, and measured


def places(seen: Pass, count: int) -> list[Place]:
    """Steps of a pass, evenly spread over all of them, the first of each sequence left out."""
    ahead = seen.rows.sizes
    steps = range(len(ahead) - 1) if seen.reverse else range(1, len(ahead))
    # In reverse the step before stands behind, where a row must be alive already.
    every = [(t, b) for t in steps for b in range(ahead[t + 1] if seen.reverse else ahead[t])]
    every = every or [(0, b) for b in range(ahead[0])]
    chosen = np.linspace(0, len(every) - 1, min(count, len(every))).round().astype(int)
    return [every[k] for k in chosen]


def jacobian(seen: Pass, at: Sequence[Place]) -> Tensor:
    """d state after / d state before, of a layer in one direction at these places: [P, S, S].

    The state is all states of the cell one after the other, S = H times their number; row i holds
    the gradient of the i-th number after the step. What the layer reads is held fixed.
    """
    before, after = _step(seen, at)
    P, S = before.shape
    eye = torch.eye(S, dtype=before.dtype, device=before.device)
    rows = []
    for chunk in torch.split(eye, max(1, AT_ONCE // (P * S))):
        asked = chunk[:, None].expand(-1, P, -1)
        (made,) = torch.autograd.grad(
            after, before, asked, retain_graph=True, is_grads_batched=True
        )
        rows.append(made)
    return torch.cat(rows).transpose(0, 1)


def singular_values(seen: Pass, at: Sequence[Place]) -> Measured:
    """Those of the Jacobian, the largest first: mean and spread over places, [value]."""
    values = torch.linalg.svdvals(jacobian(seen, at).double()).cpu().numpy()
    title = f"{seen.name}: singular values from step to step"
    return Measured(
        title, values.mean(0), "", ("value",), len(at), "places", values.std(0)
    )  # fmt: skip


def spectral_radius(seen: Pass, at: Sequence[Place]) -> Measured:
    """The size of the Jacobian's largest eigenvalue: mean and spread over places."""
    values = torch.linalg.eigvals(jacobian(seen, at).double()).abs().amax(-1).cpu().numpy()
    return _radius(seen, values)


def estimated_radius(seen: Pass, at: Sequence[Place]) -> Measured:
    """The same without the matrix, for wide layers: by the power method.

    The mean growth of a random vector over some steps of it, once the largest parts rule: within
    a few per cent, also where the largest eigenvalues are complex.
    """
    before, after = _step(seen, at)
    draw = torch.Generator().manual_seed(0)
    v = torch.randn(before.shape, generator=draw, dtype=torch.float64).to(before)
    grown = torch.zeros(len(v), dtype=torch.float64, device=v.device)
    for k in range(WARM + FOLLOWED):
        # The transpose, whose eigenvalues are the same.
        (v,) = torch.autograd.grad(after, before, v, retain_graph=True)
        size = v.norm(dim=-1, keepdim=True)
        v = torch.where(size > 0, v / size, v)
        if k >= WARM:
            grown += size[:, 0].double().log()
    return _radius(seen, (grown / FOLLOWED).exp().cpu().numpy())


def _radius(seen: Pass, values: NDArray[np.float64]) -> Measured:
    mean, spread = float(values.mean()), float(values.std())
    title = f"{seen.name}: spectral radius from step to step"
    return one(title, mean, "", len(values), "places", spread)


def _step(seen: Pass, at: Sequence[Place]) -> tuple[Tensor, Tensor]:
    """States before and after one step from each place, [P, S] each, the latter by the former."""
    Wx = torch.stack([seen.steps[t].Wx[b] for t, b in at]).detach()
    states = [
        torch.cat([state[b] for state in seen.steps[t].before]) for t, b in at
    ]  # fmt: skip
    with torch.enable_grad():
        before = torch.stack(states).detach().requires_grad_()
        parts: State = torch.split(before, seen.hidden_size, -1)
        return before, torch.cat(seen.advance(Wx, parts), -1)
