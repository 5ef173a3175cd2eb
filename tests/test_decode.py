import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice, pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from elman.decode import (
    LAST,
    Cursor,
    Sampling,
    advance,
    choose,
    distribution,
    generate,
    seeds,
    start,
    until,
)
from elman.errors import RunError, UserError

few = settings(max_examples=25)
logit_lists = st.lists(st.integers(-60, 60).map(lambda n: n / 10), min_size=2, max_size=17)
samplings = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.5]),
    top_k=st.integers(0, 5),
    top_p=st.sampled_from([0.2, 0.7, 1.0]),
    repetition_penalty=st.sampled_from([0.5, 1.0, 1.8]),
    seed=st.integers(0, 2**63 - 1),
)


class Toy:
    """A model of one state vector, moved by each token; it counts how often it is called."""

    def __init__(self, symbols: int, hidden: int = 3) -> None:
        generator = torch.Generator().manual_seed(symbols)
        self.embedding = torch.randn(symbols, hidden, generator=generator)
        self.output = 3 * torch.randn(symbols, hidden, generator=generator)
        self.calls: list[list[int]] = []

    def __call__(self, ids: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        self.calls.append(ids.tolist())
        for token in ids:
            state = torch.tanh(state.roll(1) + self.embedding[token])
        return self.output @ state, state


def asked(
    logits: Sequence[float], history: Sequence[int], sampling: Sampling, forbidden: Sequence[int]
) -> list[float]:
    """The distribution from its definition, one token after another, in plain Python."""
    penalty = sampling.repetition_penalty
    x = dict(enumerate(logits))
    for token in forbidden:
        x.pop(token, None)
    for token in set(history) & set(x):
        x[token] = x[token] / penalty if x[token] > 0 else x[token] * penalty
    ranked = sorted(x, key=lambda token: (-x[token], token))
    if sampling.temperature == 0:
        return [float(token == ranked[0]) for token in range(len(logits))]
    weight = {token: math.exp(x[token] / sampling.temperature) for token in ranked}
    ranked = ranked[: sampling.top_k or None]
    total = sum(weight[token] for token in ranked)
    kept, mass = [], 0.0
    for token in ranked:
        if mass < sampling.top_p - 1e-12 or sampling.top_p == 1:
            kept.append(token)
            mass += weight[token] / total
    total = sum(weight[token] for token in kept)
    return [weight[token] / total if token in kept else 0.0 for token in range(len(logits))]


@settings(max_examples=150)
@given(logit_lists, samplings, st.data())
def test_the_distribution_is_what_was_asked_for(
    logits: list[float], sampling: Sampling, data: st.DataObject
) -> None:
    token = st.integers(0, len(logits) - 1)
    history = data.draw(st.lists(token, max_size=9))
    forbidden = data.draw(st.lists(token, max_size=len(logits) - 1, unique=True))
    p = distribution(torch.tensor(logits, dtype=torch.float64), history, sampling, forbidden)
    expected = asked(logits, history, sampling, forbidden)
    assert p.tolist() == pytest.approx(expected, abs=1e-9)


@few
@given(logit_lists)
def test_options_left_alone_give_the_softmax(logits: list[float]) -> None:
    x = torch.tensor(logits)
    p = distribution(x, range(len(logits)), Sampling())
    assert torch.equal(p, x.double().softmax(0))


def test_equal_tokens_are_cut_by_id_and_one_always_stays() -> None:
    even = torch.zeros(5)
    many = distribution(torch.zeros(5000), (), Sampling(top_k=2))
    assert many.nonzero().flatten().tolist() == [0, 1]
    assert distribution(even, (), Sampling(top_k=2)).tolist() == [0.5, 0.5, 0, 0, 0]
    assert distribution(even, (), Sampling(top_p=1e-9)).tolist() == [1, 0, 0, 0, 0]
    assert distribution(even, (), Sampling(temperature=0), [0]).tolist() == [0, 1, 0, 0, 0]


@pytest.mark.parametrize(("top_p", "kept"), [(0.1, 1), (0.49, 1), (0.51, 2), (0.79, 2), (0.81, 3)])
def test_the_nucleus_is_the_fewest_tokens_that_reach_top_p(top_p: float, kept: int) -> None:
    p = distribution(torch.tensor([0.2, 0.5, 0.3]).log(), (), Sampling(top_p=top_p))
    likeliest_first = [0.5, 0.3, 0.2][:kept]
    expected = [q / sum(likeliest_first) for q in likeliest_first] + [0.0] * (3 - kept)
    assert p[[1, 2, 0]].tolist() == pytest.approx(expected, abs=1e-6)


@few
@given(st.permutations(range(6)), st.sampled_from([1e-3, 1e-300, 5e-324]))
def test_greedy_is_the_limit_of_low_temperature(order: list[int], temperature: float) -> None:
    x = torch.tensor(order, dtype=torch.float64)
    cold = distribution(x, (), Sampling(temperature=temperature))
    assert torch.equal(cold, distribution(x, (), Sampling(temperature=0)))


@few
@given(logit_lists, st.sampled_from([1.2, 5.0]), st.data())
def test_a_penalty_never_favours_what_was_said(
    logits: list[float], penalty: float, data: st.DataObject
) -> None:
    said = data.draw(st.integers(0, len(logits) - 1))
    x = torch.tensor(logits)
    before = distribution(x, (), Sampling())[said]
    after = distribution(x, [said], Sampling(repetition_penalty=penalty))[said]
    assert after <= before + 1e-12


@few
@given(st.lists(st.integers(0, 4), min_size=1, max_size=12).filter(any), st.integers(1, 50))
def test_even_draws_choose_each_token_by_its_probability(weights: list[int], scale: int) -> None:
    total = sum(weights)
    p = torch.tensor(weights, dtype=torch.float64) / total
    draws = [choose(p, (n + 0.5) / (scale * total)) for n in range(scale * total)]
    assert [draws.count(token) for token in range(len(weights))] == [w * scale for w in weights]
    assert weights[choose(p, 0.0)] and weights[choose(p, 1 - 2**-53)]


def test_a_long_sample_has_the_frequencies_of_its_distribution() -> None:
    logits = torch.tensor([1.0, 0.0, -1.0, 0.5])
    p = distribution(logits, (), Sampling())

    def step(ids: Tensor, state: None) -> tuple[Tensor, None]:
        return logits, None

    n = 4000
    tokens = [t for t, _ in generate(step, start(step, None, [0]), n, Sampling(seed=3))]
    chi2 = sum((tokens.count(t) - n * q) ** 2 / (n * q) for t, q in enumerate(p.tolist()))
    assert chi2 < 16.27  # 99.9 % of chi-square with 3 degrees of freedom
    pairs = sum(a == b for a, b in pairwise(tokens)) / (n - 1)
    assert pairs == pytest.approx(float(p.square().sum()), abs=0.04)  # neighbours independent


def same(a: Cursor[Tensor], b: Cursor[Tensor]) -> bool:
    return (
        torch.equal(a.state, b.state)
        and torch.equal(a.logits, b.logits)
        and (a.seen, a.position, a.last) == (b.seen, b.position, b.last)
    )


@few
@given(st.integers(2, 11), st.integers(0, 9), st.integers(0, 9), samplings, st.data())
def test_going_on_from_a_kept_place_is_never_having_stopped(
    symbols: int, n: int, m: int, sampling: Sampling, data: st.DataObject
) -> None:
    prompt = data.draw(st.lists(st.integers(0, symbols - 1), min_size=1, max_size=5))
    toy = Toy(symbols)
    begin = start(toy, torch.zeros(3), prompt)
    whole = list(generate(toy, begin, n + m, sampling))
    # The reader stops a longer stream.
    first = list(islice(generate(toy, begin, n + m + 1, sampling), n))
    kept = first[-1][1] if first else begin
    for _ in range(2):  # a place can be used again: it never changes
        second = list(generate(toy, kept, m, sampling))
        assert [t for t, _ in first + second] == [t for t, _ in whole]
        assert all(same(a, b) for (_, a), (_, b) in zip(first + second, whole, strict=True))


@few
@given(st.integers(2, 11), st.integers(0, 9), samplings, st.data())
def test_every_place_is_that_of_a_prompt_with_the_same_tokens(
    symbols: int, length: int, sampling: Sampling, data: st.DataObject
) -> None:
    prompt = data.draw(st.lists(st.integers(0, symbols - 1), min_size=1, max_size=5))
    toy = Toy(symbols)
    text = list(prompt)
    for token, cursor in generate(toy, start(toy, torch.zeros(3), prompt), length, sampling):
        text.append(token)
        assert same(cursor, start(Toy(symbols), torch.zeros(3), text))
        assert (cursor.seen, cursor.position) == (frozenset(text), len(text))
        assert cursor.last == tuple(text[-LAST:])
    assert len(text) == len(prompt) + length
    assert toy.calls == [prompt, *([token] for token in text[len(prompt) :])]  # prompt in one call


@few
@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.data())
def test_a_place_is_the_same_however_the_prompt_was_cut(
    ids: list[int], data: st.DataObject
) -> None:
    toy = Toy(5)
    cut = data.draw(st.integers(1, len(ids)))
    place = start(toy, torch.zeros(3), ids[:cut])
    if ids[cut:]:
        place = advance(toy, place, ids[cut:])
    assert same(place, start(toy, torch.zeros(3), ids))


