"""Lets a run of the task music compose, and tells what the pieces are like, each in a line.

    python bench/music_samples.py RUN FOLDER --pieces 5 --bars 16 --ending

FOLDER gets made-1.mid, made-1.png, … The table tells of each
piece its notes and their range, the longest note, how much it repeats itself, and the longest
stretch that it has in common with the training part, in any key, with piece and bar.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import elman
from elman.data.symbolic.piece import Piece
from elman.run import prepare
from elman.tasks.music.frames.reading import piece_of
from elman.tasks.music.memorisation import memorisation, of_piece
from elman.tasks.music.repetition import repetition


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pieces", type=int, default=5)
    parser.add_argument("--bars", type=int, default=16)
    parser.add_argument("--ending", action="store_true")
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--keep", default="")
    parser.add_argument("--name", default="made")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    run = elman.load(asked.run)
    trained = known(run)
    print("| piece | notes | range | longest note | repeated | copied |\n|---|---|---|---|---|---|")
    for seed in range(1, asked.pieces + 1):
        names = [asked.folder / f"{asked.name}-{seed}{ending}" for ending in (".mid", ".png")]
        piece = run.compose(
            bars=asked.bars,
            ending=asked.ending,
            keep=asked.keep,
            top_p=asked.top_p,
            seed=seed,
            output=names,
        )
        print(line(piece, names[0].name, trained), flush=True)


def known(run: elman.Run) -> list[Piece]:
    """The pieces that it was trained on, as it could make them: notes joined, or moved, alike."""
    data = prepare.read_again(run.trained)
    if data.form == "events":
        return [data.tokenizer.decode(tune.ids, tune.name) for tune in data.train]
    return [piece_of(score, data.reading) for score in data.train]


def line(piece: Piece, name: str, trained: Sequence[Piece]) -> str:
    """A row of the table."""
    notes = [note for track in piece.tracks for note in track.notes]
    pitches = [note.pitch for note in notes]
    longest = max(note.length for note in notes) / piece.division
    copied = memorisation([of_piece(piece)], [of_piece(one) for one in trained]).line
    return (
        f"| {name} | {len(notes)} | {min(pitches)} to {max(pitches)} | {longest:.3g} quarters | "
        f"{repetition(piece).share:.1%} | {copied} |"
    )


if __name__ == "__main__":
    main()
