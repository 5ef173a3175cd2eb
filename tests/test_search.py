"""Laws of the search, on small decoders whose every step depends on all that was written."""

import itertools
import math
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from elman.decode import Sampling
from elman.errors import RunError, UserError
from elman.search import Hypothesis, Search, Step, search

Tokens = tuple[int, ...]
Rows = list[tuple[int, Tokens]]
"""A state: of each hypothesis its sentence and all that it has read."""


@dataclass
class Table:
    """A decoder of V tokens, the last of them the end, that draws its numbers from the prefix.

    With few `levels` many tokens are equally likely; with `holes` some are impossible.
    """

    V: int
    seed: int
    levels: int = 1000
    holes: float = 0.0
    dtype: torch.dtype = torch.float64
    widths: list[int] = field(default_factory=list)
    known: dict[tuple[int, Tokens], list[float]] = field(default_factory=dict)

    @property
    def end(self) -> int:
        return self.V - 1

    def log_p(self, sentence: int, said: Tokens) -> list[float]:
        """Of the tokens after `said`, in which the start is left out."""
        if (sentence, said) not in self.known:
            draw = random.Random(repr((self.seed, sentence, said)))
            x = [3 * draw.randrange(self.levels) / self.levels for _ in range(self.V)]
            x = [-math.inf if draw.random() < self.holes else one for one in x]
            p = torch.tensor(x, dtype=torch.float64)
            # A row of holes alone stays one.
            p = p if p.isinf().all() else p.log_softmax(0)
            self.known[sentence, said] = p.to(self.dtype).tolist()
        return self.known[sentence, said]

    def look(self, sentence: int, said: Tokens) -> list[float]:
        """The attention after `said`: tells what was read."""
        return [float(sentence), float(len(said)), random.Random(repr(said)).random()]

    def begin(self, sentences: Sequence[int]) -> Rows:
        return [(n, ()) for n in sentences]

    def step(self, tokens: Tensor, state: Rows) -> Step[Rows]:
        self.widths.append(len(state))
        read = [(n, (*said, int(t))) for (n, said), t in zip(state, tokens, strict=True)]
        log_p = [self.log_p(n, said[1:]) for n, said in read]
        look = [self.look(n, said[1:]) for n, said in read]
        return Step(
            torch.tensor(log_p, dtype=self.dtype), read, torch.tensor(look, dtype=torch.float64)
        )

    def select(self, state: Rows, rows: Tensor) -> Rows:
        return [state[row] for row in rows.tolist()]


@dataclass(frozen=True)
class Case:
    """Sentences to be searched, and what their sequences may be."""

    table: Table
    lengths: tuple[int, ...]
    options: Search
    tokens: frozenset[int] = frozenset()
    forbidden: tuple[Tokens, ...] = ()
    required: tuple[tuple[Tokens, ...], ...] = ()

    def run(self, sentences: Sequence[int] | None = None) -> list[list[Hypothesis]]:
        """Of all sentences, or of those named, in one batch."""
        chosen = range(len(self.lengths)) if sentences is None else sentences
        return search(
            self.table, self.table.begin(chosen), len(chosen), self.table.end, self.table.end,
            self.options, max_lengths=[self.lengths[n] for n in chosen],
            forbidden_tokens=self.tokens, forbidden=self.forbidden,
            required=[self.required[n] for n in chosen] if self.required else (),
            keep_attention=True, streams=chosen,
        )  # fmt: skip

    def may_follow(self, n: int, said: Tokens) -> list[int]:
        """The tokens after `said`, from the definition."""
        end, most = self.table.end, self.lengths[n]
        allowed = []
        for token, log_p in enumerate(self.table.log_p(n, said)):
            text = (*said, token)
            phrases = self.required[n] if self.required else ()
            if log_p == -math.inf or token in self.tokens:
                continue
            if any(occurs(phrase, text) for phrase in self.forbidden):
                continue
            if token == end:
                if len(said) < min(self.options.min_length, most):
                    continue
                if not all(occurs(phrase, said) for phrase in phrases):
                    continue
            elif len(said) == most or repeats(text, self.options.no_repeat):
                continue
            allowed.append(token)
        return allowed

    def every(self, n: int, said: Tokens = ()) -> Iterator[tuple[Tokens, float]]:
        """All sequences of a sentence, without the end, and their log probabilities with it."""
        for token in self.may_follow(n, said):
            if token == self.table.end:
                yield said, self.replay(n, (*said, token))
            else:
                yield from self.every(n, (*said, token))

    def replay(self, n: int, text: Tokens) -> float:
        total = 0.0
        for i, token in enumerate(text):
            total += self.table.log_p(n, text[:i])[token]
        return total

    def score(self, total: float, length: int) -> float:
        return float(total / ((5 + length) / 6) ** self.options.length_penalty)


