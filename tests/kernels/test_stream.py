"""Streams against the layers in float64, and what is written against `elman.decode`."""
# ruff: noqa: E741  I is the input size, as in the alphabet of docs/design.md

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from elman import decode, kernels
from elman.decode import Sampling, distribution
from elman.errors import RunError, UserError
from elman.kernels.stream import GATES, STORAGES, State, Storage, Stream, Weights, choose, uniform
from elman.layers import streaming
from elman.layers.recurrent import Recurrent

pytestmark = pytest.mark.skipif(
    not kernels.instruction_sets(), reason="the extension was not built"
)

HIDDEN, BATCH, LAYERS, TIME = (1, 7, 33, 100, 257), (1, 3), (1, 2, 3), 4
# As for the sweeps: rounding of 257 terms, handed on through 4 steps of 3 layers.
BOUND = 1e-5
# An int8 product is off by its inputs, rounded to 127 steps of the largest: for 257 of them with
# weights of 1/16 about 0.01, and more after 4 steps of 3 layers, where relu keeps nothing small.
INT8_BOUND = 0.1

every_cell = pytest.mark.parametrize("cell", GATES)
every_set = pytest.mark.parametrize("instruction_set", kernels.instruction_sets())
every_storage = pytest.mark.parametrize("storage", STORAGES)
seeds = st.integers(0, 2**32 - 1)


def stack(cell: str, I: int, H: int, layers: int = 1, **options: Any) -> Recurrent:
    return Recurrent(I, H, layers, cell=cell, **options).eval()


def states(layers: Recurrent, B: int) -> State:
    return [
        tuple(torch.randn(B, H) for _ in cell.states)
        for cell, H in zip(layers.cell, layers.hidden_size, strict=True)
    ]


def exact(layers: Recurrent, x: Tensor, state: State) -> tuple[Tensor, State]:
    """The layers themselves in float64, with the weights that they have."""
    twin = Recurrent(
        layers.input_size,
        layers.hidden_size,
        layers.num_layers,
        cell=layers.cell,
        residual=layers.residual,
        zoneout=layers._shares.zoneout,
    ).double()
    twin.load_state_dict(layers.state_dict())
    with torch.no_grad():
        y, after = twin.eval()(x.double(), [tuple(s[None].double() for s in p) for p in state])
    return y, [tuple(s[0] for s in part) for part in after]


def close(a: Tensor, b: Tensor, bound: float) -> None:
    assert a.shape == b.shape
    error = (a - b).abs().max().item() / (1 + b.abs().max().item())
    assert error < bound  # NaN is not


def equal(a: State, b: State) -> bool:
    flat = [[s for part in state for s in part] for state in (a, b)]
    return all(torch.equal(x, y) for x, y in zip(*flat, strict=True))


