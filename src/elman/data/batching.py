"""Batches: token ids as contiguous streams or shuffled windows, whole sequences by their length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elman.errors import UserError
from elman.wording import counted

Rows = TypeVar("Rows", bound="Sequence[Any] | NDArray[Any]")


@dataclass(frozen=True)
class Share:
    """Which rows of each batch one of `of` processes reads: every `of`-th from `first` on.

    Shares are equal up to a row, and of a batch that is sorted by length equally long.
    """

    first: int
    of: int

    def __call__(self, rows: Rows) -> Rows:
        mine: Rows = rows[self.first :: self.of]  # type: ignore[assignment]
        return mine


WHOLE = Share(0, 1)


class Tokens(Protocol):
    """Where ids are read from: a `TokenFile`, or anything like it."""

    def __len__(self) -> int: ...

    def read(self, start: int, count: int) -> NDArray[np.int64]: ...


def fit(tokens: int, batch_size: int, steps: int) -> tuple[int, int]:
    """The batch size and steps that a text of so many tokens can fill.

    Steps are kept and the batch made smaller, as long as every stream gets one full window; if
    even one stream cannot, it takes the whole text. Raises `UserError` below 2 tokens.
    """
    _need_two(tokens)
    steps = min(steps, tokens - 1)
    return min(batch_size, (tokens - 1) // steps), steps


class Streams:
    """Truncated back-propagation through time: B contiguous streams, read T steps at a time.

    The ids from `start` to `stop` are cut in B streams of equal length, L = (n - 1) // B inputs;
    what is left over at the end, fewer than B, is dropped, and so is a last short window. Window k
    goes on where window k - 1 ended, in every stream. `offset` >= 0 moves all windows to the
    right, so that each epoch cuts at other places; it is reduced modulo T, or less where the
    stream would lose its only window. Raises `UserError` where not one window fits: see `fit`.
    """

    def __init__(
        self,
        ids: Tokens,
        start: int,
        stop: int,
        batch_size: int,
        steps: int,
        *,
        offset: int = 0,
    ) -> None:
        _need_two(stop - start)
        length = (stop - start - 1) // batch_size
        if length < steps:
            raise UserError(
                f"{counted(stop - start, 'token does', 'tokens do')} not fill "
                f"{counted(batch_size, 'stream')} of {counted(steps, 'step')}; "
                "give a longer text, a smaller batch or fewer steps"
            )
        self._ids, self._steps = ids, steps
        offset %= min(steps, length - steps + 1)
        self._starts = [start + b * length + offset for b in range(batch_size)]
        self._windows = (length - offset) // steps

    def __len__(self) -> int:
        """Windows in an epoch."""
        return self._windows

    def __getitem__(self, k: int) -> tuple[Tensor, Tensor]:
        """Inputs x and next tokens y of window k, both int64 [T, B]."""
        _check(k, len(self))
        return self._window(k, self._starts)

    def part(self, k: int, share: Share) -> tuple[Tensor, Tensor] | None:
        """The same of the streams that one of several processes reads; None where it has none."""
        _check(k, len(self))
        starts = share(self._starts)
        return self._window(k, starts) if starts else None

    def _window(self, k: int, starts: list[int]) -> tuple[Tensor, Tensor]:
        at, steps = k * self._steps, self._steps
        return _shifted(np.stack([self._ids.read(start + at, steps + 1) for start in starts]))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return (self[k] for k in range(len(self)))


class Scoring:
    """Contiguous streams for evaluation: every token after `start`, up to `stop`, is scored once.

    Like `Streams`, but nothing is dropped: a mask says which next tokens count. Each stream begins
    up to `warmup` tokens early, before `start` too where there are such tokens, so that the state
    is not cold; these are not scored. The last window may be shorter than T.
    """

    def __init__(
        self,
        ids: Tokens,
        start: int,
        stop: int,
        batch_size: int,
        steps: int,
        *,
        warmup: int = 0,
    ) -> None:
        _need_two(stop - start)
        batch_size = min(batch_size, stop - start - 1)
        self._ids, self._steps = ids, steps
        bounds = np.linspace(start + 1, stop, batch_size + 1).astype(np.int64)
        self._first, self._last = bounds[:-1], bounds[1:]  # scored tokens of each stream
        self._starts = np.maximum(0, self._first - 1 - warmup)
        self._length = int((self._last - 1 - self._starts).max())

    def __len__(self) -> int:
        """Windows in all."""
        return -(-self._length // self._steps)

    def __getitem__(self, k: int) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs x and next tokens y of window k, int64 [T, B], and which y count, bool [T, B]."""
        _check(k, len(self))
        at = k * self._steps
        steps = min(self._steps, self._length - at)
        rows = np.zeros((len(self._starts), steps + 1), dtype=np.int64)
        for row, start in zip(rows, self._starts, strict=True):
            # Past the end of the file a stream is filled with id 0, which the mask leaves out.
            found = self._ids.read(int(start) + at, steps + 1)
            row[: len(found)] = found
        place = self.places(k)
        scored = (self._first <= place) & (place < self._last)
        return *_shifted(rows), torch.from_numpy(scored)

    def places(self, k: int) -> NDArray[np.int64]:
        """Where each y of window k stands in the text, int64 [T, B]."""
        _check(k, len(self))
        at = k * self._steps
        steps = min(self._steps, self._length - at)
        places: NDArray[np.int64] = self._starts + at + 1 + np.arange(steps)[:, None]
        return places

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        return (self[k] for k in range(len(self)))