def occurs(phrase: Tokens, text: Tokens) -> bool:
    return any(text[i : i + len(phrase)] == phrase for i in range(len(text) + 1))


def repeats(text: Tokens, n: int) -> bool:
    runs = [text[i : i + n] for i in range(len(text) - n + 1)]
    return n > 0 and len(set(runs)) < len(runs)


@st.composite
def cases(
    draw: st.DrawFn, /, *, most: int = 4, holes: bool = True, phrases: bool = True, **fixed: Any
) -> Case:
    table = Table(
        draw(st.integers(2, 5)), draw(st.integers(0, 10**6)),
        draw(st.sampled_from([1, 2, 4, 1000])), draw(st.sampled_from([0.0, 0.2])) if holes else 0.0,
        draw(st.sampled_from([torch.float64, torch.float32])),
    )  # fmt: skip
    token = st.integers(0, table.V - 2)
    phrase = st.lists(token, min_size=1, max_size=3).map(tuple)
    lengths = tuple(draw(st.lists(st.integers(0, most), min_size=1, max_size=3)))
    several = st.lists(phrase, max_size=2).map(tuple)
    beam = fixed.pop("beam", None) or draw(st.integers(1, 6))
    options = Search(
        beam=beam,
        n_best=fixed.pop("n_best", None) or draw(st.integers(1, beam)),
        length_penalty=draw(st.sampled_from([0.0, 0.6, 1.0, 3.0])),
        no_repeat=draw(st.sampled_from([0, 0, 1, 2, 3])),
        min_length=draw(st.sampled_from([0, 0, 1, 3])),
        **fixed,
    )
    if not phrases:
        return Case(table, lengths, options)
    return Case(
        table, lengths, options,
        draw(st.sampled_from([frozenset(), frozenset({0})])),
        draw(several),
        tuple(draw(several) for _ in lengths) if draw(st.booleans()) else (),
    )  # fmt: skip


def found(case: Case, sentences: Sequence[int] | None = None) -> list[list[Hypothesis]] | None:
    """What is found, or None where the first token is blocked altogether, as it must be told."""
    blocked = [
        n
        for n, most in enumerate(case.lengths)
        if (sentences is None or n in sentences) and most > 0
        and not (case.required and case.required[n]) and not case.may_follow(n, ())
    ]  # fmt: skip
    if blocked:
        with pytest.raises(UserError, match="every token is forbidden"):
            case.run(sentences)
        return None
    return case.run(sentences)


def check(case: Case, n: int, one: Hypothesis) -> None:
    """What holds for each sequence, however it was found."""
    text = (*one.tokens, case.table.end) if one.finished else one.tokens
    for i, token in enumerate(text):
        assert token in case.may_follow(n, text[:i])
    assert one.log_probability == case.replay(n, text)
    assert one.score == pytest.approx(case.score(one.log_probability, len(text)), abs=1e-12)
    assert one.attention is not None
    look = [case.table.look(n, one.tokens[:i]) for i in range(len(one.tokens))]
    assert one.attention.shape == (len(one.tokens), 3)
    assert one.attention.tolist() == look


@settings(max_examples=100)
@given(cases(beam=4**4 + 1, n_best=7))
def test_a_beam_that_holds_everything_finds_what_trying_everything_finds(case: Case) -> None:
    for n, got in enumerate(found(case) or []):
        every = sorted((case.score(p, len(y) + 1) for y, p in case.every(n)), reverse=True)
        assert all(one.finished == bool(every) for one in got)
        if every:
            assert [one.score for one in got] == pytest.approx(every[:7], abs=1e-12)
        assert len(got) > 0


