"""The 1,034 Nottingham tunes in ABC, beside the MIDI files that somebody else made of the same.

Those were made by another program, which joins no ties, forgets a sign before its bar ends, plays
the first part alone where their order is not in Y:, and goes back to the first note of the tune at
a :| that no |: belongs to. So the notes of a tune are the same as its file's, or they are when it
is read as wrongly as that, or the tune is one of five that the files have otherwise.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from elman.data.symbolic.abc import played, read_abc, reading
from elman.data.symbolic.abc.fields import SIGNS
from elman.data.symbolic.abc.items import Barline, Item, Section
from elman.data.symbolic.abc.tunes import Tune, cut
from elman.data.symbolic.abc.voices import Voice
from elman.data.symbolic.abc.written import Reader
from elman.data.symbolic.account import Account
from elman.data.symbolic.midi.reading import read_midi
from elman.data.symbolic.piece import Piece, Track
from elman.data.tables.content import BadRows

SHARED = Path(__file__).parents[4] / "shared" / "data" / "music"
FAULTS = ("no ties", "signs of one note", "first part alone", "back to the first note")
NEAR = 0.01  # quarters: the files have times in 1024ths of a quarter, thirds cut off

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="without the shared data")


def texts() -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(SHARED / "nottingham_abc.zip") as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".abc"):
                yield Path(name).stem, archive.read(name).decode()


class Faulty:
    """Reads tunes with faults of the other program."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch

    def read(self, tune: Tune, faults: tuple[str, ...]) -> Piece:
        with self.patch.context() as patch:
            if "no ties" in faults:
                patch.setattr(Voice, "tie", lambda self, note=None: None)
            if "signs of one note" in faults:
                patch.setattr(Voice, "_alter", _forgetful)
            if "first part alone" in faults:
                in_order = played._in_order
                patch.setattr(played, "_in_order", lambda items, _: list(in_order(items, ""))[:2])
            if "back to the first note" in faults:
                patch.setattr(played, "sections", _from_the_first)
            reader = Reader(tune)
            reader.read()
            return reading._piece(reader, "")


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Faulty:
    return Faulty(monkeypatch)


def _forgetful(voice: Voice, letter: str, octave: int, sign: str | None) -> int:
    return SIGNS[sign] if sign else voice.key.altered.get(letter, 0)


def _from_the_first(items: list[Item]) -> list[Section]:
    cutter = played._Cutter()
    begun = set[int]()
    for item in items:
        cutter.add(item)
        if isinstance(item, Barline) and item.begins:
            begun.add(id(cutter.now))
    found: list[Section] = []
    for section in cutter.found():
        if section.times > 1 and found and id(section) not in begun:
            before = [item for one in found for item in played.unrolled(one)]
            found = [Section(before + section.common, section.endings, section.times)]
        else:
            found.append(section)
    return found


def same(piece: Piece, other: Piece) -> bool:
    """Whether melodies have the same notes, but for where the first stands."""
    a, b = (_quarters(one.tracks[0], one.division) for one in (piece, other))
    return len(a) == len(b) and all(
        p == q and abs(s - t) < NEAR and abs(m - n) < NEAR
        for (s, p, m), (t, q, n) in zip(a, b, strict=True)
    )


def _quarters(track: Track, division: int) -> list[tuple[float, int, float]]:
    first = track.notes[0].start
    return sorted(
        (round((n.start - first) / division / NEAR) * NEAR, n.pitch, n.length / division)
        for n in track.notes
    )


def test_melodies_are_those_of_the_midi_files(faulty: Faulty) -> None:
    """Of every eighth tune, for time; of all 594 need none of the faults, 5 are otherwise."""
    orders = [faults for n in range(len(FAULTS)) for faults in combinations(FAULTS, n)]
    agree, others = Counter[tuple[str, ...] | None](), list[str]()
    with zipfile.ZipFile(SHARED / "nottingham_midi.zip") as archive:
        for stem, text in texts():
            for tune in cut(text).tunes[3::8]:
                member = archive.read(f"MIDI/{stem}{tune.number}.mid")
                theirs = read_midi(member, "", Account())
                needed = next((f for f in orders if same(faulty.read(tune, f), theirs)), None)
                agree[needed] += 1
                others += [f"{stem} {tune.number}"] * (needed is None)
    assert set(others) <= {"hpps 25", "jigs 44", "jigs 181", "playford 3", "reelsd-g 28"}
    assert agree[()] > 0.55 * agree.total() > 60


def test_all_tunes_but_one_are_read_and_that_one_has_its_line_named() -> None:
    account, bad = Account(), BadRows(skip=True)
    pieces = [piece for stem, text in texts() for piece in read_abc(text, stem, account, bad)]
    assert len(pieces) == account.pieces == 1033
    assert account.left_out == [("jigs, X:153", account.left_out[0][1])]
    assert bad.first == ['jigs, line 2,236: "(3" stands within a chord [ ]']
    assert all(piece.metres and piece.tracks[0].notes for piece in pieces)
    assert sum(track.name == reading.CHORDS for p in pieces for track in p.tracks) == 1020
