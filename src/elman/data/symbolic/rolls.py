"""Rolls: which notes sound, step by step, in JSON or in arrays. A tick is a step.

{"train": [[[72, 76, 79], [72, 76, 79], []], …], "valid": …, "test": …}     notes of each step
{"train": [[[65, 60, 57, 53], [65, 60, -1, 53]], …], …}                     voices, −1 for silence
[[[60], [62], [64]], …]                                                     pieces alone
x.npz: train_0 [T, 128] or [T, 88] of 0 and 1, or [T, V] of notes; [N, T, P] holds N pieces
"""

from __future__ import annotations

import io
import json
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from elman.data import npz
from elman.data.symbolic.account import Account
from elman.data.symbolic.piece import Note, Piece, Track
from elman.data.tables.content import BadRows
from elman.errors import UserError

PARTS: Final = {
    "train": "train", "training": "train",
    "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid",
    "test": "test", "testing": "test",
}  # fmt: skip
LISTS: Final = ("pieces", "songs", "data")  # names of what holds pieces of no part
FITS: Final = (
    "give {train, valid, test} or a list: pieces, each a list of steps, each a list of MIDI notes"
)
MOST_JSON: Final = 1 << 24  # bytes; in memory it may take twenty times as many
MOST_PIECES: Final = 100_000
MOST_STEPS: Final = 1 << 20  # of a piece
MOST_VOICES: Final = 16
PITCHES: Final = 128
SILENT: Final = -1  # of a voice
KEYS: Final = 88  # of a piano
LOWEST_KEY: Final = 21  # the pitch of the first of them
STEP: Final = re.compile(r"(?<!\d)(quarter|4th|eighth|8th|16th|32nd)", re.IGNORECASE)
PER_QUARTER: Final = {"quarter": 1, "4th": 1, "eighth": 2, "8th": 2, "16th": 4, "32nd": 8}
TWICE: Final = "notes twice in a step: once"

Steps = list[list[int]]


def read_json(data: bytes, name: str, account: Account, bad: BadRows | None = None) -> list[Piece]:
    """The pieces of a roll in JSON, by part. UserError: no such JSON; or a piece is not right,
    unless `bad` leaves it out."""
    if len(data) > MOST_JSON:
        raise UserError(f"{name}: {len(data):,} bytes of JSON, more than {MOST_JSON:,}; part it")
    try:
        value = json.loads(data)
    except RecursionError:
        raise UserError(f"{name}: nested too deep; {FITS}") from None
    except ValueError as error:
        raise UserError(f"{name}: not JSON ({error}); {FITS}") from None
    reader = _Reader(name, account, bad)
    for where, part, piece in _listed(value, name):
        reader.take(f"{name}, {where}", part, partial(_steps, f"{name}, {where}", piece))
    return _pieces(reader, account)


def is_roll(value: object) -> bool:
    """Whether JSON may be meant as a roll: what the first piece holds are lists."""
    if isinstance(value, dict):
        value = next((value[key] for key in value if _part(key) is not None), None)
    for _ in range(2):
        value = value[0] if isinstance(value, list) and value else None
    return isinstance(value, list)


def read_npz(data: bytes, name: str, account: Account, bad: BadRows | None = None) -> list[Piece]:
    """The pieces of arrays in an .npz, by the parts that their names begin with. UserError:
    damaged, of objects, or of a shape that is no roll; or a piece is not right, as above."""
    reader = _Reader(name, account, bad)
    for key, array in npz.named(io.BytesIO(data), name).items():
        part = next(
            (PARTS[p] for p in sorted(PARTS, key=len, reverse=True) if key.startswith(p)), ""
        )
        for number, one in _split(array, f"{name}, {key}"):
            where = f"{name}, {key}{number}"
            reader.take(where, part, partial(_of_array, where, one))
    return _pieces(reader, account)


