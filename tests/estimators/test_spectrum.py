"""Waveforms to spectra, alone and in front of a classifier."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch

import elman
from elman.errors import UserError
from elman.layers.sound import LogMel, levelled

RATE = 4_000
PITCHES = (300.0, 600.0, 1_200.0)  # Hz
SMALL: dict[str, Any] = {
    "hidden_size": 8, "epochs": 8, "learning_rate": 0.02, "batch_size": 8, "dropout": 0.0,
    "kernels": 0, "random_state": 3,
}  # fmt: skip
HEAR: dict[str, Any] = {"rate": RATE, "mels": 12, "hop": 20.0}


def tones(seed: int, count: int = 45) -> tuple[list[Any], list[float]]:
    """Tones of unequal length and loudness in noise, and their pitches."""
    draw = np.random.default_rng(seed)
    y = [PITCHES[k % len(PITCHES)] for k in range(count)]
    X = []
    for hz in y:
        at = np.arange(int(draw.uniform(0.1, 0.3) * RATE)) / RATE
        tone = draw.uniform(0.05, 0.5) * np.sin(2 * np.pi * (hz * at + draw.uniform()))
        X.append(tone + 0.01 * draw.standard_normal(len(at)))
    return X, y


def test_a_classifier_behind_it_tells_pitches_apart() -> None:
    X, y = tones(0)
    hear = elman.Spectrum(**HEAR)
    model = elman.SequenceClassifier(**SMALL).fit(hear.fit(X).transform(X), y)
    others, pitches = tones(1)
    assert model.score(hear.transform(others), pitches) > 0.9  # by chance 1 of 3


def test_it_works_in_pipelines_and_searches() -> None:
    pytest.importorskip("sklearn")
    from sklearn.base import clone, is_classifier
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline

    X, y = tones(0)
    pipeline = make_pipeline(elman.Spectrum(**HEAR), elman.SequenceClassifier(**SMALL))
    assert is_classifier(pipeline)
    assert set(pipeline.fit(X, y).predict(X)) <= set(PITCHES)
    others, pitches = tones(1)
    assert pipeline.score(others, pitches) > 0.9
    again = pickle.loads(pickle.dumps(pipeline))
    assert np.array_equal(again.predict_proba(others), pipeline.predict_proba(others))
    assert clone(pipeline).get_params()["spectrum__mels"] == 12
    found = GridSearchCV(pipeline, {"spectrum__mels": [8, 16]}, cv=2).fit(X, y)
    assert found.best_params_["spectrum__mels"] in (8, 16)
    assert found.score(others, pitches) > 0.9


@pytest.mark.parametrize("seed", range(5))
def test_each_spectrum_is_that_of_the_clip_alone(seed: int) -> None:
    draw = np.random.default_rng(seed)
    rate, mels = int(draw.integers(4_000, 48_001)), int(draw.integers(8, 20))
    window, hop = float(draw.integers(20, 40)), float(draw.integers(5, 20))
    X = [draw.uniform(-0.5, 0.5, draw.integers(1, rate)) for _ in range(3)]
    hear = elman.Spectrum(rate, mels, window, hop)
    for x, found in zip(X, hear.fit_transform(X), strict=True):
        wave, length = torch.from_numpy(x.astype(np.float32)), torch.tensor([len(x)])
        features = LogMel(rate, mels, window / 1000, hop / 1000)
        expected = levelled(*features(wave[None], length))[0]
        assert found.dtype == np.float32 and np.array_equal(found, expected)
        assert found.shape == (int(features.frames(length)), mels)
    whole = [np.round(x * 32_767).astype(np.int16) for x in X]
    stereo = [np.stack([x / 16_384, 0 * x], 1) for x in whole]  # the mean of both is the same
    for a, b in zip(hear.transform(whole), hear.transform(stereo), strict=True):
        assert np.abs(a - b).max() < 1e-3
    table = np.stack([x[:1].repeat(rate) for x in X])  # [N, S]
    assert [x.shape for x in hear.transform(table)] == [
        x.shape for x in hear.transform(list(table))
    ]


def test_bands_are_chosen_by_the_rate() -> None:
    shapes = [elman.Spectrum(rate).transform([np.ones(rate)])[0].shape for rate in (8_000, 16_000)]
    assert shapes == [(98, 40), (98, 80)]


def test_parameters_are_got_set_cloned_and_refused() -> None:
    hear = elman.Spectrum(rate=RATE)
    assert hear.get_params() == {"rate": RATE, "mels": None, "window": 25.0, "hop": 10.0}
    assert elman.Spectrum(**hear.get_params()).get_params() == hear.get_params()
    assert hear.set_params(mels=9) is hear and hear.mels == 9
    with pytest.raises(UserError, match='did you mean "mels"'):
        hear.set_params(mel=3)
    sklearn = pytest.importorskip("sklearn.base")
    clone = sklearn.clone(hear)
    assert clone is not hear and clone.get_params() == hear.get_params()


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"rate": 3_999}, "rate=3999: needs a whole number from 4,000 to 48,000"),
        ({"rate": "8000"}, "rate='8000': needs a whole number"),
        ({"rate": None}, "rate=None: needs a whole number"),
        ({"mels": 7}, "mels=7: needs a whole number from 8 to 256"),
        ({"window": float("nan")}, "window=nan: needs a number from 5 to 200"),
        ({"hop": 0}, "hop=0: needs a number from 1 to 100"),
        ({"rate": 48_001}, "rate=48001: needs a whole number from 4,000 to 48,000"),
        ({"mels": 257}, "mels=257: needs a whole number from 8 to 256"),
        ({"window": 201.0}, "window=201.0: needs a number from 5 to 200"),
        ({"hop": 30}, "the hop be no longer than it"),
    ],
)
def test_parameters_out_of_range_are_told(params: dict[str, Any], told: str) -> None:
    hear = elman.Spectrum(**params)
    for ask in (hear.fit, hear.transform):
        with pytest.raises(UserError, match=told) as error:
            ask([np.ones(900)])
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("X", "told"),
    [
        ([], "X holds no sequences"),
        ("clip.wav", "X is a text"),
        (np.ones(900), r"X\[0\]: of shape \[\] and type float64; give numbers \[S\]"),
        ([np.ones(9), "clip.wav"], r"X\[1\]: of shape \[\]"),
        ([np.ones(9), []], r"X\[1\]: of shape \[0\]"),
        ([np.ones(9), [[1.0], [1.0, 2.0]]], r"X\[1\]: no array of numbers"),
        ([np.ones(9), [0.1, np.nan]], r"X\[1\]: the sample at 0.000 s is not a finite number"),
        ([[0, 20_000]], r"X\[0\]: the sample at 0.000 s is 20,000, far beyond -1 to 1"),
        ([np.ones((1, 900))], r"X\[0\]: 900 channels"),
    ],
)
def test_what_is_no_waveform_is_told(X: Any, told: str) -> None:
    with pytest.raises(UserError, match=told) as error:
        elman.Spectrum(**HEAR).transform(X)
    assert "\n" not in str(error.value)
