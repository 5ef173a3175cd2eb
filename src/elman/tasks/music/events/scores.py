"""How well events are foretold: nats a token, and a note and a quarter, by which tokens compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from elman import chance
from elman.chance import Tally
from elman.metrics import Loss, Scores
from elman.tasks.music.events.data import EventData, Tune
from elman.tasks.music.options import MusicOptions
from elman.tasks.task import State, Validation
from elman.wording import counted

AT_ONCE = 16  # pieces
STEPS = 256  # of a window, for the sake of memory
SCORED = 1_000_000  # tokens at most

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Told:
    """What each of some pieces costs, [M] nats, all of its tokens after the begin together."""

    tunes: Sequence[Tune]
    nats: Floats

    @property
    def tokens(self) -> Floats:
        return np.array([tune.foretold for tune in self.tunes], np.float64)

    def scores(self) -> Scores:
        """Nats a token, and the same nats by the notes that the tokens tell, and by the quarters
        until the last note has ended: these are alike for all kinds of tokens."""
        total = float(self.nats.sum())
        notes, quarters = (sum(t.notes for t in self.tunes), sum(t.quarters for t in self.tunes))
        return {
            "nats": total / float(self.tokens.sum()),
            "nats_a_note": total / notes,
            "nats_a_quarter": total / quarters,
        }

    @property
    def loss(self) -> Loss:
        return Loss(float(self.nats.sum()), int(self.tokens.sum()))

    @property
    def tally(self) -> Tally:
        """Nats a token, by pieces."""
        return chance.shares("piece", self.nats, self.tokens)


def validate(
    model: nn.Module, dataset: EventData, options: MusicOptions, device: str
) -> Validation:
    tunes = scored(dataset, options)
    found = tell(model, tunes, device)
    s = dataset.settings
    counts = f"nats a token, {s.kind}, {counted(s.grid, 'step')} a quarter" + (
        "" if len(tunes) == len(dataset.check)
        else f", {len(tunes):,} of {counted(len(dataset.check), 'piece')}"
    )  # fmt: skip
    return Validation(found.loss, found.scores(), counted=counts, tally=found.tally)


def scored(dataset: EventData, options: MusicOptions) -> tuple[Tune, ...]:
    """The pieces that are scored: so many that they have few enough tokens, drawn from all of them,
    always the same; in their order."""
    most = options.scored or SCORED
    if not dataset.train:  # not a training's validation part, but pieces that the user asks about
        return dataset.check
    order = np.random.default_rng(0).permutation(len(dataset.check))
    tokens = np.cumsum([dataset.check[k].foretold for k in order])
    some = order[: max(1, int((tokens <= most).sum()))]
    return tuple(dataset.check[k] for k in sorted(some))


@torch.no_grad()
def tell(model: nn.Module, tunes: Sequence[Tune], device: str) -> Told:
    """What each piece costs a language model that begins it with a fresh state."""
    nats = np.zeros(len(tunes))
    order = sorted(range(len(tunes)), key=lambda k: -len(tunes[k]))
    for start in range(0, len(order), AT_ONCE):
        some = order[start : start + AT_ONCE]
        nats[some] = _group(model, [tunes[k] for k in some], device)
    return Told(tunes, nats)


def _group(model: nn.Module, tunes: Sequence[Tune], device: str) -> Floats:
    """The nats of pieces side by side, the longest first."""
    total = torch.zeros(len(tunes), dtype=torch.float64)
    lengths = np.array([tune.foretold for tune in tunes])
    state: State | None = None
    for at in range(0, int(lengths[0]), STEPS):
        steps = min(STEPS, int(lengths[0]) - at)
        alive = int((lengths > at).sum())
        ids = np.zeros((steps + 1, alive), np.int64)
        for b, tune in enumerate(tunes[:alive]):
            part = tune.ids[at : at + steps + 1]
            ids[: len(part), b] = part
        x, y = torch.from_numpy(ids[:-1]).to(device), torch.from_numpy(ids[1:]).to(device)
        if state is not None:
            state = [tuple(s[:, :alive].contiguous() for s in layer) for layer in state]
        scores, state = model(x, state)
        costs = -scores.log_softmax(-1).gather(-1, y[..., None])[..., 0].double().cpu()
        counts = torch.from_numpy(at + np.arange(steps)[:, None] < lengths[:alive])
        total[:alive] += (costs * counts).sum(0)
    return total.numpy()
