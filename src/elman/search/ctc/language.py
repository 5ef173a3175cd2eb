"""What a prefix beam asks a language model."""

from __future__ import annotations

from typing import Protocol, TypeVar

S = TypeVar("S")


class LanguageModel(Protocol[S]):
    """A language model over symbols, none of them the blank; natural log probabilities, at most 0.

    A state S is plain and never changes: a number, a string, None, or a tuple of such. It is saved
    with a stream.
    """

    def start(self) -> S:
        """The state before the first symbol."""

    def step(self, state: S, symbol: int, /) -> tuple[S, float]:
        """The state after a symbol, and its log probability; -inf where it may not come here."""

    def end(self, state: S) -> float:
        """The log probability that all ends here."""
