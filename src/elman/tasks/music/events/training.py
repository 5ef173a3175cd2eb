"""Pieces side by side, each from a fresh state, in a new order and new keys in each epoch."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.data.batching import Share
from elman.tasks.music.events.data import EventData, Tune
from elman.tasks.music.events.reading import keys
from elman.tasks.music.events.tokens import Ids, Tokenizer
from elman.tasks.music.options import MusicOptions
from elman.tasks.task import Carry, State
from elman.tasks.text.model import LanguageModel

UNEVEN = 0.5  # by so much a piece's length is varied where pieces are dealt to streams


class Batch(NamedTuple):
    """Some steps of pieces, B streams side by side."""

    x: Tensor  # int64 [T, B]
    y: Tensor  # int64 [T, B], the next tokens
    counts: Tensor  # bool [T, B], which of these there are
    fresh: Tensor  # bool [B], in which streams another piece begins


class Stretch(NamedTuple):
    """The windows `first` to `stop` of a piece, which stand together in a stream."""

    tune: int
    first: int
    stop: int


@dataclass(frozen=True)
class Windows:
    """The training batches of one epoch. `moves` are the semitones by which each piece is moved."""

    tunes: tuple[Tune, ...]
    tokenizer: Tokenizer
    streams: tuple[tuple[Stretch, ...], ...]
    moves: tuple[int, ...]
    steps: int

    @cached_property
    def _ends(self) -> list[list[int]]:
        """The window at which each stretch of each stream ends."""
        return [list(accumulate(s.stop - s.first for s in stream)) for stream in self.streams]

    def __len__(self) -> int:
        return max(ends[-1] for ends in self._ends)

    def __getitem__(self, k: int) -> Batch:
        if not 0 <= k < len(self):
            raise IndexError(k)
        return self._batch(k, list(zip(self.streams, self._ends, strict=True)))

    def part(self, k: int, share: Share) -> Batch | None:
        streams = share(list(zip(self.streams, self._ends, strict=True)))
        return self._batch(k, streams) if streams else None

    def _batch(self, k: int, streams: list[tuple[tuple[Stretch, ...], list[int]]]) -> Batch:
        T, B = self.steps, len(streams)
        x, y = (np.zeros((T, B), np.int64) for _ in range(2))
        counts, fresh = np.zeros((T, B), np.bool_), np.ones(B, np.bool_)
        for b, (stream, ends) in enumerate(streams):
            at = bisect_right(ends, k)
            if at == len(ends):
                continue  # this stream has ended
            one = stream[at]
            into = k - (ends[at - 1] if at else 0)
            ids, n = self._window(one.tune, one.first + into)
            x[:n, b], y[:n, b], counts[:n, b] = ids[:-1], ids[1:], True
            fresh[b] = into == 0
        return Batch(*(torch.from_numpy(part) for part in (x, y, counts, fresh)))

    def _window(self, tune: int, number: int) -> tuple[Ids, int]:
        """The tokens of a window and the one after it, and how many are foretold."""
        start = number * self.steps
        ids = self.tunes[tune].ids[start : start + self.steps + 1]
        return self.tokenizer.transposed(ids, self.moves[tune]), len(ids) - 1


def epoch(
    dataset: EventData, options: MusicOptions, batch_size: int, seed: int, epoch: int
) -> Windows:
    draw = np.random.default_rng((seed, epoch))
    steps = options.sequence_length or 1
    moves = tuple(
        move(dataset.tokenizer.room(tune.ids), keys(options), draw) for tune in dataset.train
    )
    windows = [-(-tune.foretold // steps) for tune in dataset.train]
    streams = dealt(windows, batch_size, draw)
    return Windows(dataset.train, dataset.tokenizer, streams, moves, steps)


def move(room: tuple[int, int], asked: tuple[int, int], draw: np.random.Generator) -> int:
    """By how many semitones a piece is moved: any number that is asked for, by which no note leaves
    the pitches that there are tokens for, alike."""
    (low, high), (down, up) = asked, room
    return int(draw.integers(max(low, down), min(high, up), endpoint=True))


def dealt(
    windows: list[int], streams: int, draw: np.random.Generator
) -> tuple[tuple[Stretch, ...], ...]:
    """Pieces of so many windows, each at least 1, dealt to at most so many streams about as long as
    one another, in a new order. A piece that is longer than a stream should be is cut: its parts
    begin with a fresh state."""
    share = -(-sum(windows) // streams)
    parts = [
        Stretch(tune, first, min(first + share, count))
        for tune, count in enumerate(windows)
        for first in range(0, count, share)
    ]
    # The longest first, each to the shortest stream; lengths vary a little, so that others meet.
    varied = [(part.stop - part.first) * (1 + UNEVEN * draw.random()) for part in parts]
    heap = [(0, b) for b in range(min(streams, len(parts)))]
    rows: list[list[Stretch]] = [[] for _ in heap]
    for k in sorted(range(len(parts)), key=lambda k: -varied[k]):
        length, b = heapq.heappop(heap)
        rows[b].append(parts[k])
        heapq.heappush(heap, (length + parts[k].stop - parts[k].first, b))
    return tuple(tuple(row[k] for k in draw.permutation(len(row))) for row in rows if row)


def loss(model: nn.Module, batch: Batch, carry: Carry, device: str) -> tuple[Tensor, int, Carry]:
    """Of several networks what it costs each by itself, on average."""
    x, y, counts, fresh = (part.to(device) for part in batch)
    assert isinstance(model, LanguageModel)
    each, state = model.each(x, begun(model, carry, fresh))
    costs = [F.cross_entropy(one[counts], y[counts], reduction="sum") for one in each]
    after = [tuple(s.detach() for s in part) for part in state]
    return torch.stack(costs).mean(), int(batch.counts.sum()), after


def begun(model: nn.Module, carry: Carry, fresh: Tensor) -> State | None:
    """The states that go on, but those of a beginning where another piece is `fresh` [B]."""
    if carry is None or bool(fresh.all()):
        return None
    if not bool(fresh.any()):
        return carry
    keep = ~fresh[None, :, None]
    first = initial(model)
    if first is None:
        return [tuple(s * keep for s in part) for part in carry]
    return [
        tuple(torch.where(keep, s, f[:, None].to(s.dtype)) for s, f in zip(part, own, strict=True))
        for part, own in zip(carry, first, strict=True)
    ]


def initial(model: nn.Module) -> list[tuple[Tensor, ...]] | None:
    """The learned first state of each layer, each [D, H], network after network; None where it is
    zero."""
    assert isinstance(model, LanguageModel)
    found = list[tuple[Tensor, ...]]()
    for network in model.networks:
        named = [
            (name, p) for name, p in network.recurrent.named_parameters()
            if name.startswith("initial_")
        ]  # fmt: skip
        layers = len({name.rpartition("_l")[2] for name, _ in named})
        found += [tuple(p for name, p in named if name.endswith(f"_l{k}")) for k in range(layers)]
    return found or None
