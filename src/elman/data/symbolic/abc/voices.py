"""One voice of a tune while it is read: pitches, lengths, ties, tuplets, bars."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Final

from elman.data.symbolic.abc.fields import SIGNS, Bar, Signature, Wrong
from elman.data.symbolic.abc.items import Barline, Ending, Item, PartMark, Sound, Written
from elman.data.symbolic.theory import chords
from elman.data.symbolic.theory.keys import NATURAL

ONE: Final = Fraction(1)
MOST_LENGTH: Final = 4096  # of the numbers in a length
MOST_REST: Final = 999  # bars
PASSES: Final = 16  # how often a section is played, at most
COMPOUND: Final = (6, 9, 12)  # beats of metres whose beats are of three
OF_THREE: Final = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # notes of a tuplet → in the time of so many
NOWHERE: Final = "^_<>@"  # what a text begins with that is no chord
_NOTE = re.compile(r"(\^\^|\^|__|_|=)?([A-Ga-g])([,']*)(.*)")
_LENGTH = re.compile(r"(\d*)(/*)(\d*)")


@dataclass
class Voice:
    shift: int  # semitones by which it sounds higher
    key: Signature
    unit: Fraction  # of lengths, in whole notes
    metre: Bar | None
    tempo: float | None
    program: int = 0
    label: str = ""
    one_octave: bool = False  # whether a sign is of the notes of one octave
    part: str = ""
    items: list[Item] = field(default_factory=list)
    mended: Counter[str] = field(default_factory=Counter)
    unused: Counter[str] = field(default_factory=Counter)
    _signs: dict[tuple[str, int], int] = field(default_factory=dict)  # of this bar
    _last: Sound | None = None  # that a tie goes on from
    _before: Sound | None = None  # the same, in this bar: a mark of broken rhythm is of both
    _broken: Fraction | None = None  # by which the next sound is longer or shorter
    _symbol: str = ""
    _tuplet: Fraction = ONE
    _left: int = 0  # sounds of the tuplet that are still to come

    def enter(self, part: str) -> None:
        """What follows is of this part."""
        if part != self.part:
            self.part = part
            self.items.append(PartMark(part))

    def note(self, text: str) -> Written:
        """One note, not yet put down: its pitch by signs, ties and key."""
        found = _NOTE.fullmatch(text)
        assert found is not None, "by the scanner"
        sign, letter, marks, length = found.groups()
        octave = (5 if letter.islower() else 4) + marks.count("'") - marks.count(",")
        alter = self._alter(letter.upper(), octave, sign)
        pitch = 12 * (octave + 1) + NATURAL[letter.upper()] + alter + self.shift
        if not 0 <= pitch <= 127:
            raise Wrong(f'the note "{text[:20]}" is too high or too low: its pitch is {pitch}')
        return Written(pitch, lasting(length, self.unit), letter.upper(), octave, alter)

    def _alter(self, letter: str, octave: int, sign: str | None) -> int:
        place = (letter, octave if self.one_octave else 0)
        if sign:
            self._signs[place] = SIGNS[sign]
            return SIGNS[sign]
        for note in self._last.notes if self._last else ():
            if note.tied and (note.letter, note.octave) == (letter, octave):
                return note.alter  # a tie carries a sign over the bar line
        return self._signs.get(place, self.key.altered.get(letter, 0))

    def sound(self, length: Fraction, notes: list[Written], line: int) -> None:
        """Put down notes that begin together, or a rest."""
        factor = self._tuplet if self._left else ONE
        self._left = max(self._left - 1, 0)
        if self._broken is not None:
            factor, self._broken = factor * self._broken, None
        if factor != 1:
            length *= factor
            for note in notes:
                note.length *= factor
        sound = Sound(length, notes, self.metre, self.tempo, self._symbol, line)
        self._symbol, self._last, self._before = "", sound, sound
        self.items.append(sound)

    def rest(self, text: str, line: int) -> None:
        self.sound(lasting(text, self.unit), [], line)

    def bars_of_rest(self, text: str, line: int) -> None:
        """Z4: four bars of rest."""
        count = int(text[:5] or 1)
        if self.metre is None:
            raise Wrong(f"Z{text} is a rest of bars, and M:none has no bars; give z a length")
        if not 1 <= count <= MOST_REST:
            raise Wrong(f"Z{text[:9]}: a rest has 1 to {MOST_REST} bars")
        self._tuplet_ends()
        for k in range(count):
            self.sound(self.metre.length, [], line)
            if k + 1 < count:
                self.items.append(Barline(False, 1, False))

    def tie(self, note: Written | None = None) -> None:
        """The last note, or all that began together, go on in the next."""
        if note:
            note.tied = True
        elif self._last and self._last.notes:
            for one in self._last.notes:
                one.tied = True
        else:
            self.unused["ties without a first note"] += 1

    def text(self, text: str) -> None:
        """What stands above the notes: a chord, or words."""
        if text[:1] in NOWHERE:
            self.unused["words above the notes"] += bool(text)
        elif chords.read(text):
            self.unused["chords above no note of their own"] += bool(self._symbol)
            self._symbol = text.strip()
        elif text.strip():
            self.unused["texts above the notes that name no chord"] += 1

    def tuplet(self, text: str) -> None:
        """(3 or (p:q:r: p notes in the time of q, for the next r."""
        numbers = [int(one) if one else 0 for one in text[1:].split(":")]
        p, q, r = (*numbers, 0, 0)[:3]
        compound = self.metre is not None and self.metre.beats in COMPOUND
        q = q or OF_THREE.get(p, 3 if compound else 2)
        if not 2 <= p <= 9 or q > 99 or r > 99:
            raise Wrong(f'the tuplet "{text}" is not one; write for example (3 or (5:4')
        self._tuplet_ends()
        self._tuplet, self._left = Fraction(q, p), r or p

    def _tuplet_ends(self) -> None:
        self.mended["tuplets of too few notes"] += bool(self._left)
        self._left = 0

    def broken(self, text: str) -> None:
        """a>b: the first is longer by half, the second shorter by half; >> by three quarters."""
        if self._before is None or self._broken is not None or len(text) > 3:
            raise Wrong(f'broken rhythm "{text[:9]}" stands between two notes of a bar')
        short = Fraction(1, 2 ** len(text))
        first, second = (2 - short, short) if text[0] == ">" else (short, 2 - short)
        self._before.length *= first
        for note in self._before.notes:
            note.length *= first
        self._broken = second

    def bar(self, text: str) -> None:
        """A bar line, such as | || |] |: :| :: ::|"""
        self._same_bar_ends()
        before = len(text) - len(text.lstrip(".:"))
        after = len(text) - len(text.rstrip(":"))
        if "|" not in text:  # ::
            before = after = len(text) - 1
        before -= text.startswith(".")
        if max(before, after) >= PASSES:
            raise Wrong(f"the bar line {text[:9]} repeats too often, {PASSES} times at most")
        double = "||" in text or "]" in text or "[" in text
        self.items.append(Barline(after > 0, before + 1, double))

    def _same_bar_ends(self) -> None:
        if self._broken is not None:
            raise Wrong("broken rhythm (< or >) has no second note before the bar line")
        self._before = None
        self._signs.clear()

    def ending(self, text: str) -> None:
        """1 or 1,3 or 1-3."""
        passes: set[int] = set()
        for span in text.strip("[,-").split(","):
            first, _, last = span.partition("-")
            low, high = int(first or 0), int(last.strip("-") or first or 0)
            if not 1 <= low <= high <= PASSES:
                raise Wrong(f'the ending "{text[:20]}" is not one; write for example [1 or [1,3')
            passes.update(range(low, high + 1))
        self._signs.clear()
        self.items.append(Ending(frozenset(passes)))

    def finish(self) -> None:
        """The tune ends."""
        self._same_bar_ends()
        self._tuplet_ends()
        self.unused["chords above no note of their own"] += bool(self._symbol)


@lru_cache(4096)
def lasting(text: str, unit: Fraction = ONE) -> Fraction:
    """The length after a note: "" a unit, "2" two, "/" half of one, "//" a quarter of one."""
    found = _LENGTH.fullmatch(text)
    if found is None:
        raise Wrong(f'"{text[:20]}" is no length; write for example A2, A/2 or A3/2')
    above, strokes, below = found.groups()
    if (len(strokes) > 1 and below) or len(strokes) > 6:
        raise Wrong(f'"{text[:20]}" is no length; write for example A2, A/2 or A3/2')
    top = int(above[:6] or 1)
    bottom = int(below[:6]) if below else 2 ** len(strokes)
    if not 1 <= top <= MOST_LENGTH or not 1 <= bottom <= MOST_LENGTH:
        raise Wrong(f'the length "{text[:20]}" is none: its numbers are 1 to {MOST_LENGTH}')
    return unit * Fraction(top, bottom)
