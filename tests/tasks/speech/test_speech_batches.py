"""Which clips come in an epoch, and in which order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.tasks.speech import training
from elman.tasks.speech.data import Part
from elman.tasks.speech.options import SpeechOptions
from elman.tasks.speech.training import AHEAD, TIGHT, tightest


def dataset(draw: np.random.Generator, mode: str) -> Any:
    """Clips of drawn lengths, each with some symbols."""
    count = int(draw.integers(1, 90))
    lengths = draw.integers(1, 30_000, count)
    targets = tuple(np.arange(draw.integers(1, 12)) for _ in range(count))
    part = Part((None,) * count, np.arange(count), targets)  # type: ignore[arg-type]
    return SimpleNamespace(
        train=part, encoder=SimpleNamespace(mode=mode), lengths=lambda part: lengths[part.places]
    )


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_tightest_clips_have_the_most_symbols_for_their_length(seed: int) -> None:
    data = dataset(np.random.default_rng(seed), "transcribe")
    lengths = data.lengths(data.train)
    chosen = tightest(data.train, lengths)
    fullness = np.array([len(target) for target in data.train.targets]) / lengths
    others = np.setdiff1d(np.arange(len(lengths)), chosen)
    assert len(set(chosen.tolist())) == len(chosen) == -(-len(lengths) // TIGHT)
    assert fullness[chosen].min() >= fullness[others].max(initial=0)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1), batch=st.integers(1, 20), epoch=st.integers(0, 3),
    mode=st.sampled_from(["transcribe", "classify"]),
)  # fmt: skip
def test_every_clip_comes_once_and_first_of_all_the_tightest_several_times(
    seed: int, batch: int, epoch: int, mode: str
) -> None:
    data = dataset(np.random.default_rng(seed), mode)
    lengths = data.lengths(data.train)
    made = training.epoch(data, SpeechOptions(augment=False), batch, seed, epoch)
    assert isinstance(made, training.Batches)
    came = np.concatenate([*made.order]).tolist()
    ahead = []
    if epoch == 0 and mode == "transcribe":
        ahead = AHEAD * tightest(data.train, lengths).tolist()
    assert sorted(came[: len(ahead)]) == sorted(ahead)
    assert sorted(came[len(ahead) :]) == list(range(len(lengths)))
    # A batch of several clips holds no more sound than so many clips of the set have on average.
    most = batch * lengths.mean() + lengths.max()
    assert all(len(chosen) == 1 or lengths[chosen].sum() <= most for chosen in made.order)
