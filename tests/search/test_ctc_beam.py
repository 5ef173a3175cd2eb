"""Laws of the prefix beam: without pruning it is exhaustive search; a stream is its whole."""

import io
import itertools
import json
import math
import random
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pytest
from frames import (
    Frames,
    Symbols,
    all_paths,
    by_symbols,
    clear_frames,
    collapsed,
    path_of,
    pieces,
    some_frames,
)

from elman.search.ctc import (
    Grammar,
    LanguageModel,
    Lexicon,
    Phrases,
    PrefixBeam,
    Spoken,
    greedy,
    joined,
    log_probability,
)

ALL: dict[str, Any] = {"beam": None, "threshold": -math.inf, "most": None}


@dataclass(frozen=True)
class Table:
    """A language model that draws its numbers from all that was read; some it holds impossible."""

    seed: int
    holes: float = 0.0

    def start(self) -> tuple[Any, ...]:
        return ()

    def step(self, state: tuple[Any, ...], unit: Any) -> tuple[tuple[Any, ...], float]:
        state = (*state, unit)
        return state, self.drawn(state)

    def end(self, state: tuple[Any, ...]) -> float:
        return self.drawn((*state, "end"))

    def drawn(self, state: tuple[Any, ...]) -> float:
        draw = random.Random(repr((self.seed, state)))
        return -math.inf if draw.random() < self.holes else -3 * draw.random()


def scored(model: LanguageModel[Any], symbols: Symbols) -> float:
    """What a language model says of whole symbols."""
    state, total = model.start(), 0.0
    for symbol in symbols:
        state, log_p = model.step(state, symbol)
        total += log_p
    return total + model.end(state)


def permitted(grammar: Grammar[Any], symbols: Symbols) -> bool:
    state = grammar.start()
    for symbol in symbols:
        state = grammar.step(state, symbol)
        if state is None:
            return False
    return grammar.complete(state)


def same(found: list[Spoken], expected: dict[Symbols, float]) -> None:
    """The same symbols with the same scores, best first."""
    assert {one.symbols: one.score for one in found} == pytest.approx(expected, abs=1e-9)
    assert len(found) == len(expected)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


@pytest.mark.parametrize("seed", range(12))
def test_without_pruning_it_is_exhaustive_search(seed: int) -> None:
    draw = np.random.default_rng(seed)
    T, V = int(draw.integers(0, 7)), int(draw.integers(2, 5))
    log_p = some_frames(draw, T, V, holes=0.2 * (seed % 2))
    beam = PrefixBeam(**ALL)
    beam.feed(log_p)
    found = beam.best(10**6)
    same(found, by_symbols(log_p))
    for one in found:
        assert one.log_p == one.score
        assert one.log_p == pytest.approx(log_probability(log_p, one.symbols))
        path_of(one, T)


@pytest.mark.parametrize("seed", range(12))
def test_with_a_language_model_and_a_bonus_for_each_symbol(seed: int) -> None:
    draw = np.random.default_rng(seed)
    T, V = int(draw.integers(1, 7)), int(draw.integers(2, 5))
    log_p = some_frames(draw, T, V)
    weight, bonus = draw.uniform(0.2, 2), draw.uniform(-1, 1)
    table = Table(seed, holes=0.2 * (seed % 2))
    beam = PrefixBeam(**ALL, model=table, weight=weight, bonus=bonus)
    beam.feed(log_p)
    scores = {
        symbols: log_one + weight * scored(table, symbols) + bonus * len(symbols)
        for symbols, log_one in by_symbols(log_p).items()
    }
    same(beam.best(10**6), {s: score for s, score in scores.items() if score > -math.inf})


@pytest.mark.parametrize("seed", range(12))
def test_with_a_separator_there_is_a_bonus_for_each_word(seed: int) -> None:
    draw = np.random.default_rng(seed)
    separator = 2
    log_p = some_frames(draw, int(draw.integers(1, 7)), 4)
    weight, bonus, table = draw.uniform(0.2, 2), draw.uniform(-1, 1), Table(seed)
    beam = PrefixBeam(**ALL, model=table, weight=weight, bonus=bonus, separator=separator)
    beam.feed(log_p)
    scores = {}
    for symbols, log_one in by_symbols(log_p).items():
        runs = itertools.groupby(symbols, lambda symbol: symbol == separator)
        words = sum(not parts for parts, _ in runs)
        scores[symbols] = log_one + weight * scored(table, symbols) + bonus * words
    same(beam.best(10**6), scores)


GRAMMARS: dict[str, Grammar[Any]] = {
    "phrases": Phrases([(1, 2), (1, 2, 2), (3,), (3, 1, 3)]),
    "silence": Phrases([(), (2, 2)]),
    "lexicon": Lexicon([(1,), (1, 3), (3, 3)], separator=2),
    "no separator": Lexicon([(1, 2), (1, 2, 3), (3, 1), (2,)]),
}


