"""The network of `translate`: padding changes nothing, and what is scored at once is what is
written step by step, in every form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from elman.data.batching import padded
from elman.tasks.translate.model import Attention, Translator, Written
from elman.tasks.translate.options import TranslateOptions
from elman.tasks.translate.task import TASK
from elman.tasks.translate.training import Batch

SYMBOLS = (9, 7)
EXACT = 1e-11  # float64: sums of some hundred terms of order 1 in another order
FUSED = 5e-6  # float32's kernels, the same
FORMS: dict[str, dict[str, Any]] = {
    "first lstm": {"context": "first"},
    "first gru, one way, deeper and wider decoder": {
        "context": "first", "cell": ("gru",), "bidirectional": (False,),
        "decoder_hidden_size": (6, 4),
    },
    "first mingru, lstm writes": {
        "context": "first", "cell": ("mingru",), "decoder_cell": ("lstm",), "tied": False,
    },
    "each rnn, shared": {"context": "each", "cell": ("rnn",), "shared_vocabulary": True},
    "each lstm and gru, one rnn writes": {
        "context": "each", "cell": ("lstm", "gru"), "hidden_size": (5, 4),
        "decoder_cell": ("rnn",), "decoder_hidden_size": (6,), "bidirectional": (True, False),
    },
    "multiplicative, residual": {
        "attention": "multiplicative", "num_layers": 2, "residual": True, "layer_norm": True,
    },
    "additive gru, hgrn writes": {
        "attention": "additive", "cell": ("gru",), "decoder_cell": ("hgrn",),
        "initial_state": "learned",
    },
    "multiplicative, fed, two layers": {
        "attention": "multiplicative", "input_feeding": True, "num_layers": 2,
    },
    "additive, fed, shared, rnn and gru write": {
        "attention": "additive", "input_feeding": True, "bidirectional": (False,),
        "decoder_cell": ("rnn", "gru"), "decoder_hidden_size": (4, 6), "shared_vocabulary": True,
    },
}  # fmt: skip
each_form = pytest.mark.parametrize("form", FORMS)
# Of each sentence the tokens of both sides, the ends not counted.
lengths = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5)), min_size=1, max_size=4)
draws = settings(max_examples=4)


def translator(form: str, **changed: Any) -> Translator:
    options: dict[str, Any] = {
        "hidden_size": (5,), "embedding": 3, "dropout": 0.0, "weight_drop": 0.0,
        "token_dropout": 0.0,
    } | FORMS[form] | changed  # fmt: skip
    torch.manual_seed(1)
    model = Translator(TranslateOptions(**options), _symbols(form), (0, None)).double().eval()
    for name, parameter in model.named_parameters():  # learned states and norms would else be even
        if "initial" in name or "norm" in name:
            torch.nn.init.normal_(parameter)
    return model


def _symbols(form: str) -> tuple[int, int]:
    return (SYMBOLS[1],) * 2 if FORMS[form].get("shared_vocabulary") else SYMBOLS


def drawn(form: str, chosen: list[tuple[int, int]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Ids of such pairs, each side closed by its end."""
    draw = np.random.default_rng(len(chosen))
    ours, theirs = _symbols(form)
    return [
        (
            np.append(draw.integers(ours, size=n), ours),
            np.append(draw.integers(theirs, size=m), theirs),
        )
        for n, m in chosen
    ]


def batch(pairs: list[tuple[np.ndarray, np.ndarray]]) -> Batch:
    source, source_lengths = padded([s for s, _ in pairs])
    before, target_lengths = padded([np.append(t[-1:], t[:-1]) for _, t in pairs])
    target = torch.from_numpy(np.concatenate([t for _, t in pairs]))
    return Batch(source, source_lengths, before, target_lengths, target)


