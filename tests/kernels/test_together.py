"""Texts that go through a stream together are, to the bit, those that they are alone."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from elman import kernels
from elman.errors import RunError, UserError
from elman.kernels.stream import GATES, STORAGES, State, Storage, Stream
from elman.kernels.together import Standing, Together
from elman.layers import streaming
from elman.layers.recurrent import Recurrent

pytestmark = pytest.mark.skipif(
    not kernels.instruction_sets(), reason="the extension was not built"
)

V, MOST = 23, 5
cases = st.tuples(
    st.sampled_from(list(GATES)), st.sampled_from(STORAGES),
    st.sampled_from(kernels.instruction_sets() or ("none",)),
    st.sampled_from([7, 33, 100]), st.integers(1, 2), st.booleans(), st.integers(0, 2**32 - 1),
)  # fmt: skip


class Text(NamedTuple):
    """A text that is to be written, and what comes of it alone."""

    prompt: list[int]
    length: int
    sampling: dict[str, Any]
    tokens: list[int]
    logits: Tensor  # [prompt and length, V]
    state: State


def language(cell: str, H: int, depth: int, storage: Storage, embedded: bool, isa: str) -> Stream:
    E = H if embedded else V  # as wide as the layer, an embedding is added and there is no table
    layers = Recurrent(E, H, depth, cell=cell, residual=embedded).eval()
    return Stream(
        streaming.weights(layers), tokens=torch.randn(V, E) if embedded else V,
        output=(3 * torch.randn(V, H) / H**0.5, torch.randn(V)), storage=storage,
        instruction_set=isa,
    )  # fmt: skip


def alone(stream: Stream, random: np.random.Generator) -> Text:
    prompt = random.integers(0, V, random.integers(1, 9)).tolist()
    sampling: dict[str, Any] = {
        "temperature": float(random.choice([0, 0.8, 1.3])),
        "top_k": int(random.choice([0, 4])),
        "top_p": float(random.choice([0.8, 1])),
        "seed": int(random.integers(2**62)),
        "repetition_penalty": float(random.choice([1, 1.4])),
    }
    length = int(random.integers(0, 12))
    begin: State = [tuple(torch.zeros(1, H) for H in layer) for layer in stream.state_sizes]
    read, state = stream.read(torch.tensor(prompt), begin)
    made = stream.generate(
        length, read[-1], state, len(prompt), seen=prompt, forbidden=[3], **sampling
    )
    if length:
        state = [tuple(s[-1:] for s in layer) for layer in made.states]
    return Text(prompt, length, sampling, made.tokens, torch.cat([read, made.logits]), state)


def same(a: State, b: State) -> bool:
    flat = [[s for layer in state for s in layer] for state in (a, b)]
    return all(torch.equal(x, y) for x, y in zip(*flat, strict=True))


def check(stream: Stream, texts: list[Text], places: int, random: np.random.Generator) -> None:
    """Take all texts through, at most `places` at once, each joining and leaving when it may."""
    together = Together(stream, places, most=MOST, forbidden=[3])
    waiting, live = list(range(len(texts))), dict[int, int]()  # place → text
    made: dict[int, list[int]] = {k: [] for k in waiting}
    logits: dict[int, list[Tensor]] = {k: [] for k in waiting}
    watched = random.random(len(texts)) < 0.5
    while waiting or live:
        free = [place for place in range(places) if place not in live]
        random.shuffle(free)
        for place in free[: int(random.integers(0, len(free) + 1))]:
            if waiting:
                k = live[place] = waiting.pop()
                sampling = texts[k].sampling
                together.enter(place, together.beginning(), watched=bool(watched[k]), **sampling)
                together.give(place, texts[k].prompt)
        which = np.array([p for p in live if random.random() < 0.8], np.int64)
        random.shuffle(which)
        left = np.array([texts[live[p]].length - len(made[live[p]]) for p in which], np.int64)
        reads = random.integers(0, 5, len(which))
        writes = np.minimum(random.integers(0, MOST + 1, len(which)), left)
        told = together.advance(which, reads, writes)
        for n, place in enumerate(which.tolist()):
            k = live[place]
            made[k] += told.tokens[n]
            assert told.errors[n] is None
            seen_logits = told.logits[n]
            assert (seen_logits is not None) == watched[k]
            if seen_logits is not None:
                logits[k].append(torch.from_numpy(seen_logits))
            if not together.unread(place) and len(made[k]) == texts[k].length:
                text, stands = texts[k], together.standing(place)
                assert made[k] == text.tokens
                assert same(stands.state, text.state)
                assert torch.equal(stands.logits, text.logits[-1])
                assert stands.position == len(text.prompt) + text.length
                assert stands.seen == {*text.prompt, *text.tokens}
                if watched[k]:
                    assert torch.equal(torch.cat(logits[k]), text.logits)
                del live[place]


@settings(max_examples=40)
@given(cases, st.sampled_from([1, 2, 5, 30]))
def test_company_changes_no_bit(
    case: tuple[str, Storage, str, int, int, bool, int], places: int
) -> None:
    cell, storage, isa, H, depth, embedded, seed = case
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    stream = language(cell, H, depth, storage, embedded, isa)
    texts = [alone(stream, random) for _ in range(int(random.integers(1, 2 * places + 2)))]
    check(stream, texts, places, random)


@pytest.mark.parametrize("cell", ["lstm", "gru-reset-before"])
@pytest.mark.parametrize("threads", [1, 3])
def test_nor_do_threads(cell: str, threads: int) -> None:
    """Of layers that are shared by threads when few texts are there, and of groups of many."""
    torch.manual_seed(threads)
    torch.set_num_threads(threads)
    random = np.random.default_rng(threads)
    stream = language(cell, 520, 1, "float32", False, kernels.instruction_sets()[-1])
    texts = [alone(stream, random) for _ in range(150)]
    check(stream, texts, 120, random)
    check(stream, texts[:4], 3, random)


def test_a_place_can_be_left_and_entered_again() -> None:
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    stream = language("lstm", 33, 2, "float32", False, kernels.instruction_sets()[-1])
    text = next(t for t in iter(lambda: alone(stream, random), None) if 4 < t.length <= 2 + MOST)
    first, other = (Together(stream, n, most=MOST, forbidden=[3]) for n in (1, 2))
    one = np.ones(1, np.int64)
    first.enter(0, first.beginning(), **text.sampling)
    first.give(0, text.prompt)
    made = first.advance(0 * one, 99 * one, 2 * one).tokens[0]
    other.enter(1, first.standing(0), **text.sampling)
    assert made + other.advance(one, 0 * one, (text.length - 2) * one).tokens[0] == text.tokens


def test_one_text_that_cannot_go_on_does_not_end_the_others() -> None:
    torch.manual_seed(1)
    stream = language("gru", 9, 1, "float32", False, kernels.instruction_sets()[-1])
    together = Together(stream, 2, most=3)
    good = together.beginning()
    broken = Standing(good.state, torch.full((V,), float("nan")), 1, frozenset())
    together.enter(0, broken, seed=1)
    together.enter(1, good, seed=1)
    both = np.array([0, 1])
    told = together.advance(both, 0 * both, np.array([3, 3]))
    assert told.tokens[0] == [] and isinstance(told.errors[0], RunError)
    assert len(told.tokens[1]) == 3 and told.errors[1] is None
    nothing = Together(stream, 1, most=3, forbidden=range(V))
    nothing.enter(0, good, seed=1)
    told = nothing.advance(np.zeros(1, np.int64), np.zeros(1, np.int64), np.ones(1, np.int64))
    assert isinstance(told.errors[0], UserError)


def test_what_does_not_fit_is_refused() -> None:
    isa = kernels.instruction_sets()[-1]
    stream = language("gru", 9, 1, "float32", False, isa)
    together = Together(stream, 1)
    foreign = Together(language("gru", 8, 1, "float32", False, isa), 1).beginning()
    with pytest.raises(ValueError, match="another model"):
        together.enter(0, foreign, seed=1)
    for ids in ([-1], [V]):
        with pytest.raises(ValueError, match="ids"):
            together.give(0, ids)
    one = np.ones(1, np.int64)
    with pytest.raises(ValueError, match="at most"):
        together.advance(0 * one, 0 * one, 2 * one)
    with pytest.raises(ValueError, match="cannot write"):
        Together(Stream(streaming.weights(Recurrent(4, 8, cell="gru").eval())), 1)