def write_json(pieces: Sequence[Piece]) -> str:
    """Pieces a tick a step, as `read_json` reads them: by part where they have one."""
    by_part: dict[str, list[Steps]] = {}
    for piece in pieces:
        by_part.setdefault(piece.part, []).append(_written(piece))
    return json.dumps(by_part[""] if set(by_part) <= {""} and by_part else by_part)


@dataclass
class _Reader:
    """The pieces of one file as far as they can be read: where each stands, its part, its steps."""

    name: str
    account: Account
    bad: BadRows | None
    listed: list[tuple[str, str, Steps]] = field(default_factory=list)

    def take(self, where: str, part: str, steps: Callable[[], Steps]) -> None:
        """A piece, unless it is not right and such are left out."""
        try:
            found = steps()
            if not any(pitch >= 0 for step in found for pitch in step):
                raise UserError(f"{where}: a piece without a note")
        except UserError as error:
            if self.bad is None:
                raise
            self.bad.refuse(str(error))
            self.account.left_out.append((where, str(error).removeprefix(where).lstrip(",: ")))
            return
        self.listed.append((where, part, found))


def _written(piece: Piece) -> Steps:
    steps: Steps = [[-1] * len(piece.tracks) if piece.voices else [] for _ in range(piece.length)]
    for voice, track in enumerate(piece.tracks):
        for note in track.notes:
            for step in steps[note.start : note.end]:
                if piece.voices:
                    step[voice] = note.pitch
                elif note.pitch not in step:
                    step.append(note.pitch)
    return steps if piece.voices else [sorted(step) for step in steps]


def _part(key: str) -> str | None:
    """The part of pieces under this name; None where it is no such name."""
    return "" if key.lower() in LISTS else PARTS.get(key.lower())


def _listed(value: Any, name: str) -> Iterator[tuple[str, str, Any]]:
    """Where each piece stands, its part, and what it holds."""
    groups = value if isinstance(value, dict) else {"": value}
    parts = {key: "" if key == "" else _part(key) for key in groups}
    if not any(part is not None for part in parts.values()):
        raise UserError(f"{name}: JSON without rolls; {FITS}")
    order = ("", "train", "valid", "test")
    known = [(part, key) for key, part in parts.items() if part is not None]
    for part, key in sorted(known, key=lambda one: order.index(one[0])):
        pieces = groups[key]
        if not isinstance(pieces, list):
            raise UserError(f"{name}: {key or 'its value'} is no list; {FITS}")
        if len(pieces) > MOST_PIECES:
            raise UserError(f"{name}: {len(pieces):,} pieces, more than {MOST_PIECES:,}")
        for k, piece in enumerate(pieces, start=1):
            yield f"{key} {k}".strip(), part, piece


def _steps(where: str, piece: Any) -> Steps:
    """The notes of each step, −1 where a voice is silent."""
    if not isinstance(piece, list):
        raise UserError(f"{where}: no list of steps; {FITS}")
    if len(piece) > MOST_STEPS:
        raise UserError(f"{where}: {len(piece):,} steps, more than {MOST_STEPS:,}")
    steps = []
    for k, step in enumerate(piece, start=1):
        if not isinstance(step, list) or len(step) > PITCHES:
            raise UserError(f"{where}, step {k:,}: no list of MIDI notes; {FITS}")
        steps.append([_pitch(value, where, k) for value in step])
    return steps


def _pitch(value: Any, where: str, step: int) -> int:
    if value is None:
        return SILENT
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise UserError(f"{where}, step {step:,}: {value!r:.40} is no MIDI note; {FITS}")
    if not SILENT <= value < PITCHES:
        raise UserError(
            f"{where}, step {step:,}: {value:,} is no MIDI note; 0 to 127 fits, or -1 for silence"
        )
    return int(value)


def _split(array: NDArray[Any], where: str) -> Iterator[tuple[str, NDArray[Any]]]:
    """The pieces of an array and their numbers; of those in one array the silence at the end, which
    makes them all of one length, is taken away."""
    if array.dtype.kind not in "biuf" or array.ndim not in (2, 3):
        raise UserError(
            f"{where}: an array of {array.dtype} {list(array.shape)}; give numbers [T, 128], "
            "[T, 88], [T, voices], or several of them [N, T, …]"
        )
    if array.ndim == 2:
        yield "", array
        return
    for k, one in enumerate(array, start=1):
        used = np.flatnonzero((one > 0).any(1))
        yield f" {k}", one[: used[-1] + 1 if len(used) else 0]