@pytest.mark.parametrize("name", GRAMMARS)
@pytest.mark.parametrize("seed", range(3))
def test_with_a_grammar_all_that_it_permits_is_found_and_nothing_else(name: str, seed: int) -> None:
    draw = np.random.default_rng(seed)
    log_p = some_frames(draw, 6, 4)
    grammar, table = GRAMMARS[name], Table(seed)
    beam = PrefixBeam(**ALL, grammar=grammar, model=table, weight=0.7)
    beam.feed(log_p)
    expected = {
        symbols: log_one + 0.7 * scored(table, symbols)
        for symbols, log_one in by_symbols(log_p).items()
        if permitted(grammar, symbols)
    }
    assert expected
    same(beam.best(10**6), expected)


def test_what_the_grammar_begins_is_told_if_asked() -> None:
    log_p = np.log([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1]])
    beam = PrefixBeam(**ALL, grammar=Phrases([(1, 2, 1)]))
    beam.feed(log_p)
    assert beam.best() == []
    assert beam.best(complete=False)[0].symbols == (1,)


@dataclass(frozen=True)
class Plain:
    """The beam as it stands in papers, prefixes by their symbols."""

    width: int
    table: Table
    weight: float
    bonus: float

    def __call__(self, log_p: Frames) -> list[tuple[Symbols, float]]:
        beam: dict[Symbols, tuple[float, float]] = {(): (0.0, -math.inf)}
        for row in log_p:
            new: dict[Symbols, list[float]] = defaultdict(lambda: [-math.inf, -math.inf])
            for prefix, (blank, sound) in beam.items():
                total = np.logaddexp(blank, sound)
                self.add(new[prefix], 0, total + row[0])
                for symbol in range(1, len(row)):
                    if prefix[-1:] == (symbol,):
                        self.add(new[prefix], 1, sound + row[symbol])
                        self.add(new[(*prefix, symbol)], 1, blank + row[symbol])
                    else:
                        self.add(new[(*prefix, symbol)], 1, total + row[symbol])
            ranked = sorted(new, key=lambda one: -self.score(one, new[one]))
            beam = {one: (new[one][0], new[one][1]) for one in ranked[: self.width]}
        final = [
            (one, self.score(one, list(totals)) + self.weight * self.table.end(one))
            for one, totals in beam.items()
        ]
        return sorted(final, key=lambda pair: -pair[1])

    def add(self, totals: list[float], at: int, log_p: float) -> None:
        totals[at] = np.logaddexp(totals[at], log_p)

    def score(self, prefix: Symbols, totals: list[float]) -> float:
        language = sum(self.table.drawn(prefix[: n + 1]) for n in range(len(prefix)))
        return float(
            np.logaddexp(totals[0], totals[1]) + self.weight * language + self.bonus * len(prefix)
        )


@pytest.mark.parametrize("seed", range(20))
def test_a_narrow_beam_is_the_one_of_the_papers(seed: int) -> None:
    draw = np.random.default_rng(seed)
    T, V = int(draw.integers(5, 25)), int(draw.integers(3, 7))
    log_p = some_frames(draw, T, V)
    width, weight, bonus = int(draw.integers(1, 9)), draw.uniform(0, 1), draw.uniform(-1, 1)
    beam = PrefixBeam(
        beam=width,
        threshold=-math.inf,
        most=None,
        model=Table(seed),
        weight=weight,
        bonus=bonus,
    )
    beam.feed(log_p)
    expected = Plain(width, Table(seed), weight, bonus)(log_p)
    found = beam.best(width)
    assert [one.symbols for one in found] == [symbols for symbols, _ in expected]
    assert [one.score for one in found] == pytest.approx([score for _, score in expected])


@pytest.mark.parametrize("seed", range(10))
def test_unlikely_symbols_begin_nothing_but_may_go_on(seed: int) -> None:
    draw = np.random.default_rng(seed)
    T, V, threshold, most = 5, 5, -2.0, 2
    log_p = some_frames(draw, T, V)
    least = np.sort(log_p[:, 1:], axis=1)[:, -most]
    p: dict[Symbols, float] = defaultdict(float)
    for path, one in all_paths(log_p):
        begins = [t for t in range(T) if path[t] and (t == 0 or path[t] != path[t - 1])]
        if all(log_p[t, path[t]] >= max(threshold, least[t]) for t in begins):
            p[collapsed(path)] += math.exp(one)
    beam = PrefixBeam(beam=None, threshold=threshold, most=most)
    beam.feed(log_p)
    same(beam.best(10**6), {symbols: math.log(total) for symbols, total in p.items()})


