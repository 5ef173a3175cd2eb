"""How well steps are foretold: nats of whole frames, and frame accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from elman import chance
from elman.chance import Tally
from elman.metrics import Loss, Scores
from elman.tasks.music.frames.data import SILENT, FrameData, Score
from elman.tasks.music.frames.model import FrameModel
from elman.tasks.music.frames.training import batch_of, contexts
from elman.tasks.music.options import MusicOptions
from elman.tasks.task import Carry, Validation
from elman.wording import counted

AT_ONCE = 64  # pieces
STEPS = 256  # of a window, for the sake of memory
SCORED = 500_000  # steps at most

Floats = NDArray[np.float64]


class Told(NamedTuple):
    """What was told of each piece, in their order: the nats of its steps, how many steps there are,
    and of the likeliest frames the notes that were right, too many and missing."""

    nats: Floats  # [M]
    steps: Floats
    right: Floats
    wrong: Floats
    missed: Floats

    def scores(self) -> Scores:
        """Nats a step, of whole frames, the first of a piece among them; and the frame accuracy
        TP / (TP + FP + FN) over all notes of all steps (Bay et al. 2009, ISMIR, formula 1)."""
        right, of_all = self.right.sum(), (self.right + self.wrong + self.missed).sum()
        return {
            "nats": float(self.nats.sum() / self.steps.sum()),
            "accuracy": float(right / of_all) if of_all else 1.0,
        }

    @property
    def loss(self) -> Loss:
        return Loss(float(self.nats.sum()), int(self.steps.sum()))

    @property
    def tally(self) -> Tally:
        """Nats a step, by pieces."""
        return chance.shares("piece", self.nats, self.steps)


def validate(
    model: nn.Module, dataset: FrameData, options: MusicOptions, device: str
) -> Validation:
    scores, left = scored(dataset, options)
    found = tell(cast(FrameModel, model), scores, device)
    reading = dataset.reading
    counts = (
        f"nats a step of whole frames, {counted(reading.per_quarter, 'step')} a quarter"
        + (f", the first {counted(len(scores), 'piece')}" if left else "")
    )  # fmt: skip
    return Validation(found.loss, found.scores(), counted=counts, tally=found.tally)


def scored(dataset: FrameData, options: MusicOptions) -> tuple[tuple[Score, ...], int]:
    """The pieces that are scored, the first ones that are few enough, and how many are left out."""
    most = options.scored or SCORED
    steps = np.cumsum([len(score) for score in dataset.check])
    count = max(1, int((steps <= most).sum()))
    return dataset.check[:count], len(dataset.check) - min(count, len(dataset.check))


@torch.no_grad()
def tell(model: FrameModel, scores: Sequence[Score], device: str) -> Told:
    """What the network tells of each piece, the state carried from window to window."""
    sums = np.zeros((len(scores), 5))
    order = sorted(range(len(scores)), key=lambda k: -len(scores[k]))
    for start in range(0, len(order), AT_ONCE):
        some = np.array(order[start : start + AT_ONCE])
        for sizes, found in windows(model, [scores[k] for k in some], device):
            rows = some[np.concatenate([np.arange(n) for n in sizes.tolist()])]
            np.add.at(sums, rows, found)
    return Told(*sums.T)


def windows(
    model: FrameModel, group: Sequence[Score], device: str
) -> Iterator[tuple[Tensor, Floats]]:
    """Of some pieces, the longest first, window by window: how many have each step, [T], and what
    is counted of each of these, [N, 5], as `Told` has it."""
    carry: Carry = None
    for at in range(0, len(group[0]), STEPS):
        batch = batch_of(
            group, model.reading.pitches, in_voices=model.in_voices, begin=at, steps=STEPS
        )  # fmt: skip
        context, carry = contexts(model, batch, carry, device)
        true = batch.frames.to(device)
        head = model.together
        nats = head.nats(context, true)
        told, true = (_roll(f, model) for f in (head.likeliest(context), true))
        parts = [nats, torch.ones_like(nats), (told & true).sum(-1), (told & ~true).sum(-1),
                 (~told & true).sum(-1)]  # fmt: skip
        yield batch.sizes, torch.stack([p.double() for p in parts], -1).cpu().numpy()


def _roll(frames: Tensor, model: FrameModel) -> Tensor:
    """Which pitches sound, bool [N, P], whatever voice has them."""
    if not model.in_voices:
        return frames
    pitches = model.reading.pitches
    told = frames.masked_fill(frames == SILENT, pitches)
    return nn.functional.one_hot(told, pitches + 1).any(-2)[:, :pitches]
