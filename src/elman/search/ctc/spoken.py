"""What was heard: symbols with their frames, and the words that they spell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

BLANK = 0
"""The symbol that says nothing."""


@dataclass(frozen=True)
class Spoken:
    """Symbols that were heard, and where.

    frames, stops: the frame in which each symbol begins, and the one after its last. As the network
    is free to say a symbol in one frame only, at its end or a little later, these are times of
    decisions, not of sounds; they err by a tenth of a second or two.

    confidences: of each symbol the highest probability, 0 to 1, that the network gave it within its
    frames. It is what the network alone thinks of the sound, without the language model or grammar
    that may have chosen the symbol: where these overrule the network it is low. Networks trained
    with CTC are surer than they are right; a threshold on it must be found on data of its own.

    log_p: natural log probability. Of greedy and of an alignment that of the one path, of a prefix
    beam that of the symbols, the sum over the paths that it kept. In a stream: of all frames heard
    since it began. score: that by which answers are ranked, log_p with language model and bonus.
    """

    symbols: tuple[int, ...]
    frames: tuple[int, ...]
    stops: tuple[int, ...]
    confidences: tuple[float, ...]
    log_p: float
    score: float

    def first(self, n: int) -> Spoken:
        """Its first n symbols."""
        return replace(
            self,
            symbols=self.symbols[:n],
            frames=self.frames[:n],
            stops=self.stops[:n],
            confidences=self.confidences[:n],
        )


NOTHING = Spoken((), (), (), (), 0.0, 0.0)


@dataclass(frozen=True)
class Word:
    """A word from `start` to `stop`, seconds; `confidence`, 0 to 1, is that of its least sure
    symbol: a word is right only where all its symbols are."""

    text: str
    start: float
    stop: float
    confidence: float


def joined(first: Spoken, then: Spoken) -> Spoken:
    """What was heard first and what was heard then, in one stream."""
    return Spoken(
        first.symbols + then.symbols,
        first.frames + then.frames,
        first.stops + then.stops,
        first.confidences + then.confidences,
        then.log_p,
        then.score,
    )


def plain(spoken: Spoken) -> list[list[float]]:
    """It as lists of numbers, to be saved; `remade` makes it again."""
    columns = spoken.symbols, spoken.frames, spoken.stops, spoken.confidences
    return [*(list(column) for column in columns), [spoken.log_p, spoken.score]]


def remade(columns: Sequence[Sequence[float]]) -> Spoken:
    """That of which these are the `plain` lists."""
    symbols, frames, stops = (tuple(int(n) for n in column) for column in columns[:3])
    log_p, score = (float(x) for x in columns[4])
    return Spoken(symbols, frames, stops, tuple(float(p) for p in columns[3]), log_p, score)


def words(
    spoken: Spoken, text_of: Callable[[int], str], seconds: float, begin: float = 0.0
) -> list[Word]:
    """The words of what was heard, with their times.

    `text_of` a symbol is its text, in which white space parts words: " " for a separator, " the"
    for a piece that begins a word. A symbol may be a part of a word, or hold several. `seconds` is
    the length of a frame, `begin` the time of frame 0.
    """
    made: list[tuple[str, list[int]]] = []
    inside = False  # a word that the next letter would continue
    for at, symbol in enumerate(spoken.symbols):
        for letter in text_of(symbol):
            if letter.isspace():
                inside = False
                continue
            if not inside:
                made.append(("", []))
            text, places = made[-1]
            made[-1] = (text + letter, places if at in places[-1:] else [*places, at])
            inside = True
    return [
        Word(
            text,
            begin + spoken.frames[places[0]] * seconds,
            begin + spoken.stops[places[-1]] * seconds,
            min(spoken.confidences[at] for at in places),
        )
        for text, places in made
    ]


def checked(log_p: Floats) -> NDArray[np.float64]:
    """log_p as float64 [T, V]. ValueError where it cannot be of a network: NaN, or above 0."""
    made = np.asarray(log_p, np.float64)
    if made.ndim != 2 or made.shape[1] < 2:
        raise ValueError(f"log_p is of shape {made.shape}; [frames, symbols and blank] is needed")
    # Rounding may leave a probability a little above 1. NaN fails every comparison.
    if made.size and not made.max() < 1e-3:
        raise ValueError(f"log probabilities are at most 0; the highest is {made.max()}")
    return made