def test_seeds_make_branches_and_no_seed_makes_new_ones() -> None:
    toy = Toy(9)
    begin = start(toy, torch.zeros(3), [1])

    def text(sampling: Sampling) -> list[int]:
        return [t for t, _ in generate(toy, begin, 60, sampling)]

    seeded = Sampling(temperature=2.0, seed=5)
    assert text(seeded) == text(seeded)
    assert text(seeded) != text(replace(seeded, seed=6))
    assert text(replace(seeded, seed=None)) != text(replace(seeded, seed=None))


@few
@given(st.integers(3, 11), samplings)
def test_forbidden_tokens_are_never_written(symbols: int, sampling: Sampling) -> None:
    toy = Toy(symbols)
    stream = generate(toy, start(toy, torch.zeros(3), [0]), 20, sampling, forbidden={0, 2})
    assert {0, 2}.isdisjoint(token for token, _ in stream)


@pytest.mark.parametrize("name", ["temperature", "top_k", "top_p", "repetition_penalty", "seed"])
def test_options_out_of_range_are_refused_by_name(name: str) -> None:
    for value in (-1, -0.5, math.nan, math.inf):
        with pytest.raises(UserError, match=f"--{name.replace('_', '-')} "):
            Sampling(**{name: value})  # type: ignore[arg-type]


