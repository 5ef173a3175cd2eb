"""What was read, and what became of all that could not be taken as it stood.

read          3,089 files, 3,089 pieces, 5,144 tracks, 583,110 notes
mended        12 notes without an end: they end with their bar
not used      40 sustain pedals
left out      1 piece: tunes/a.mid: cut short at byte 112
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from elman.wording import counted

SHOWN = 3  # of what was left out, in a line


@dataclass
class Account:
    """Counts that every reader adds to. `mended` is what was changed and how, `unused` what a file
    holds and a `Piece` does not, `left_out` the names of what was not taken at all, and why."""

    files: int = 0
    pieces: int = 0
    tracks: int = 0
    notes: int = 0
    mended: Counter[str] = field(default_factory=Counter)
    unused: Counter[str] = field(default_factory=Counter)
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def add(self, other: Account) -> None:
        """What another account has counted, to this one."""
        self.files += other.files
        self.pieces += other.pieces
        self.tracks += other.tracks
        self.notes += other.notes
        self.mended.update(other.mended)
        self.unused.update(other.unused)
        self.left_out.extend(other.left_out)

    def lines(self) -> list[str]:
        """For the user: what was read, then one line a reason, the most frequent first."""
        read = [
            counted(self.files, "file"), counted(self.pieces, "piece"),
            counted(self.tracks, "track"), counted(self.notes, "note"),
        ]  # fmt: skip
        return [
            ", ".join(read),
            *_counts("mended", self.mended),
            *_counts("not used", self.unused),
            *_reasons(self.left_out),
        ]


def _counts(what: str, counts: Counter[str]) -> Iterable[str]:
    """A reason with a count in front of it: "3 × notes of no length: given one tick"."""
    return (f"{what}: {count:,} × {reason}" for reason, count in counts.most_common())


def _reasons(left_out: list[tuple[str, str]]) -> Iterable[str]:
    by_reason: dict[str, list[str]] = {}
    for name, why in left_out:
        by_reason.setdefault(why, []).append(name)
    for why, names in by_reason.items():
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        yield f"left out: {', '.join(names[:SHOWN])}{more}: {why}"
