"""The small language of what music has to keep: parts with ; between them, each one rule.

key D minor; soprano 60-81; bass E2-C4; metre 3/4; no repeat 4 bars; required G4 at bar 8 beat 2
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from elman.data.symbolic.theory import keys
from elman.errors import UserError, unknown_name
from elman.options import shown

VOICES = {"soprano": "soprano", "alto": "alto", "tenor": "tenor", "bass": "bass"}
VOICES |= {"s": "soprano", "a": "alto", "t": "tenor", "b": "bass"}
LETTERS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
ACCIDENTALS = {"#": 1, "♯": 1, "b": -1, "♭": -1}
NOTE = re.compile(r"([a-gA-G])([#♯b♭]{0,2})(-?\d{1,2})?")
RANGE = re.compile(r"(\d{1,3}|[a-gA-G][#♯b♭]{0,2}-?\d)\s*-\s*(\d{1,3}|[a-gA-G][#♯b♭]{0,2}-?\d)")
MOST_PARTS = 200
UNITS = (1, 2, 4, 8, 16, 32)

FORMS = {
    "key": "key D minor",
    "range": "range 36-84",
    "soprano": "soprano 60-81",
    "alto": "alto 53-74",
    "tenor": "tenor 48-69",
    "bass": "bass E2-C4",
    "voice": "voice 2 53-74",
    "metre": "metre 3/4",
    "at most": "at most 4 notes",
    "no repeat": "no repeat 4 bars",
    "no parallels": "no parallels",
    "hold": "hold 2 bars",
    "forbidden": "forbidden F#, C4",
    "required": "required G4 at bar 8 beat 2",
}
"""One example of each rule, by the words that it begins with."""


@dataclass(frozen=True)
class Range:
    """The pitches from `low` to `high`, both among them, of a voice by name or number from 1, or
    of all notes where it names none."""

    voice: str
    low: int
    high: int


@dataclass(frozen=True)
class Required:
    """`pitch` sounds at a beat, from 1, of a bar, from 1, counted from the piece's beginning."""

    pitch: int
    bar: int
    beat: Fraction


@dataclass(frozen=True)
class Hold:
    """Notes sound at most so many bars, or beats."""

    count: int
    beats: bool = False


@dataclass(frozen=True)
class Rules:
    """What music has to keep; by default nothing.

    `classes` are the pitch classes that it may have, 0 to 11, C is 0: those of `key`, a name.
    `forbidden` are pitches that it may not. At most `most` notes sound at a time. No run of
    `no_repeat` bars is one that stood before. With `no_parallels` no two voices go from a fifth to
    a fifth, or from an octave to an octave. No note sounds longer than `hold`.
    """

    key: str = ""
    classes: frozenset[int] | None = None
    ranges: tuple[Range, ...] = ()
    metre: tuple[int, int] | None = None
    most: int | None = None
    no_repeat: int = 0
    no_parallels: bool = False
    hold: Hold | None = None
    forbidden: frozenset[int] = frozenset()
    required: tuple[Required, ...] = ()

    def allows(self, pitch: int) -> bool:
        """Whether a pitch may sound at all, in some voice."""
        return (
            (self.classes is None or pitch % 12 in self.classes)
            and pitch not in self.forbidden
            and all(r.low <= pitch <= r.high for r in self.ranges if not r.voice)
        )


def parse(text: str) -> Rules:
    """The rules that a text states. UserError: a part that is not understood, or said twice."""
    rules = Rules()
    parts = [" ".join(part.split()) for part in text.split(";")]
    parts = [part for part in parts if part]
    if len(parts) > MOST_PARTS:
        raise UserError(f"--keep: {len(parts):,} parts; at most {MOST_PARTS} are read")
    for part in parts:
        head, parser = _head(part)
        try:
            changed = parser(part[len(head) :].strip(), rules)
        except _Wrong as wrong:
            told = f"{wrong} " if str(wrong) else ""
            form = FORMS[VOICES.get(head.lower(), head.lower())]
            raise UserError(f'--keep "{shown(part)}": {told}needs the form "{form}"') from None
        except UserError as error:
            raise UserError(f'--keep "{shown(part)}": {error}') from None
        rules = changed
    for required in rules.required:
        if not rules.allows(required.pitch):
            raise UserError(f"--keep: {name_of(required.pitch)} is required, and not allowed")
    return rules


class _Wrong(Exception):
    """A part is not in its form."""


Parser = Callable[[str, Rules], Rules]


def _head(part: str) -> tuple[str, Parser]:
    """The words that say what kind of rule a part is, and who reads the others."""
    words = part.lower().split()
    both = " ".join(words[:2])
    for head in (both, words[0]):
        if head in PARSERS:
            return part[: len(head)], PARSERS[head]
    named = both if any(form.startswith(f"{words[0]} ") for form in FORMS) else words[0]
    raise UserError(f'--keep "{shown(part)}": {unknown_name("rule", named, FORMS)}')


def _key(rest: str, rules: Rules) -> Rules:
    _once(rules.key)
    if not rest:
        raise _Wrong
    key = keys.key(rest)
    # What melodies in minor use besides: the raised sixth and seventh.
    raised = (9, 11) if key.mode == "minor" else ()
    classes = key.classes | {(key.tonic + step) % 12 for step in raised}
    return replace(rules, key=key.name, classes=classes)


