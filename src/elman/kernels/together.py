"""Many texts that go through one `Stream` together, each as if it were alone.

A text stands in a place: its states, the logits of its next token, what it has seen. At each call
some texts read, some write, and some do both, while the weights are read once for several of them.
The sums of a row are made in the same order whoever else is there, so that a text is the same to
the bit in any company; `Stream.read` and `Stream.generate` are the reference.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elman.kernels.stream import State, Stream, error, mask

# `Text` of csrc/model.h: addresses first.
TEXT = np.dtype(
    [(name, np.uint64) for name in
     ("state", "logits", "ids", "tokens", "all_logits", "seen", "forbidden")]
    + [("reads", np.int64), ("writes", np.int64), ("position", np.uint64)]
    + [(name, np.float64) for name in ("temperature", "top_p", "repetition_penalty")]
    + [("top_k", np.int64), ("seed", np.uint64), ("made", np.int64), ("why", np.int64)]
)  # fmt: skip

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]


class Standing(NamedTuple):
    """Where a text stands: what a place is entered with and left with."""

    state: State  # each [1, H]
    logits: Tensor  # [V]
    position: int  # tokens read and written
    seen: frozenset[int]


class Advanced(NamedTuple):
    """What became of the texts of one call, in the order in which they were named."""

    tokens: list[list[int]]  # that were made
    logits: list[Floats | None]  # [tokens read and made, V] after each, where it was asked for
    errors: list[Exception | None]  # why there are fewer tokens than were asked for


class Together:
    """Places for texts of one model. One thread at a time may use it.

    `most` tokens are made of a text in one call. `forbidden` ids are never chosen.
    ValueError: a stream that does not write.
    """

    def __init__(
        self, stream: Stream, places: int, *, most: int = 1, forbidden: Collection[int] = ()
    ) -> None:
        V = stream.vocabulary_size
        if V is None or stream.output_size != V:
            raise ValueError("this stream cannot write: it needs tokens, and an output over them")
        self._stream, self._most, self.vocabulary_size = stream, most, V
        self._widths = stream.state_sizes
        # Memory is taken when a place is first used.
        self._states: Floats = np.zeros((places, sum(map(sum, self._widths))), np.float32)
        self._logits: Floats = np.zeros((places, V), np.float32)
        self._seen = np.zeros((places, V), np.uint8)
        self._tokens: Ids = np.zeros((places, most), np.int64)
        self._forbidden = mask("forbidden", forbidden, V)
        self._texts = np.zeros(places, TEXT)
        self._watched = np.zeros(places, bool)
        self._unread: dict[int, Ids] = {}
        for name, rows in (
            ("state", self._states), ("logits", self._logits), ("seen", self._seen),
            ("tokens", self._tokens),
        ):  # fmt: skip
            self._texts[name] = rows.ctypes.data + rows.strides[0] * np.arange(places)
        if bool(self._forbidden.any()):
            self._texts["forbidden"] = self._forbidden.data_ptr()

    @property
    def bytes_of_a_place(self) -> int:
        """Memory of one text."""
        each = (self._states, self._logits, self._seen, self._tokens, self._texts)
        return sum(rows.strides[0] for rows in each)

    def beginning(self) -> Standing:
        """Where a text begins that has read nothing yet; it has to read before it writes."""
        state = [tuple(torch.zeros(1, H) for H in layer) for layer in self._widths]
        return Standing(state, torch.zeros(self.vocabulary_size), 0, frozenset())

    def enter(
        self,
        place: int,
        standing: Standing,
        *,
        seed: int,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        repetition_penalty: float = 1.0,
        watched: bool = False,
    ) -> None:
        """A text goes on from `standing`, chosen as by `Stream.generate`. Of a watched text all
        logits are given. ValueError: of another model."""
        flat = [s.reshape(-1) for layer in standing.state for s in layer]
        sizes = [H for layer in self._widths for H in layer]
        if [len(s) for s in flat] != sizes or standing.logits.shape != (self.vocabulary_size,):
            raise ValueError("a state of another model")
        self._states[place] = torch.cat(flat).numpy()
        self._logits[place] = standing.logits.numpy()
        self._seen[place] = mask("seen", standing.seen, self.vocabulary_size).numpy()
        text = self._texts[place]
        text["position"], text["seed"], text["temperature"] = standing.position, seed, temperature
        text["top_k"], text["top_p"] = min(top_k, 2**62), top_p
        text["repetition_penalty"] = repetition_penalty
        self._watched[place] = watched
        self._unread.pop(place, None)

    def standing(self, place: int) -> Standing:
        """Where the text in this place stands now."""
        flat, state = torch.from_numpy(self._states[place].copy()), list[tuple[Tensor, ...]]()
        for layer in self._widths:
            state.append(tuple(part[None] for part in torch.split(flat[: sum(layer)], list(layer))))
            flat = flat[sum(layer) :]
        logits = torch.from_numpy(self._logits[place].copy())
        seen = frozenset(np.flatnonzero(self._seen[place]).tolist())
        return Standing(state, logits, int(self._texts["position"][place]), seen)

    def logits(self, place: int) -> Floats:
        """The logits [V] of the next token; they change with the next call."""
        logits: Floats = self._logits[place]
        return logits

    def give(self, place: int, ids: Sequence[int]) -> None:
        """What a text is to read next. ValueError: ids out of range."""
        given = np.array(ids, np.int64).reshape(-1)
        if len(given) and not 0 <= int(given.min()) <= int(given.max()) < self.vocabulary_size:
            raise ValueError(f"ids must lie in 0 to {self.vocabulary_size - 1}")
        self._unread[place] = given

    def unread(self, place: int) -> int:
        """How many tokens it has been given and has not read."""
        return len(self._unread.get(place, ()))

    def advance(self, places: Ids, reads: Ids, writes: Ids) -> Advanced:
        """Each text reads up to `reads` of what it was given and, when nothing of that is left,
        makes up to `writes` tokens. ValueError: more than `most` writes."""
        if len(writes) and int(writes.max()) > self._most:
            raise ValueError(f"at most {self._most} tokens are made in a call")
        texts, unread = self._texts, self._unread
        read = np.zeros(len(places), np.int64)
        if unread:
            for k in np.flatnonzero(np.isin(places, list(unread))).tolist():
                given = unread[int(places[k])]
                read[k] = min(len(given), int(reads[k]))
                texts["ids"][places[k]] = given.ctypes.data
                if read[k] < len(given):
                    writes = np.where(np.arange(len(places)) == k, 0, writes)
        texts["reads"][places], texts["writes"][places] = read, writes
        watched: list[Floats | None] = [None] * len(places)
        texts["all_logits"][places] = 0
        for k in np.flatnonzero(self._watched[places]).tolist():
            rows = np.empty((int(read[k] + writes[k]), self.vocabulary_size), np.float32)
            watched[k], texts["all_logits"][places[k]] = rows, rows.ctypes.data
        which = np.ascontiguousarray(places, np.int64)
        self._stream.advance(texts.ctypes.data, which.ctypes.data, len(which))
        for k in np.flatnonzero(read).tolist():
            place = int(places[k])
            unread[place] = unread[place][read[k] :]
            if not len(unread[place]):
                del unread[place]
        made, why = texts["made"][places].tolist(), texts["why"][places].tolist()
        tokens = self._tokens[:, : max(made, default=0)][places].tolist()
        return Advanced(
            [row[:n] for row, n in zip(tokens, made, strict=True)],
            [None if rows is None else rows[: int(read[k]) + made[k]]
             for k, rows in enumerate(watched)],
            [error(reason) if reason else None for reason in why],
        )  # fmt: skip
