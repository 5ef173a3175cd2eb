"""A tune as it is written: its fields, and each voice with its notes and bars.

What is played more than once stands here once; `played.py` plays it out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from elman.data.symbolic.abc import fields
from elman.data.symbolic.abc.fields import Bar, Signature, Wrong
from elman.data.symbolic.abc.items import PartMark, Written
from elman.data.symbolic.abc.scanner import Token, tokens
from elman.data.symbolic.abc.tunes import Line, Tune
from elman.data.symbolic.abc.voices import Voice, lasting

MOST_VOICES: Final = 64
MARKS: Final = ".~HLMOPSTuv"  # accents that mean something to those who play
_JUMP = re.compile(r"!(D\.?C\.?|D\.?S\.?|dacapo|dacoda|fine|coda|segno)", re.IGNORECASE)
_ORDER = re.compile(r"[A-Z0-9() ]+")
_LABEL = re.compile(r"\b(?:name|nm)=(\"[^\"]*\"|\S+)")


class Reader:
    """Reads the lines of a tune. `line` is the number of the one that it is at, for messages."""

    def __init__(self, tune: Tune) -> None:
        self.tune = tune
        self.mended: Counter[str] = Counter()
        self.unused: Counter[str] = Counter()
        self.voices: dict[str, Voice] = {}
        self.order = ""  # of parts, played out
        self.line = 0
        self._told_by_y = ""
        self._part = ""
        self._key: Signature | None = None  # the head ends with it
        self._unit: Fraction | None = None
        self._metre: Bar | None = Bar(4, 4)
        self._tempo = ""
        self._program = 0
        self._one_octave = False
        self._current: Voice | None = None
        self._defined: dict[str, str] = {}  # V: fields of the head

    def read(self) -> None:
        """Raises `Wrong` at a line that cannot be read."""
        for line in self.tune.lines:
            self.line = line.number
            self._read(line)
        self._follow_y()
        for voice in self.voices.values():
            voice.finish()
            self.mended.update(voice.mended)
            self.unused.update(voice.unused)
        if not self.voices:
            raise Wrong("the tune has no notes")

    def _follow_y(self) -> None:
        """The Nottingham tunes tell the order of their parts in Y:, which ABC does not define."""
        names = {p.name[:1] for v in self.voices.values() for p in v.items if type(p) is PartMark}
        if not self.order and self._told_by_y and set(self._told_by_y) <= names:
            self.order = self._told_by_y
            self.mended["orders of parts in Y:, read as P:"] += 1

    @property
    def key(self) -> str:
        return self._key.name if self._key else ""

    def _read(self, line: Line) -> None:
        if line.field:
            self._field(line.field, line.text)
        elif line.text.startswith("%%MIDI program"):
            numbers = re.findall(r"\d{1,3}", line.text)
            if numbers and int(numbers[-1]) < 128:
                self._play_with(int(numbers[-1]))
        elif not line.text.startswith("%%"):
            self._music(line.text)

    def _play_with(self, program: int) -> None:
        if self._current is None:
            self._program = program
        else:
            self._current.program = program

    def _field(self, letter: str, text: str) -> None:
        if letter == "m":
            raise Wrong("macros (m:) are not read; write their notes out")
        if letter == "I":
            name, _, value = text.strip().partition(" ")
            if name == "propagate-accidentals":
                self._one_octave = value.strip() == "octave"
        elif self._key is None:
            self._head(letter, text)
        elif letter == "V":
            self._turn_to(text)
        elif letter == "P":
            self._part = text.strip()
        elif letter in "KMLQ":
            self._change(letter, text)
        elif letter == "Y":
            self._head(letter, text)

    def _head(self, letter: str, text: str) -> None:
        if letter == "K":
            self._key = fields.key(text)
        elif letter == "M":
            self._metre = fields.metre(text)
        elif letter == "L":
            self._unit = fields.unit(text)
        elif letter == "Q":
            fields.tempo(text, Fraction(1, 8))  # that it is one
            self._tempo = text
        elif letter == "P":
            self.order = fields.parts(text)
        elif letter == "Y" and _ORDER.fullmatch(text):
            self._told_by_y = fields.parts(text)
        elif letter == "V":
            name, _, rest = text.strip().partition(" ")
            self._defined[name] = rest

    def _change(self, letter: str, text: str) -> None:
        """A field among the notes: of this voice; a tempo is of all."""
        voice = self._voice()
        if letter == "K":
            shift, _ = fields.moved(text)
            if fields.is_key(text):
                voice.key = fields.key(text)
            else:
                voice.shift = shift
        elif letter == "M":
            voice.metre = fields.metre(text)
        elif letter == "L":
            voice.unit = fields.unit(text)
        elif told := fields.tempo(text, voice.unit):
            for one in self.voices.values():
                one.tempo = told

    def _voice(self) -> Voice:
        if self._current is None:
            self._turn_to(next(iter(self._defined), "1"))
        assert self._current is not None
        return self._current

    def _turn_to(self, text: str) -> None:
        name, _, rest = text.strip().partition(" ")
        if name not in self.voices:
            if len(self.voices) == MOST_VOICES:
                raise Wrong(f"more than {MOST_VOICES} voices (V:) are not read")
            self.voices[name] = self._new_voice(f"{self._defined.get(name, '')} {rest}")
        self._current = self.voices[name]

    def _new_voice(self, settings: str) -> Voice:
        if self._key is None:
            self._key = fields.key("")
            self.mended["tunes without a key (K:): read as C"] += 1
        unit = self._unit or fields.unit_of(self._metre)
        tempo = fields.tempo(self._tempo, unit) if self._tempo else None
        label = _LABEL.search(settings)
        return Voice(
            self._key.shift + fields.moved(settings)[0], self._key, unit, self._metre, tempo,
            self._program, label[1].strip('"') if label else "", self._one_octave,
        )  # fmt: skip

    def _music(self, text: str) -> None:
        found = tokens(text)
        for token in found:
            if token.kind == "field":
                letter, _, value = token.text[1:-1].partition(":")
                self._field(letter, value)
                continue
            voice = self._voice()
            voice.enter(self._part)
            if token.kind == "chord":
                self._chord(voice, found)
            else:
                self._token(voice, token)

    def _chord(self, voice: Voice, found: Iterator[Token]) -> None:
        """[CEG]2: the notes up to the bracket; its length is that of the first one."""
        notes: list[Written] = []
        for kind, text in found:
            if kind == "note":
                notes.append(voice.note(text))
            elif kind == "tie" and notes:
                voice.tie(notes[-1])
            elif kind == "chord_end":
                factor = lasting(text[1:])
                for note in notes:
                    note.length *= factor
                if not notes:
                    raise Wrong("a chord [ ] has no notes")
                voice.sound(notes[0].length, notes, self.line)
                return
            elif kind not in ("accent", "slur", "text", "reserved"):
                raise Wrong(f'"{text[:9]}" stands within a chord [ ]')
            else:
                self._aside(voice, kind, text)
        raise Wrong("a chord that begins with [ is not closed with ]")

    def _token(self, voice: Voice, token: Token) -> None:
        kind, text = token
        if kind == "note":
            note = voice.note(text)
            voice.sound(note.length, [note], self.line)
        elif kind == "rest":
            voice.rest(text[1:], self.line)
        elif kind == "bars_rest":
            voice.bars_of_rest(text[1:], self.line)
        elif kind == "bar":
            voice.bar(text)
        elif kind == "ending":
            voice.ending(text)
        elif kind == "tie":
            voice.tie()
        elif kind == "tuplet":
            voice.tuplet(text)
        elif kind == "broken":
            voice.broken(text)
        elif kind == "overlay":
            raise Wrong("overlaid voices (&) are not read; write them as voices of their own (V:)")
        elif kind == "chord_end":
            raise Wrong("a chord is closed with ] that was not begun with [")
        else:
            self._aside(voice, kind, text)

    def _aside(self, voice: Voice, kind: str, text: str) -> None:
        """What does not change which notes sound when."""
        if kind == "text":
            voice.text(text[1:-1])
        elif kind == "grace":
            self.unused["grace notes"] += len(re.findall("[A-Ga-g]", text))
        elif kind == "reserved":
            self.unused["marks without a meaning"] += text not in "`$!"
        elif kind == "accent":
            if _JUMP.match(text):
                self.unused["jumps (da capo, coda and the like), not played"] += 1
            elif len(text) == 1:
                self.unused["letters without a meaning"] += text not in MARKS + "+"