@every_cell
@every_set
@settings(max_examples=8)
@given(
    st.sampled_from(HIDDEN), st.sampled_from(BATCH), st.sampled_from(LAYERS), st.booleans(),
    st.sampled_from([0.0, 0.3]), st.booleans(), st.sampled_from(STORAGES), seeds,
)  # fmt: skip
def test_steps_are_the_layers(
    instruction_set: str,
    cell: str,
    H: int,
    B: int,
    depth: int,
    bias: bool,
    zoneout: float,
    narrow: bool,
    storage: Storage,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    residual = depth > 1
    I = 5 if narrow else H
    layers = stack(cell, I, H, depth, bias=bias, residual=residual, zoneout=zoneout)
    if storage == "float16":  # then what it computes with is known exactly
        for name, weight in layers.named_parameters():
            if name.startswith("weight"):
                weight.data = weight.data.half().float()
    stream = Stream(streaming.weights(layers), storage=storage, instruction_set=instruction_set)
    if not bias:
        layers = with_zero_biases(layers)
    x, state = torch.randn(TIME, B, I), states(layers, B)
    y, after = exact(layers, x, state)
    bound = INT8_BOUND if storage == "int8" else BOUND
    for t in range(TIME):
        out, state = stream.step(x[t], state)
        close(out, y[t], bound)
    for part, other in zip(state, after, strict=True):
        for s, e in zip(part, other, strict=True):
            close(s, e, bound)


def with_zero_biases(layers: Recurrent) -> Recurrent:
    """The same stack, which `exact` can copy."""
    twin = stack(
        layers.cell[0].name, layers.input_size, layers.hidden_size[0], layers.num_layers,
        residual=layers.residual, zoneout=layers._shares.zoneout,
    )  # fmt: skip
    for name, parameter in twin.named_parameters():
        own = dict(layers.named_parameters()).get(name)
        parameter.data = torch.zeros_like(parameter) if own is None else own.data
    return twin


@every_set
@pytest.mark.parametrize("K", [1, 3, 33, 257])
def test_int8_of_whole_numbers_is_exact(instruction_set: str, K: int) -> None:
    torch.manual_seed(K)
    H = 37
    W, x = torch.randint(-127, 128, (H, K)).float(), torch.randint(-127, 128, (2, K)).float()
    W[:, 0], x[:, 0] = 127, -127  # then all scales are 1
    layer = Weights("rnn-relu", W, torch.zeros(H, H))
    stream = Stream([layer], storage="int8", instruction_set=instruction_set)
    y, _ = stream.step(x, [(torch.zeros(2, H),)])
    assert torch.equal(y, (x @ W.t()).relu())


@every_set
def test_a_float16_stream_has_rounded_weights(instruction_set: str) -> None:
    torch.manual_seed(0)
    H = 33
    W = torch.randn(H, H) * torch.logspace(-6, 2, H)  # also what float16 holds as a denormal
    x, zero = torch.randn(1, H), torch.zeros(H, H)
    layer = Weights("rnn-relu", W, zero)
    stream = Stream([layer], storage="float16", instruction_set=instruction_set)
    y, _ = stream.step(x, [(torch.zeros(1, H),)])
    close(y, (x.double() @ W.half().double().t()).relu(), BOUND)
    for value in (1e5, float("inf"), float("nan")):
        W[3, 4] = value
        for storage in ("float16", "int8"):
            if storage == "int8" and value == 1e5:
                continue
            with pytest.raises(ValueError, match="weights must be"):
                Stream([layer], storage=storage)


@every_cell
@every_storage
def test_a_row_does_not_know_the_others(cell: str, storage: Storage) -> None:
    layers = stack(cell, 9, 33, 2)
    stream = Stream(streaming.weights(layers), storage=storage)
    x, state = torch.randn(3, 9), states(layers, 3)
    y, after = stream.step(x, state)
    for b in range(3):
        own, own_after = stream.step(x[b], [tuple(s[b] for s in part) for part in state])
        assert torch.equal(own, y[b])
        assert equal(own_after, [tuple(s[b] for s in part) for part in after])


V = 11


def language(
    cell: str, H: int, depth: int = 1, storage: Storage = "float32", embedded: bool = False
) -> tuple[Stream, Recurrent, State]:
    """A model over `V` tokens, its layers, and a state to start from."""
    layers = stack(cell, 6 if embedded else V, H, depth)
    output = (3 * torch.randn(V, H) / H**0.5, torch.randn(V))
    tokens = torch.randn(V, 6) if embedded else V
    stream = Stream(streaming.weights(layers), tokens=tokens, output=output, storage=storage)
    return stream, layers, states(layers, 1)


@every_cell
@pytest.mark.parametrize("E", [6, 17])  # as wide as the layer, it is added, so there is no table
def test_tokens_are_their_embeddings(cell: str, E: int) -> None:
    torch.manual_seed(3)
    layers = stack(cell, E, 17, 2, residual=True)
    embedding, ids = torch.randn(V, E), torch.tensor([3, 0, 10, 3])
    stream = Stream(streaming.weights(layers), tokens=embedding)
    state = states(layers, 1)
    y, after = stream.read(ids, state)
    expected, last = exact(layers, embedding[ids][:, None], state)
    close(y, expected[:, 0], BOUND)
    close(after[-1][0], last[-1][0], BOUND)


@pytest.mark.parametrize("H", [7, V])  # as wide as the vocabulary, one-hot input is added
def test_one_hot_tokens(H: int) -> None:
    layers = stack("gru", V, H, 2, residual=True)
    ids, state = torch.tensor([3, 0, 10, 3]), states(layers, 1)
    y, _ = Stream(streaming.weights(layers), tokens=V).read(ids, state)
    one_hot = torch.eye(V)[ids][:, None]
    close(y, exact(layers, one_hot, state)[0][:, 0], BOUND)


@every_storage
@settings(max_examples=10)
@given(st.sampled_from(list(GATES)), st.integers(0, 9), st.integers(0, 9), st.booleans(), seeds)
def test_going_on_is_never_having_stopped(
    storage: Storage, cell: str, n: int, m: int, embedded: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    stream, _, state = language(cell, 33, 2, storage, embedded)
    ids = torch.randint(0, V, (5,))
    y, state = stream.read(ids, state)
    options: dict[str, Any] = {"seed": seed, "repetition_penalty": 1.3, "top_k": 7, "top_p": 0.9}
    seen = frozenset(ids.tolist())
    whole = stream.generate(n + m, y[-1], state, 5, seen=seen, **options)
    begun = stream.generate(n, y[-1], state, 5, seen=seen, **options)
    if n:
        y, state = begun.logits, [tuple(s[-1:] for s in part) for part in begun.states]
        seen |= set(begun.tokens)
    rest = stream.generate(m, y[-1], state, 5 + n, seen=seen, **options)
    assert begun.tokens + rest.tokens == whole.tokens
    assert torch.equal(torch.cat([begun.logits, rest.logits]), whole.logits)


@every_storage
def test_a_token_written_is_a_token_read(storage: Storage) -> None:
    torch.manual_seed(2)
    stream, _, state = language("gru", 33, 2, storage)
    made = stream.generate(9, torch.zeros(V), state, 1, seed=3)
    for n in range(1, 10):
        y, after = stream.read(torch.tensor(made.tokens[:n]), state)
        assert torch.equal(y, made.logits[:n])
        assert equal(after, [tuple(s[n - 1 : n] for s in part) for part in made.states])


@pytest.mark.parametrize("cell", ["lstm", "gru-reset-before"])
def test_a_layer_shared_by_threads_is_the_layer(cell: str) -> None:
    torch.manual_seed(1)
    layers = stack(cell, 5, 640)  # two rows of it stream more than one thread takes on alone
    x, state = torch.randn(1, 2, 5), states(layers, 2)
    y, after = exact(layers, x, state)
    for threads in (1, 3):
        torch.set_num_threads(threads)
        out, ours = Stream(streaming.weights(layers)).step(x[0], state)
        close(out, y[0], BOUND)
        for s, e in zip(ours[0], after[0], strict=True):
            close(s, e, BOUND)


@every_storage
@pytest.mark.parametrize("cell", ["lstm", "gru-reset-before"])
def test_threads_change_no_bit(cell: str, storage: Storage) -> None:
    torch.manual_seed(1)
    stream, _, state = language(cell, 640, 1, storage)  # more than one thread takes on alone
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        results.append(stream.generate(40, torch.zeros(V), state, 1, seed=2))
    for other in results[1:]:
        assert other.tokens == results[0].tokens
        assert torch.equal(other.logits, results[0].logits)
        assert equal(other.states, results[0].states)


def test_two_threads_may_use_one_stream() -> None:
    torch.manual_seed(1)
    torch.set_num_threads(2)
    stream, _, state = language("lstm", 300)

    def write(seed: int) -> list[int]:
        return stream.generate(40, torch.zeros(V), state, 1, seed=seed).tokens

    alone = [write(seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(write, range(8))) == alone


def test_a_stream_keeps_the_weights_it_was_made_from() -> None:
    layers = stack("lstm", 4, 8)
    stream, x, state = Stream(streaming.weights(layers)), torch.randn(4), states(layers, 1)
    alone = [tuple(s[0] for s in part) for part in state]
    before, _ = stream.step(x, alone)
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.zero_()
    assert torch.equal(stream.step(x, alone)[0], before)


# ---- Choosing ------------------------------------------------------------------------------


def test_random_numbers_are_those_of_numpy() -> None:
    edges = [0, 1, 2, 2**32 - 1, 2**32, 2**63 - 1]
    random = np.random.default_rng(0).integers(0, 2**63, (200, 2)).tolist()
    pairs = [(a, b) for a in edges for b in [*edges, 2**63, 2**64 - 2, 2**64 - 1]] + random
    for seed, position in pairs:
        expected = np.random.Generator(np.random.Philox(key=seed, counter=position)).random()
        assert uniform(seed, position) == expected


samplings = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 5e-324, 1e-3, 0.7, 1.0, 2.5]),
    top_k=st.integers(0, 9),
    top_p=st.sampled_from([1e-300, 0.2, 0.7, 1.0]),
    repetition_penalty=st.sampled_from([0.5, 1.0, 1.8]),
    seed=st.integers(0, 2**63 - 1),
)
# Different enough that no sum of float64 decides, and some are equal or impossible.
logit_lists = st.lists(
    st.integers(-600, 600).map(lambda n: n / 97) | st.sampled_from([0.0, -float("inf")]),
    min_size=2, max_size=23,
)  # fmt: skip


