"""What may be said at all: words of a list, or one of some phrases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar, final

from elman.search.ctc.spoken import BLANK

S = TypeVar("S")


class Grammar(Protocol[S]):
    """Which sequences of symbols are permitted.

    A state S is plain and never changes: a number, a string, None, or a tuple of such. It is saved
    with a stream.
    """

    def start(self) -> S:
        """The state before the first symbol."""

    def step(self, state: S, symbol: int, /) -> S | None:
        """The state after a symbol that is read; None where it may not come here."""

    def complete(self, state: S) -> bool:
        """Whether all may end here."""


class _Tree:
    """Sequences by their beginnings: a node is a beginning, `ways` lead to longer ones, and `ends`
    are whole. Node 0 is where all begins; `later`, 1, is where another sequence begins."""

    later = 1

    def __init__(
        self, sequences: Iterable[Sequence[int]], first: Iterable[Sequence[int]] | None = None
    ) -> None:
        self.ways: list[dict[int, int]] = [{}, {}]
        self.ends: set[int] = set()
        for sequence in sequences:
            self._add(self.later, sequence)
        if first is None:
            self.ways[0] = self.ways[self.later]
        for sequence in first or ():
            self._add(0, sequence)

    def _add(self, node: int, sequence: Sequence[int]) -> None:
        for symbol in sequence:
            if symbol <= BLANK:
                raise ValueError(f"symbols are above {BLANK}, the blank: {tuple(sequence)}")
            if symbol not in self.ways[node]:
                self.ways[node][symbol] = len(self.ways)
                self.ways.append({})
            node = self.ways[node][symbol]
        self.ends.add(node)


@final
class Phrases:
    """One of `phrases`, whole, and nothing else. An empty one among them permits silence."""

    def __init__(self, phrases: Iterable[Sequence[int]]) -> None:
        self._tree = _Tree((), phrases)

    def start(self) -> int:
        return 0

    def step(self, state: int, symbol: int) -> int | None:
        return self._tree.ways[state].get(symbol)

    def complete(self, state: int) -> bool:
        return state in self._tree.ends


@final
class Lexicon:
    """Any number of `words`, none too, with one `separator` between two of them.

    Without a separator they follow one another at once, for symbols that are words, or for writing
    without spaces; then one text may be cut in several ways, all of which are kept in sight.
    `first`, if given, is how words are written where they begin all: pieces such as " the" lack
    their space there.
    """

    def __init__(
        self,
        words: Iterable[Sequence[int]],
        separator: int | None = None,
        first: Iterable[Sequence[int]] | None = None,
    ) -> None:
        words = [tuple(word) for word in words]
        first = None if first is None else [tuple(word) for word in first]
        for word in words + (first or []):
            if not word:
                raise ValueError("a word of a lexicon has at least one symbol")
            if separator in word:
                raise ValueError("a word of a lexicon does not hold the separator")
        self._tree, self._separator = _Tree(words, first), separator

    def start(self) -> tuple[int, ...]:
        return (0,)

    def step(self, state: tuple[int, ...], symbol: int) -> tuple[int, ...] | None:
        tree = self._tree
        over = not tree.ends.isdisjoint(state)  # a word may be over here
        if symbol == self._separator:
            return (tree.later,) if over else None
        nodes = {tree.ways[node].get(symbol) for node in state}
        if over and self._separator is None:
            nodes.add(tree.ways[tree.later].get(symbol))
        return tuple(sorted(node for node in nodes if node is not None)) or None

    def complete(self, state: tuple[int, ...]) -> bool:
        return state == (0,) or not self._tree.ends.isdisjoint(state)
