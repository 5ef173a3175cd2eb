"""Morse code as sound made by code, for training and for the curve over noise.

    python bench/made_morse.py FOLDER --snr 0 --count 200 --seed 7
    python bench/made_morse.py FOLDER --snr -6 20 --wpm 15 25

Writes FOLDER/metadata.csv (file_name, text, wpm, snr_db, pitch_hz) and WAV files of 3 to 12 s.
One number for noise or speed is that one, two are a range. Nothing in it was recorded: figures on
it stand beside none on real speech. What noise is measured against: elman/data/built_in/morse.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from elman.data.built_in.made_sound import wav
from elman.data.built_in.morse import SEED, SNR_DB, SPEEDS, made, row, table


def main() -> None:
    arguments = argparse.ArgumentParser(description="Morse code as sound made by code.")
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--snr", type=float, nargs="+", default=SNR_DB, help="dB in 500 Hz")
    arguments.add_argument("--wpm", type=float, nargs="+", default=SPEEDS, help="words a minute")
    arguments.add_argument("--count", type=int, default=200, help="clips")
    arguments.add_argument("--seed", type=int, default=7, help=f"not {SEED}: that is name:morse")
    given = arguments.parse_args()
    snr_db, wpm = (min(given.snr), max(given.snr)), (min(given.wpm), max(given.wpm))
    if not 2 <= wpm[0] <= wpm[1] <= 60 or given.count < 1 or given.seed < 0:
        arguments.error("--wpm goes from 2 to 60, --count from 1, --seed from 0")
    (given.folder / "clips").mkdir(parents=True, exist_ok=True)
    rows, seconds = [], 0.0
    for k, clip in enumerate(made(given.count, given.seed, snr_db=snr_db, wpm=wpm)):
        name = f"clips/{k + 1:05d}.wav"
        (given.folder / name).write_bytes(wav(clip.samples))
        rows.append(row(name, clip))
        seconds += len(clip.samples) / 8000
    (given.folder / "metadata.csv").write_bytes(table(rows))
    print(f"{given.count} clips, {seconds:.0f} s of sound, in {given.folder}")


if __name__ == "__main__":
    main()