@every_set
@settings(max_examples=60)
@given(logit_lists, samplings, st.integers(1, 2**63 - 99), st.data())
def test_the_same_token_is_chosen(
    instruction_set: str,
    values: list[float],
    sampling: Sampling,
    position: int,
    data: st.DataObject,
) -> None:
    logits = torch.tensor(values)
    token = st.integers(0, len(values) - 1)
    seen = data.draw(st.lists(token, max_size=9))
    forbidden = data.draw(st.lists(token, max_size=len(values) - 1, unique=True))
    assert sampling.seed is not None
    options: dict[str, Any] = dict(
        vars(sampling), seen=seen, forbidden=forbidden, instruction_set=instruction_set
    )
    try:
        p = distribution(logits, seen, sampling, forbidden)
    except UserError as told:
        with pytest.raises(UserError, match=str(told)):
            choose(logits, position, **options)
        return
    cumulated = p.cumsum(0)
    for at in range(position, position + 16):
        u = decode.uniform(sampling.seed, at)
        chosen = choose(logits, at, **options)
        if chosen != decode.choose(p, u):  # only where a border was rounded to the other side of u
            assert (cumulated / cumulated[-1] - u).abs().min() < 1e-12


@every_cell
@pytest.mark.parametrize("depth", [1, 2])
def test_a_text_is_that_of_the_reference(cell: str, depth: int) -> None:
    torch.manual_seed(5)
    _, layers, state = language(cell, 24, depth)
    matrix, bias = 3 * torch.randn(V, 24) / 5, torch.randn(V)
    stream = Stream(streaming.weights(layers), tokens=V, output=(matrix, bias))

    @torch.no_grad()
    def step(ids: Tensor, state: State) -> tuple[Tensor, State]:
        y, after = layers(torch.eye(V)[ids][:, None], [tuple(s[None] for s in p) for p in state])
        return matrix @ y[-1, 0] + bias, [tuple(s[0] for s in p) for p in after]

    place = decode.start(step, state, [1, 2])
    sampling = Sampling(seed=7, top_p=0.95, repetition_penalty=1.1, temperature=0.9)
    reference = list(decode.generate(step, place, 60, sampling, (4,)))
    made = stream.generate(
        60, place.logits, place.state, 2, seed=7, seen=place.seen, forbidden=(4,), top_p=0.95,
        repetition_penalty=1.1, temperature=0.9,
    )  # fmt: skip
    assert made.tokens == [token for token, _ in reference]
    close(made.logits, torch.stack([at.logits for _, at in reference]), 1e-4)  # 60 steps


