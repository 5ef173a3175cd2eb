"""Heads: every frame has a probability, all of them together one, and what is drawn keeps to it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from elman.tasks.music.frames.heads import make_head
from elman.tasks.music.frames.heads.head import SILENCE, Head
from elman.tasks.music.frames.heads.together import Together
from elman.tasks.music.frames.heads.voices import Voices
from elman.tasks.music.options import HeadName

P, V, C = 5, 3, 7
HEADS: tuple[HeadName, ...] = ("independent", "chain", "voices")
ROLLS: tuple[HeadName, ...] = ("independent", "chain")
ROUNDING = 1e-12  # of sums in float64


@pytest.fixture(params=range(3))
def seed(request: pytest.FixtureRequest) -> Iterator[int]:
    torch.manual_seed(request.param)
    yield request.param


SEVERAL = pytest.mark.parametrize("count", [1, 3])  # heads that answer together


def head_of(name: HeadName, count: int = 1) -> Head:
    heads = [make_head(name, C, P, V if name == "voices" else 0, 6, 0.0) for _ in range(count)]
    return (heads[0] if count == 1 else Together(heads)).double().eval()


def context_of(head: Head, *shape: int) -> Tensor:
    """Contexts at random, [*shape, C] of each head."""
    count = len(head.heads) if isinstance(head, Together) else 1
    return torch.randn(*shape, count * C).double()


def every(name: HeadName) -> Tensor:
    """All frames that there are."""
    if name == "voices":
        return torch.tensor(list(itertools.product(range(-1, P), repeat=V)))
    return torch.tensor(list(itertools.product([False, True], repeat=P)))


def costs(head: Head, context: Tensor, frames: Tensor) -> Tensor:
    return head.nats(context.expand(len(frames), -1), frames).detach()


@SEVERAL
@pytest.mark.parametrize("name", HEADS)
def test_the_probabilities_of_all_frames_sum_to_one(name: HeadName, count: int, seed: int) -> None:
    head = head_of(name, count)
    context = 3 * context_of(head)
    p = (-costs(head, context, every(name))).exp()
    assert p.sum().item() == pytest.approx(1, abs=ROUNDING)
    assert p.std() > 1e-3  # and it is no guess


@SEVERAL
@pytest.mark.parametrize("name", HEADS)
def test_what_is_drawn_costs_what_its_choices_cost(name: HeadName, count: int, seed: int) -> None:
    """The log probabilities that `pick` chooses among add up to the frame's own."""
    head = head_of(name, count)
    context = context_of(head)
    cost = 0.0

    def pick(log_p: Tensor) -> int:
        nonlocal cost
        choice = int(torch.multinomial(log_p.exp(), 1))
        cost -= float(log_p[choice])
        return choice

    for _ in range(5):
        cost = 0.0
        frame = head.draw(context, pick)
        assert costs(head, context, frame[None]).item() == pytest.approx(cost, abs=ROUNDING)


@SEVERAL
@pytest.mark.parametrize("name", HEADS)
def test_frames_cost_the_same_in_any_company(name: HeadName, count: int, seed: int) -> None:
    head, frames = head_of(name, count), every(name)
    contexts = context_of(head, len(frames))
    order = torch.randperm(len(frames))[:17]
    together = head.nats(contexts, frames).detach()
    some = head.nats(contexts[order], frames[order]).detach()
    torch.testing.assert_close(some, together[order], rtol=0, atol=ROUNDING)


@SEVERAL
@pytest.mark.parametrize("name", HEADS)
def test_the_likeliest_is_what_is_drawn_by_the_likeliest_choices(
    name: HeadName, count: int, seed: int
) -> None:  # fmt: skip
    head = head_of(name, count)
    contexts = 3 * context_of(head, 9)
    told = head.likeliest(contexts)
    for context, frame in zip(contexts, told, strict=True):
        assert torch.equal(head.draw(context, lambda log_p: int(log_p.argmax())), frame)


@SEVERAL
@pytest.mark.parametrize("name", ROLLS)
def test_notes_that_are_required_sound_and_others_only_where_allowed(
    name: HeadName, count: int, seed: int
) -> None:  # fmt: skip
    head = head_of(name, count)
    for _ in range(20):
        allowed, required = torch.rand(P) < 0.5, torch.rand(P) < 0.3
        frame = head.draw(context_of(head), drawn, allowed, required)
        assert bool(frame[required].all()) and not bool(frame[~(allowed | required)].any())


