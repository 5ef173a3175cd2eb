"""Pieces side by side, moved into other keys, in windows that carry the state on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

from elman.data.batching import Buckets, Share
from elman.tasks.music.frames.data import SILENT, FrameData, Ints, Score
from elman.tasks.music.frames.model import FrameModel
from elman.tasks.music.options import OCTAVE, MusicOptions
from elman.tasks.task import Carry, Epoch, State

ALL_KEYS = (-6, 5)  # semitones: every key once
WHOLE = 1 << 20  # steps of a window that holds any piece


class Batch(NamedTuple):
    """Some steps of pieces, packed: at each step those pieces that have it, the longest first."""

    before: Tensor  # [N, …], the frame before each step
    frames: Tensor  # [N, …]
    places: Tensor  # [N]
    sizes: Tensor  # [T], on the CPU
    begins: bool  # whether the pieces begin here; else they go on from the window before


@dataclass(frozen=True)
class Windows:
    """The training batches of one epoch: each group of pieces in windows, one after the other.

    `moves` are the semitones by which each piece is moved in this epoch.
    """

    scores: tuple[Score, ...]
    order: Buckets
    moves: Ints
    steps: int
    in_voices: bool
    pitches: int

    @cached_property
    def _windows(self) -> list[tuple[int, int]]:
        """The group, and the first step, of each window."""
        longest = [max(len(self.scores[n]) for n in self.order[k]) for k in range(len(self.order))]
        return [(k, at) for k, most in enumerate(longest) for at in range(0, most, self.steps)]

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, k: int) -> Batch:
        group, at = self._windows[k]
        return self._batch(self.order[group], at)

    def part(self, k: int, share: Share) -> Batch | None:
        group, at = self._windows[k]
        pieces = share(self.order[group])
        return self._batch(pieces, at) if any(len(self.scores[n]) > at for n in pieces) else None

    def _batch(self, pieces: Ints, at: int) -> Batch:
        scores = [self.scores[n].transposed(int(self.moves[n]), self.pitches) for n in pieces]
        return batch_of(scores, self.pitches, in_voices=self.in_voices, begin=at, steps=self.steps)


def epoch(
    dataset: FrameData, options: MusicOptions, batch_size: int, seed: int, epoch: int
) -> Epoch[Batch]:
    draw = np.random.default_rng((seed, epoch))
    order = Buckets(dataset.lengths, batch_size, seed=int(draw.integers(2**62)))
    pitches = dataset.reading.pitches
    moves = np.array([move(score, options, pitches, draw) for score in dataset.train], np.int64)
    steps, in_voices = options.sequence_length or WHOLE, options.head == "voices"
    return Windows(dataset.train, order, moves, steps, in_voices, pitches)


def move(score: Score, options: MusicOptions, pitches: int, draw: np.random.Generator) -> int:
    """By how many semitones a piece is moved: any number that is asked for, by which no note leaves
    the range, alike."""
    asked = options.transpose or 0
    low, high = ALL_KEYS if asked >= OCTAVE // 2 else (-asked, asked)
    down, up = score.room(pitches)
    return int(draw.integers(max(low, down), min(high, up), endpoint=True))


def batch_of(
    scores: Sequence[Score], pitches: int, *, in_voices: bool, begin: int = 0, steps: int = WHOLE
) -> Batch:
    """The steps from `begin` on, at most so many, of those pieces that have them, the longest piece
    first; of equally long ones the order stays."""
    scores = sorted((s for s in scores if len(s) > begin), key=len, reverse=True)
    before, frames, places, end = [], [], [], begin + steps
    for score in scores:
        own = score.steps if in_voices else score.roll(pitches)
        fill = SILENT if in_voices else False
        last = own[begin - 1 : begin] if begin else np.full_like(own[:1], fill)
        frames.append(torch.from_numpy(own[begin:end]))
        before.append(torch.from_numpy(np.concatenate([last, own[begin : end - 1]])))
        places.append(torch.from_numpy(score.places[begin:end]))
    packed = pack_sequence(frames)
    shifted = pack_sequence([b[: len(f)] for b, f in zip(before, frames, strict=True)])
    return Batch(
        shifted.data, packed.data, pack_sequence(places).data, packed.batch_sizes, begin == 0
    )


def loss(model: nn.Module, batch: Batch, carry: Carry, device: str) -> tuple[Tensor, int, Carry]:
    """Of several networks what it costs each by itself in training, else what it costs them
    together."""
    model = cast(FrameModel, model)
    context, after = contexts(model, batch, carry, device)
    head, frames = model.together, batch.frames.to(device)
    nats = (head.alone if model.training else head.nats)(context, frames)
    return nats.sum(), len(nats), [tuple(s.detach() for s in layer) for layer in after]


def contexts(model: FrameModel, batch: Batch, carry: Carry, device: str) -> tuple[Tensor, State]:
    """What each step of a batch is told from, [N, C], and the state after them. `carry` is that of
    the window before, in which there may have been more pieces."""
    state = None
    if carry is not None and not batch.begins:
        going_on = int(batch.sizes[0])
        state = [tuple(s[:, :going_on].contiguous() for s in layer) for layer in carry]
    found: tuple[Tensor, State] = model(
        batch.before.to(device), batch.places.to(device), state, batch.sizes
    )
    return found