class Saved:
    """A beam that is fed in pieces, saved and gone on with, and asked for what is settled."""

    def __init__(self, how: dict[str, Any], draw: np.random.Generator) -> None:
        self.how, self.draw = how, draw

    def hear(self, log_p: Frames) -> tuple[Spoken, list[Spoken]]:
        beam = PrefixBeam(**self.how)
        heard = beam.take()
        for piece in pieces(self.draw, log_p):
            beam.feed(piece)
            if self.draw.random() < 0.5:
                heard = later(heard, beam.take())
            if self.draw.random() < 0.5:
                state = through_a_file(beam.state())
                # Nothing is held but the beam and the beginnings of what stands in it.
                ends = set(range(len(state["parents"]))) - set(state["parents"].tolist())
                assert ends <= set(state["live"].tolist())
                beam = PrefixBeam(**self.how)
                beam.resume(state)
        return later(heard, beam.take()), beam.best(5)


def later(first: Spoken, then: Spoken) -> Spoken:
    """Both, where nothing new says nothing."""
    return joined(first, then) if then.symbols else first


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    file = io.BytesIO()
    np.savez(file, **cast(dict[str, Any], arrays))
    file.seek(0)
    rest = json.dumps({name: state[name] for name in state.keys() - arrays.keys()})
    return {**json.loads(rest), **np.load(file)}


HOW: list[dict[str, Any]] = [
    {"beam": 4},
    {"beam": 6, "lag": 5, "model": Table(3), "weight": 0.4, "bonus": 0.3},
    {"beam": 3, "lag": 12},
    {"beam": 8, "lag": 1, "threshold": -math.inf},
    {"beam": 5, "lag": 8, "grammar": GRAMMARS["no separator"]},
    {"beam": 5, "lag": 9, "model": Table(4), "separator": 2, "bonus": 0.5},
]


@pytest.mark.parametrize("how", HOW, ids=lambda how: "-".join(how))
@pytest.mark.parametrize("seed", range(4))
def test_a_stream_cut_anywhere_and_saved_anywhere_hears_the_same(
    how: dict[str, Any], seed: int
) -> None:
    draw = np.random.default_rng(seed)
    log_p = clear_frames(draw, 60, 5) if seed % 2 else some_frames(draw, 60, 5, holes=seed / 4)
    whole = PrefixBeam(**how)
    whole.feed(log_p)
    expected = whole.take(), whole.best(5)
    assert Saved(how, draw).hear(log_p) == expected
    settled, rest = expected
    for one in rest:
        path_of(joined(settled, one), 60)
        assert list(settled.frames + one.frames) == sorted(settled.frames + one.frames)


@pytest.mark.parametrize("lag", [4, 10, 31])
def test_a_stream_settles_what_a_whole_says_in_time_and_in_bounded_memory(lag: int) -> None:
    draw = np.random.default_rng(lag)
    log_p = clear_frames(draw, 400, 5)
    whole, stream = PrefixBeam(), PrefixBeam(lag=lag)
    whole.feed(log_p)
    (expected,) = whole.best()
    assert expected.symbols == greedy(log_p).symbols
    heard = stream.take()
    for t, row in enumerate(log_p, 1):
        stream.feed(row[None])
        heard = later(heard, stream.take())
        over = sum(stop <= t - math.ceil(1.5 * lag) for stop in expected.stops)
        assert heard.symbols[:over] == expected.symbols[:over]
        state = stream.state()
        assert len(state["kept"]) <= 2.5 * lag + 1
        assert len(state["parents"]) <= 17 * 2.5 * lag
    heard = joined(heard, stream.best()[0])
    # It lacks the paths by way of what it dropped.
    assert replace(heard, log_p=expected.log_p, score=expected.score) == expected
    assert heard.log_p == pytest.approx(expected.log_p, abs=1e-2)


def test_a_symbol_that_never_ends_does_not_grow() -> None:
    log_p = np.tile(np.log([1e-5, 1 - 2e-5, 1e-5]), (300, 1))
    beam = PrefixBeam(lag=10)
    beam.feed(log_p)
    assert len(beam.state()["kept"]) <= 25
    assert joined(beam.take(), beam.best()[0]).symbols == (1,)


@pytest.mark.parametrize("seed", range(8))
def test_what_stays_in_a_stream_has_a_path_through_the_frames_that_are_kept(seed: int) -> None:
    draw = np.random.default_rng(seed)
    log_p = some_frames(draw, 12, int(draw.integers(2, 4)), holes=draw.choice([0, 0.3]))
    beam = PrefixBeam(beam=10, threshold=-math.inf, lag=3)
    for row in log_p:
        beam.feed(row[None])
        assert all(one.frames for one in beam.best(10) if one.symbols)


def test_it_says_what_is_wrong() -> None:
    for wrong in [{"beam": 0}, {"most": 0}, {"lag": 0}, {"weight": -1.0}]:
        with pytest.raises(ValueError, match="at least"):
            PrefixBeam(**wrong)  # type: ignore[arg-type]
    for frames in [np.full((2, 3), np.nan), np.ones((2, 3)), np.zeros((2, 1))]:
        with pytest.raises(ValueError, match="log"):
            PrefixBeam().feed(frames)
