"""Harmonises sopranos of the test part, and counts what the voices do beside those of the pieces.

    python bench/harmonise.py RUN DATA --pieces 5 [--method beam|gibbs] [--keep "no parallels"]

RUN is a run of the task music with the head `voices`, DATA pieces of four voices with a test part,
as rolls. Of each piece the highest voice is kept and the others are made. What is counted is told
by `elman.data.symbolic.theory.counterpoint`. With --folder each harmony is kept as MIDI and PNG.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections import Counter
from pathlib import Path

import elman
from elman.data.symbolic.grid import Grid, to_frames
from elman.data.symbolic.midi.writing import write_midi
from elman.data.symbolic.piece import Piece
from elman.data.symbolic.reading import read
from elman.data.symbolic.theory.counterpoint import chorale_counts
from elman.data.tables.content import BadRows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("data")
    parser.add_argument("--pieces", type=int, default=5)
    parser.add_argument("--method", choices=("beam", "gibbs"), default="beam")
    parser.add_argument("--beam", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", default="")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    run = elman.load(asked.run)
    found = read([asked.data], BadRows(skip=False)).pieces
    pieces = [piece for piece in found if piece.part == "test" and piece.voices][: asked.pieces]
    own, made, began = Counter[str](), Counter[str](), time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        for k, piece in enumerate(pieces, 1):
            soprano = Path(place) / f"soprano-{k}.mid"
            alone = dataclasses.replace(piece, tracks=piece.tracks[:1], voices=True)
            soprano.write_bytes(write_midi(alone))
            kept = (
                [] if asked.folder is None else [asked.folder / f"harmony-{k}{e}" for e in ENDINGS]
            )
            harmony = run.compose(
                given=soprano,
                method=asked.method,
                beam=asked.beam,
                seed=asked.seed,
                output=kept,
                keep=asked.keep,
            )
            own.update(counts(piece))
            made.update(counts(harmony))
            print(f"{piece.name}: {time.perf_counter() - began:.0f} s", flush=True)
    print(f"\n| {len(pieces)} pieces | as written | harmonised by {asked.method} |\n|---|---|---|")
    for name in own:
        print(f"| {name} | {own[name]} | {made[name]} |")


ENDINGS = (".mid", ".png")


def counts(piece: Piece) -> dict[str, int]:
    """What the voices of a piece do, on a grid of its own ticks or of 16ths."""
    frames = to_frames(piece, Grid(min(piece.division, 4)))
    assert frames.voices is not None
    return chorale_counts(frames.voices)


if __name__ == "__main__":
    main()
