"""What is written greedily in one call is what the search in Python writes, to the token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from elman import kernels
from elman.data.batching import padded
from elman.errors import RunError, UserError
from elman.kernels.stream import GATES
from elman.layers.precision import half
from elman.search import Decoder, Hypothesis, Search, Step, search
from elman.tasks.translate.greedy import Greedy, greedy
from elman.tasks.translate.model import Source, Translator, Written
from elman.tasks.translate.options import TranslateOptions

pytestmark = pytest.mark.skipif(
    not kernels.instruction_sets(), reason="the extension was not built"
)
TIE = 1e-4  # nats: likelier by less, and rounding may say otherwise
FORMS: list[dict[str, Any]] = [
    {"context": "first"}, {"context": "each"},
    {"attention": "multiplicative"}, {"attention": "additive"},
    {"attention": "multiplicative", "input_feeding": True},
    {"attention": "additive", "input_feeding": True, "tied": False},
]  # fmt: skip


@pytest.fixture(autouse=True)
def poison() -> Iterator[None]:
    """Memory that was never written is NaN, and the number of threads is as before."""
    threads = torch.get_num_threads()
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


class Watched(Decoder[Written]):
    """A model, and how near a second token ever came to one that was chosen, in nats."""

    def __init__(self, model: Translator) -> None:
        self.model, self.nearest = model, float("inf")

    def step(self, tokens: Tensor, state: Written) -> Step[Written]:
        made = self.model.step(tokens, state)
        first = made.log_p.topk(4).values  # of which some may be blocked
        self.nearest = min(self.nearest, float((first[:, :-1] - first[:, 1:]).min()))
        return made

    def select(self, state: Written, rows: Tensor) -> Written:
        return self.model.select(state, rows)


def translator(form: dict[str, Any], V: int, **options: Any) -> Translator:
    how: dict[str, Any] = {
        "hidden_size": (33,), "embedding": 7, "dropout": 0.0, "weight_drop": 0.0,
        "token_dropout": 0.0, "context": "attention",
    } | form | options  # fmt: skip
    model = Translator(TranslateOptions(**how), (11, V), (0, None)).eval()
    torch.nn.init.normal_(model.output.weight, std=2.0)
    torch.nn.init.normal_(model.output.bias)
    return model


def encoded(model: Translator, B: int, draw: np.random.Generator) -> tuple[Source, Tensor]:
    rows = [draw.integers(0, 12, draw.integers(1, 9)) for _ in range(B)]
    x, lengths = padded(rows)
    return model.encode(x, lengths), lengths


def both(
    model: Translator, source: Source, lengths: Tensor, how: Search, limits: dict[str, Any]
) -> tuple[list[Hypothesis], list[Hypothesis], float]:
    """By the search and by the extension; and how close the choice was, in nats."""
    end = model.output.out_features - 1
    watched, write = Watched(model), greedy(model, how)
    expected = search(watched, model.start(source), len(lengths), end, end, how, **limits)
    assert isinstance(write, Greedy), write
    got = write(source, lengths, end, end, **limits)
    return [best for [best] in expected], [best for [best] in got], watched.nearest


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(FORMS), st.sampled_from(list(GATES)), st.integers(1, 2),
    st.integers(1, 15), st.sampled_from([13, 37]), st.integers(1, 2), st.integers(0, 2**32 - 1),
)  # fmt: skip
@torch.no_grad()
def test_greedy_writes_what_the_search_finds(
    form: dict[str, Any], cell: str, depth: int, B: int, V: int, threads: int, seed: int
) -> None:  # fmt: skip
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    draw = np.random.default_rng(seed)
    model = translator(
        form, V, cell=("gru",), decoder_cell=(cell,), num_layers=depth, bidirectional=(False,),
        residual=depth > 1, zoneout=0.1,
    )  # fmt: skip
    source, lengths = encoded(model, B, draw)
    how = Search(beam=1, no_repeat=int(draw.integers(0, 4)), min_length=int(draw.integers(0, 4)))
    limits: dict[str, Any] = {
        "max_lengths": draw.integers(0, 14, B).tolist(),
        "forbidden_tokens": draw.integers(0, V, 2).tolist(),
        "forbidden": [tuple(draw.integers(0, V, n).tolist()) for n in (1, 2, 2)],
        "keep_attention": bool(draw.integers(2)),
    }
    expected, got, nearest = both(model, source, lengths, how, limits)
    assume(nearest > TIE)
    for a, b in zip(expected, got, strict=True):
        assert (a.tokens, a.finished) == (b.tokens, b.finished)
        assert abs(a.log_probability - b.log_probability) <= TIE
        assert abs(a.score - b.score) <= TIE
        assert (a.attention is None) == (b.attention is None)
        if a.attention is not None and b.attention is not None:
            assert a.attention.shape == b.attention.shape
            assert bool(((a.attention - b.attention).abs() <= 1e-5).all())


@torch.no_grad()
@pytest.mark.parametrize("isa", kernels.instruction_sets())
def test_a_sentence_is_the_same_in_any_company(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elman.kernels.native.available", lambda: (isa, ""))
    torch.manual_seed(5)
    model, B = translator({"attention": "additive", "input_feeding": True}, 41), 200
    source, lengths = encoded(model, B, np.random.default_rng(5))
    write = greedy(model, Search(beam=1))
    assert isinstance(write, Greedy)

    def written(rows: list[int]) -> list[Hypothesis]:
        memory, keys, alive, context, states = source
        state = [tuple(s[:, rows] for s in part) for part in states]
        some = Source(memory[rows], keys[rows], alive[rows], context[rows], state)
        found = write(some, lengths[rows], 40, 40, max_lengths=[15] * len(rows))
        return [best for [best] in found]

    torch.set_num_threads(2)
    together = written(list(range(B)))
    torch.set_num_threads(1)
    for k in range(0, B, 29):
        assert written([k]) == [together[k]]
    assert written(list(range(B))) == together


@torch.no_grad()
@pytest.mark.parametrize("isa", kernels.instruction_sets())
def test_of_equals_the_lower_is_written(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elman.kernels.native.available", lambda: (isa, ""))
    torch.manual_seed(8)
    model = translator({"context": "first", "tied": False}, 32)
    for part in (model.output.weight, model.output.bias):
        part[8:16] = part[:8]
        part[16:32] = part[:16]
    source, lengths = encoded(model, 20, np.random.default_rng(8))
    write = greedy(model, Search(beam=1))
    assert isinstance(write, Greedy)
    found = write(source, lengths, 32, 32, max_lengths=[12] * 20)
    tokens = {token for [best] in found for token in best.tokens}
    assert tokens and max(tokens) < 8


@torch.no_grad()
def test_nothing_to_write_is_told_as_by_the_search() -> None:
    torch.manual_seed(6)
    model = translator({"attention": "multiplicative"}, 5)
    source, lengths = encoded(model, 9, np.random.default_rng(6))
    how = Search(beam=1)
    everything: dict[str, Any] = {"max_lengths": [3] * 9, "forbidden_tokens": list(range(6))}
    with pytest.raises(UserError, match="every token is forbidden"):
        both(model, source, lengths, how, everything)
    write = greedy(model, how)
    assert isinstance(write, Greedy)
    with pytest.raises(UserError, match="every token is forbidden"):
        write(source, lengths, 5, 5, **everything)
    # No end is allowed, and the second time no other token either.
    stuck: dict[str, Any] = {"max_lengths": [3] * 9, "forbidden_tokens": [5, 4, 3, 2, 1]}
    expected, got, _ = both(model, source, lengths, Search(beam=1, no_repeat=1), stuck)
    assert [one.tokens for one in got] == [one.tokens for one in expected] == [(0,)] * 9
    assert not any(one.finished for one in [*got, *expected])
    model.output.bias[3] = float("nan")
    damaged = greedy(model, how)
    assert isinstance(damaged, Greedy)
    with pytest.raises(RunError, match="damaged"):
        damaged(source, lengths, 5, 5, max_lengths=[3] * 9)


def test_what_stays_with_the_search_says_why() -> None:
    model = translator({"context": "first"}, 7)
    assert greedy(model, Search(beam=2)) == "a beam is searched in Python"
    assert greedy(model, Search(temperature=1.0)) == "what is drawn is drawn in Python"
    assert greedy(model.double(), Search(beam=1)) == "the weights are not float32 on a CPU"
    with half():
        assert greedy(model.float(), Search(beam=1)) == "products are to be in bf16"
    other = translator({"context": "first"}, 7, decoder_cell=("hgrn",))
    assert greedy(other, Search(beam=1)) == "the cell hgrn cannot be streamed"
    normed = translator({"context": "first"}, 7, layer_norm=True)
    assert greedy(normed, Search(beam=1)) == "layer norm sits inside the recurrence"
