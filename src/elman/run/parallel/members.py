"""Who trains a run together, by name; and who is missing, when one of them no longer answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from elman.errors import RunError

ANSWERED = 5.0  # seconds in which all that live have noticed that another has ended


class Store(Protocol):
    """Where all ranks can leave words: what Elman asks of those of torch.distributed."""

    def set(self, key: str, value: str, /) -> None: ...
    def get(self, key: str, /) -> bytes: ...
    def check(self, keys: list[str], /) -> bool: ...


class Missing(RunError):
    """Another rank has ended. `told` where this rank is the one to tell it."""

    def __init__(self, line: str, *, told: bool) -> None:
        super().__init__(line)
        self.told = told


@dataclass(frozen=True)
class Members:
    """All ranks by their names, such as `rank 1 (host, pid 51)`, and where they leave notes."""

    rank: int
    names: Sequence[str]
    store: Store
    answered: float = ANSWERED

    @property
    def size(self) -> int:
        return len(self.names)

    def name(self, rank: int) -> str:
        return self.names[rank]

    def leave_word(self, word: str) -> None:
        """Why this rank ends, or empty: that it is still there."""
        self.store.set(f"word/{self.rank}", word)

    def missed(self, again: str) -> Missing:
        """What is to be said where a call of all ranks has failed: the first of those that are left
        tells who has ended and why, and how to go on, by `again`."""
        try:
            words = self._words()
        except RuntimeError:
            return Missing(f"the machine of {self.names[0]} no longer answers", told=True)
        gone = [name for name, word in zip(self.names, words, strict=True) if word is None]
        reasons = [f"{name}: {word}" for name, word in zip(self.names, words, strict=True) if word]
        told = self.rank == words.index("") and not words[0]
        if gone:
            return Missing(
                f"{', '.join(gone)} ended without a word; what the run has saved is kept, go on "
                f"with: {again}",
                told=told,
            )
        return Missing("; ".join(reasons) or "the connection between the ranks broke", told=told)

    def _words(self) -> list[str | None]:
        """What each rank has to say now; None of those that say nothing."""
        self.leave_word("")
        keys = [f"word/{n}" for n in range(self.size)]
        end = time.monotonic() + self.answered
        while time.monotonic() < end and not self.store.check(keys):
            time.sleep(0.05)
        return [self.store.get(key).decode() if self.store.check([key]) else None for key in keys]