class Windows:
    """Windows of T tokens, each with the token after it, for models that read both ways.

    Every window between `start` and `stop` comes once, so each token from `start` + T on is
    predicted once; to score the tokens from `first` on, let `start` be `first` - T. With `seed`
    (one for each epoch) the order is shuffled, without a list of it; with None it is that of the
    text. The last batch may be smaller than B. Raises `UserError` where not one window fits.
    """

    def __init__(
        self,
        ids: Tokens,
        start: int,
        stop: int,
        batch_size: int,
        steps: int,
        *,
        seed: int | None,
    ) -> None:
        _need_two(stop - start)
        if stop - start <= steps:
            raise UserError(
                f"{counted(stop - start, 'token holds', 'tokens hold')} no window of "
                f"{counted(steps, 'step')} and the token after "
                "it; give a longer text or fewer steps"
            )
        self._ids, self._start, self._batch_size, self._steps = ids, start, batch_size, steps
        self._seed = seed
        self._count = stop - start - steps

    def __len__(self) -> int:
        """Batches in an epoch."""
        return -(-self._count // self._batch_size)

    def __getitem__(self, k: int) -> tuple[Tensor, Tensor]:
        """Inputs x, int64 [T, B], and the token after each, y, int64 [B], of batch k."""
        return self._windows(self._places(k))

    def part(self, k: int, share: Share) -> tuple[Tensor, Tensor] | None:
        """The same of the windows that one of several processes reads; None where it has none."""
        places = share(self._places(k))
        return self._windows(places) if len(places) else None

    def _places(self, k: int) -> NDArray[np.int64]:
        _check(k, len(self))
        at = k * self._batch_size
        return np.arange(at, min(at + self._batch_size, self._count))

    def _windows(self, places: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        if self._seed is not None:
            places = permuted(places, self._count, self._seed)
        rows = np.stack(
            [self._ids.read(self._start + int(place), self._steps + 1) for place in places]
        )
        x, y = _shifted(rows)
        return x, y[-1].clone()

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return (self[k] for k in range(len(self)))


class Buckets:
    """Whole sequences, batched with others of about their length, so that little is padding.

    Their numbers are shuffled by the seed, sorted by length within stretches of `STRETCH` batches,
    and cut into batches, whose order is shuffled again. With `seed` None they come sorted by
    length, the longest first. The last batch may be smaller than B.

    With `tokens`, of each sequence how many it has, a batch holds no more of them than B sequences
    have on average, but one sequence at least: so short ones come in larger batches.
    """

    STRETCH = 50

    def __init__(
        self, lengths: NDArray[np.int64], batch_size: int, *, seed: int | None,
        tokens: NDArray[np.int64] | None = None,
    ) -> None:  # fmt: skip
        count = len(lengths)
        if seed is None:
            order = np.argsort(-lengths, kind="stable")
        else:
            draw = np.random.default_rng(seed)
            order, stretch = draw.permutation(count), batch_size * self.STRETCH
            for start in range(0, count, stretch):
                part = order[start : start + stretch]
                order[start : start + stretch] = part[np.argsort(-lengths[part], kind="stable")]
        self._batches = [order[k : k + batch_size] for k in range(0, count, batch_size)]
        if tokens is not None:
            self._batches = _cut(order, tokens, batch_size * float(tokens.mean()))
        if seed is not None:
            self._batches = [self._batches[k] for k in draw.permutation(len(self._batches))]

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, k: int) -> NDArray[np.int64]:
        """The numbers of the sequences of batch k."""
        _check(k, len(self))
        return self._batches[k]


def _cut(
    order: NDArray[np.int64], tokens: NDArray[np.int64], most: float
) -> list[NDArray[np.int64]]:
    """`order` in pieces of at most so many tokens, of one sequence at least."""
    until = np.cumsum(tokens[order])
    pieces, start = [], 0
    while start < len(order):
        before = until[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(until, before + most, side="right")))
        pieces.append(order[start:stop])
        start = stop
    return pieces