def test_what_cannot_be_chosen_ends_the_text() -> None:
    stream, layers, state = language("lstm", 8)
    bad = torch.zeros(V)
    bad[3] = float("nan")
    made = stream.generate(5, bad, state, 1, seed=0)
    assert made.tokens == [] and isinstance(made.error, RunError)
    made = stream.generate(5, torch.zeros(V), state, 1, seed=0, forbidden=range(V))
    assert made.tokens == [] and isinstance(made.error, UserError)
    for storage in STORAGES:  # a state that is not finite is told after the token that it made
        broken = [tuple(torch.full_like(s, float("nan")) for s in part) for part in state]
        matrix = (torch.randn(V, 8), torch.zeros(V))
        stream = Stream(streaming.weights(layers), tokens=V, output=matrix, storage=storage)
        made = stream.generate(5, torch.zeros(V), broken, 1, seed=0)
        assert len(made.tokens) == 1 and isinstance(made.error, RunError)
        assert len(made.logits) == 1


# ---- Bad input -----------------------------------------------------------------------------


def test_layers_that_do_not_fit_are_refused() -> None:
    W, R, b = torch.randn(12, 5), torch.randn(12, 4), torch.randn(12)
    good = Weights("gru", W, R, b, b)
    Stream([good])
    bad: list[list[Weights]] = [
        [],
        [good._replace(cell="plain")],
        [good._replace(cell="mingru")],
        [good._replace(weight_hh=None)],
        [good._replace(weight_ih=W[:11])],
        [good._replace(weight_ih=W[:, :0])],
        [good._replace(weight_ih=W.double())],
        [good._replace(weight_ih=torch.randn(5, 12).t())],
        [good._replace(weight_hh=R[:, :3])],
        [good._replace(weight_hh=R.half())],
        [good._replace(bias_ih=b[:9])],
        [good._replace(zoneout=1.5)],
        [good, good],
    ]
    for layers in bad:
        with pytest.raises(ValueError):
            Stream(layers)
    for options in (
        {"tokens": 6}, {"tokens": torch.randn(3, 4)}, {"tokens": torch.randn(0, 5)},
        {"tokens": torch.randn(3, 5).double()}, {"output": (torch.randn(3, 5), None)},
        {"output": (torch.randn(3, 4), torch.randn(4))}, {"storage": "int4"},
        {"instruction_set": "mmx"},
    ):  # fmt: skip
        with pytest.raises(ValueError):
            Stream([good], **options)