@settings(max_examples=120)
@given(cases())
def test_sequences_are_ranked_distinct_and_within_the_limits(case: Case) -> None:
    for n, got in enumerate(found(case) or []):
        assert 1 <= len(got) <= case.options.n_best
        assert sorted(got, key=lambda one: -one.score) == got
        assert len({one.tokens for one in got}) == len(got)
        assert len({one.finished for one in got}) == 1
        for one in got:
            check(case, n, one)


def plain_beam(case: Case, n: int) -> list[tuple[float, Tokens]]:
    """A beam search from its definition, that never stops before nothing is left to continue."""
    live: list[tuple[float, Tokens]] = [(0.0, ())]
    ended: list[tuple[float, Tokens]] = []
    while live:
        ways = [
            (total + case.table.log_p(n, said)[token], (*said, token))
            for total, said in live
            for token in case.may_follow(n, said)
        ]
        # Stable: equal ones in the order of those that they continue, then by id.
        ways = [
            way
            for _, said in live
            for way in sorted((w for w in ways if w[1][:-1] == said), key=lambda w: -w[0])
        ]
        ways = sorted(ways, key=lambda w: -w[0])[: case.options.beam]
        ended += [(case.score(p, len(y)), y[:-1]) for p, y in ways if y[-1] == case.table.end]
        live = [way for way in ways if way[1][-1] != case.table.end]
    return sorted(ended, key=lambda one: -one[0])[: case.options.n_best]


@settings(max_examples=120)
@given(cases(most=7).map(lambda case: replace(case, required=())))
def test_to_stop_early_changes_nothing(case: Case) -> None:
    for n, got in enumerate(found(case) or []):
        expected = plain_beam(case, n)
        if expected:
            assert [(one.score, one.tokens) for one in got] == expected
        else:
            assert not got[0].finished


@settings(max_examples=60)
@given(cases(most=7, beam=1).map(lambda case: replace(case, required=())))
def test_a_beam_of_one_takes_the_likeliest_token_each_time(case: Case) -> None:
    for n, got in enumerate(found(case) or []):
        said: Tokens = ()
        while case.table.end not in said and (may := case.may_follow(n, said)):
            log_p = case.table.log_p(n, said)
            said = (*said, max(may, key=lambda token: log_p[token]))
        assert [one.tokens for one in got] == [said[:-1] if case.table.end in said else said]


drawing: dict[str, Any] = {"temperature": 1.3, "top_k": 3, "repetition_penalty": 1.2, "seed": 5}


@settings(max_examples=120)
@given(
    st.one_of(cases(most=6), cases(most=6, **drawing).map(lambda case: replace(case, required=()))),
    st.randoms(use_true_random=False),
)
def test_a_sentence_does_not_depend_on_its_batch(case: Case, order: random.Random) -> None:
    together = found(case)
    if together is None:
        return
    shuffled = list(range(len(case.lengths))) * 2
    order.shuffle(shuffled)
    for n, got in zip(shuffled, case.run(shuffled), strict=True):
        alone = case.run([n])[0]
        for a, b, c in zip(got, together[n], alone, strict=True):
            assert same(a, b) and same(b, c)


def same(a: Hypothesis, b: Hypothesis) -> bool:
    assert a.attention is not None and b.attention is not None
    rest = (a.tokens, a.log_probability, a.score, a.finished)
    return torch.equal(a.attention, b.attention) and rest == (
        b.tokens, b.log_probability, b.score, b.finished
    )  # fmt: skip


def test_what_has_ended_leaves_the_batch() -> None:
    case = Case(Table(4, 8), (1, 9, 3, 6), Search(beam=3, length_penalty=0.0, min_length=9))
    case.run()
    together = sum(case.table.widths)
    case.table.widths.clear()
    for n in range(4):
        case.run([n])
    assert together == sum(case.table.widths)
    assert len(case.table.widths) == 2 + 10 + 4 + 7


