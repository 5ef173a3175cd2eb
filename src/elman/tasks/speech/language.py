"""What guides a search for a transcript: an n-gram model learnt from texts, words, phrases."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from elman.data.source import read_text, resolve
from elman.errors import UserError
from elman.search.ctc import Grammar, LanguageModel, Lexicon, Phrases
from elman.tasks.kneser_ney import KneserNey, Place, best_kind
from elman.tasks.speech.data import BLANK, Encoder
from elman.tasks.speech.decoding import TRANSCRIPTS, SpeechDecoding
from elman.tasks.text.ngrams.ngram import CHOSEN_BY, HIGHEST_ORDER, TRAIN_LIMIT

Symbols: TypeAlias = tuple[int, ...]
Word: TypeAlias = tuple[int, ...]
Reached: TypeAlias = tuple[Place, int]
"""A place in a text, and a symbol that was read there; none: -1."""

END = 0  # of a text; the blank, which no text holds, has this number elsewhere
REMEMBERED = 1 << 21  # probabilities kept at hand: 16 MB
NOVEL = 10  # for each word that was seen, so many are thought to be possible
TRIED_ON = 50_000  # symbols on which it is tried whether words or symbols foretell better
TINY = 1e-300  # added to probabilities that long spellings make 0
FEWEST = 20  # texts below which this is not tried


def separator_of(encoder: Encoder) -> int | None:
    """The symbol that parts words; None where none does: symbols are words, or words' pieces."""
    if encoder.vocabulary is None or encoder.vocabulary.level != "characters":
        return None
    (space,) = encoder.symbols(" ").tolist()
    return None if space == BLANK else int(space)


def language_of(
    encoder: Encoder, decoding: SpeechDecoding, transcripts: Sequence[str]
) -> LanguageModel[Any] | None:
    """The n-gram model of the text that `decoding` names, or of the transcripts trained on; None
    where it names none, or gives it no weight.

    Each line is a text of its own. Of characters, the model is over words or over characters,
    whichever foretells a tenth of the lines better from the rest. UserError: nothing to learn from.
    """
    asked = decoding.language_model
    if asked is None or not decoding.language_weight:
        return None
    lines = transcripts if str(asked) == TRANSCRIPTS else _lines(asked)
    texts = _encoded(encoder, lines)
    if all(symbol == encoder.outputs for text in texts for symbol in text):
        raise UserError(f"--language-model: {asked} holds nothing that this model can write")
    assert encoder.vocabulary is not None
    highest = HIGHEST_ORDER[encoder.vocabulary.level]
    separator = separator_of(encoder)
    if separator is not None and _words_are_better(texts, encoder.outputs, highest, separator):
        return WordModel.learn(texts, encoder.outputs, highest, separator)
    return SymbolModel.learn(texts, encoder.outputs, highest)


def grammar_of(encoder: Encoder, decoding: SpeechDecoding) -> Grammar[Any] | None:
    """What `decoding` permits: words of a lexicon, one of its phrases; None where it permits all.

    UserError: a phrase, or every word of the lexicon, that the model cannot write.
    """
    assert encoder.vocabulary is not None
    if decoding.phrases:
        for phrase in decoding.phrases:
            if strange := encoder.vocabulary.covers(phrase):
                shown = ", ".join(f'"{symbol}"' for symbol in strange[:5])
                raise UserError(f'--phrases: "{phrase}" has what this model never writes: {shown}')
        return Phrases(_symbols(encoder, encoder.clean(phrase)) for phrase in decoding.phrases)
    if decoding.lexicon is None:
        return None
    words = sorted({word for line in _lines(decoding.lexicon) for word in line.split()})
    words = [word for word in words if BLANK not in _symbols(encoder, word)]
    if not words:
        raise UserError(f"--lexicon: {decoding.lexicon} has no word that this model can write")
    spelled = [_symbols(encoder, word) for word in words]
    if encoder.vocabulary.level == "bpe":  # its pieces hold the space before a word
        return Lexicon([_symbols(encoder, f" {word}") for word in words], first=spelled)
    return Lexicon(spelled, separator_of(encoder))


