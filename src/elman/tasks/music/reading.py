"""Music, from data to a data set: files to pieces, pieces to parts, parts to frames or events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from elman.data.symbolic import grid, kinship
from elman.data.symbolic import reading as symbolic
from elman.data.symbolic.piece import Piece
from elman.data.symbolic.reading import Collection
from elman.data.tables.content import BadRows
from elman.tasks import naming
from elman.tasks.music import forms
from elman.tasks.music.data import Parts
from elman.tasks.music.options import FRAMES_ALONE, FormName, MusicOptions
from elman.tasks.task import Kept
from elman.wording import counted

TUNES = "a tune's pieces in one part, by a hash of its notes"


def read(data: Sequence[str], options: MusicOptions, validation: float) -> Any:
    """Pieces are split by tune: as the source gives its parts, else by a hash of their notes."""
    name, bad = naming.shown(data), BadRows(options.skip_bad_rows, advice=symbolic.SKIP)
    found = symbolic.read(data, bad)
    valid, test = (_beside(path, bad) for path in (options.validation_data, options.test_data))
    parts, told = cut(
        found.pieces, validation if valid is None else 0.0, 0.0 if test else options.test_share
    )
    if valid is not None:
        parts["valid"] = [*valid.pieces] if validation else []
    if test is not None:
        if parts["test"]:
            told.append(
                f"parts: {counted(len(parts['test']), 'piece')} that the data gives for testing "
                "left out, as there is --test-data"
            )
        parts["test"] = [*test.pieces]
    if not parts["train"] or (validation and not parts["valid"]):
        raise bad.nothing_left(
            f"{name}: with {counted(len(found.pieces), 'piece')} none can be held back to validate "
            "on; give more, --validation-data, or --validation 0"
        )
    every = [one for one in (found, valid, test) if one is not None]
    form, why = _form(options, found.pieces)
    facts = [line for one in every for line in (*one.account.lines(), *one.facts)]
    made = Parts(
        name, tuple(parts["train"]), tuple(parts["valid"]), bad, tuple(parts["test"]) or None,
        (*facts, *told, why), tuple(line for one in every for line in one.warnings),
    )  # fmt: skip
    return forms.get(form).read(made, options)


def unseen(data: Sequence[str], kept: Kept, bad: BadRows) -> Any:
    """Other pieces for a trained model, whatever part they are in."""
    found = symbolic.read(data, bad)
    facts = (*found.account.lines(), *found.facts)
    parts = Parts(naming.shown(data), (), found.pieces, bad, None, facts, found.warnings)
    return forms.get(kept.get("form")).unseen(parts, kept)


def cut(
    pieces: Sequence[Piece], validation: float, test: float
) -> tuple[dict[str, list[Piece]], list[str]]:
    """The pieces of each part, train, valid and test, and how they were parted, for the user.

    What the source says of parts holds. A share that it gives nothing of is drawn from the pieces
    for training. Where nothing is to validate, its validation part is trained on too.
    """
    given = {piece.part for piece in pieces}
    open_ = [p for p in pieces if p.part != "test" and (p.part != "valid" or not validation)]
    drawn = kinship.parted(
        [replace(piece, part="") for piece in open_],
        0.0 if "valid" in given else validation, 0.0 if "test" in given else test,
    )  # fmt: skip
    parts: dict[str, list[Piece]] = {"train": [], "valid": [], "test": []}
    for piece, part in zip(open_, drawn, strict=True):
        parts[part].append(piece)
    for part in ("valid", "test"):
        if validation or part == "test":
            parts[part] += [piece for piece in pieces if piece.part == part]
    told = ["parts: as the data gives them"] if given & {"valid", "test"} else []
    if {*drawn} - {"train"}:
        told.append(f"parts: drawn, {TUNES}")
    return parts, told


def _beside(path: Path | None, bad: BadRows) -> Collection | None:
    return None if path is None else symbolic.read([str(path)], bad)


def _form(options: MusicOptions, pieces: Sequence[Piece]) -> tuple[FormName, str]:
    """As asked for; else events where no grid keeps the times of the notes, or several instruments
    play, and frames where not. And a line for the user."""
    if options.form is not None:
        return options.form, f"read as {options.form}, as asked for (--form)"
    for name in FRAMES_ALONE:
        if getattr(options, name) is not None:
            return "frames", "read as frames, as asked for by --" + name.replace("_", "-")
    if options.velocities is not None:
        return "events", "read as events, which have velocities"
    if not grid.choose(pieces).fits and options.steps_per_quarter is None:
        return "events", "read as events: no grid keeps the times of 99 % of the notes (--form)"
    if sum(len(_instruments(piece)) > 1 for piece in pieces) > len(pieces) / 2:
        return "events", "read as events: most pieces have several instruments (--form)"
    return "frames", "read as frames: which notes sound in each step (--form)"


def _instruments(piece: Piece) -> set[tuple[int, bool]]:
    """Those that play in a piece."""
    return {(track.program, track.is_drum) for track in piece.tracks if track.notes}