@settings(max_examples=100)
@given(cases(most=0, holes=False), st.data())
def test_required_phrases_are_written_however_narrow_the_beam(
    case: Case, data: st.DataObject
) -> None:
    token = st.integers(0, case.table.V - 2)
    phrases = st.lists(st.lists(token, min_size=1, max_size=3).map(tuple), max_size=3).map(tuple)
    required = tuple(data.draw(phrases) for _ in case.lengths)
    spare = data.draw(st.integers(0, 2))
    lengths = tuple(sum(map(len, set(several))) + spare for several in required)
    options = replace(case.options, no_repeat=0)
    case = Case(case.table, lengths, options, required=required)
    for n, got in enumerate(case.run()):
        for one in got:
            check(case, n, one)
            assert one.finished
            assert all(occurs(phrase, one.tokens) for phrase in required[n])


def test_a_phrase_that_is_broken_off_is_begun_again() -> None:
    # 0 0 1: after 0 0 0 two of its tokens still stand.
    for seed, beam in itertools.product(range(30), (1, 2, 5)):
        case = Case(Table(4, seed), (3, 4, 5), Search(beam=beam), required=(((0, 0, 1),),) * 3)
        assert all(occurs((0, 0, 1), one.tokens) for got in case.run() for one in got)


def test_what_cannot_be_finished_comes_back_unfinished() -> None:
    options = Search(beam=3, n_best=2)
    long = Case(Table(4, 1), (2, 0), options, required=(((0, 1, 2),), ((1,),)))
    for got, length in zip(long.run(), long.lengths, strict=True):
        assert got and not any(one.finished for one in got)
        assert {len(one.tokens) for one in got} == {length}
    against = Case(Table(4, 1), (5,), options, forbidden=((0, 1),), required=(((0, 1),),))
    assert not against.run()[0][0].finished
    nothing_left = Case(Table(3, 1), (9,), Search(no_repeat=1, min_length=5))
    assert {one.tokens for one in nothing_left.run()[0]} <= {(0, 1), (1, 0)}
    drawn = Case(Table(3, 1), (9,), Search(temperature=1.0, no_repeat=1, min_length=5))
    assert not drawn.run()[0][0].finished and len(drawn.run()[0][0].tokens) == 2


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_sequences_are_drawn_with_their_probabilities(temperature: float) -> None:
    case = Case(Table(3, 4), (2,) * 1500, Search(temperature=temperature, seed=3, n_best=2))
    table = case.table
    table.log_p = lambda sentence, said: Table.log_p(table, 0, said)  # type: ignore[method-assign]
    got = [one.tokens for several in case.run() for one in several]
    expected: dict[Tokens, float] = {}

    def spread(said: Tokens, p: float) -> None:
        may = case.may_follow(0, said)
        weights = [math.exp(table.log_p(0, said)[token] / temperature) for token in may]
        for token, weight in zip(may, weights, strict=True):
            if token == table.end:
                expected[said] = p * weight / sum(weights)
            else:
                spread((*said, token), p * weight / sum(weights))

    spread((), len(got))
    assert len(expected) == 7 and sum(expected.values()) == pytest.approx(len(got))
    counted = Counter(got)
    assert sum((counted[y] - e) ** 2 / e for y, e in expected.items()) < 22.46  # 99.9 %, 6 degrees
    pairs = [(a.tokens, b.tokens) for a, b in case.run()]
    equal = sum(a == b for a, b in pairs) / len(pairs)
    chance = sum((e / len(got)) ** 2 for e in expected.values())
    assert equal == pytest.approx(chance, abs=0.05)  # the sequences of a sentence are independent


@settings(max_examples=100)
@given(cases(most=6, temperature=1.5, seed=1).map(lambda case: replace(case, required=())))
def test_what_is_drawn_keeps_to_the_limits_and_says_how_likely_it_is(case: Case) -> None:
    for n, got in enumerate(found(case) or []):
        assert len(got) == case.options.n_best
        assert sorted(got, key=lambda one: -one.score) == got
        for one in got:
            check(case, n, one)


