"""Several language models that answer together: each learns as it would alone, and a token is as
likely as it is to them on average."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from elman import decode
from elman.comparison import planning
from elman.decode import Sampling
from elman.options import make
from elman.tasks.task import Budget, State
from elman.tasks.text.model import LanguageNetwork, LanguageNetworks
from elman.tasks.text.options import TextOptions
from elman.tasks.text.plan import make_plan
from elman.tasks.text.task import TASK
from elman.tasks.text.writing import streaming
from elman.tasks.text.writing.writer import stepper

SYMBOLS = 7
MADE = st.fixed_dictionaries({
    "members": st.integers(2, 4), "cell": st.sampled_from([("lstm",), ("gru",), ("rnn", "lstm")]),
    "hidden_size": st.sampled_from([(5,), (4, 6)]), "embedding": st.sampled_from([0, 3]),
    "initial_state": st.sampled_from(["zero", "learned"]),
})  # fmt: skip


def model(options: dict[str, Any], scale: float = 4) -> LanguageNetworks:
    """Networks that do not agree, and whose states matter."""
    options = options | {"num_layers": max(len(options["hidden_size"]), len(options["cell"]))}
    made = LanguageNetworks(
        SYMBOLS, make(TextOptions, options | {"dropout": 0.0, "weight_drop": 0.0})
    )
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(scale)
    return made.eval()


def members(of: LanguageNetworks) -> list[LanguageNetwork]:
    return [one for one in of.members if isinstance(one, LanguageNetwork)]


@settings(max_examples=15)
@given(options=MADE, steps=st.integers(1, 9), batch=st.integers(1, 4))
def test_each_learns_as_it_would_alone(options: dict[str, Any], steps: int, batch: int) -> None:
    several = model(options).double()
    tokens = torch.randint(SYMBOLS, (2 * steps + 1, batch))
    parts = [(tokens[at : at + steps], tokens[at + 1 : at + steps + 1]) for at in (0, steps)]

    def learnt(one: LanguageNetwork | LanguageNetworks) -> tuple[float, int]:
        carry, total, count = None, 0.0, 0
        for part in parts:
            loss, read, carry = TASK.loss(one, part, carry, "cpu")
            torch.autograd.backward(loss)
            total, count = total + loss.item(), count + read
        return total, count

    total, count = learnt(several)
    together = {name: p.grad for name, p in several.named_parameters()}
    several.zero_grad()
    alone = [learnt(one) for one in members(several)]
    assert [n for _, n in alone] == [count] * len(alone)
    assert total == pytest.approx(sum(cost for cost, _ in alone) / len(alone))
    for name, p in several.named_parameters():
        found = together[name]
        assert found is not None and p.grad is not None and bool(p.grad.any())
        torch.testing.assert_close(found, p.grad / len(alone))


@settings(max_examples=15)
@given(options=MADE, steps=st.integers(1, 9), more=st.integers(1, 9))
def test_a_token_is_as_likely_as_it_is_on_average(
    options: dict[str, Any], steps: int, more: int
) -> None:
    several = model(options)
    tokens = torch.randint(SYMBOLS, (steps + more, 2))
    with torch.no_grad():
        scores, _ = several(tokens)
        own = [one(tokens)[0].softmax(-1) for one in members(several)]
        torch.testing.assert_close(scores.exp(), torch.stack(own).mean(0))
        assert not torch.allclose(own[0], own[1], atol=1e-3)
        first, state = several(tokens[:steps])
        second, _ = several(tokens[steps:], state)
        torch.testing.assert_close(torch.cat([first, second]), scores)


@settings(max_examples=10)
@given(options=MADE, read=st.integers(1, 9), length=st.integers(1, 20), seed=st.integers(0, 99))
def test_streams_of_them_write_what_they_write_step_by_step(
    options: dict[str, Any], read: int, length: int, seed: int
) -> None:
    several, sampling = model(options), Sampling(temperature=0.8, top_k=5, seed=seed)
    step = stepper(several, TextOptions(), "cpu")
    start: State = []
    begin = decode.start(step, start, random.choices(range(SYMBOLS), k=read))
    wanted = list(decode.generate(step, begin, length, sampling, (0,)))
    writing = streaming.writing(several, "float32")
    assert not isinstance(writing, str)
    found = list(writing(begin, length, sampling, (0,)))
    assert [token for token, _ in found] == [token for token, _ in wanted]
    for (_, here), (_, there) in zip(found, wanted, strict=True):
        torch.testing.assert_close(here.logits, there.logits, atol=1e-3, rtol=1e-3)


@settings(max_examples=30)
@given(seconds=st.integers(10, 20_000), tokens=st.integers(20_000, 5_000_000))
def test_where_there_is_time_for_many_passes_several_learn_in_it(seconds: int, tokens: int) -> None:
    def planned(**asked: Any) -> tuple[TextOptions, float]:
        budget = Budget(seconds, None, 32, None, "cpu")
        made = make_plan(tokens, 64, make(TextOptions, asked), budget, lambda trial: 1e4)
        passes = made.why.partition("about ")[2].partition(" passes")[0]
        return made.options, float(passes.replace(",", ""))

    (one, often), (several, each) = planned(members=1), planned()
    assert several.members is not None and several.members >= 1
    if often < 11.9:
        assert several == one
    elif often > 12.1:
        assert several.members > 1
        # All together take no more work than one alone: width by width, pass by pass.
        assert one.hidden_size is not None and several.hidden_size is not None
        spent = [
            count * passes * (4 * width * (width + 64) + 64 * width)
            for count, passes, width in (
                (1, often, one.hidden_size[0]), (several.members, each, several.hidden_size[0]),
            )
        ]  # fmt: skip
        assert spent[1] <= 1.05 * spent[0]
    assert planned(members=3)[0].members == 3


def test_a_size_many_symbols_windows_or_epochs_ask_for_one_network() -> None:
    budget = Budget(10_000, None, None, None, "cpu")
    asked_for: list[tuple[int, dict[str, Any]]] = [
        (30_000, {}), (64, {"windows": True}), (64, {"bidirectional": True}),
        (64, {"hidden_size": 64}),
    ]  # fmt: skip
    for vocabulary, asked in asked_for:
        options = make(TextOptions, asked)
        made = make_plan(50_000, vocabulary, options, budget, lambda trial: 1e5)
        assert made.options.members == 1
    epochs = Budget(None, 50, None, None, "cpu")
    assert make_plan(50_000, 64, TextOptions(), epochs, lambda trial: 1e5).options.members == 1


def test_what_is_compared_has_as_many_networks_unless_it_says_otherwise() -> None:
    first = make(TextOptions, {"members": random.randint(2, 5), "hidden_size": 7})
    assert planning._pinned(TextOptions(dropout=0.5), first).members == first.members
    assert planning._pinned(make(TextOptions, {"members": 1}), first).members == 1


def test_losses_of_several_in_training_and_validation_do_not_compare() -> None:
    for count in (1, 2, 5):
        told = TASK.losses_apart(make(TextOptions, {"members": count}))
        assert bool(told) == (count > 1)


def test_a_text_goes_on_from_a_file_and_narrow_weights_write(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("To be or not to be, two cats said. " * 30, encoding="utf-8")
    run = elman.train(
        "text", path, run=tmp_path / "run", epochs=1, hidden_size=5, members=3, batch_size=8,
        sample=10,
    )  # fmt: skip
    begin, sampling = run.read("To be"), Sampling(seed=random.randint(0, 99))
    pieces = [piece for piece, _ in run.stream(begin, 20, sampling)]
    n = random.randint(1, 19)
    *_, (_, at) = run.stream(begin, n, sampling)
    run.save_state(at, tmp_path / "place")
    rest = run.stream(run.load_state(tmp_path / "place"), 20 - n, sampling)
    assert [piece for piece, _ in rest] == pieces[n:]
    for weights in ("float16", "int8"):
        assert len("".join(p for p, _ in run.stream(begin, 20, sampling, weights))) == 20
