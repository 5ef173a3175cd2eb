"""A small network on one of the problems: trained for a moment, its gradients measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from elman import cells
from elman.inspection.lesson.problems import Problem
from elman.layers.recurrent import Recurrent
from elman.probe.gradients import Flow, gradients
from elman.probe.opened import Pass, opened
from elman.probe.states import roles

BATCH, PROBED = 32, 16  # sequences of an update, and of a probe
RATE = 5e-3  # of learning


@dataclass(frozen=True)
class Contestant:
    """A cell, and how it starts and is trained.

    `radius`: the recurrent weights of each gate are scaled so that their largest eigenvalue has
    this size, None as they come; `clip`: gradients are scaled down to this norm, None never;
    `open`: the bias of the gate that keeps is such that units keep for 2 to T steps, the T of the
    sequences (the chrono initialisation of Tallec and Ollivier 2018, arXiv:1804.11188, of this gate
    alone).
    """

    cell: str
    radius: float | None = None
    clip: float | None = None
    open: bool = False

    @property
    def name(self) -> str:
        if self.open:
            return f"{self.cell}, open gates"
        if self.radius is None:
            return self.cell
        how = "not clipped" if self.clip is None else "clipped"
        return f"{self.cell}, radius {self.radius:g}, {how}"


class Network(nn.Module):
    """Recurrent layer → linear output: [T, B, I] → [T, B, O]."""

    def __init__(
        self, contestant: Contestant, problem: Problem, hidden_size: int, steps: int
    ) -> None:
        super().__init__()
        self.recurrent = Recurrent(problem.inputs, hidden_size, cell=contestant.cell)
        self.output = nn.Linear(hidden_size, problem.outputs)
        if contestant.radius is not None:
            weight = self.recurrent.weight_hh_l0
            assert isinstance(weight, Tensor)
            with torch.no_grad():
                for gate in torch.split(weight, hidden_size):
                    gate *= contestant.radius / spectral_radius(gate)
        if contestant.open:
            self._open(contestant.cell, steps)

    def _open(self, name: str, steps: int) -> None:
        cell, bias = cells.get(name), self.recurrent.bias_ih_l0
        assert isinstance(bias, Tensor)
        for gate, complement in roles(cell).kept.values():
            with torch.no_grad():
                part = bias.chunk(len(cell.gates))[cell.gates.index(gate)]
                part.uniform_(1, max(2, steps - 1)).log_().mul_(-1 if complement else 1)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.recurrent(x)
        told: Tensor = self.output(y)
        return told


@dataclass(frozen=True)
class Seen:
    """What a probe found: the flow of gradients, and how much of its state the gate keeps."""

    flow: Flow
    kept: float | None  # mean over steps and units; None for a cell without such a gate
    loss: float


@dataclass(frozen=True)
class Trained:
    """A contestant on a problem: before and after, and every update between."""

    contestant: Contestant
    problem: Problem
    before: Seen
    after: Seen
    losses: tuple[float, ...]  # of each update, the mean over its answers
    norms: tuple[float, ...]  # of the gradient of each update, before it is clipped
    failed_at: int | None = None  # the update at which the loss was no longer finite


def train(
    contestant: Contestant, problem: Problem, steps: int, updates: int, hidden_size: int, seed: int
) -> Trained:
    """Train by Adam on fresh sequences, the same for all contestants."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Network(contestant, problem, hidden_size, steps)
    draw = torch.Generator().manual_seed(seed)
    probed = problem.draw(PROBED, steps, torch.Generator().manual_seed(seed + 1))
    before = probe(network, problem, probed)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    losses, norms, failed = list[float](), list[float](), None
    for update in range(updates):
        x, asked = problem.draw(BATCH, steps, draw)
        loss = problem.loss(network(x), asked) / problem.count(asked)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        most = math.inf if contestant.clip is None else contestant.clip
        norm = float(nn.utils.clip_grad_norm_(network.parameters(), most))
        losses.append(float(loss.detach()))
        norms.append(norm)
        if not (math.isfinite(losses[-1]) and math.isfinite(norm)):
            failed = update + 1
            break
        optimizer.step()
    after = before if failed else probe(network, problem, probed)
    return Trained(contestant, problem, before, after, tuple(losses), tuple(norms), failed)


def probe(network: Network, problem: Problem, probed: tuple[Tensor, Tensor]) -> Seen:
    """Gradients from the answers back through time, on one batch."""
    x, asked = probed

    def loss(model: nn.Module) -> Tensor:
        return problem.loss(model(x), asked)

    (flow,) = gradients(network, loss, places=PROBED)
    with opened(network) as layers:
        value = float(loss(network).detach()) / problem.count(asked)
    return Seen(flow, _kept(layers.passes[0]), value)


def _kept(seen: Pass) -> float | None:
    for gate, complement in roles(seen.cell).kept.values():
        share = float(seen.values(gate).mean())
        return 1 - share if complement else share
    return None


def can_open(name: str) -> bool:
    """Whether a cell has a gate that keeps its state, with a bias of its own."""
    cell = cells.get(name)
    kept = roles(cell).kept.values()
    return bool(kept) and all(gate in cell.gates for gate, _ in kept)


def spectral_radius(weight: Tensor) -> float:
    """The size of the largest eigenvalue of a square matrix."""
    return float(torch.linalg.eigvals(weight.detach().double()).abs().max())
