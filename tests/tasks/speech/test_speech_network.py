"""The network that hears: padding changes nothing, what it is made of comes back from JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.sound.clips import Clip, Recording
from elman.data.texts import vocabulary as vocabularies
from elman.errors import UserError
from elman.layers.sound import Moments
from elman.tasks.speech import training
from elman.tasks.speech.data import BLANK, Encoder, Hearing, Part, encoder_from_json
from elman.tasks.speech.model import Recogniser
from elman.tasks.speech.options import WIDTH, Normalise, SpeechOptions
from elman.tasks.speech.rejection import cost
from elman.tasks.speech.training import loss, together

MODES = ("transcribe", "classify")
NORMALISE = get_args(Normalise)
WRITTEN = ["abc cab bad ", "一二三 二一 ", "one two one three two one "]


def encoder(draw: np.random.Generator, mode: str, normalise: str) -> Encoder:
    hearing = Hearing(
        int(draw.choice([4_000, 8_000])), int(draw.integers(8, 16)), float(draw.integers(20, 31)),
        float(draw.integers(8, 16)), bool(draw.integers(2)), normalise,  # type: ignore[arg-type]
    )  # fmt: skip
    if mode == "classify":
        return Encoder(hearing, ("a", "b", "c"))
    level = str(draw.choice(["characters", "words", "bpe"]))
    spaced = True if level == "words" else None
    text = [str(draw.choice(WRITTEN)) * 30]
    return Encoder(hearing, (), vocabularies.build(level, text, spaced=spaced))


def network(draw: np.random.Generator, told: Encoder, **changed: Any) -> Recogniser:
    options: dict[str, Any] = {
        "hidden_size": (5,), "num_layers": int(draw.integers(1, 3)), "convolutions": (6, 4),
        "bidirectional": (bool(draw.integers(2)),), "cell": (str(draw.choice(["lstm", "gru"])),),
        "convolution_width": (int(draw.integers(2, 6)), 3), "convolution_stride": (2, 1),
        "convolution_norm": str(draw.choice(["batch", "layer"])), "dropout": 0.0,
        "weight_drop": 0.0, "causal": bool(draw.integers(2)),
        "pooling": str(draw.choice(["last", "mean", "max", "attention"])),
        "band_convolutions": [None, (0,), (3,), (2, 3)][draw.integers(4)],
        "averages": [None, (0,), (7,), (2, 40)][draw.integers(4)],
        "members": int(draw.integers(1, 4)) if told.mode == "classify" else 1,
    }  # fmt: skip
    if options["band_convolutions"] not in (None, (0,)):
        options["band_pooling"] = bool(draw.integers(2))
        options["band_convolution_width"] = [None, 1, 2, 5][draw.integers(4)]
    torch.manual_seed(int(draw.integers(1000)))
    return Recogniser(SpeechOptions(**options | changed), told).eval()


def clips(draw: np.random.Generator, told: Encoder, count: int) -> tuple[list[Any], Part]:
    """Samples of very unequal lengths, shorter than a window too, and what is to be told."""
    waves = [
        draw.normal(0, draw.uniform(0.01, 0.3), int(draw.integers(1, 8_000))).astype(np.float32)
        for _ in range(count)
    ]
    most = 1 if told.mode == "classify" else 4
    targets = [
        draw.integers(0 if most == 1 else 1, told.outputs, draw.integers(1, most + 1))
        for _ in range(count)
    ]
    found = None
    if told.hearing.normalise == "speaker":
        x = [told.hearing.features()(torch.from_numpy(w)[None], torch.tensor([len(w)]))[0][0]
             for w in waves]  # fmt: skip
        found = tuple(Moments.of(torch.cat([x[k], x[0]])) for k in range(count))
    made = tuple(Clip(str(k), Recording.__new__(Recording)) for k in range(count))
    return waves, Part(made, np.arange(count), tuple(targets), found)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("normalise", NORMALISE)
@settings(max_examples=6)
@given(seed=st.integers(0, 2**32 - 1))
def test_padding_changes_nothing(mode: str, normalise: str, seed: int) -> None:
    draw = np.random.default_rng(seed)
    told = encoder(draw, mode, normalise)
    model = network(draw, told)
    waves, part = clips(draw, told, 4)
    whole = together(waves, part)
    with torch.no_grad():
        scores, steps = model(whole.waves, whole.lengths, whole.moments)
        total, count, _ = loss(model, whole, None, "cpu")
        apart = []
        for k, wave in enumerate(waves):
            one = together([wave], part.pick([k]))
            own, own_steps = model(one.waves, one.lengths, one.moments)
            apart.append(loss(model, one, None, "cpu"))
            assert steps[k] == own_steps[0]
            found = scores[k, : steps[k]] if mode == "transcribe" else scores[k]
            torch.testing.assert_close(found, own[0], atol=2e-4, rtol=2e-4)
    assert count == sum(n for _, n, _ in apart)
    torch.testing.assert_close(total, sum(value for value, _, _ in apart), atol=2e-3, rtol=2e-4)
    if mode == "transcribe":
        seconds = steps.numpy() * model.step_seconds
        lasts = np.array([len(wave) for wave in waves]) / told.hearing.rate
        assert (np.abs(seconds - lasts) < 0.1).all()


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_spectra_that_are_made_longer_teach_the_same(mode: str, seed: int) -> None:
    draw = np.random.default_rng(seed)
    told = encoder(draw, mode, str(draw.choice(NORMALISE)))
    model = network(draw, told).train().double()
    whole = together(*clips(draw, told, 4))
    taught = []
    for frames in (1, 64):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training, "EVEN", frames)
            total, _, _ = loss(model, whole._replace(waves=whole.waves.double()), None, "cpu")
        taught.append([total, *torch.autograd.grad(total, list(model.parameters()))])
    for a, b in zip(*taught, strict=True):
        torch.testing.assert_close(a, b, atol=1e-7, rtol=1e-7)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_an_encoder_comes_back_from_json(seed: int) -> None:
    draw = np.random.default_rng(seed)
    mode = MODES[int(draw.integers(2))]
    told = encoder(draw, mode, str(draw.choice(NORMALISE)))
    again = encoder_from_json(json.loads(json.dumps(told.to_json())))
    assert again.to_json() == told.to_json()
    assert again.hearing == told.hearing
    assert (again.mode, again.outputs) == (mode, told.outputs)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_written_is_read_and_no_symbol_is_the_blank(seed: int) -> None:
    draw = np.random.default_rng(seed)
    told = encoder(draw, "transcribe", "clip")
    assert told.vocabulary is not None
    if told.vocabulary.unknown is None:  # pieces of bytes: each may be written
        assert sorted({*told.symbols("".join(map(chr, range(256)))).tolist()})[0] > BLANK
        assert told.text(told.symbols("!").tolist()) == "!"
    for text in ("abc cab", "二一 一二三", "two  three one"):
        text = told.clean(text)
        if told.vocabulary.covers(text):
            assert BLANK in told.symbols(text)
            continue
        symbols = told.symbols(text).tolist()
        assert 0 < min(symbols) <= max(symbols) < told.outputs
        assert told.text(symbols) == text
        decode, cuts = told.decoder(), np.sort(draw.integers(0, len(symbols) + 1, 3)).tolist()
        pieces = [symbols[a:b] for a, b in zip([0, *cuts], [*cuts, len(symbols)], strict=True)]
        assert "".join(decode(piece) for piece in pieces) == text


def test_a_damaged_encoder_is_one_line() -> None:
    good = encoder(np.random.default_rng(0), "transcribe", "clip").to_json()
    named = encoder(np.random.default_rng(0), "classify", "clip").to_json()
    hearing = good["hearing"]
    damaged: list[Any] = [
        None, [], {}, good | {"hearing": None}, good | {"labels": None}, good | {"vocabulary": 3},
        good | {"vocabulary": {}}, named | {"labels": ["a"]}, named | {"labels": [1, 2]},
        good | {"hearing": hearing | {"rate": 10**9}}, good | {"hearing": hearing | {"mels": 0}},
        good | {"hearing": hearing | {"window": float("nan")}},
        good | {"hearing": hearing | {"hop": 1e9}}, good | {"hearing": hearing | {"rate": "x"}},
        good | {"hearing": hearing | {"normalise": "moon"}},
    ]  # fmt: skip
    for bad in damaged:
        with pytest.raises(UserError) as error:
            encoder_from_json(bad)
        assert len(str(error.value).splitlines()) == 1


def test_streaming_and_looking_ahead_cannot_be_together() -> None:
    for changed, told in (
        ({"bidirectional": (True,)}, "--bidirectional false"),
        ({"normalise": "clip"}, "--normalise training"),
        ({"convolution_norm": "layer"}, "--convolution-norm batch"),
        ({"convolution_width": (3,), "convolution_stride": (4,)}, "--convolution-width 3"),
        ({"convolution_stride": (2, WIDTH + 1)}, f"--convolution-width {WIDTH}"),
    ):
        with pytest.raises(UserError, match=told):
            SpeechOptions(streaming=True, **changed)
    assert dataclasses.replace(SpeechOptions(streaming=True), bidirectional=(False,)).streaming


def test_several_learn_as_each_would_alone_and_say_what_they_say_on_average() -> None:
    draw = np.random.default_rng()
    told, count = encoder(draw, "classify", "level"), int(draw.integers(2, 5))
    several = network(draw, told, members=count).double()
    batch = together(*clips(draw, told, 3))
    batch = batch._replace(waves=batch.waves.double())
    weights = dict(several.named_parameters())
    total, _, _ = loss(several, batch, None, "cpu")
    found = dict(zip(weights, torch.autograd.grad(total, list(weights.values())), strict=True))
    chances, costs = [], []
    assert len(several.networks) == count
    for k, one in enumerate(several.networks):
        own = {n: w for n, w in one.named_parameters() if not n.startswith("beside.")}
        scores, _ = one.scores(*several.heard(batch.waves, batch.lengths))
        alone = cost(scores, batch.targets)
        for name, gradient in zip(own, torch.autograd.grad(alone, list(own.values())), strict=True):
            together_with = found[f"beside.{k - 1}.{name}" if k else name]
            torch.testing.assert_close(together_with, gradient / count)
        chances.append(scores.softmax(-1))
        costs.append(alone)
    torch.testing.assert_close(total, torch.stack(costs).mean())
    said, _ = several(batch.waves, batch.lengths)
    torch.testing.assert_close(said.exp(), torch.stack(chances).mean(0))
    assert not torch.allclose(chances[0], chances[1], atol=1e-3)