def _range(rest: str, rules: Rules, voice: str = "") -> Rules:
    found = RANGE.fullmatch(rest)
    if found is None:
        raise _Wrong
    low, high = (int(end) if end.isdigit() else _pitch(end) for end in found.groups())
    if not 0 <= low <= high <= 127:
        raise _Wrong(f"{low}-{high} is no range within 0-127;")
    _once(voice in [r.voice for r in rules.ranges])
    return replace(rules, ranges=(*rules.ranges, Range(voice, low, high)))


def _of(voice: str) -> Parser:
    return lambda rest, rules: _range(rest, rules, voice)


def _voice(rest: str, rules: Rules) -> Rules:
    number, _, limits = rest.partition(" ")
    if not number.isdigit() or not 1 <= int(number) <= 64:
        raise _Wrong
    return _range(limits, rules, str(int(number)))


def _metre(rest: str, rules: Rules) -> Rules:
    _once(rules.metre)
    found = re.fullmatch(r"(\d{1,2}) ?/ ?(\d{1,2})", rest)
    if found is None or not int(found[1]) or int(found[2]) not in UNITS:
        raise _Wrong
    return replace(rules, metre=(int(found[1]), int(found[2])))


def _most(rest: str, rules: Rules) -> Rules:
    _once(rules.most)
    found = re.fullmatch(r"(\d{1,3})( notes?)?", rest.lower())
    if found is None:
        raise _Wrong
    return replace(rules, most=int(found[1]))


def _no_repeat(rest: str, rules: Rules) -> Rules:
    _once(rules.no_repeat)
    found = re.fullmatch(r"(\d{1,4})( bars?)?", rest.lower())
    if found is None or not int(found[1]):
        raise _Wrong
    return replace(rules, no_repeat=int(found[1]))


def _no_parallels(rest: str, rules: Rules) -> Rules:
    _once(rules.no_parallels)
    if rest:
        raise _Wrong
    return replace(rules, no_parallels=True)


def _hold(rest: str, rules: Rules) -> Rules:
    _once(rules.hold)
    found = re.fullmatch(r"(\d{1,4}) (bar|beat)s?", rest.lower())
    if found is None or not int(found[1]):
        raise _Wrong
    return replace(rules, hold=Hold(int(found[1]), found[2] == "beat"))


def _forbidden(rest: str, rules: Rules) -> Rules:
    pitches = set(rules.forbidden)
    for item in _items(rest):
        found = NOTE.fullmatch(item)
        if found is not None and found[3] is None:
            of_class = _class(found[1], found[2]) % 12
            pitches |= {p for p in range(128) if p % 12 == of_class}
        else:
            pitches.add(_pitch(item))
    return replace(rules, forbidden=frozenset(pitches))


def _required(rest: str, rules: Rules) -> Rules:
    found = re.fullmatch(r"(.+?) at bar (\d{1,5})(?: beat (\d{1,3}(?:[./]\d{1,3})?))?", rest)
    if found is None:
        raise _Wrong
    try:
        bar, beat = int(found[2]), Fraction(found[3] or 1)
    except ZeroDivisionError:
        raise _Wrong from None
    if bar < 1 or beat < 1:
        raise _Wrong("bars and beats are counted from 1;")
    made = tuple(Required(_pitch(item), bar, beat) for item in _items(found[1]))
    return replace(rules, required=rules.required + made)


def _items(text: str) -> list[str]:
    items = [item for item in re.split(r"[,\s]+", text) if item]
    if not items:
        raise _Wrong
    return items


def _once(there: object) -> None:
    if there:
        raise UserError("said twice")


def _class(letter: str, accidentals: str) -> int:
    return LETTERS[letter.lower()] + sum(ACCIDENTALS[a] for a in accidentals)


def _pitch(text: str) -> int:
    """A pitch from its name or number. `_Wrong`: it is none."""
    found = NOTE.fullmatch(text)
    if text.isdigit() and len(text) <= 3:
        pitch = int(text)
    elif found is None or found[3] is None:
        raise _Wrong(f'"{shown(text)}" is no note such as C4, F#5 or 60;')
    else:
        pitch = _class(found[1], found[2]) + 12 * (int(found[3]) + 1)
    if not 0 <= pitch <= 127:
        raise _Wrong(f"{shown(text)} is not within 0-127, C-1 to G9;")
    return pitch


NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


def name_of(pitch: int) -> str:
    """The name of a pitch; 60 is C4.

    >>> name_of(60), name_of(61), name_of(70), name_of(0)
    ('C4', 'C#4', 'Bb4', 'C-1')
    """
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


PARSERS: dict[str, Parser] = {
    "key": _key,
    "range": _range,
    "voice": _voice,
    "metre": _metre,
    "at most": _most,
    "no repeat": _no_repeat,
    "no parallels": _no_parallels,
    "hold": _hold,
    "forbidden": _forbidden,
    "required": _required,
} | {word: _of(name) for word, name in VOICES.items()}


def voice_index(name: str, voices: int) -> int:
    """Which voice a name or number means among so many, the highest first. UserError: none."""
    if name.isdigit():
        if not 1 <= int(name) <= voices:
            raise UserError(f"voice {name}: the model has voices 1 to {voices}")
        return int(name) - 1
    known = {
        1: {"soprano": 0, "bass": 0},
        2: {"soprano": 0, "bass": 1},
        3: {"soprano": 0, "alto": 1, "bass": 2},
        4: {"soprano": 0, "alto": 1, "tenor": 2, "bass": 3},
    }.get(voices, {"soprano": 0, "bass": voices - 1})
    own = VOICES.get(name.lower(), name)
    if own not in known:
        raise unknown_name("voice", name, [*known, *map(str, range(1, voices + 1))])
    return known[own]
