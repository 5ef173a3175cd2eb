"""What people read of pieces as events: the data doctor's page, samples, pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import nn

from elman.data.doctor import Page, flattered
from elman.data.symbolic.piece import Piece
from elman.tasks.music import repetition, showing
from elman.tasks.music.events.composing import composer
from elman.tasks.music.events.data import EventData, Tune
from elman.tasks.music.options import MusicOptions
from elman.wording import counted

SEED = 1


def examine(dataset: EventData) -> Page:
    """One page: what matters first."""
    warnings = [*dataset.bad.told("file or piece", "files or pieces"), *dataset.warnings]
    parts = dataset.train, dataset.check, dataset.test or ()
    known = {tune.digest() for tune in dataset.train}
    for part, what in zip(parts[1:], ("validation", "the final scores"), strict=True):
        shared = sum(tune.digest() in known for tune in part)
        if shared and dataset.train:
            line = flattered(shared, len(part), "pieces")
            warnings.append(line.replace("for validation", f"for {what}"))
    held = f", {len(dataset.test):,} for the final scores" if dataset.test is not None else ""
    every = [tune for part in parts for tune in part]
    notes, tokens = sum(t.notes for t in every), sum(len(t) for t in every)
    headline = (
        f"{dataset.name}: {counted(len(dataset.train), 'piece')} for training, "
        f"{len(dataset.check):,} for validation{held}; {counted(notes, 'note')} in "
        f"{counted(tokens, 'token')}"
    )
    return Page(headline, tuple(warnings), (*dataset.facts, _lengths(every)))


def _lengths(tunes: list[Tune]) -> str:
    found = np.quantile([len(tune) for tune in tunes], [0, 0.5, 1]).astype(int)
    return f"lengths in tokens: {found[0]:,} to {found[2]:,}, half below {found[1] + 1:,}"


def sample(
    model: nn.Module, dataset: EventData, options: MusicOptions, length: int, seed: int, device: str
) -> str:
    """A piece from nothing, a line a bar."""
    return showing.sample(composer(model, dataset.preprocessing(), options, device), length, seed)


def remarks(
    model: nn.Module, dataset: EventData, options: MusicOptions, device: str, sample: str,
    folder: Path,
) -> list[str]:  # fmt: skip
    """What the network makes beside what is true, what it repeats, and what it copies."""
    held = dataset.check or dataset.train
    if not held:
        return []
    lengths = np.array([len(tune) for tune in held])
    chosen = held[int(np.abs(lengths - np.median(lengths)).argmin())]  # of middling length
    own = composer(model, dataset.preprocessing(), options, device)
    made = showing.make(own, _piece(dataset, chosen), SEED)
    longest = max(piece.length for piece in made.alone)
    beginnings = [showing.until(_piece(dataset, tune), longest) for tune in held]
    known = [_piece(dataset, tune) for tune in dataset.train]
    return [
        f"Gone on with: the beginning of {chosen.name}.",
        "",
        *showing.draw(made, folder),
        repetition.told(made.alone, beginnings),
        "",
        *(showing.compare(made.alone, known, folder) if known else []),
        *showing.rules(dataset.name, made.alone),
    ]


def _piece(dataset: EventData, tune: Tune) -> Piece:
    return dataset.tokenizer.decode(tune.ids, tune.name)
