"""Command words in a stream: what is told, and that pieces and silence change nothing."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
import pytest
import tones
import torch
from calling import call
from numpy.typing import NDArray
from trained_runs import Hears

import elman
from elman.data.sound import audio
from elman.data.sound.clips import Recording
from elman.tasks.speech.model import recogniser
from elman.tasks.speech.reading import clip_seconds, settled
from elman.tasks.speech.spotting import STEPS, Spotted, Spotter

Floats = NDArray[np.float32]


def spotter(run: Any, threshold: float | None = None) -> Spotter:
    loaded = elman.load(run)
    kept = loaded._trained.preprocessing
    encoder, _ = settled(kept)
    return Spotter(recogniser(loaded.model), encoder, clip_seconds(kept), threshold)


def heard(made: Spotter, pieces: list[Floats]) -> list[Spotted]:
    return [one for piece in pieces for one in made.hear(piece)] + made.end()


def spoken(classes: Hears, draw: np.random.Generator) -> tuple[Floats, list[tuple[str, float]]]:
    """Clips of the data in faint noise, far from one another: samples, labels and their middles."""
    made, true = [np.zeros(0, dtype=np.float32)], []
    paths = sorted(classes.data.rglob("*.wav"))
    for k in draw.choice(len(paths), 5, replace=False):
        gap = draw.uniform(0.6, 1.0)
        made.append(1e-4 * draw.standard_normal(int(gap * tones.RATE)).astype(np.float32))
        clip = np.concatenate(list(audio.blocks(Recording(paths[k]), 10.0, tones.RATE)))
        begin = sum(map(len, made))
        made.append(clip)
        true.append((paths[k].parent.name, (begin + len(clip) / 2) / tones.RATE))
    return np.concatenate(made), true


@pytest.mark.parametrize("seed", range(3))
def test_pieces_of_any_length_give_what_the_whole_gives(classes: Hears, seed: int) -> None:
    draw = np.random.default_rng(seed)
    sound, _ = spoken(classes, draw)
    cuts = np.sort(draw.integers(0, len(sound), 9))
    whole = heard(spotter(classes.run, 0.3), [sound])
    assert whole and heard(spotter(classes.run, 0.3), np.split(sound, cuts)) == whole


@pytest.mark.parametrize("threshold", [0.2, 0.6])
def test_what_is_told_is_sure_enough_apart_and_surest_nearby(
    classes: Hears, threshold: float
) -> None:
    sound, _ = spoken(classes, np.random.default_rng(5))
    made = spotter(classes.run, threshold)
    found = heard(made, [sound])
    starts = np.array([one.start for one in found])
    assert len(found) > 1 and (np.diff(starts) >= made.window - 1e-9).all()
    assert all(one.confidence >= threshold for one in found)
    # Every window by itself, as a whole clip: those told are among them, with the same numbers.
    model, labels = made._model, made._labels
    padded = np.concatenate([sound, np.zeros(made._window, dtype=np.float32)])
    for one in found:
        begin = round(one.start * tones.RATE)
        assert begin % made._step == 0 and made._window == STEPS * made._step
        for k in range(STEPS):  # this window, then those that begin within its length
            place = begin + k * made._step
            if place + made._window > len(padded):
                break
            window = torch.from_numpy(padded[place : place + made._window].copy())[None]
            scores, _ = model(window, torch.tensor([made._window]))
            chances = scores[0].detach().double().softmax(-1)
            if k == 0:
                assert labels[int(chances.argmax())] == one.label
                assert float(chances.max()) == pytest.approx(one.confidence, abs=1e-6)
            assert float(chances.max()) <= one.confidence + 1e-6


def test_letters_are_found_where_they_are_in_a_stream(classes: Hears) -> None:
    sound, true = spoken(classes, np.random.default_rng(2))
    wav = (np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes()
    ended = call("predict", classes.run, "-", "--raw-rate", tones.RATE, "--threshold", "0.4",
                 stdin=wav)  # fmt: skip
    assert ended.code == 0 and "windows of" in ended.err
    found = list(csv.DictReader(io.StringIO(ended.out)))
    right = sum(
        any(float(r["start"]) <= middle <= float(r["stop"]) and r["label"] == label for r in found)
        for label, middle in true
    )
    assert right >= 3


def test_a_state_is_for_models_that_write(classes: Hears) -> None:
    ended = call("predict", classes.run, "-", "--save-state", "s", stdin=b"")
    assert ended.code == 2 and "--save-state" in ended.err
