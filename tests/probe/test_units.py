"""Units that are known to fire, thresholds against brute force, and noise that must not flatter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from handmade import counter, depth, depth_meter, flip_flop, in_quotes, inside, on
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr  # type: ignore[import-untyped]
from sklearn.metrics import f1_score

from elman import cells
from elman.errors import UserError
from elman.probe import patterns, units
from elman.probe.contexts import contexts
from elman.probe.halves import BLOCKS, halves

seeds = st.integers(0, 2**32 - 1)


def drawn(symbols: int, T: int = 60, B: int = 24, seed: int = 0) -> torch.Tensor:
    return torch.randint(symbols, (T, B), generator=torch.Generator().manual_seed(seed))


def written(tokens: torch.Tensor, letters: str) -> list[list[str]]:
    return [[letters[i] for i in one] for one in tokens.T.tolist()]


@settings(max_examples=50)
@given(seeds, st.integers(2, 20), st.booleans())
def test_no_threshold_is_better_than_the_one_found(seed: int, N: int, ties: bool) -> None:
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(N, 3)).astype(np.float32).round(0 if ties else 9)
    wanted = draw.random(N) < 0.4
    wanted[0] = True
    score, threshold, above = units._thresholds(values, wanted)

    def f1(said: np.ndarray) -> float:
        return float(2 * (said & wanted).sum() / (said.sum() + wanted.sum()))

    for u, value in enumerate(values.T):
        between = [*value, *(value - 0.1), *((value[:, None] + value) / 2).flatten()]
        best = max(f1(said) for t in between for said in (value > t, value <= t))
        np.testing.assert_allclose([f1((value > threshold[u]) == above[u]), score[u]], best)


@pytest.mark.parametrize("cell", ["rnn", "rnn-relu", "lstm", "gru", "gru-reset-before"])
def test_the_unit_made_for_quotes_is_found(cell: str) -> None:
    tokens = drawn(2)
    with torch.no_grad():
        y, _ = in_quotes(cell)(tokens)
    noise = np.random.default_rng(0).normal(size=(*tokens.shape, 5))
    values = np.concatenate([noise, y[..., :1].numpy()], -1)
    within = '"([^"]*)(?:"|\\Z)' if cell.startswith("rnn") else '("[^"]*)(?:"|\\Z)'
    pattern = patterns.matched(written(tokens, '"a'), within)
    expected = inside(tokens) & (tokens == 1) if cell.startswith("rnn") else inside(tokens)
    assert (pattern == expected.numpy()).all()
    found = units.fires(values, pattern, "within quotes", tokens=tokens.numpy())
    assert found.best.index == 5
    best = found.best
    assert (best.told, best.found, best.precision, best.recall) == (1, 1, 1, 1)
    assert found.best.above
    assert -0.1 < found.best.threshold < 1
    assert found.blocks == 12
    assert found.steps == 12 * 60
    assert best.interval is not None
    assert best.interval[0] == 1
    assert max(found.rivals.values()) < 0.9
    assert "F1 1.00" in found.told()
    assert "no more than" not in found.told()


@pytest.mark.parametrize("cell", cells.names())
def test_the_flip_flop_is_found_by_what_was_written(cell: str) -> None:
    tokens = drawn(3)
    with torch.no_grad():
        y, _ = flip_flop(cell)(tokens)
    pattern = patterns.matched(written(tokens, "sro"), "s[^r]*")
    assert (pattern == on(tokens).numpy()).all()
    found = units.fires(y.numpy(), pattern, "set", tokens=tokens.numpy())
    assert found.best.told == 1 or cell == "rnn-relu"
    assert found.rivals["the token read, by itself"] < 0.95


def test_a_rule_of_tokens_is_told_as_such() -> None:
    tokens = drawn(4)
    pattern = np.isin(tokens.numpy(), [1, 3])
    values = pattern[..., None].astype(float)
    found = units.fires(values, pattern, "odd", tokens=tokens.numpy(), untrained=0 * values)
    assert found.rivals["the token read, by itself"] == 1
    assert "no more than the token read, by itself" in found.told()
    share = pattern[halves(np.ones(pattern.shape, bool)).telling].mean()
    assert found.share == share
    for name in ("yes everywhere", "the best unit of an untrained network"):
        np.testing.assert_allclose(found.rivals[name], 2 * share / (1 + share))


@pytest.mark.parametrize("cell", ["rnn-relu", "lstm"])
def test_counters_follow_what_they_count(cell: str) -> None:
    tokens = drawn(3, seed=1)
    steps = written(tokens, "()x")
    with torch.no_grad():
        counted, _ = counter(cell)(tokens)
        level, _ = depth_meter("lstm")(tokens)
    found = units.follows(counted.numpy(), (tokens == 0).numpy().cumsum(0) + 0.0, "the count")
    np.testing.assert_allclose(found.best.told, 1)
    assert found.best.interval is not None
    np.testing.assert_allclose(found.best.interval, 1)
    assert abs(found.rivals["the best unit for shuffled values"]) < 0.9
    falling = units.follows(-level.numpy(), depth(tokens).numpy() + 0.0, "the depth")
    np.testing.assert_allclose(falling.best.told, -1)
    assert "falls with the depth" in falling.told()
    assert (patterns.bracket_depth(steps) >= depth(tokens).numpy()).all()


@settings(max_examples=10)
@given(seeds)
def test_scores_are_those_of_other_packages(seed: int) -> None:
    draw = np.random.default_rng(seed)
    there = np.arange(50)[:, None] < draw.integers(20, 51, 30)
    values = np.round(draw.normal(size=(50, 30, 4)), 1)
    quantity = np.round(values[..., 2] + draw.normal(size=(50, 30)), 1)
    told = halves(there).telling
    assert not told[~there].any()
    found = units.follows(values, quantity, "it", there=there)
    assert found.best.index == 2
    for unit in found.units:
        expected = spearmanr(values[told][:, unit.index], quantity[told]).statistic
        np.testing.assert_allclose(unit.told, expected, atol=1e-12)
    pattern = quantity > 0.5
    fired = units.fires(values, pattern, "it", there=there)
    for unit in fired.units:
        said = (values[told][:, unit.index] > unit.threshold) == unit.above
        np.testing.assert_allclose(unit.told, f1_score(pattern[told], said))


def test_noise_is_not_flattered() -> None:
    """Of many units and few labels the best is good where it was chosen, and there alone."""
    draw = np.random.default_rng(0)
    values, pattern = draw.normal(size=(8, 24, 400)), draw.random((8, 24)) < 0.1
    found = units.fires(values, pattern, "nothing")
    assert found.best.found > 2 * found.best.told
    assert "no more than" in found.told()
    followed = units.follows(values, draw.normal(size=(8, 24)), "nothing")
    assert abs(followed.best.found) > 0.25
    assert abs(followed.best.told) < 0.2
    assert "no more than" in followed.told()


@settings(max_examples=30)
@given(seeds, st.integers(1, 40), st.integers(64, 200))
def test_halves_share_no_stretch(seed: int, B: int, T: int) -> None:
    draw = np.random.default_rng(seed)
    there = np.arange(T)[:, None] < draw.integers(1, T + 1, B)
    there[:, 0] = True
    try:
        parts = halves(there, seed)
    except UserError:
        assert B == 1
        return
    assert (parts.finding ^ parts.telling)[there].all()
    assert not (parts.finding | parts.telling)[~there].any()
    for block in range(len(parts.told)):
        steps, sequences = np.nonzero(parts.block == block)
        assert len(set(sequences)) == 1
        assert len(steps) == steps.max() - steps.min() + 1
        if B < BLOCKS:
            assert T // (steps.max() - steps.min() + 1) >= 1
    assert abs(int(parts.told.sum()) - len(parts.told) / 2) <= 0.5


def test_contexts_are_the_highest_places_apart() -> None:
    values = np.zeros((30, 2))
    values[[4, 6, 25], 0] = [3, 2, 1]
    values[10, 1] = 9
    text = [list("abcdefghijklmnopqrstuvwxyz"), list("0123456789")]
    found = contexts(values, text, count=3, before=3, after=2)
    assert [(p.step, p.sequence, p.before, p.at, p.after) for p in found] == [
        (4, 0, "bcd", "e", "fg"),
        (25, 0, "wxy", "z", ""),
        (0, 0, "", "a", "bc"),
    ]  # the 9 lies in padding, the 2 too near
    assert contexts(values, text, count=1, lowest=True)[0].value == 0


def test_what_cannot_be_searched_for_is_told() -> None:
    values = np.zeros((40, 24, 2))
    for pattern, told in ((values[..., 0] > 1, "never"), (values[..., 0] < 1, "always")):
        with pytest.raises(UserError, match=told):
            units.fires(values, pattern, "it")
    with pytest.raises(UserError, match="the same"):
        units.follows(values, values[..., 0], "it")
    with pytest.raises(UserError, match="more data"):
        halves(np.ones((40, 1), bool))
