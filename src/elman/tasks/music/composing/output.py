"""A piece written into files, by their endings: MIDI, sound, a picture, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from elman.data.symbolic.piece import Piece
from elman.data.symbolic.record import to_record
from elman.errors import RunError, UserError


def check(paths: Sequence[Path]) -> None:
    """UserError: an ending that nothing is written in, a folder that is not there, a name twice."""
    for path in paths:
        if path.suffix.lower() not in WRITERS:
            told = f'unknown ending "{path.suffix}"; ' if path.suffix else ""
            raise UserError(f"--output {path}: {told}needs an ending out of {', '.join(WRITERS)}")
        if not path.parent.is_dir() or path.is_dir():
            raise UserError(f"--output {path}: needs a file in a folder that exists")
    if len(set(paths)) < len(paths):
        raise UserError("--output: the same file twice")


def numbered(path: Path, k: int, samples: int) -> Path:
    """The name of the k-th of so many pieces: piece.mid where it is alone, else piece-1.mid."""
    return path if samples == 1 else path.with_name(f"{path.stem}-{k}{path.suffix}")


def write(piece: Piece, path: Path) -> str:
    """The piece into a file, written beside it and renamed; what should be told, or nothing.

    UserError, RunError: it cannot be written so.
    """
    with _beside(path) as fresh:
        return WRITERS[path.suffix.lower()](piece, fresh)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A file with the same ending that takes the place of `path` once all went well."""
    fresh = path.with_name(f".{path.stem}.new{path.suffix}")
    try:
        yield fresh
        fresh.replace(path)
    except OSError as error:
        raise RunError(f"{path}: could not be written ({error.strerror or error})") from error
    finally:
        fresh.unlink(missing_ok=True)


def _midi(piece: Piece, path: Path) -> str:
    from elman.data.symbolic.midi.writing import write_midi

    path.write_bytes(write_midi(piece))
    return ""


def _wav(piece: Piece, path: Path) -> str:
    from elman.data.symbolic.midi.writing import write_midi
    from elman.tasks.music.composing import synthesis

    if synthesis.fluidsynth():
        synthesis.by_fluidsynth(write_midi(piece), path)
        return f"played by fluidsynth with {synthesis.sound_font()}"
    synthesis.write_wav(synthesis.synthesise(piece), path)
    return ""


def _png(piece: Piece, path: Path) -> str:
    from elman.tasks.music import pictures

    if not pictures.draw([(piece.name, piece)], path):
        raise UserError("a picture needs matplotlib: pip install elman[plot]")
    return ""


def _json(piece: Piece, path: Path) -> str:
    path.write_text(json.dumps(to_record(piece), ensure_ascii=False) + "\n", encoding="utf-8")
    return ""


WRITERS: dict[str, Callable[[Piece, Path], str]] = {
    ".mid": _midi,
    ".midi": _midi,
    ".wav": _wav,
    ".png": _png,
    ".json": _json,
}
