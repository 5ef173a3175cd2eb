from __future__ import annotations

import numpy as np
import pytest
import torch
from handmade import flip_flop, in_quotes, inside, on
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.errors import UserError
from elman.probe.nearest import half_way, match, nearest, select

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=20)
@given(seeds, st.sampled_from(["cosine", "euclidean"]), st.integers(0, 4))
def test_neighbours_are_those_of_a_plain_search(seed: int, metric: str, apart: int) -> None:
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(9, 4, 3))
    there = np.arange(9)[:, None] < draw.integers(1, 10, 4)
    step, sequence = 0, int(draw.integers(4))

    def far(t: int, b: int) -> float:
        a, c = values[step, sequence], values[t, b]
        if metric == "euclidean":
            return float(np.sqrt(((a - c) ** 2).sum()))
        return float(1 - a @ c / np.sqrt((a @ a) * (c @ c)))

    places = [(t, b) for t in range(9) for b in range(4) if there[t, b]]
    expected: list[tuple[int, int]] = []
    for t, b in sorted(places, key=lambda p: far(*p)):
        taken = [(step, sequence), *expected]
        if all(b != o or abs(t - s) > apart for s, o in taken):
            expected.append((t, b))
    found = nearest(
        values, step, sequence, there=there, metric=metric, count=5, apart=apart  # type: ignore[arg-type]
    )  # fmt: skip
    assert [(n.step, n.sequence) for n in found] == expected[:5]
    np.testing.assert_allclose([n.distance for n in found], [far(*p) for p in expected[:5]])


@settings(max_examples=30)
@given(seeds, st.integers(1, 3), st.booleans())
def test_matches_are_those_of_a_plain_search(seed: int, length: int, bounded: bool) -> None:
    draw = np.random.default_rng(seed)
    values, there = draw.random((8, 3, 6)), np.ones((8, 3), bool)
    there[6:, 1] = False
    start, sequence = 2, 0
    stop, high = start + length, values > 0.3
    chosen = [
        u
        for u in range(6)
        if high[start:stop, 0, u].all()
        and not (bounded and (high[start - 1, 0, u] or high[stop, 0, u]))
    ]
    arguments = {"there": there, "bounded": bounded}
    assert select(values, sequence, start, stop, 0.3, **arguments) == chosen  # type: ignore[arg-type]
    if not chosen:
        with pytest.raises(UserError, match="no unit"):
            match(values, sequence, start, stop, 0.3, **arguments)  # type: ignore[arg-type]
        return
    found = match(values, sequence, start, stop, 0.3, count=99, **arguments)  # type: ignore[arg-type]

    def units(b: int, first: int, last: int) -> set[int]:
        return {u for u in range(6) if high[first:last, b, u].all()}

    ranked = [(len(units(0, start, stop) & set(chosen)), 0)]
    for one in found:
        assert there[one.start : one.stop, one.sequence].all()
        assert one.stop - one.start >= length
        common = units(one.sequence, one.start, one.stop) & set(chosen)
        assert len(common) == one.shared > 0
        ranked.append((one.shared, -one.further))
    assert ranked[1:] == sorted(ranked[1:], reverse=True)
    best = max(
        len(units(b, t, t + length) & set(chosen))
        for b in range(3)
        for t in range(8 - length + 1)
        if there[t : t + length, b].all() and (b != 0 or t >= stop or t + length <= start)
    )
    assert (found[0].shared if found else 0) == best
    for k, one in enumerate(found):
        assert one.sequence != sequence or one.start >= stop or one.stop <= start
        for other in found[:k]:
            assert (
                one.sequence != other.sequence or one.start >= other.stop or one.stop <= other.start
            )


def test_a_flip_flop_is_near_where_it_is_set_too() -> None:
    tokens = torch.randint(3, (50, 4), generator=torch.Generator().manual_seed(0))
    tokens[0] = 1
    with torch.no_grad():
        y, _ = flip_flop("lstm")(tokens)
    wanted = on(tokens).numpy()
    for t, b in ((7, 0), (30, 2)):
        found = nearest(y.numpy(), t, b, metric="euclidean", apart=0, count=int(wanted.sum()) // 2)
        same = [bool(wanted[n.step, n.sequence] == wanted[t, b]) for n in found]
        assert all(same)


def test_a_quotation_matches_quotations_as_long_as_they_are() -> None:
    text = ['aa"aaa"aaaaaa"aaaaaaa"aa']
    tokens = torch.tensor([[int(letter == "a") for letter in text[0]]]).T
    with torch.no_grad():
        y, _ = in_quotes("gru")(tokens)
    values, within = y.numpy(), inside(tokens).numpy()[:, 0]
    assert within.tolist() == [2 <= t < 6 or 13 <= t < 21 for t in range(len(text[0]))]
    (found,) = match(values, 0, 2, 6, half_way(values))
    assert (found.start, found.stop, found.shared, found.further) == (13, 21, 1, 0)


def test_what_does_not_fit_is_told() -> None:
    values = np.zeros((4, 2, 3))
    there = np.array([[True, True], [True, False], [True, False], [True, False]])
    assert nearest(values, 0, 0, there=there, apart=3)[0].distance == 1  # zeros point nowhere
    for wrong, told in (
        (lambda: nearest(values, 1, 1, there=there), "sequence 1 has 1"),
        (lambda: nearest(values, 0, 2), "there are 2"),
        (lambda: nearest(values, 0, 0, metric="cosin"), 'mean "cosine"'),  # type: ignore[arg-type]
        (lambda: select(values, 0, 2, 2, 0.0), "steps 2 to 1"),
    ):
        with pytest.raises(UserError, match=told):
            wrong()