def test_what_cannot_be_decoded_is_told() -> None:
    with pytest.raises(UserError, match="top-p"):
        Sampling(top_p=0)
    with pytest.raises(UserError, match="prompt is empty"):
        start(Toy(3), torch.zeros(3), [])
    with pytest.raises(UserError, match="every token is forbidden"):
        distribution(torch.zeros(2), (), Sampling(), [0, 1])
    for bad in (math.nan, math.inf):
        with pytest.raises(RunError, match="not finite"):
            distribution(torch.tensor([0.0, bad]), (), Sampling())


def ended(text: str, stops: Sequence[str]) -> tuple[str, int]:
    """The text up to its first stop, from the definition, and where that ends."""
    for stop in range(1, len(text) + 1):
        if found := [len(s) for s in stops if text[:stop].endswith(s)]:
            return text[: stop - max(found)], stop
    return text, len(text)


@given(st.text("ab", max_size=20), st.lists(st.text("ab", min_size=1, max_size=5)), st.data())
def test_a_stop_is_found_however_the_pieces_cut_it(
    text: str, stops: list[str], data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)))))
    pieces = [(text[a:b], b) for a, b in pairwise([0, *cuts, len(text)])]
    whole, end = ended(text, stops)
    shown = ""
    for piece, place in until(pieces, stops):
        shown += piece
        assert whole.startswith(shown) and shown in text[:place]
    assert shown == whole
    assert place == min(b for _, b in pieces if b >= end)


def test_a_stop_needs_a_character() -> None:
    with pytest.raises(UserError, match="--stop: needs at least one character"):
        list(until([("a", 0)], ["x", ""]))


@given(st.integers(0, 2**63 - 1))
def test_seeds_begin_with_the_one_given_and_are_the_same_again(seed: int) -> None:
    drawn = list(islice(seeds(Sampling(seed=seed)), 20))
    assert drawn == list(islice(seeds(Sampling(seed=seed)), 20))
    assert drawn[0] == seed and len(set(drawn)) == 20
    assert all(Sampling(seed=one) for one in drawn)
