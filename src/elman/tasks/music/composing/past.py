"""What the frames of a piece forbid of the next one: a run that stood before, and parallels."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from elman.data.symbolic.theory.counterpoint import moves_in_parallel

Frozen = tuple[int, ...]


def frozen(frame: Tensor) -> Frozen:
    """A frame as a key: its notes, or the notes of its voices."""
    if frame.dtype == torch.bool:
        return tuple(frame.nonzero()[:, 0].tolist())
    return tuple(frame.tolist())


class Past:
    """The frames of a piece, and of every run of `length` - 1 what came after it.

    As `no_repeat` of a search: no run of `length` frames occurs twice. 0 allows all. With
    `no_parallels` no two voices go from a fifth to a fifth, or from an octave to an octave.
    """

    def __init__(
        self, length: int, frames: Iterable[Frozen] = (), *, no_parallels: bool = False
    ) -> None:
        self.length, self.no_parallels = length, no_parallels
        self.frames = list[Frozen]()
        self._after: dict[tuple[Frozen, ...], set[Frozen]] = {}
        for frame in frames:
            self.add(frame)

    @property
    def forbids(self) -> bool:
        """Whether anything is forbidden by what stood before."""
        return bool(self.length) or self.no_parallels

    def barred(self) -> Container[Frozen]:
        """The frames that may not come next."""
        again = self._after.get(self._last(), set()) if self._begun() else set()
        if self.no_parallels and self.frames:
            return _Barred(again, self.frames[-1])
        return again

    def add(self, frame: Frozen) -> None:
        """The next frame."""
        if self._begun():
            self._after.setdefault(self._last(), set()).add(frame)
        self.frames.append(frame)

    def _begun(self) -> bool:
        return 0 < self.length <= len(self.frames) + 1

    def _last(self) -> tuple[Frozen, ...]:
        """The newest `length` - 1."""
        return tuple(self.frames[len(self.frames) - self.length + 1 :])

    def branch(self) -> Past:
        """The same, to be gone on with apart."""
        return Past(self.length, self.frames, no_parallels=self.no_parallels)


@dataclass(frozen=True)
class _Barred(Container[Frozen]):
    """The frames of `again`, and all to which voices move in parallel from `before`."""

    again: Container[Frozen]
    before: Frozen

    def __contains__(self, frame: Any) -> bool:
        return frame in self.again or moves_in_parallel(self.before, frame)