def test_input_that_does_not_fit_is_refused() -> None:
    layers = stack("lstm", 5, 4)
    stream, state = Stream(streaming.weights(layers)), states(layers, 2)
    x = torch.randn(2, 5)
    stream.step(x, state)
    for bad_x in (
        x[:, :4], x.double(), torch.randn(5, 2).t(), x[:1], torch.randn(1, 2, 5), torch.tensor(1.0),
    ):  # fmt: skip
        with pytest.raises(ValueError):
            stream.step(bad_x, state)
    h, c = state[0]
    bad_states: list[State] = [
        [], [(h,)], [(h, c), (h, c)], [(h, c[:1])], [(h, c.double())], [(h, c[:, :3])],
    ]  # fmt: skip
    for bad in bad_states:
        with pytest.raises(ValueError):
            stream.step(x, bad)
    with pytest.raises(ValueError, match="reads vectors"):
        stream.read(torch.tensor([1]), states(layers, 1))
    with pytest.raises(ValueError, match="cannot write"):
        stream.generate(1, torch.zeros(5), states(layers, 1), 1, seed=0)


def test_ids_that_do_not_fit_are_refused() -> None:
    stream, _, state = language("rnn", 4)
    for ids in ([], [V], [-1], [0.5]):
        with pytest.raises(ValueError):
            stream.read(torch.tensor(ids), state)
    with pytest.raises(ValueError, match="reads tokens"):
        stream.step(torch.zeros(V), state)
    logits = torch.zeros(V)
    changes: list[dict[str, Any]] = [
        {"logits": logits[1:]}, {"logits": logits.double()}, {"position": -1},
        {"position": 2**63}, {"length": -1}, {"seed": -1}, {"seed": 2**63}, {"forbidden": [V]},
        {"seen": [-1], "repetition_penalty": 2.0}, {"state": []},
    ]  # fmt: skip
    for changed in changes:
        given: dict[str, Any] = {
            "length": 2, "logits": logits, "state": state, "position": 1, "seed": 0,
        }  # fmt: skip
        stream.generate(**given)
        with pytest.raises(ValueError):
            stream.generate(**(given | changed))
