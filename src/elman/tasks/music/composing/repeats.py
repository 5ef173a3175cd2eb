"""No run of frames that stood before: which frame would complete one."""

from __future__ import annotations

from collections.abc import Iterable

from elman.tasks.music.composing.choosing import Frozen


class Repeats:
    """The frames of a piece, and of every run of `length` - 1 what came after it.

    As `no_repeat` of a search: no run of `length` frames occurs twice. 0 allows all.
    """

    def __init__(self, length: int, frames: Iterable[Frozen] = ()) -> None:
        self.length, self.frames = length, list[Frozen]()
        self._after: dict[tuple[Frozen, ...], set[Frozen]] = {}
        for frame in frames:
            self.add(frame)

    def barred(self) -> set[Frozen]:
        """The frames that may not come next."""
        return self._after.get(self._last(), set()) if self._begun() else set()

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

    def branch(self) -> Repeats:
        """The same, to be gone on with apart."""
        return Repeats(self.length, self.frames)
