"""Training by a part of the vocabulary: its loss is that of all of it, on average."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.batching import Buckets
from elman.data.pairs.pairs import Pairs
from elman.data.tables.content import BadRows
from elman.tasks.translate import shortlist as module
from elman.tasks.translate.data import encode, make_encoder
from elman.tasks.translate.model import build
from elman.tasks.translate.options import TranslateOptions
from elman.tasks.translate.shortlist import Shortlist, cross_entropy, shortlist, wanted
from elman.tasks.translate.task import TASK
from elman.tasks.translate.training import Batches

EXACT = 1e-9  # float64, but for the weights of what was drawn, which are whole here


@given(
    symbols=st.integers(5, 60), frequent=st.integers(0, 5), drawn=st.integers(1, 70),
    target=st.lists(st.integers(0, 4), min_size=1, max_size=9), seed=st.integers(0, 9),
)  # fmt: skip
@settings(max_examples=40)
def test_every_token_is_stood_for_once(
    symbols: int, frequent: int, drawn: int, target: list[int], seed: int
) -> None:
    some = Shortlist(symbols, np.arange(frequent), drawn)
    ids, stands_for, places = some.among(np.array(target), (seed, 3))
    assert len(set(ids.tolist())) == len(ids) and ids[places].tolist() == target
    assert set(range(frequent)) <= set(ids.tolist()) <= set(range(symbols))
    assert float(stands_for.sum()) == pytest.approx(symbols)
    assert bool((stands_for[places] == 1).all())
    again = some.among(np.array(target), (seed, 3))
    assert all(torch.equal(a, b) for a, b in zip((ids, stands_for, places), again, strict=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_among_all_tokens_it_is_the_cross_entropy(smoothing: float) -> None:
    torch.manual_seed(2)
    scores, target = torch.randn(6, 17, dtype=torch.float64), torch.randint(17, (6,))
    among = Shortlist(17, np.arange(4), 17).among(target.numpy(), (0,))
    whole = F.cross_entropy(scores, target, reduction="sum", label_smoothing=smoothing)
    part = cross_entropy(scores[:, among.ids], among, 17, smoothing)
    assert float((whole - part).abs()) < EXACT


def test_the_sum_over_a_sample_is_that_over_all_on_average() -> None:
    torch.manual_seed(3)
    symbols, target = 300, np.array([1, 250])
    scores = torch.randn(2, symbols, dtype=torch.float64)
    some = Shortlist(symbols, np.arange(20), 60)
    sums = []
    for seed in range(400):
        ids, stands_for, _ = some.among(target, (seed,))
        sums.append(scores[:, ids].exp() @ stands_for.double())
    found, true = torch.stack(sums), scores.exp().sum(1)
    error = found.std(0) / len(sums) ** 0.5
    assert bool(((found.mean(0) - true).abs() < 4 * error).all()) and bool((error > 0).all())


def test_frequent_tokens_come_from_what_is_trained_on_and_small_vocabularies_have_no_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FREQUENT", 3)
    targets = [np.array([7, 7, 2, 2, 2, 9, 8]), np.array([9, 9, 9])]
    made = shortlist(targets, 20, 4)
    assert made is not None and made.frequent.tolist() == [9, 2, 7]
    assert shortlist(targets, 11, 4) is None and shortlist(targets, 20, 0) is None


def test_the_larger_the_vocabulary_the_more_are_drawn() -> None:
    assert wanted(300) == 0 < wanted(20_000) < wanted(1_000_000)


def test_batches_score_their_targets_among_a_list_and_the_loss_knows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FREQUENT", 3)
    texts = [f"a{k % 7} b{k % 5} c{k % 11} d{k % 13}" for k in range(60)]
    encoder = make_encoder(
        texts, texts, ("words", "words"), limit=None, shared=False, lowercase=False, longest=9,
        cut=False,
    )  # fmt: skip
    data = encode("", Pairs(texts, texts, texts), Pairs(), encoder, None, BadRows(False))
    options = TranslateOptions(
        hidden_size=(5,), embedding=4, dropout=0.0, weight_drop=0.0, token_dropout=0.0,
        attention="multiplicative", label_smoothing=0.1, shortlist=8,
    )  # fmt: skip
    model = build(data.preprocessing(), options).double().train()
    symbols = encoder.target.size + 1
    epoch = TASK.epoch(data, options, 4, 1, 0)
    x = epoch[0]
    assert x.among is not None and len(x.among.ids) < symbols
    assert all(torch.equal(a, b) for a, b in zip(epoch[0].among or (), x.among, strict=True))
    other = TASK.epoch(data, options, 4, 1, 1)
    assert not torch.equal(other[0].among.ids, x.among.ids)  # type: ignore[union-attr]
    total, count, _ = TASK.loss(model, x, None, "cpu")
    scores = model(model.encode(x.source, x.source_lengths), x.before, x.target_lengths)
    listed = cross_entropy(scores[:, x.among.ids], x.among, symbols, 0.1)
    assert float((total - listed).detach().abs()) < EXACT and count == len(x.target)
    gradient = torch.autograd.grad(total, model.output.weight)[0].abs().sum(1)
    assert bool((gradient[x.among.ids] > 0).all())
    whole = Batches(data, Buckets(data.tokens, 4, seed=1), None, 1)
    assert whole[0].among is None