def padded(sequences: Sequence[NDArray[Any]]) -> tuple[Tensor, Tensor]:
    """Arrays [T_b, ...] as one tensor [B, T, ...], zero where one has ended; lengths int64 [B]."""
    lengths = [len(sequence) for sequence in sequences]
    shape = (len(sequences), max(lengths), *sequences[0].shape[1:])
    kind = np.float32 if sequences[0].dtype.kind == "f" else np.int64
    together = np.zeros(shape, dtype=kind)
    for row, sequence in zip(together, sequences, strict=True):
        row[: len(sequence)] = sequence
    return torch.from_numpy(together), torch.tensor(lengths)


def permuted(places: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Where a shuffle of 0 ... `count` - 1 puts these places; nothing of size `count` is made.

    A Feistel network permutes the numbers of an even number of bits; whatever lands at `count` or
    beyond is sent through again until it does not (Black and Rogaway 2002, "Ciphers with
    arbitrary finite domains").
    """
    half = np.uint64((max(count - 1, 1).bit_length() + 1) // 2)
    low = np.uint64((1 << int(half)) - 1)
    keys = np.random.default_rng(seed).integers(1 << 63, size=6, dtype=np.uint64)
    result = places.astype(np.uint64)
    outside = np.ones(len(result), dtype=bool)
    while outside.any():
        left, right = result[outside] >> half, result[outside] & low
        for key in keys:
            mixed = (right + key) * np.uint64(0x9E3779B97F4A7C15)  # wraps around: that is meant
            left, right = right, left ^ ((mixed ^ (mixed >> np.uint64(29))) >> np.uint64(32)) & low
        result[outside] = left << half | right
        outside = result >= count
    return result.astype(np.int64)


def _shifted(rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Rows [B, T + 1] as time-major inputs and next tokens, each [T, B]."""
    columns = np.ascontiguousarray(rows.T)
    return torch.from_numpy(columns[:-1]), torch.from_numpy(columns[1:])


def _need_two(tokens: int) -> None:
    if tokens < 2:
        raise UserError(
            f"too little text: {tokens} token(s), and nothing follows the first; "
            "give at least 2, for training and for validation"
        )


def _check(k: int, windows: int) -> None:
    if not 0 <= k < windows:
        raise IndexError(f"window {k} of {windows}")
