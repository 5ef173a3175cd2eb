"""The rivals of a tagger: the best path is the best of all, and the training part chooses alone."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.tags.sentence import Sentence
from elman.tasks.tag.chain import Chain, features, log_marginals, shape, viterbi
from elman.tasks.tag.rivals import CHAIN, FREQUENT, GUESS, learnt, sample
from elman.tasks.tag.scores import scores_of, tally_of


@settings(max_examples=60)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_the_best_path_is_the_best_of_all(steps: int, labels: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    own, turns = draw.random((steps, labels)), draw.random((labels, labels))

    def worth(path: tuple[int, ...]) -> float:
        total = own[range(steps), path].sum()
        return float(total + sum(turns[a, b] for a, b in itertools.pairwise(path)))

    found = viterbi(own, turns)
    best = max(itertools.product(range(labels), repeat=steps), key=worth)
    assert worth(tuple(found.tolist())) == pytest.approx(worth(best), abs=1e-12)


@settings(max_examples=60)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_marginals_are_sums_over_all_paths(steps: int, labels: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    own, turns = draw.normal(size=(steps, labels)), draw.normal(size=(labels, labels))
    wanted = np.zeros((steps, labels))
    for path in itertools.product(range(labels), repeat=steps):
        total = own[range(steps), path].sum()
        total += sum(turns[a, b] for a, b in itertools.pairwise(path))
        wanted[range(steps), path] += np.exp(total)
    found = np.exp(log_marginals(own, turns))
    assert np.abs(found - wanted / wanted.sum(1, keepdims=True)).max() < 1e-12


def test_a_chain_is_taken_for_as_sure_as_it_is_right() -> None:
    """Labels that are wrong one time in ten cost what that costs, and no more."""
    draw, noisy = random.Random(0), []
    for s in alternating(200, 1):
        labels = [x if draw.random() < 0.9 else "BA"["AB".index(x)] for x in s.labels]
        noisy.append(Sentence("here", [f"{x}{draw.randint(0, 9)}" for x in s.labels], labels))
    found = learnt(noisy[:150], noisy[150:], ("A", "B"))
    chain = next(r for r in found if r.name == CHAIN)
    least = -(0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    assert least - 0.1 < chain.scores["nats"] < 0.55


def alternating(count: int, seed: int) -> list[Sentence]:
    """The first token tells its label, "same" has that of the token before: however long ago that
    was told, only the chain of labels carries it on."""
    draw, found = random.Random(seed), []
    for _ in range(count):
        tokens = [draw.choice("ab"), *(["same"] * draw.randint(1, 9))]
        found.append(Sentence("here", tokens, [tokens[0].upper()] * len(tokens)))
    return found


def test_labels_before_are_carried_on_farther_than_tokens_are_seen() -> None:
    chain = Chain(alternating(100, 0), ("A", "B"))
    for sentence in alternating(100, 5):
        assert chain.answer(sentence.tokens) == sentence.labels
    assert chain.answer(["never"])[0] in "AB"


def test_weights_are_the_mean_over_all_steps() -> None:
    # One sentence, gone through n times: wrong the first time alone, when all is equal.
    sentence = Sentence("here", ["x"], ["B"])
    for passes in (1, 2, 5):
        chain = Chain([sentence], ("A", "B"), passes)
        (seen,) = chain._numbered(["x"], new=False)
        # Moved in the first of n steps, as far as puts the true label ahead by 1.
        moved = passes / (passes + 1) / (2 * len(seen))
        assert chain._weights[seen] == pytest.approx(np.tile([-moved, moved], (len(seen), 1)))
        assert not chain._weights[-1].any()


def test_what_is_seen_of_a_token_is_told_apart() -> None:
    tokens = ["Mc-Donald22", "a", "a", "名"]
    for one in features(tokens):
        assert len(set(one)) == len(one)
    assert shape(tokens[0]) == "Xx-Xx9" and shape("") == ""


def test_the_training_part_alone_chooses_the_first_rival() -> None:
    train, check = alternating(100, 0), alternating(20, 1)
    found = learnt(train, check, ("A", "B"))
    assert [r.name for r in found] == [CHAIN, FREQUENT, GUESS]
    assert [r.guess for r in found] == [False, False, True]
    turned = [Sentence(s.where, s.tokens, ["B" if x == "A" else "A" for x in s.labels])
              for s in check]  # fmt: skip
    other = learnt(train, turned, ("A", "B"))
    assert [r.name for r in other] == [CHAIN, FREQUENT, GUESS]
    assert other[0].scores["accuracy"] == pytest.approx(1 - found[0].scores["accuracy"])
    assert found[0].scores["accuracy"] > 0.97


@pytest.mark.parametrize("labels", [("A", "B"), ("B-x", "I-x", "O")])
def test_first_scores_are_those_of_the_tally(labels: tuple[str, ...]) -> None:
    draw = random.Random(2)
    drawn = [
        Sentence("here", ["t"] * n, [draw.choice(labels) for _ in range(n)])
        for n in (draw.randint(1, 9) for _ in range(40))
    ]
    said = [[draw.choice(labels) for _ in s.tokens] for s in drawn]
    tally = tally_of(drawn, said, labels)
    first = next(iter(scores_of(drawn, said, labels).values()))
    assert tally.score(tally.sums.sum(0)) == pytest.approx(first)
    assert len(tally.sums) == len(drawn) and tally.unit == "sentence"
    for rival in learnt(drawn, drawn[:30], labels)[:2]:
        assert rival.tally is not None
        counted = rival.tally.score(rival.tally.sums.sum(0))
        assert counted == pytest.approx(next(iter(rival.scores.values())))


def test_samples_are_spread_over_all_sentences_and_told() -> None:
    many = alternating(400, 3)
    taken = sample(many, 300)
    assert sum(len(s.tokens) for s in taken) < 450
    places = [next(k for k, s in enumerate(many) if s is one) for one in taken]
    assert places == sorted(places) and places[0] == 0 and places[-1] == 399
    assert sample(many, 10**9) == many


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_sentences_have_rivals_too(count: int) -> None:
    train = alternating(count, 4)
    found = learnt(train, train, ("A", "B"))
    assert {r.name for r in found} == {CHAIN, FREQUENT, GUESS}
    assert all(score >= 0 for r in found for score in r.scores.values())