@settings(max_examples=40)
@given(cases(most=6, beam=1, temperature=1e-6, seed=0).map(lambda case: replace(case, required=())))
def test_cold_draws_are_a_beam_of_one(case: Case) -> None:
    levelled = replace(case, table=replace(case.table, levels=100_000, known={}))
    greedy = replace(levelled, options=replace(case.options, temperature=0.0))
    warm, cold = found(levelled), found(greedy)
    assert [[one.tokens for one in got] for got in warm or []] == [
        [one.tokens for one in got] for got in cold or []
    ]


def test_seeds_and_streams_make_other_sequences() -> None:
    case = Case(Table(5, 2), (12,), Search(temperature=2.0, seed=1, min_length=12))

    def text(seed: int | None, stream: int = 0) -> Tokens:
        options = replace(case.options, seed=seed)
        state = case.table.begin([0])
        got = search(case.table, state, 1, 4, 4, options, max_lengths=[12], streams=[stream])
        assert got[0][0].attention is None
        return got[0][0].tokens

    assert text(1) == text(1)
    assert len({text(1), text(2), text(None), text(None), text(1, 1), text(1, 2**64 - 1)}) == 6


def test_the_smallest_searches() -> None:
    empty = Case(Table(4, 1), (), Search())
    assert empty.run() == []
    assert replace(empty, options=Search(temperature=1.0)).run() == []
    assert empty.table.widths == []
    for options in (Search(beam=50, n_best=50), Search(temperature=1.0), Search(min_length=3)):
        none, one = Case(Table(4, 1), (0, 1), options).run()
        assert {y.tokens for y in none} == {()} and all(len(y.tokens) <= 1 for y in one)
    only_end = Case(Table(1, 1), (3,), Search())
    assert only_end.run()[0][0].tokens == () and only_end.run()[0][0].log_probability == 0


Spoil = Callable[[Tensor], Tensor]


class Spoilt(Table):
    """A decoder whose second step is damaged."""

    spoil: Spoil

    def step(self, tokens: Tensor, state: Rows) -> Step[Rows]:
        step = super().step(tokens, state)
        return step if len(self.widths) < 2 else step._replace(log_p=self.spoil(step.log_p))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_numbers_that_are_none_are_told(temperature: float) -> None:
    for bad in (math.nan, math.inf):
        table = Spoilt(4, 1)
        table.spoil = lambda x, bad=bad: x.index_fill(1, torch.tensor([1]), bad)  # type: ignore[misc]
        with pytest.raises(RunError):
            Case(table, (5,), Search(temperature=temperature, min_length=2)).run()


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_impossible_steps_end_in_what_was_begun(temperature: float) -> None:
    table = Spoilt(4, 1)
    table.spoil = lambda x: torch.full_like(x, -math.inf)
    got = Case(table, (5,), Search(temperature=temperature, min_length=2)).run()[0][0]
    assert not got.finished and len(got.tokens) == 1
    with pytest.raises(UserError, match="every token is forbidden"):
        blocked = Case(table, (5,), Search(temperature=temperature), tokens=frozenset(range(4)))
        blocked.run()


def test_options_that_do_not_fit_are_refused_by_name() -> None:
    for name, value in [
        ("beam", 0), ("n_best", 0), ("n_best", 6), ("length_penalty", -1.0), ("no_repeat", -1),
        ("length_penalty", math.nan), ("min_length", -1), ("max_length", -1), ("top_k", 3),
        ("top_p", 0.5), ("repetition_penalty", 1.5), ("temperature", -1.0),
    ]:  # fmt: skip
        with pytest.raises(UserError, match=f"--{name.replace('_', '-')} "):
            Search(**{name: value})  # type: ignore[arg-type]
    with pytest.raises(UserError, match="--min-length 4: needs at most --max-length, 3"):
        Search(min_length=4, max_length=3)
    assert Search(temperature=0.7, n_best=6, top_k=3, top_p=0.5, repetition_penalty=1.5).beam == 5
    assert isinstance(Search(), Sampling)
    drawn = Case(Table(4, 1), (3,), Search(temperature=1.0), required=(((0,),),))
    with pytest.raises(UserError, match="only a search"):
        drawn.run()


def test_the_options_are_listed_without_pytorch() -> None:
    code = "import sys, elman.search; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