@SEVERAL
def test_voices_keep_to_their_own_notes(count: int, seed: int) -> None:
    head = head_of("voices", count)
    for _ in range(20):
        allowed = torch.rand(V, P) < 0.5
        frame = head.draw(context_of(head), drawn, allowed)
        assert all(p == SILENCE or allowed[v, p] for v, p in enumerate(frame.tolist()))
        given = torch.randint(-1, P, (V,))
        frame = head.draw(context_of(head), drawn, allowed, given)
        assert bool((frame[given != SILENCE] == given[given != SILENCE]).all())
        required = torch.zeros(P, dtype=torch.bool)
        required[torch.randperm(P)[: int(torch.randint(V + 1, ()))]] = True
        frame = head.draw(context_of(head), drawn, None, required)
        assert {*required.nonzero()[:, 0].tolist()} <= {*frame.tolist()}


@pytest.mark.parametrize("name", HEADS)
def test_an_answer_is_as_likely_as_on_average_to_each_given_those_before(
    name: HeadName, seed: int
) -> None:  # fmt: skip
    """Answer by answer: the average is not that of whole frames, which knows who was right."""
    head, frames = head_of(name, 3), every(name)
    assert isinstance(head, Together)
    contexts = 3 * context_of(head, len(frames))
    parts = list(zip(head.heads, contexts.chunk(3, -1), strict=True))
    each = [one.answers(own, frames)[0] for one, own in parts if isinstance(one, Head)]
    torch.testing.assert_close(
        head.answers(contexts, frames)[0].exp(), torch.stack(each).exp().mean(0)
    )
    own = torch.stack([one.nats(own, frames) for one, own in parts if isinstance(one, Head)])
    torch.testing.assert_close(head.alone(contexts, frames), own.mean(0))
    assert not torch.allclose(head.nats(contexts, frames), -own.neg().exp().mean(0).log())


def test_voices_add_up_to_their_frame(seed: int) -> None:
    head, frames = head_of("voices"), every("voices")
    assert isinstance(head, Voices)
    contexts = torch.randn(len(frames), C).double()
    each, state = by_voice(head, contexts, frames), None
    last = torch.full((len(frames),), P)
    for place in range(V):  # from below
        log_p, state = head.ask(contexts, last, state, place)
        notes = frames[:, V - 1 - place]
        last = notes.masked_fill(notes == SILENCE, P)
        own = -log_p.gather(1, last[:, None])[:, 0]
        torch.testing.assert_close(each[:, V - 1 - place], own, rtol=0, atol=ROUNDING)
    # What the lowest voice costs does not depend on those above it.
    other = frames.clone()
    other[:, :-1] = frames[:, :-1].flip(0)
    torch.testing.assert_close(
        by_voice(head, contexts, other)[:, -1], each[:, -1], rtol=0, atol=ROUNDING
    )


def test_each_voice_has_an_output_of_its_own(seed: int) -> None:
    """Without anything else to tell by, each voice is told by its own bias, the lowest first."""
    head = head_of("voices")
    assert isinstance(head, Voices)
    for weight in (head.output.weight, head.output.bias, head.direct.weight):
        torch.nn.init.zeros_(weight)
    log_p = head.direct.bias.detach().view(V, P + 1).log_softmax(-1).flip(0)  # [V, P + 1]
    frames = every("voices")
    told = -torch.stack([log_p[v, frames[:, v]] for v in range(V)], 1)  # silence, -1, is the last
    context = torch.randn(C).double().expand(len(frames), -1)
    torch.testing.assert_close(by_voice(head, context, frames), told, rtol=0, atol=ROUNDING)


def by_voice(head: Voices, contexts: Tensor, frames: Tensor) -> Tensor:
    """-log p of each voice, given those below it: [N, V]."""
    log_p, _ = head.answers(contexts, frames)
    return -log_p


def drawn(log_p: Tensor) -> int:
    return int(torch.multinomial(log_p.exp(), 1)) if log_p.exp().sum() > 0 else 0