def far(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape
    return float((a.double() - b.double()).detach().abs().max()) if a.numel() else 0.0


def tensors(state: Written) -> list[Tensor]:
    source, now, found, sentences = state
    return [*source[:4], *(s for part in now for s in part), found, sentences]


# ---- Padding -------------------------------------------------------------------------------


@each_form
@given(chosen=lengths)
@draws
def test_a_batch_costs_what_its_pairs_cost_alone(form: str, chosen: list[tuple[int, int]]) -> None:
    model, pairs = translator(form), drawn(form, chosen)

    def cost(some: list[tuple[np.ndarray, np.ndarray]]) -> Tensor:
        total, count, carry = TASK.loss(model, batch(some), None, "cpu")
        assert count == sum(len(t) for _, t in some) and carry is None
        return total

    together = cost(pairs)
    alone = torch.stack([cost([pair]) for pair in pairs]).sum()
    assert far(together, alone) < EXACT
    weights = list(model.parameters())
    for a, b in zip(
        torch.autograd.grad(together, weights), torch.autograd.grad(alone, weights), strict=True
    ):
        assert far(a, b) < EXACT


@each_form
def test_what_stands_in_the_padding_never_enters(form: str) -> None:
    model = translator(form)
    x = batch(drawn(form, [(6, 1), (2, 5), (0, 0)]))
    source = model.encode(x.source, x.source_lengths)
    assert not source.alive.all() and not source.memory[~source.alive].any()
    clean = model(source, x.before, x.target_lengths)
    ours = torch.arange(x.source.shape[1]) < x.source_lengths[:, None]
    theirs = torch.arange(x.before.shape[1]) < x.target_lengths[:, None]
    source = model.encode(x.source.where(ours, 1), x.source_lengths)
    dead = ~source.alive[..., None]
    junk = source._replace(
        memory=source.memory.masked_fill(dead, 1e30), keys=source.keys.masked_fill(dead, -1e30)
    )
    assert far(model(junk, x.before.where(theirs, 1), x.target_lengths), clean) == 0


@each_form
def test_the_fused_kernels_say_the_same(form: str) -> None:
    model = translator(form)
    pairs = drawn(form, [(6, 1), (2, 5), (0, 0), (3, 4)])
    x = batch(pairs)
    with torch.no_grad():
        exact = model(model.encode(x.source, x.source_lengths), x.before, x.target_lengths)
        model.float()
        fused = model(model.encode(x.source, x.source_lengths), x.before, x.target_lengths)
    assert far(exact, fused.double()) < FUSED


# ---- Step by step --------------------------------------------------------------------------


@each_form
@given(chosen=lengths)
@draws
def test_scores_at_once_are_those_step_by_step(form: str, chosen: list[tuple[int, int]]) -> None:
    model, x = translator(form), batch(drawn(form, chosen))
    with torch.no_grad():
        source = model.encode(x.source, x.source_lengths)
        at_once = model(source, x.before, x.target_lengths).log_softmax(-1)
        shares = model.attended(source, x.before, x.target_lengths)
        state, said, looked = model.start(source), [], []
        for tokens in x.before.T:
            log_p, state, attention = model.step(tokens, state)
            said.append(log_p)
            looked.append(source.memory[:, :0, 0] if attention is None else attention)
    real = torch.arange(x.before.shape[1]) < x.target_lengths[:, None]
    assert far(torch.stack(said, 1)[real], at_once) < EXACT
    assert far(torch.stack(looked, 1)[real], shares[real]) < EXACT
    if model.attention is None:
        assert not shares.numel()
    else:
        assert far(shares.sum(-1), torch.ones(shares.shape[:2])) < EXACT
        assert not shares.masked_fill(source.alive[:, None], 0).any()


@each_form
@given(rows=st.lists(st.integers(0, 2), min_size=1, max_size=5), seed=st.integers(0, 99))
@example(rows=[0, 0, 1, 1, 2, 2], seed=1)  # a beam of two
@example(rows=[2, 2, 0, 0], seed=2)  # one sentence has ended
@example(rows=[0, 1, 1, 2], seed=3)
@draws
def test_to_select_and_to_step_may_change_places(form: str, rows: list[int], seed: int) -> None:
    model, x = translator(form), batch(drawn(form, [(6, 1), (2, 5), (0, 0)]))
    chosen = torch.tensor(rows)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        _, state, _ = model.step(
            torch.full((3,), _symbols(form)[1]),
            model.start(model.encode(x.source, x.source_lengths)),
        )
        tokens = torch.randint(_symbols(form)[1], (3,), generator=draw)
        before = model.step(tokens, state)
        after = model.step(tokens[chosen], model.select(state, chosen))
        assert far(after.log_p, before.log_p[chosen]) < EXACT
        picked = model.select(before.state, chosen)
        for a, b in zip(tensors(after.state), tensors(picked), strict=True):
            assert far(a, b) < EXACT
        if before.attention is not None:
            assert after.attention is not None
            assert far(after.attention, before.attention[chosen]) < EXACT
        # Now that several go on from one sentence, some of them change places.
        order = torch.argsort(torch.rand(len(rows), generator=draw))
        tokens = torch.randint(_symbols(form)[1], (len(rows),), generator=draw)
        swapped = model.step(tokens[order], model.select(after.state, order))
        assert far(swapped.log_p, model.step(tokens, after.state).log_p[order]) < EXACT


def test_each_form_knows_the_source_by_its_own_way() -> None:
    """What a form does not read changes nothing; what it reads changes every step."""
    x = batch(drawn("first lstm", [(6, 5)]))
    reads = {
        "first lstm": ("state",),
        "each rnn, shared": ("state", "context"),
        "multiplicative, residual": ("state", "memory"),
    }
    for form, known in reads.items():
        model = translator(form, shared_vocabulary=False)
        with torch.no_grad():
            source = model.encode(x.source.clamp(max=_symbols(form)[0]), x.source_lengths)
            usual = model(source, x.before, x.target_lengths)
            for part in ("state", "context", "memory"):
                other: Any = getattr(source, part)
                other = (
                    [tuple(s + 1 for s in states) for states in other]
                    if part == "state"
                    else other + 1
                )
                changed = model(source._replace(**{part: other}), x.before, x.target_lengths)
                steps = (changed - usual).abs().amax(-1) > 1e-6
                assert bool(steps.all()) is bool(steps.any()) is (part in known)


def test_the_first_state_is_a_map_of_the_last_through_tanh_but_for_c() -> None:
    model = translator("first lstm")
    with torch.no_grad():
        for name, parameter in model.bridge.named_parameters():
            parameter.fill_(7.0 if name.endswith("bias") else 0.0)
    x = batch(drawn("first lstm", [(3, 1), (0, 2)]))
    ((h, c),) = model.encode(x.source, x.source_lengths).state
    assert far(h, torch.full_like(h, math.tanh(7))) < EXACT and bool((c == 7).all())


# ---- Weights, and what training adds -------------------------------------------------------


@each_form
def test_embeddings_that_are_one_are_one_parameter(form: str) -> None:
    model = translator(form)
    names = dict(model.named_parameters())
    assert ("output.weight" in names) is not model.how.tied
    assert (model.output.weight is model.target.weight) is model.how.tied
    assert ("source.weight" in names) is not model.how.shared_vocabulary
    apart = translator(form, tied=False)
    more = sum(p.numel() for p in apart.parameters()) - sum(p.numel() for p in names.values())
    assert more == (model.target.weight.numel() if model.how.tied else 0)


@each_form
def test_every_weight_has_a_gradient(form: str) -> None:
    model = translator(form).train()
    total, _, _ = TASK.loss(model, batch(drawn(form, [(6, 1), (2, 5)])), None, "cpu")
    total.backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and bool(parameter.grad.any()), name


@each_form
def test_scheduled_sampling_reads_what_the_model_guesses(form: str) -> None:
    pairs = drawn(form, [(6, 1), (2, 5), (0, 3)])
    x = batch(pairs)
    usual = translator(form)
    source = usual.encode(x.source, x.source_lengths)
    scores = usual(source, x.before, x.target_lengths)
    random = torch.get_rng_state()
    assert torch.equal(usual.train()(source, x.before, x.target_lengths), scores)
    assert torch.equal(random, torch.get_rng_state())

    guesses = x.before.clone()
    for row, said in zip(guesses, scores.argmax(-1).split(x.target_lengths.tolist()), strict=True):
        row[1 : len(said)] = said[:-1]
    assert not torch.equal(guesses, x.before)
    always = translator(form, scheduled_sampling=1 - 1e-9).train()
    expected = usual.eval()(source, guesses, x.target_lengths)
    assert far(always(source, x.before, x.target_lengths), expected) < EXACT
    assert torch.equal(always.eval()(source, x.before, x.target_lengths), scores)


def test_dropped_tokens_are_read_as_unknown_or_where_none_is_as_an_end() -> None:
    form = "multiplicative, residual"
    x = batch(drawn(form, [(6, 1), (2, 5)]))
    usual, blank = translator(form), translator(form, token_dropout=1 - 1e-9).train()
    nothing = usual.encode(torch.full_like(x.source, 0), x.source_lengths)  # <unk>
    ends = torch.full_like(x.before, SYMBOLS[1])
    expected = usual(nothing, ends, x.target_lengths)
    source = blank.encode(x.source, x.source_lengths)
    assert far(blank(source, x.before, x.target_lengths), expected) < EXACT


def test_smoothing_gives_a_share_to_all_tokens_alike_and_is_for_training() -> None:
    x = batch(drawn("first lstm", [(6, 1), (2, 5)]))
    model = translator("first lstm", label_smoothing=0.3)
    scores = model(model.encode(x.source, x.source_lengths), x.before, x.target_lengths)
    log_p = F.log_softmax(scores, -1)
    plain = -log_p[torch.arange(len(x.target)), x.target].sum()
    even = -log_p.mean(-1).sum()
    assert far(TASK.loss(model, x, None, "cpu")[0], plain) < EXACT
    smoothed = 0.7 * plain + 0.3 * even
    assert far(TASK.loss(model.train(), x, None, "cpu")[0], smoothed) < EXACT


@pytest.mark.parametrize("form", [form for form in FORMS if form.startswith("additive")])
@pytest.mark.parametrize("most", [1, 30, 200])
def test_attention_in_parts_is_attention_at_once(
    form: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = translator(form).train()
    data = drawn(form, [(6, 5), (3, 2), (4, 4)])
    source, source_lengths = padded([s for s, _ in data])
    before, target_lengths = padded([np.append(t[-1:], t[:-1]) for _, t in data])

    def found() -> list[Tensor]:
        model.zero_grad()
        scores = model(model.encode(source, source_lengths), before, target_lengths)
        scores.square().sum().backward()
        return [scores.detach(), *(p.grad for p in model.parameters() if p.grad is not None)]

    scored: list[int] = []
    whole = found()
    once = Attention._scored

    def counted(self: Attention, q: Tensor, keys: Tensor) -> Tensor:
        scored.append(q.shape[0] * q.shape[1] * keys.shape[1] * keys.shape[2])
        return once(self, q, keys)

    monkeypatch.setattr(Attention, "_scored", counted)
    monkeypatch.setattr("elman.tasks.translate.model.TOGETHER", most)
    for a, b in zip(whole, found(), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=EXACT)
    one = source.shape[1] * model.decoder.output_size  # of one step of one sentence
    assert max(scored) <= max(most, one)
    with torch.no_grad():
        scores = model(model.encode(source, source_lengths), before, target_lengths)
    assert torch.allclose(scores, whole[0], rtol=0, atol=EXACT)


def test_attention_keeps_no_more_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What autograd keeps of [B, T, S, A] is bounded, fed back step by step or not."""
    for fed in (False, True):
        model = translator("additive, fed, shared, rnn and gru write", input_feeding=fed).train()
        ids = [(np.arange(40) % 6).astype(np.int64)] * 2
        x, lengths = padded(ids)
        kept: dict[int, int] = {}

        def keep(tensor: Tensor, kept: dict[int, int] = kept) -> Tensor:
            if tensor.dim() == 4:
                kept[id(tensor)] = tensor.numel()
            return tensor

        monkeypatch.setattr("elman.tasks.translate.model.TOGETHER", 1 << 24)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            whole = model(model.encode(x, lengths), x, lengths)
        assert sum(kept.values()) >= 2 * 40 * 40 * model.decoder.output_size
        kept.clear()
        monkeypatch.setattr("elman.tasks.translate.model.TOGETHER", 4000)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            again = model(model.encode(x, lengths), x, lengths)
        assert not kept and torch.allclose(whole, again, rtol=0, atol=EXACT)
