"""Clips side by side, changed a little each time, and what a batch of them costs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.data.batching import Buckets, Share, padded
from elman.data.sound.augmentation import Augmentation
from elman.layers.sound import Moments
from elman.tasks import ensemble
from elman.tasks.speech.data import BLANK, Floats, Ints, Part, SpeechData
from elman.tasks.speech.model import recogniser
from elman.tasks.speech.options import SpeechOptions
from elman.tasks.speech.rejection import NONE, SHARE, background, cost
from elman.tasks.task import Carry, Epoch

PLAIN = 300  # batches before clips are changed
# The more of a clip its transcript fills, the fewer ways there are to lay one over the other, and
# the sooner a network with CTC writes more than blanks: it begins with the tightest clips.
TIGHT = 5  # clips for one of these
AHEAD = 4  # passes over them before the first over all
# Spectra are as long as a multiple of so many frames: convolutions of a length that was not seen
# before are prepared anew, in a fifth of a step's time.
EVEN = 64


class Batch(NamedTuple):
    """Clips side by side, and what is to be told of them, clip after clip."""

    waves: Tensor  # [B, S] float32
    lengths: Tensor  # [B]
    targets: Tensor  # [N] int64: symbols of all transcripts, or a label each
    target_lengths: Tensor  # [B] int64
    moments: tuple[Moments, ...] | None  # of each clip's speaker
    seed: int | None  # of the masks over the spectrum; None for no masks


@dataclass(frozen=True)
class Batches:
    """The training batches of one epoch; `seed` draws how clips are changed, by their number."""

    dataset: SpeechData
    order: Sequence[Ints]  # the numbers of the clips of each batch
    augmentation: Augmentation | None
    seed: int

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, k: int) -> Batch:
        return self._batch(self.order[k].tolist(), k)

    def part(self, k: int, share: Share) -> Batch | None:
        chosen = share(self.order[k]).tolist()
        # Masks, and sounds of no class, are others in each process.
        return self._batch(chosen, k + share.first * len(self)) if chosen else None

    def _batch(self, chosen: list[int], drawn: int) -> Batch:
        part = self.dataset.train
        if self.augmentation is None:
            return batch(self.dataset, part, chosen)
        rate, some = self.dataset.encoder.hearing.rate, part.pick(chosen)
        waves = [
            self.augmentation(
                self.dataset.wave(part, n), rate, np.random.default_rng((self.seed, n)),
                self.dataset.noises,
            )
            for n in chosen
        ]  # fmt: skip
        if self.dataset.encoder.mode == "classify" and part.moments is None:
            others = self._of_no_class(drawn, waves)
            waves = [*waves, *others]
            some = replace(some, targets=(*some.targets, *[np.array([NONE])] * len(others)))
        return together(waves, some, self.seed + drawn)

    def _of_no_class(self, drawn: int, waves: list[Floats]) -> list[Floats]:
        """Sounds that are of no class, as long as some of these."""
        rate, found = self.dataset.encoder.hearing.rate, []
        for n, wave in enumerate(waves[::SHARE]):
            draw = np.random.default_rng((self.seed, drawn, n))
            found.append(background(draw, len(wave), rate, self.dataset.noises))
        return found


def together(waves: list[Floats], part: Part, seed: int | None = None) -> Batch:
    """The clips of a part, as these samples, side by side."""
    x, lengths = padded(waves)
    targets = torch.from_numpy(np.concatenate([*part.targets, np.empty(0, dtype=np.int64)]))
    sizes = torch.tensor([len(target) for target in part.targets], dtype=torch.int64)
    return Batch(x, lengths, targets, sizes, part.moments, seed)


def batch(dataset: SpeechData, part: Part, chosen: list[int]) -> Batch:
    """Clips of a part as they are."""
    return together([dataset.wave(part, n) for n in chosen], part.pick(chosen))


def epoch(
    dataset: SpeechData, options: SpeechOptions, batch_size: int, seed: int, epoch: int
) -> Epoch[Batch]:
    draw = int(np.random.default_rng((seed, epoch)).integers(2**62))
    lengths = dataset.lengths(dataset.train)
    order = _order(lengths, np.arange(len(lengths)), batch_size, draw)
    # Where a transcript lies in its clip is found sooner while clips are as they are.
    early = epoch * len(order) < PLAIN
    if epoch == 0 and dataset.encoder.mode == "transcribe":
        some = tightest(dataset.train, lengths)
        passes = [_order(lengths, some, batch_size, draw + k) for k in range(AHEAD)]
        order = [*itertools.chain.from_iterable(passes), *order]
    changed = Augmentation() if options.augment and not early else None
    return Batches(dataset, order, changed, draw)


def tightest(part: Part, lengths: Ints) -> Ints:
    """The numbers of the clips, one in `TIGHT`, that have the most symbols for their length."""
    symbols = np.array([len(target) for target in part.targets])
    return np.argsort(-symbols / np.maximum(lengths, 1), kind="stable")[: -(-len(part) // TIGHT)]


def _order(lengths: Ints, chosen: Ints, batch_size: int, seed: int) -> list[Ints]:
    """Batches of the chosen clips, each with as many samples as `batch_size` of all have."""
    own = lengths[chosen]
    size = max(1, round(batch_size * lengths.mean() / own.mean()))
    buckets = Buckets(own, size, seed=seed, tokens=own)
    return [chosen[buckets[k]] for k in range(len(buckets))]


def loss(model: nn.Module, batch: Batch, carry: Carry, device: str) -> tuple[Tensor, int, Carry]:
    model = recogniser(model)
    draw = None if batch.seed is None else np.random.default_rng(batch.seed)
    x, lengths = model.heard(batch.waves.to(device), batch.lengths, batch.moments, draw)
    x = F.pad(x, (0, 0, 0, -x.shape[1] % EVEN))
    each, targets = model.each(x, lengths), batch.targets.to(device)
    if model.mode == "classify":
        costs = [cost(scores, targets) for scores, _ in each]
        return torch.stack(costs).mean(), len(targets), None
    scores, lengths = each[0]
    total = F.ctc_loss(
        scores.transpose(0, 1), targets, lengths, batch.target_lengths, blank=BLANK,
        reduction="sum", zero_infinity=True,
    )  # fmt: skip
    return total, max(1, len(targets)), None


def losses_apart(options: SpeechOptions) -> str:
    changed = "training changes and masks the clips" if options.augment else ""
    return changed or ensemble.losses_apart(options)
