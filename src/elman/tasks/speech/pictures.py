"""What was heard, over the sound that it was heard in."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

from elman.layers.sound import LogMel
from elman.tasks.drawing import plain
from elman.tasks.speech.data import Floats, Hearing
from elman.tasks.speech.writing import Transcript

LONGEST = 15.0  # seconds that are shown


def draw_alignment(
    hearing: Hearing, wave: Floats, heard: Transcript, where: str, folder: Path
) -> bool:
    """The log-mel spectrogram of a clip with its words at their times, alignment.png; False without
    matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure

    wave = wave[: int(LONGEST * hearing.rate)]
    features = LogMel(hearing.rate, hearing.mels, hearing.window / 1000, hearing.hop / 1000)
    spectrum, _ = features(torch.from_numpy(wave)[None], torch.tensor([len(wave)]))
    seconds = len(wave) / hearing.rate
    figure = Figure(figsize=(10, 4), layout="constrained")
    words, picture = figure.subplots(2, 1, sharex=True, height_ratios=(1, 5))
    picture.imshow(
        spectrum[0].numpy().T, origin="lower", aspect="auto", cmap="magma",
        extent=(0, seconds, 0, hearing.mels),
    )  # fmt: skip
    picture.set_xlabel("seconds")
    picture.set_ylabel("mel band")
    for k, word in enumerate(heard.words):
        if word.start >= seconds:
            break
        words.axvspan(word.start, word.stop, color="tab:blue", alpha=0.15 + 0.6 * word.confidence)
        words.text(
            (word.start + word.stop) / 2, 0.3 + 0.4 * (k % 2), plain(word.text), ha="center",
            va="center", fontsize=8,
        )  # fmt: skip
        for edge in (word.start, word.stop):
            picture.axvline(edge, color="white", lw=0.5, alpha=0.6)
    words.set_yticks([])
    words.set_ylim(0, 1)
    words.set_xlim(0, seconds)
    words.set_title(f"{plain(where)}: heard words; the surer, the darker", fontsize=9)
    path, fresh = folder / "alignment.png", folder / ".alignment.new.png"
    figure.savefig(fresh, dpi=120)
    fresh.replace(path)
    return True