@final
class SymbolModel:
    """A Kneser-Ney model over symbols, those of texts and an end after each."""

    def __init__(self, model: KneserNey) -> None:
        self._model = model
        places = max(64, REMEMBERED // model.vocabulary_size)
        self._after = lru_cache(places)(self._distribution)
        self._advance = lru_cache(1 << 16)(model.advance)

    @classmethod
    def learn(cls, texts: Iterable[Symbols], outputs: int, highest: int) -> SymbolModel:
        """From texts of symbols below `outputs`, or equal to it for what is never written; at most
        `TRAIN_LIMIT` of them. The order, `highest` at most, is the one that foretells best."""
        size = outputs + 1
        return cls(_learnt([[*text, END] for text in texts], size, highest))

    @property
    def order(self) -> int:
        return self._model.order

    def start(self) -> Reached:
        return self._model.start(np.array([END])), -1

    def step(self, state: Reached, symbol: int) -> tuple[Reached, float]:
        # The place after a symbol is looked for when another follows: most symbols are dropped.
        place = self._place(state)
        return (place, symbol), float(self._after(place)[symbol])

    def end(self, state: Reached) -> float:
        return float(self._after(self._place(state))[END])

    def _place(self, state: Reached) -> Place:
        place, symbol = state
        return place if symbol < 0 else self._advance(place, symbol)

    def _distribution(self, place: Place) -> NDArray[np.float64]:
        return np.log(self._model.distribution(place))


class _Within(NamedTuple):
    """Where a text of words stands: plain, as states are."""

    place: Place  # in the words before
    letters: Word  # of the word that was begun
    low: int  # of the words that were seen those from here on begin so,
    high: int  # up to here
    reached: Reached  # in the spelling
    spelled: float  # log probability of the letters as the beginning of a spelling
    mass: float  # log probability of all that may follow the words before and begins so


@final
class WordModel:
    """A Kneser-Ney model over words, as one over the symbols that spell them.

    p(word | words before) is that of the n-grams, plus what their discounts leave to words that
    were never seen times that of the spelling, which a `SymbolModel` has learnt from all words that
    were seen, each once. A symbol has the share of all words that go on with it: so words are
    weighed while they are read, and no long one is free until it ends.

    Words are parted by one separator. A separator at the end changes nothing.
    """

    def __init__(
        self, model: KneserNey, words: Sequence[Word], spelling: SymbolModel, separator: int
    ) -> None:
        """`words` are sorted and have the numbers from 1 on; 0 is the end."""
        self._model, self._words, self._spelling = model, words, spelling
        self._separator, self._unseen = separator, len(words) + 1
        self._after = lru_cache(max(64, REMEMBERED // len(words)))(self._distribution)
        self._advance = lru_cache(1 << 16)(model.advance)

    @classmethod
    def learn(
        cls, texts: Iterable[Symbols], outputs: int, highest: int, separator: int
    ) -> WordModel:
        """From texts of symbols, one word each at least; orders are found as `SymbolModel.learn`
        does, `highest` is that of the spelling."""
        cut = [_cut(text, separator) for text in texts]
        words = sorted({word for text in cut for word in text})
        numbers = {word: number for number, word in enumerate(words, 1)}
        numbered = [[*(numbers[word] for word in text), END] for text in cut]
        model = _learnt(numbered, NOVEL * (len(words) + 1), HIGHEST_ORDER["words"])
        return cls(model, words, SymbolModel.learn(words, outputs, highest), separator)

    def start(self) -> _Within:
        return self._begun(self._model.start(np.array([END])), 0.0)

    def step(self, state: _Within, symbol: int) -> tuple[_Within, float]:
        state = _Within(*state)
        if symbol == self._separator:
            if not state.letters:
                return state, -math.inf
            place = self._over(state)
            more = math.log1p(-min(math.exp(self._end(place)), 1 - 1e-12))
            return self._begun(place, more), self._word(state) - state.mass + more
        letters = (*state.letters, symbol)
        low = bisect_left(self._words, letters, state.low, state.high)
        high = bisect_left(self._words, (*state.letters, symbol + 1), low, state.high)
        reached, log_p = self._spelling.step(state.reached, symbol)
        spelled = state.spelled + log_p - self._allowed(state)
        known, unseen, _ = self._after(state.place)
        mass = math.log(float(known[low:high].sum()) + math.exp(unseen + spelled) + TINY)
        mass = min(mass, state.mass)  # but for rounding it is
        made = _Within(state.place, letters, low, high, reached, spelled, mass)
        return made, mass - state.mass

    def end(self, state: _Within) -> float:
        state = _Within(*state)
        if not state.letters:
            return self._end(state.place) - state.mass
        return self._word(state) - state.mass + self._end(self._over(state))

    def _begun(self, place: Place, mass: float) -> _Within:
        return _Within(place, (), 0, len(self._words), self._spelling.start(), 0.0, mass)

    def _number(self, state: _Within) -> int:
        """Of the word that the letters are; a word comes before all that it begins."""
        known = state.low < state.high and self._words[state.low] == state.letters
        return state.low + 1 if known else self._unseen

    def _over(self, state: _Within) -> Place:
        """The place behind the word."""
        return self._advance(state.place, self._number(state))

    def _word(self, state: _Within) -> float:
        """The log probability of the letters as a whole word."""
        known, unseen, _ = self._after(state.place)
        number = self._number(state)
        seen = float(known[number - 1]) if number != self._unseen else 0.0
        ends = self._spelling.end(state.reached) - self._allowed(state)
        spelled = unseen + state.spelled + ends
        return min(math.log(seen + math.exp(spelled) + TINY), state.mass)

    def _allowed(self, state: _Within) -> float:
        """The log probability of what a spelling may go on with: no separator, nor an end at once,
        which have some probability as all symbols have."""
        lost = math.exp(self._spelling.step(state.reached, self._separator)[1])
        if not state.letters:
            lost += math.exp(self._spelling.end(state.reached))
        return math.log1p(-min(lost, 1 - 1e-12))

    def _end(self, place: Place) -> float:
        return self._after(place)[2]

    def _distribution(self, place: Place) -> tuple[NDArray[np.float64], float, float]:
        """The probabilities of the words; the logarithms of all unseen ones' and of the end's."""
        p = self._model.distribution(place)
        unseen = float(p[self._unseen :].sum())
        return p[1 : self._unseen].copy(), math.log(unseen), math.log(float(p[END]))


def total(model: LanguageModel[Any], symbols: Iterable[int]) -> float:
    """The natural log probability of whole symbols."""
    state, made = model.start(), 0.0
    for symbol in symbols:
        state, log_p = model.step(state, symbol)
        made += log_p
    return made + model.end(state)


def _learnt(texts: Iterable[Sequence[int]], size: int, highest: int) -> KneserNey:
    """From texts that each end in an end, as far as they fit."""
    ids = np.fromiter((number for text in ([END], *texts) for number in text), np.int64)[
        :TRAIN_LIMIT
    ]
    order, discounts = best_kind(ids[:CHOSEN_BY], size, highest)
    return KneserNey(ids, size, order, discounts=discounts)


def _words_are_better(texts: Sequence[Symbols], outputs: int, highest: int, separator: int) -> bool:
    """Whether words foretell every tenth text better, learnt from the others."""
    if len(texts) < FEWEST:
        return False
    left = CHOSEN_BY
    known: list[Symbols] = []
    asked: list[Symbols] = []
    for k, text in enumerate(texts):
        left -= len(text)
        if left < 0:
            break
        (asked if k % 10 == 9 else known).append(text)
    if not asked:
        return False
    by_symbols = SymbolModel.learn(known, outputs, highest)
    by_words = WordModel.learn(known, outputs, highest, separator)
    gain, tried = 0.0, 0
    for text in asked:
        gain += total(by_words, text) - total(by_symbols, text)
        tried += len(text)
        if tried > TRIED_ON:
            break
    return gain > 0


def _cut(text: Symbols, separator: int) -> list[Word]:
    """The words between separators; none is empty."""
    words: list[list[int]] = [[]]
    for symbol in text:
        if symbol == separator:
            words.append([])
        else:
            words[-1].append(symbol)
    return [tuple(word) for word in words if word]


def _encoded(encoder: Encoder, lines: Iterable[str]) -> list[Symbols]:
    """The symbols of each line that has some, as far as they are learnt from; `encoder.outputs`
    for what is never written."""
    made: list[Symbols] = []
    room = TRAIN_LIMIT
    for line in lines:
        symbols = encoder.symbols(encoder.clean(line))
        if len(symbols):
            made.append(tuple(np.where(symbols == BLANK, encoder.outputs, symbols).tolist()))
            room -= len(symbols)
        if room <= 0:
            break
    return made


def _symbols(encoder: Encoder, text: str) -> Symbols:
    assert encoder.vocabulary is not None
    return tuple(encoder.symbols(text).tolist())


def _lines(path: Path) -> Iterable[str]:
    """The lines of a text file, whatever its encoding."""
    rest = ""
    for block in read_text(resolve([str(path)])):
        *lines, rest = (rest + block).split("\n")
        yield from lines
    yield rest
