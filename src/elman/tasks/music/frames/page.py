"""What people read of pieces in frames: the data doctor's page, samples, pictures, what to try."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from elman.data.doctor import Page, flattered
from elman.tasks.music import showing
from elman.tasks.music.composing.composer import compose
from elman.tasks.music.frames.data import FrameData, Score
from elman.tasks.music.frames.model import FrameModel
from elman.tasks.music.frames.reading import piece_of
from elman.tasks.music.frames.scores import scored
from elman.tasks.music.frames.training import batch_of, contexts
from elman.tasks.music.options import MusicOptions
from elman.wording import counted

SEED = 1
RARE = 0.005  # share of the steps, below which a number of notes is not told
BY_VOICE = 64  # pieces by which voices are told apart
NAMES = {4: ("soprano", "alto", "tenor", "bass"), 3: ("highest", "middle", "lowest"),
         2: ("upper", "lower")}  # fmt: skip


def examine(dataset: FrameData) -> Page:
    """One page: what matters first."""
    warnings = [*dataset.bad.told("file or piece", "files or pieces"), *dataset.warnings]
    held = f", {len(dataset.test):,} for the final scores" if dataset.test is not None else ""
    parts = dataset.train, dataset.check, dataset.test or ()
    known = {score.digest() for score in dataset.train}
    for part, what in zip(parts[1:], ("validation", "the final scores"), strict=True):
        shared = sum(score.digest() in known for score in part)
        if shared and dataset.train:
            line = flattered(shared, len(part), "pieces")
            warnings.append(line.replace("for validation", f"for {what}"))
    steps = sum(len(score) for part in parts for score in part)
    headline = (
        f"{dataset.name}: {counted(len(dataset.train), 'piece')} for training, "
        f"{len(dataset.check):,} for validation{held}, {counted(steps, 'step')}"
    )
    return Page(headline, tuple(warnings), (*dataset.facts, *_shape([*parts[0], *parts[1]])))


def _shape(scores: list[Score]) -> list[str]:
    """How long pieces are, and how many notes sound at once."""
    lengths = np.quantile([len(score) for score in scores], [0, 0.5, 1]).astype(int)
    notes = np.concatenate([(s.steps >= 0 if s.in_voices else s.steps).sum(1) for s in scores])
    counts = np.bincount(notes)
    shares = [(k, n / len(notes)) for k, n in enumerate(counts)]
    often = ", ".join(f"{k} in {share:.0%}" for k, share in shares if share >= RARE)
    return [
        f"lengths in steps: {lengths[0]:,} to {lengths[2]:,}, half at most {lengths[1]:,}",
        f"notes at once: {often} of the steps; at most {len(counts) - 1}",
    ]


def sample(
    model: nn.Module, dataset: FrameData, options: MusicOptions, length: int, seed: int, device: str
) -> str:
    """A piece from nothing, a line a step."""
    return showing.sample(compose(model, dataset.preprocessing(), options, device), length, seed)


def remarks(
    model: nn.Module, dataset: FrameData, options: MusicOptions, device: str, sample: str,
    folder: Path,
) -> list[str]:  # fmt: skip
    """What each voice costs, and what the network makes beside what is true."""
    lines = _by_voice(cast(FrameModel, model), dataset, options, device)
    held = dataset.check or dataset.train
    if not held:
        return lines
    composer = compose(model, dataset.preprocessing(), options, device)
    lengths = np.array([len(score) for score in held])
    chosen = held[int(np.abs(lengths - np.median(lengths)).argmin())]  # of middling length
    made = showing.make(composer, piece_of(chosen, dataset.reading), SEED)
    known = [piece_of(score, dataset.reading) for score in dataset.train]
    return [
        *lines,
        f"Gone on with: the beginning of {chosen.name}.",
        "",
        *showing.draw(made, folder),
        *(showing.compare(made.alone, known, folder) if known else []),
        *showing.rules(dataset.name, made.alone),
    ]


@torch.no_grad()
def _by_voice(
    model: FrameModel, dataset: FrameData, options: MusicOptions, device: str
) -> list[str]:  # fmt: skip
    """A table of the nats of each voice, given those below it."""
    head = model.together
    asked, _ = scored(dataset, options)
    if not head.voices or not asked:
        return []
    total, steps = np.zeros(head.voices), 0
    for score in asked[:BY_VOICE]:
        batch = batch_of([score], dataset.reading.pitches, in_voices=True)
        context, _ = contexts(model, batch, None, device)
        log_p, _ = head.answers(context, batch.frames.to(device))
        total -= log_p.sum(0).double().cpu().numpy()
        steps += len(score)
    names = NAMES.get(head.voices, tuple(f"voice {k + 1}" for k in range(head.voices)))
    rows = [f"| {name} | {nats / steps:.3f} |" for name, nats in zip(names, total, strict=True)]
    return ["| voice, given those below it | nats a step |", "| --- | ---: |", *rows, ""]
