"""What packed weights write is what the model and the search in Python write, to the token."""

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
from elman.tasks.translate.finding import write
from elman.tasks.translate.model import Source, Translator, Written
from elman.tasks.translate.options import TranslateOptions
from elman.tasks.translate.packed import Packed, packed

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


def handle(model: Translator) -> Packed:
    made = packed(model)
    assert isinstance(made, Packed), made
    return made


def greedily(
    decoder: Packed | Translator, source: Source, how: Search, limits: dict[str, Any]
) -> list[Hypothesis]:
    model = decoder.model if isinstance(decoder, Packed) else decoder
    return [
        best for [best] in write([decoder], [source], model.output.out_features - 1, how, **limits)
    ]


def both(
    model: Translator, source: Source, how: Search, limits: dict[str, Any]
) -> tuple[list[Hypothesis], list[Hypothesis], float]:
    """By the search and by the extension; and how close the choice was, in nats."""
    end = model.output.out_features - 1
    watched, got = Watched(model), greedily(handle(model), source, how, limits)
    count = len(got)
    expected = search(watched, model.start(source), count, end, end, how, **limits)
    return [best for [best] in expected], got, watched.nearest


@settings(max_examples=60)
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
    source, _ = encoded(model, B, draw)
    how = Search(beam=1, no_repeat=int(draw.integers(0, 4)), min_length=int(draw.integers(0, 4)))
    limits: dict[str, Any] = {
        "max_lengths": draw.integers(0, 14, B).tolist(),
        "forbidden_tokens": draw.integers(0, V, 2).tolist(),
        "forbidden": [tuple(draw.integers(0, V, n).tolist()) for n in (1, 2, 2)],
        "keep_attention": bool(draw.integers(2)),
    }
    expected, got, nearest = both(model, source, how, limits)
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
    source, _ = encoded(model, B, np.random.default_rng(5))
    decoder = handle(model)

    def written(rows: list[int]) -> list[Hypothesis]:
        memory, keys, alive, context, states = source
        state = [tuple(s[:, rows] for s in part) for part in states]
        some = Source(memory[rows], keys[rows], alive[rows], context[rows], state)
        return greedily(decoder, some, Search(beam=1), {"max_lengths": [15] * len(rows)})

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
    source, _ = encoded(model, 20, np.random.default_rng(8))
    found = greedily(handle(model), source, Search(beam=1), {"max_lengths": [12] * 20})
    tokens = {token for best in found for token in best.tokens}
    assert tokens and max(tokens) < 8


@torch.no_grad()
def test_nothing_to_write_is_told_as_by_the_search() -> None:
    torch.manual_seed(6)
    model = translator({"attention": "multiplicative"}, 5)
    source, _ = encoded(model, 9, np.random.default_rng(6))
    how = Search(beam=1)
    everything: dict[str, Any] = {"max_lengths": [3] * 9, "forbidden_tokens": list(range(6))}
    for decoder in (model, handle(model)):
        with pytest.raises(UserError, match="every token is forbidden"):
            greedily(decoder, source, how, everything)
    # No end is allowed, and the second time no other token either.
    stuck: dict[str, Any] = {"max_lengths": [3] * 9, "forbidden_tokens": [5, 4, 3, 2, 1]}
    expected, got, _ = both(model, source, Search(beam=1, no_repeat=1), stuck)
    assert [one.tokens for one in got] == [one.tokens for one in expected] == [(0,)] * 9
    assert not any(one.finished for one in [*got, *expected])
    model.output.bias[3] = float("nan")
    for width in (1, 2):
        with pytest.raises(RunError, match="damaged"):
            write([handle(model)], [source], 5, Search(beam=width), max_lengths=[3] * 9)


@settings(max_examples=30)
@given(
    st.sampled_from(FORMS), st.sampled_from(list(GATES)), st.integers(1, 25), st.integers(1, 2),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
@torch.no_grad()
def test_a_step_is_the_models(
    form: dict[str, Any], cell: str, N: int, threads: int, seed: int
) -> None:
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    draw = np.random.default_rng(seed)
    model = translator(form, 29, cell=(cell,), num_layers=2, bidirectional=(False,))
    source, _ = encoded(model, 7, draw)
    decoder = handle(model)
    expected, got = model.start(source), decoder.start(source)
    for _ in range(3):
        rows = torch.from_numpy(np.sort(draw.integers(0, len(expected.sentences), N)))
        expected, got = model.select(expected, rows), decoder.select(got, rows)
        tokens = torch.from_numpy(draw.integers(0, 30, N))
        a, b = model.step(tokens, expected), decoder.step(tokens, got)
        expected, got = a.state, b.state
        near(a.log_p, b.log_p)
        near(expected.found, got.found)
        assert (a.attention is None) == (b.attention is None)
        if a.attention is not None and b.attention is not None:
            near(a.attention, b.attention)
        for one, other in zip(expected.state, got.state, strict=True):
            for s, same in zip(one, other, strict=True):
                near(s, same)


def near(a: Tensor, b: Tensor) -> None:
    assert a.shape == b.shape and bool(((a - b).abs() <= TIE).all())


@torch.no_grad()
def test_a_beam_finds_as_much() -> None:
    torch.manual_seed(9)
    model = translator({"attention": "additive"}, 37)
    source, _ = encoded(model, 12, np.random.default_rng(9))
    how = Search(beam=4, n_best=3)
    limits: dict[str, Any] = {
        "max_lengths": [9] * 12, "required": [(3, 5)], "keep_attention": True,
    }  # fmt: skip
    expected, got = (write([d], [source], 37, how, **limits) for d in (model, handle(model)))
    for several, same in zip(expected, got, strict=True):
        assert [one.tokens for one in several] == [one.tokens for one in same]
        near(torch.tensor([one.score for one in several]), torch.tensor([s.score for s in same]))


def test_what_is_not_packed_says_why() -> None:
    model = translator({"context": "first"}, 7)
    assert packed(model.double()) == "the weights are not float32 on a CPU"
    with half():
        assert packed(model.float()) == "products are to be in bf16"
    other = translator({"context": "first"}, 7, decoder_cell=("hgrn",))
    assert packed(other) == "the cell hgrn cannot be streamed"
    normed = translator({"context": "first"}, 7, layer_norm=True)
    assert packed(normed) == "layer norm sits inside the recurrence"
