"""Piano rolls: time from left to right, pitch from below, a colour for each voice or track."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from elman.data.symbolic.piece import Piece, Track
from elman.data.symbolic.timing import bars
from elman.tasks import drawing
from elman.tasks.music.composing.rules import name_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("tab:red", "tab:orange", "tab:green", "tab:blue", "tab:purple", "tab:brown",
           "tab:pink", "tab:olive", "tab:cyan", "tab:gray")  # fmt: skip
BLACK_KEYS = (1, 3, 6, 8, 10)
FEWEST_PITCHES = 24
INCHES_A_QUARTER, INCHES_A_PITCH = 0.2, 0.085
ONE_LINE = 80.0  # quarters; a piece alone that is longer is broken into lines
A_LINE = 64.0  # quarters of each of them
MOST_LINES = 12
MOST_WIDTH = 40.0  # inches
VOICES = {4: ("soprano", "alto", "tenor", "bass"), 3: ("highest", "middle", "lowest")}


class Roll(NamedTuple):
    """What is drawn in one line: a piece from one quarter to another."""

    title: str
    piece: Piece
    begin: float
    end: float


def draw(pieces: Sequence[tuple[str, Piece]], path: Path, marks: Sequence[float] = ()) -> bool:
    """Pieces under their titles, one below the other on one scale; False without matplotlib.

    A single long piece is broken into lines, at most `MOST_LINES`. `marks` are quarters from the
    beginning at which a line is drawn across: where a prompt ends. The picture is written beside
    `path` and renamed.
    """
    if not drawing.possible():
        return False
    from matplotlib.figure import Figure

    low, high = _range([piece for _, piece in pieces])
    rolls = _rolls(pieces)
    quarters = rolls[0].end - rolls[0].begin
    width = min(max(1.6 + INCHES_A_QUARTER * quarters, 7.0), MOST_WIDTH)
    height = (0.75 + INCHES_A_PITCH * (high - low)) * len(rolls)
    figure = Figure(figsize=(width, height), layout="constrained")
    places = figure.subplots(len(rolls), 1, squeeze=False).ravel()
    for axes, roll in zip(places, rolls, strict=True):
        _lines(axes, roll, low, high, (width - 1.6) / quarters)
        for mark in marks:
            axes.axvline(mark, color="black", lw=1.2, ls="--")
        _notes(axes, roll.piece)
        axes.set_xlim(roll.begin, roll.end)
        axes.set_ylim(low - 0.5, high - 0.5)
        axes.set_title(drawing.plain(roll.title), fontsize=9, loc="left")
        if len(roll.piece.tracks) > 1:
            axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=7, frameon=False)
    drawing.save(figure, path)
    return True


def _rolls(pieces: Sequence[tuple[str, Piece]]) -> list[Roll]:
    lengths = [piece.length / piece.division for _, piece in pieces]
    longest = max([*lengths, 4.0])
    if len(pieces) > 1 or longest <= ONE_LINE:
        return [Roll(title, piece, 0.0, longest) for title, piece in pieces]
    ((title, piece),) = pieces
    begins = [tick / piece.division for tick in bars(piece)]
    # A line begins with the last bar that began before it was full.
    cuts = [0.0]
    for begin, after in zip(begins, [*begins[1:], longest], strict=True):
        if after > cuts[-1] + A_LINE and begin > cuts[-1]:
            cuts.append(begin)
    shown = cuts[:MOST_LINES]
    left_out = f" (the first {len(shown)} of {len(cuts)} lines)" if len(cuts) > len(shown) else ""
    titles = [title + left_out, *[""] * (len(shown) - 1)]
    return [Roll(t, piece, cut, cut + A_LINE) for t, cut in zip(titles, shown, strict=True)]


def _range(pieces: Sequence[Piece]) -> tuple[int, int]:
    """The pitches that are shown, [low, high): all that sound, and two octaves at least."""
    pitches = [note.pitch for piece in pieces for track in piece.tracks for note in track.notes]
    low, high = min(pitches, default=60) - 2, max(pitches, default=60) + 3
    more = max(FEWEST_PITCHES - (high - low), 0)
    return max(low - more // 2, 0), min(high + (more + 1) // 2, 128)


def _lines(axes: Axes, roll: Roll, low: int, high: int, inches_a_quarter: float) -> None:
    """Bars with their numbers, octaves with their names, black keys in grey."""
    for pitch in range(low, high):
        if pitch % 12 in BLACK_KEYS:
            axes.axhspan(pitch - 0.5, pitch + 0.5, color="0.94", lw=0)
    begins = [tick / roll.piece.division for tick in bars(roll.piece)]
    shown = [(k, b) for k, b in enumerate(begins, 1) if roll.begin <= b < roll.end]
    for _, begin in shown:
        axes.axvline(begin, color="0.7", lw=0.8, zorder=1)
    room = max(inches_a_quarter * (roll.end - roll.begin) / max(len(shown), 1), 0.01)
    every = max(1, round(0.3 / room))  # inches that a number needs
    numbered = [(k, b) for k, b in shown if (k - 1) % every == 0]
    axes.set_xticks([b for _, b in numbered], [str(k) for k, _ in numbered], fontsize=7)
    octaves = [p for p in range(low, high) if p % 12 == 0]
    axes.set_yticks(octaves, [name_of(p) for p in octaves], fontsize=7)
    axes.set_xlabel("bar", fontsize=7, loc="right")


def _notes(axes: Axes, piece: Piece) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgb

    for k, (track, name) in enumerate(zip(piece.tracks, _names(piece), strict=True)):
        colour, boxes, faces = COLOURS[k % len(COLOURS)], list[Box](), list[tuple[float, ...]]()
        for note in track.notes:
            # A gap before the end tells notes struck again from one that is held.
            begin, length = note.start / piece.division, note.length / piece.division
            end = begin + length - min(0.08, length / 4)
            below, above = note.pitch - 0.42, note.pitch + 0.42
            boxes.append(((begin, below), (begin, above), (end, above), (end, below)))
            faces.append((*to_rgb(colour), 0.35 + 0.65 * note.velocity / 127))
        drawn = PolyCollection(boxes, facecolors=faces, edgecolors="0.2", linewidths=0.3, zorder=2)
        axes.add_collection(drawn)
        axes.plot([], [], color=colour, lw=5, label=drawing.plain(name))


Box = tuple[tuple[float, float], ...]


def _names(piece: Piece) -> list[str]:
    usual = VOICES.get(len(piece.tracks), ()) if piece.voices else ()
    return [_name(track, usual[k] if usual else f"track {k + 1}") for k, track in
            enumerate(piece.tracks)]  # fmt: skip


def _name(track: Track, otherwise: str) -> str:
    return track.name[:20] or otherwise
