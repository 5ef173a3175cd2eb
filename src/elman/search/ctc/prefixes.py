"""Symbols that were read so far, and what, beside the sound, ranks and permits more of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from elman.search.ctc.alignment import NEVER
from elman.search.ctc.grammar import Grammar
from elman.search.ctc.language import LanguageModel
from elman.search.ctc.spoken import BLANK


@dataclass(frozen=True)
class Rules:
    """What, beside the sound, ranks and permits symbols.

    The score of symbols is log p of the sound + weight · log p of the language model, its end
    included, + bonus · symbols; or, with a `separator`, + bonus · words, those that a separator or
    the end closes (Hannun et al. 2014, arXiv:1408.2873, whose bonus is a power of the length).
    """

    model: LanguageModel[Any] | None
    weight: float
    bonus: float
    separator: int | None
    grammar: Grammar[Any] | None

    def start(self) -> Prefix:
        """The prefix without symbols."""
        language = None if self.model is None else self.model.start()
        grammar = None if self.grammar is None else self.grammar.start()
        return Prefix(None, BLANK, 0.0, language, grammar)

    def step(self, prefix: Prefix, symbol: int) -> Way | None:
        """What follows if a symbol is read after a prefix; None where it may not be."""
        gain, language, grammar = prefix.gain, None, None
        if self.grammar is not None:
            grammar = self.grammar.step(prefix.grammar, symbol)
            if grammar is None:
                return None
        if self.model is not None:
            language, log_p = self.model.step(prefix.language, symbol)
            gain += self.weight * log_p
        if self.separator is None or (symbol == self.separator and self._inside(prefix)):
            gain += self.bonus
        return Way(gain, language, grammar)

    def end(self, prefix: Prefix) -> float:
        """What is added to the score at the end; -inf where the grammar permits none here."""
        if self.grammar is not None and not self.grammar.complete(prefix.grammar):
            return NEVER
        gain = 0.0
        if self.model is not None:
            gain = self.weight * self.model.end(prefix.language)
        if self.separator is not None and self._inside(prefix):
            gain += self.bonus
        return gain

    def _inside(self, prefix: Prefix) -> bool:
        """Whether a prefix ends within a word."""
        return prefix.symbol not in (BLANK, self.separator)


@dataclass(frozen=True)
class Way:
    """How a prefix goes on: its gain, and the states of language model and grammar."""

    gain: float
    language: Any
    grammar: Any


@dataclass(eq=False)
class Prefix:
    """Symbols that were read: those of `parent`, and one more.

    blank, sound: log probability of its paths that end in a blank, and of those that end in its
    last symbol; total: of both. gain: what language model and bonus add to the score.
    """

    parent: Prefix | None
    symbol: int
    gain: float
    language: Any
    grammar: Any
    blank: float = NEVER
    sound: float = NEVER
    total: float = NEVER
    live: bool = False
    """Whether it stands in the beam; if not, it is the beginning of one that does."""
    longer: dict[int, Prefix] = field(default_factory=dict)
    """Those that have it as parent."""
    ways: dict[int, Way | None] = field(default_factory=dict)
    """How it goes on, as far as it was asked for."""

    def before(self, symbol: int) -> float:
        """Log probability of its paths after which `symbol` would be one more."""
        return self.blank if symbol == self.symbol else self.total

    def symbols(self) -> list[int]:
        """Those that were read since the root, which has no parent."""
        made, node = [], self
        while node.parent is not None:
            made.append(node.symbol)
            node = node.parent
        return made[::-1]
