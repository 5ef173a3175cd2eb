"""Laws of what guides the search for a transcript."""

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elman.data.texts import vocabulary as vocabularies
from elman.errors import UserError
from elman.search.ctc import Grammar, PrefixBeam
from elman.tasks.kneser_ney import KneserNey
from elman.tasks.speech.data import Encoder, Hearing
from elman.tasks.speech.decoding import SpeechDecoding
from elman.tasks.speech.language import (
    END,
    SymbolModel,
    WordModel,
    grammar_of,
    language_of,
    separator_of,
    total,
)
from elman.tasks.speech.writing import Transcribing

HEARING = Hearing(8000, 20, 25, 10, deltas=False, normalise="clip")
WORDS = ("one", "two", "three", "four", "five", "six", "seven")


def encoder(level: str, texts: list[str], lowercase: bool = False) -> Encoder:
    built = vocabularies.build(level, [" ".join(texts)], lowercase=lowercase)
    return Encoder(HEARING, vocabulary=built)


def sayings(draw: random.Random, n: int) -> list[str]:
    """Words of which each is followed by one of two, as a rule."""
    made = []
    for _ in range(n):
        at = draw.randrange(7)
        words = [at := (at + draw.choice([1, 1, 1, 3])) % 7 for _ in range(draw.randint(2, 5))]
        made.append(" ".join(WORDS[k] for k in words))
    return made


@pytest.mark.parametrize("seed", range(5))
def test_all_that_may_follow_has_the_probability_1(seed: int) -> None:
    draw = random.Random(seed)
    V = draw.randint(3, 6)
    separator = V - 1
    texts = [tuple(draw.choices(range(1, V), k=draw.randint(1, 9))) for _ in range(40)]
    symbols = SymbolModel.learn(texts, V, 4)
    words = WordModel.learn(texts, V, 4, separator)
    state, within, parted = symbols.start(), words.start(), False
    for _ in range(12):
        p = [math.exp(symbols.step(state, symbol)[1]) for symbol in range(1, V + 1)]
        assert sum(p) + math.exp(symbols.end(state)) == pytest.approx(1)
        p = [math.exp(words.step(within, symbol)[1]) for symbol in range(1, V + 1)]
        assert max(p) <= 1
        # After a separator the end is no choice, but is allowed.
        assert sum(p) + (0 if parted else math.exp(words.end(within))) == pytest.approx(1)
        symbol = draw.randrange(1, V)
        state, _ = symbols.step(state, symbol)
        if symbol != separator or within.letters:
            within, _ = words.step(within, symbol)
            parted = symbol == separator
    # A state that comes out of a file is tuples.
    assert words.end(tuples(json.loads(json.dumps(within)))) == words.end(within)


def tuples(value: Any) -> Any:
    return tuple(map(tuples, value)) if isinstance(value, list) else value


def states(model: SymbolModel, symbols: Sequence[int]) -> list[Any]:
    made: list[Any] = [model.start()]
    for symbol in symbols:
        made.append(model.step(made[-1], symbol)[0])
    return made


@pytest.mark.parametrize("seed", range(3))
def test_a_text_has_the_probability_that_kneser_and_ney_give_it(seed: int) -> None:
    draw = random.Random(seed)
    texts = [draw.choices(range(1, 5), k=draw.randint(1, 9)) for _ in range(40)]
    ids = np.array([END, *(k for text in texts for k in (*text, END))])
    known = KneserNey(ids, 6, 3)
    text = draw.choices(range(1, 6), k=8)
    expected = np.log(known.probabilities(np.array([*text, END]), np.array([END]))).sum()
    assert total(SymbolModel(known), text) == pytest.approx(expected)
    # Words of one letter, or of two: a word beside the n-grams' has the spelling's too.
    spelling = SymbolModel(known)
    words = [(1,), (1, 2), (2,), (2, 1, 1)]
    over_words, separator = WordModel(known, words, spelling, 5), 5
    place, expected = known.start(np.array([END])), 0.0
    said = [draw.choice([*words, (3, 3)]) for _ in range(6)]
    for word in said:
        p, number = known.distribution(place), 1 + words.index(word) if word in words else 5
        own = p[number] if word in words else 0.0
        # A spelling is not empty, and holds no separator, symbol 5.
        few = [math.exp(spelling.step(state, 5)[1]) for state in states(spelling, word)]
        few[0] += math.exp(spelling.end(spelling.start()))
        new = math.exp(total(spelling, word)) / math.prod(1 - p for p in few)
        expected += math.log(own + p[5] * new)
        place = known.advance(place, number)
    expected += math.log(known.distribution(place)[END])
    spelled = [symbol for word in said for symbol in (*word, separator)]
    assert total(over_words, spelled[:-1]) == pytest.approx(expected)
    assert total(over_words, spelled) == pytest.approx(expected)


def guided(path: Path | str, **how: Any) -> SpeechDecoding:
    return SpeechDecoding(language_model=Path(path), **how)


