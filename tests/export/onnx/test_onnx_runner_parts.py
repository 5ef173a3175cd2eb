"""The parts of the files beside models do what their counterparts in Elman do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elman import decode
from elman.data.texts import vocabulary
from elman.export.onnx.runners.sampling import Sampling, choose, distribution, uniform
from elman.export.onnx.runners.simple import simple_forecast
from elman.export.onnx.runners.sound import Hearing
from elman.export.onnx.runners.vocabulary import Decoder, Vocabulary
from elman.layers.sound import LogMel, Normaliser, levelled
from elman.tasks.speech.data import Hearing as Heard

KNOWN = (
    "The cat's 3 x-rays: (dogs) don't <unk> sleep; 我喜欢苹果。 été\u0301 \n“Yes”, 1,200 ΣΑΣ!\n" * 3
)
LETTERS = st.text(
    st.sampled_from(sorted({*KNOWN, *" \t\n\u2028\u200d'’`-_<>7½²ǅ\U0001f34e\ud800"}))
)
few = settings(max_examples=40)


@pytest.mark.parametrize("level", vocabulary.LEVELS)
@pytest.mark.parametrize("plain", [False, True], ids=["as it is", "plain"])
@given(text=LETTERS, ids=st.lists(st.integers(0, 10**6)))
@few
def test_texts_are_cut_and_joined_as_elman_does(
    level: str, plain: bool, text: str, ids: list[int]
) -> None:
    limit = 300 if level == "bpe" else None
    ours = vocabulary.build(
        level, [KNOWN], limit=limit, lowercase=plain, strip_digits=plain, spaced=plain
    )
    theirs = Vocabulary(ours.to_json())
    assert theirs.size == ours.size and theirs.unknown == ours.unknown
    assert theirs.encode(text) == ours.encode(text).tolist()
    known = [token % ours.size for token in ids]
    assert theirs.decode(known) == ours.decode(known)
    pushed, own = Decoder(theirs), ours.decoder()
    assert [pushed.push(token) for token in known] == [own.push(token) for token in known]


@given(
    seed=st.integers(0, 2**63 - 1), position=st.integers(0, 10**9), size=st.integers(2, 60),
    temperature=st.sampled_from([0.0, 0.3, 1.0]), top_k=st.integers(0, 61),
    top_p=st.floats(0.01, 1), penalty=st.sampled_from([1.0, 1.3]), equal=st.booleans(),
)  # fmt: skip
@few
def test_tokens_are_chosen_as_elman_does(
    seed: int, position: int, size: int, temperature: float, top_k: int, top_p: float,
    penalty: float, equal: bool,
) -> None:  # fmt: skip
    draw = np.random.default_rng(seed)
    logits = draw.standard_normal(size).astype(np.float32)
    logits = np.round(logits) if equal else logits
    seen, forbidden = {0, size - 1}, [size - 1]
    ours = decode.distribution(
        torch.from_numpy(logits), seen,
        decode.Sampling(temperature, top_k, top_p, penalty, seed), forbidden,
    )  # fmt: skip
    theirs = distribution(
        logits, seen, Sampling(temperature, top_k, top_p, penalty, seed), forbidden
    )
    np.testing.assert_allclose(theirs, ours.numpy(), rtol=0, atol=1e-12)
    assert uniform(seed, position) == decode.uniform(seed, position)
    at = uniform(seed, position)
    assert choose(theirs, at) == decode.choose(ours, at)


@pytest.mark.parametrize("normalise", ["training", "clip", "level"])
@pytest.mark.parametrize("deltas", [False, True])
@pytest.mark.parametrize("samples", [0, 150, 3_001])
def test_sound_is_heard_as_elman_hears_it(normalise: str, deltas: bool, samples: int) -> None:
    rate, mels, window, hop = 8000, 20, 25.0, 10.0
    heard = LogMel(rate, mels, window / 1000, hop / 1000, deltas=deltas)
    draw = np.random.default_rng(samples)
    wave = (0.2 * draw.standard_normal(samples)).astype(np.float32)
    x, lengths = heard(torch.from_numpy(wave)[None], torch.tensor([samples]))
    normaliser = Normaliser(heard.output_size, by_clip=normalise == "clip")
    normaliser.mean.copy_(torch.from_numpy(draw.standard_normal(heard.output_size)))
    ours = levelled(x, lengths) if normalise == "level" else normaliser(x, lengths)
    theirs = Hearing({
        "hearing": vars(Heard(rate, mels, window, hop, deltas, normalise)),  # type: ignore[arg-type]
        "transform": heard.transform, "bands": heard.bands.tolist(),
        "mean": normaliser.mean.tolist(), "spread": normaliser.spread.tolist(),
    }).features(wave)  # fmt: skip
    # log of float32 energies; 1e-3 of a spread is at least divided by.
    np.testing.assert_allclose(theirs, ours[0].numpy(), rtol=0, atol=2e-3)


def test_a_simple_forecast_may_be_of_few_values() -> None:
    for kind in ("last-value", "last-season", "last-week", "drift", "mean", "both"):
        made = simple_forecast(kind, np.array([2.0, 2.0]), season=5, horizon=3)
        np.testing.assert_allclose(made, 2.0)
