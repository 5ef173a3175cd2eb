"""Sounds that are of no class: a network learns to be unsure of them, and it is told how often it
still takes them for one.

Noise is made by code, or of a folder that --noise names. That a network should be unsure of other
sounds is taught by showing it some (outlier exposure, Hendrycks et al. 2019, arXiv:1812.04606).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.data.batching import padded
from elman.data.sound.augmentation import MADE, stretch
from elman.tasks.speech.data import Floats, SpeechData
from elman.tasks.speech.model import recogniser

NONE = -1  # in the place of a label: of no class
SHARE = 8  # clips of a batch for one that is of no class
SILENT = 0.1  # share of these that are silence
LEVELS = (1e-3, 0.3)  # root mean square of the others, evenly by its logarithm
MINUTES = 20.0  # of noise by which false alarms are counted
AT_ONCE = 64
THRESHOLDS = (0.5, 0.7, 0.9, 0.95, 0.99)


def background(
    draw: np.random.Generator, samples: int, rate: int, noises: Sequence[Floats] = ()
) -> Floats:
    """A sound [S] that is of no class: silence, or one of the made noises, or of `noises`."""
    if draw.random() < SILENT:
        return (draw.standard_normal(samples, dtype=np.float32) * np.float32(1e-4)).astype(
            np.float32
        )
    made = list(MADE.values())
    k = int(draw.integers(len(made) + min(len(noises), len(made))))
    if k < len(made):
        wave = made[k](draw, samples, rate)
    else:
        wave = stretch(noises[int(draw.integers(len(noises)))], samples, draw)
    power = float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))) or 1.0
    level = float(np.exp(draw.uniform(*np.log(LEVELS))))
    return (wave * np.float32(level / power)).clip(-1, 1)


def cost(scores: Tensor, targets: Tensor) -> Tensor:
    """The summed cross-entropy of scores [N, C], where a label is `NONE` to all classes alike."""
    log_p = scores.log_softmax(-1)
    own = log_p.gather(1, targets.clamp(min=0)[:, None])[:, 0]
    return -torch.where(targets == NONE, log_p.mean(1), own).sum()


def sureness_of_noise(model: nn.Module, dataset: SpeechData) -> tuple[NDArray[np.float64], float]:
    """How sure the model is of its class [N] in pieces of noise as long as clips are; and how many
    hours these are together."""
    model, rate = recogniser(model), dataset.encoder.hearing.rate
    samples = int(np.median(dataset.lengths(dataset.check)))
    count = max(1, int(60 * MINUTES * rate / samples))
    found = []
    with torch.no_grad():
        for first in range(0, count, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, count))
            waves = [
                background(np.random.default_rng((7, n)), samples, rate, dataset.noises)
                for n in numbers
            ]
            scores, _ = model(*padded(waves))
            found.append(scores.double().softmax(-1).amax(1).numpy())
    return np.concatenate(found), count * samples / rate / 3600


def told(
    model: nn.Module, dataset: SpeechData, sure: NDArray[np.float64], hit: NDArray[np.bool_]
) -> list[str]:
    """What a threshold does, as lines of Markdown: false alarms an hour, and what becomes of the
    clips that were scored, of which `sure` [N] and `hit` [N] are known."""
    noise, hours = sureness_of_noise(model, dataset)
    of_what = "made noise and that of --noise" if dataset.noises else "noise made by code"
    lines = [
        f"`elman predict RUN DATA --threshold T` tells `unknown` where the network is less "
        f"sure. Of {60 * hours:.0f} minutes of {of_what}, in pieces as long as clips:",
        "",
        "| threshold | false alarms an hour | clips answered | of these right |",
        "|---|---|---|---|",
    ]
    for threshold in THRESHOLDS:
        alarms, there = int((noise >= threshold).sum()) / hours, sure >= threshold
        right = f"{hit[there].mean():.1%}" if there.any() else ""
        lines.append(f"| {threshold:g} | {alarms:,.0f} | {there.mean():.1%} | {right} |")
    return [*lines, ""]