def test_what_was_never_heard_clearly_is_what_the_text_says(tmp_path: Path) -> None:
    texts = sayings(random.Random(0), 200)
    own = encoder("characters", texts)
    path = tmp_path / "text.txt"
    path.write_text("\n".join(texts), encoding="utf-8")
    model = language_of(own, guided(path), [])
    said = own.symbols("one two three").tolist()
    log_p = np.full((2 * len(said), own.outputs), 1e-4)
    log_p[::2, 0] = 1
    log_p[np.arange(len(said)) * 2 + 1, said] = 1
    # "w" and "e" are not to be told apart.
    w, e = own.symbols("we").tolist()
    unclear = np.flatnonzero((log_p[:, w] > 0.1) | (log_p[:, e] > 0.1))
    log_p[unclear, w], log_p[unclear, e] = 1.1, 0.9
    log_p = np.log(log_p / log_p.sum(1, keepdims=True))
    for language, expected in (None, "onw two thrww"), (model, "one two three"):
        beam = PrefixBeam(model=language, separator=separator_of(own))
        beam.feed(log_p)
        assert own.text(beam.best()[0].symbols) == expected


def test_words_or_symbols_whichever_foretells_better() -> None:
    draw = random.Random(1)
    texts = sayings(draw, 300)
    own = encoder("characters", texts)
    assert isinstance(language_of(own, guided("transcripts"), texts), WordModel)
    unspaced = ["".join(draw.choices("abcd", k=12)) + " " + draw.choice("abcd") for _ in range(60)]
    own = encoder("characters", unspaced)
    assert isinstance(language_of(own, guided("transcripts"), unspaced), SymbolModel)
    by_words = encoder("words", texts)
    assert isinstance(language_of(by_words, guided("transcripts"), texts), SymbolModel)


def test_no_model_where_none_is_asked_for_and_none_of_nothing(tmp_path: Path) -> None:
    own = encoder("characters", ["one two"])
    assert language_of(own, SpeechDecoding(), ["one"]) is None
    assert language_of(own, guided("transcripts", language_weight=0.0), ["one"]) is None
    strange = tmp_path / "strange.txt"
    strange.write_text("狐狸\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"strange\.txt holds nothing"):
        language_of(own, guided(strange), [])
    with pytest.raises(UserError, match="transcripts holds nothing"):
        language_of(own, guided("transcripts"), [])
    with pytest.raises(UserError, match="nowhere"):
        language_of(own, guided(tmp_path / "nowhere.txt"), [])


def test_separators() -> None:
    own = encoder("characters", ["one two"])
    assert separator_of(own) == own.symbols(" ")[0]
    assert separator_of(encoder("characters", ["one"])) is None
    assert separator_of(encoder("words", ["one two"])) is None


def permits(grammar: Grammar[Any], own: Encoder, text: str) -> bool:
    state = grammar.start()
    for symbol in own.symbols(text).tolist():
        state = None if state is None else grammar.step(state, symbol)
    return state is not None and grammar.complete(state)


@pytest.mark.parametrize("level", ["characters", "words", "bpe"])
def test_a_lexicon_permits_its_words(level: str, tmp_path: Path) -> None:
    own = encoder(level, [*WORDS, "zero"] * 30)
    path = tmp_path / "words.txt"
    path.write_text("one two\nthree qqq", encoding="utf-8")
    grammar = grammar_of(own, SpeechDecoding(lexicon=path))
    assert grammar is not None
    for text, fits in [
        ("", True),
        ("two", True),
        ("one three two two", True),
        ("one four", False),
        ("zero", False),
    ]:
        assert permits(grammar, own, text) == fits
    assert level == "words" or not permits(grammar, own, "one thr")
    assert level == "words" or not permits(grammar, own, "onetwo")


def test_a_lexicon_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("qqq", encoding="utf-8")
    with pytest.raises(UserError, match=r"words\.txt has no word"):
        grammar_of(encoder("characters", list(WORDS)), SpeechDecoding(lexicon=path))


def test_phrases_permit_themselves() -> None:
    own = encoder("characters", list(WORDS), lowercase=True)
    assert grammar_of(own, SpeechDecoding()) is None
    grammar = grammar_of(own, SpeechDecoding(phrases=("One  two", "six")))
    assert grammar is not None
    assert permits(grammar, own, "one two")
    assert permits(grammar, own, "six")
    assert not permits(grammar, own, "one")
    assert not permits(grammar, own, "")
    with pytest.raises(UserError, match='"quit" has what this model never writes: "q"'):
        grammar_of(own, SpeechDecoding(phrases=("six", "quit")))


@pytest.mark.parametrize("level", ["characters", "words", "bpe"])
def test_the_words_of_a_transcript_are_those_of_its_text(level: str) -> None:
    own = encoder(level, [*WORDS, "zero"] * 30)
    write = Transcribing(own, SpeechDecoding(), 0.04)
    symbols = own.symbols("one three two two")
    log_p = np.full((2 * len(symbols), own.outputs), 1e-3)
    log_p[::2, 0] = log_p[np.arange(len(symbols)) * 2 + 1, symbols] = 1
    (found,) = write(np.log(log_p / log_p.sum(1, keepdims=True)), 10.0)
    assert found.text == "one three two two"
    assert [word.text for word in found.words] == found.text.split()
    times = [time for word in found.words for time in (word.start, word.stop)]
    assert times == sorted(times)
    assert times[0] >= 10