def _of_array(where: str, array: NDArray[Any]) -> Steps:
    if len(array) > MOST_STEPS:
        raise UserError(f"{where}: {len(array):,} steps, more than {MOST_STEPS:,}")
    width = array.shape[1]
    if width in (KEYS, PITCHES):
        lowest = LOWEST_KEY if width == KEYS else 0
        return [(np.flatnonzero(row > 0) + lowest).tolist() for row in array]
    if width > MOST_VOICES:
        raise UserError(
            f"{where}: {width} numbers a step; 128 or 88 for a roll, or up to {MOST_VOICES} voices"
        )
    filled = np.where(np.isnan(array), SILENT, array) if array.dtype.kind == "f" else array
    return _steps(where, filled.astype(np.float64).tolist())


def _pieces(reader: _Reader, account: Account) -> list[Piece]:
    """The pieces of one file; whether steps are voices is decided for all of them alike."""
    name, listed = reader.name, reader.listed
    if not listed:
        return []
    counts = {len(step) for _, _, steps in listed for step in steps}
    silence = any(SILENT in step for _, _, steps in listed for step in steps)
    if silence and len(counts) > 1:
        raise UserError(
            f"{name}: -1 stands for a silent voice, but steps have {min(counts)} to {max(counts)} "
            "of them; give as many in each step, or no -1"
        )
    voices = silence or (len(counts) == 1 and max(counts) > 1)
    if voices and max(counts) > MOST_VOICES:
        raise UserError(f"{name}: {max(counts)} voices, more than {MOST_VOICES}")
    named = STEP.search(posixpath.basename(name.replace(", ", "/")))
    division = PER_QUARTER[named[1].lower()] if named else 1
    upward = voices and _upward([steps for _, _, steps in listed])
    pieces = []
    for where, part, steps in listed:
        tracks = _voices(steps, upward) if voices else (_track(steps, account),)
        pieces.append(Piece(where, division, tracks, len(steps), voices=voices, part=part))
    account.pieces += len(pieces)
    account.tracks += sum(len(piece.tracks) for piece in pieces)
    account.notes += sum(piece.count for piece in pieces)
    return pieces


def _upward(pieces: Sequence[Steps]) -> bool:
    """Whether the first voice is on the whole lower than the last."""
    pairs = [(step[0], step[-1]) for steps in pieces for step in steps]
    both = [(first, last) for first, last in pairs if min(first, last) >= 0]
    return sum(first for first, _ in both) < sum(last for _, last in both)


def _voices(steps: Steps, upward: bool) -> tuple[Track, ...]:
    """A track for each voice, the highest first."""
    columns = list(zip(*steps, strict=True))
    return tuple(Track(_sung(column)) for column in (columns[::-1] if upward else columns))


def _sung(column: Sequence[int]) -> tuple[Note, ...]:
    notes, at = [], 0
    for pitch, same in groupby(column):
        length = sum(1 for _ in same)
        if pitch != SILENT:
            notes.append(Note(at, length, pitch))
        at += length
    return tuple(notes)


def _track(steps: Steps, account: Account) -> Track:
    """All notes as one track; what sounds on is one note."""
    notes: list[Note] = []
    sounding: dict[int, int] = {}  # since when, by pitch
    for at, step in enumerate([*steps, []]):
        now = set(step)
        if len(now) < len(step):
            account.mended[TWICE] += len(step) - len(now)
        for pitch in sounding.keys() - now:
            begin = sounding.pop(pitch)
            notes.append(Note(begin, at - begin, pitch))
        for pitch in now - sounding.keys():
            sounding[pitch] = at
    return Track(tuple(sorted(notes, key=lambda note: (note.start, note.pitch))))
