"""Which token may come next, so that whatever is written is a piece: no note hangs, none is empty.

The language is that of the tokens of real pieces: steps and pitches ascend, no note begins while
one of its pitch and instrument sounds. So what is written, decoded and encoded again is the same.

    remi        (Bar Metre (Position Note+)*)+        Note = [Program] Pitch [Velocity] Duration
    midi-like   (Off* On* TimeShift*)+ by instrument  On = [Program] NoteOn [Velocity]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from elman.tasks.music.events.fitting import Bar, Placed
from elman.tasks.music.events.settings import DRUMS
from elman.tasks.music.events.tokens import Tokenizer

Mask = NDArray[np.bool_]
Key = tuple[int, int]  # instrument, pitch
Event = tuple[int, int, int, int]  # instrument, 0 for an end, when it began, pitch; in their order

HALF_TOLD = ("Bar", "Program", "Pitch", "PitchDrum", "NoteOn", "DrumOn", "Velocity")
NEVER = (-1, -1, -1, -1)  # before all that happens at a step


@dataclass(frozen=True)
class Keeping:
    """What writing has to keep besides. `pitches` [128] may begin, drums aside; only `metre`, if
    one is named; at most `most` notes sound at a time, if told, and no note longer than `hold`
    steps, if that is not 0."""

    pitches: Mask = field(default_factory=lambda: np.ones(128, np.bool_))
    metre: str = ""
    most: int | None = None
    hold: int = 0


@dataclass
class Stand:
    """Where a sequence of tokens stands: what was read of it, and what is under way.

    `sounding` tells of each note the step at which it ends (remi) or began (midi-like); `latest`
    is the newest event at this step, in their order; `notes` are those that are whole, `begun` all
    of them.
    """

    last: str = "BOS"  # kind of the newest token; "Begun" once all of a midi-like note's are there
    step: int = 0
    position: int = -1  # the newest in this bar
    bars: list[Bar] = field(default_factory=list)
    bar_steps: int = 0
    sounding: dict[Key, int] = field(default_factory=dict)
    loudness: dict[Key, int] = field(default_factory=dict)  # of those that sound, midi-like
    latest: tuple[int, int, int, int] = NEVER
    instrument: int | None = None
    pitch: int = 0
    velocity: int = 0
    shift: int = 0  # of the newest token, if it lets time pass
    notes: list[Placed] = field(default_factory=list)
    begun: list[tuple[int, int, int]] = field(default_factory=list)  # step, instrument, pitch

    @property
    def bar_start(self) -> int:
        return self.bars[-1].start if self.bars else 0

    def copy(self) -> Stand:
        """The same, to be gone on with apart."""
        return replace(
            self, bars=self.bars.copy(), sounding=self.sounding.copy(),
            loudness=self.loudness.copy(), notes=self.notes.copy(), begun=self.begun.copy(),
        )  # fmt: skip

    @property
    def settled(self) -> bool:
        """Whether no event is half told."""
        return self.last not in (
            "Program",
            "Pitch",
            "PitchDrum",
            "NoteOn",
            "DrumOn",
            "Velocity",
            "Bar",
        )


class Grammar:
    """The grammar of a tokenizer's sequences."""

    def __init__(self, tokenizer: Tokenizer, keeping: Keeping | None = None) -> None:
        self.tokenizer, self.settings = tokenizer, tokenizer.settings
        self.keeping = keeping or Keeping()
        self._size = len(tokenizer)
        s = self.settings
        tables: dict[str, NDArray[np.int64]] = {
            kind: np.full(max(130, s.longest + 2, 200), -1, np.int64)
            for kind in set(tokenizer.kinds.tolist())
        }
        for k, token in enumerate(tokenizer.tokens):
            if token.kind != "Metre":
                tables[token.kind][token.value] = k  # -1, the drums' instrument, is the last place
        self._ids = tables
        self._velocity = np.flatnonzero(tokenizer.kinds == "Velocity")
        named = self.keeping.metre
        self._metres = np.array(
            [k for name, k in tokenizer.metre_ids.items() if named in ("", name)], np.int64
        )
        usable = np.zeros(128, np.bool_)
        usable[s.lowest : s.highest + 1] = True
        self._usable = {
            k: usable if k == DRUMS else usable & self.keeping.pitches for k in s.instruments
        }
        self._usable_keys = [
            (k, int(p)) for k, row in self._usable.items() for p in np.flatnonzero(row)
        ]
        if not self._usable_keys or (not len(self._metres) and s.barred):
            raise ValueError("nothing may be written")

    def start(self) -> Stand:
        """After the begin token."""
        return Stand()

    def allowed(self, at: Stand) -> Mask:
        """Which ids [V] may come next, the end among them."""
        mask = np.zeros(self._size, np.bool_)
        mask[self._next(at)] = True
        return mask

    def read(self, at: Stand, token: int) -> None:
        """Moves `at` on. ValueError: this token may not stand there."""
        if not 0 <= token < self._size or not self.allowed(at)[token]:
            raise ValueError(f"token {token} cannot stand there")
        self.move(at, token)

    def walked(self, ids: Iterable[int]) -> Stand:
        """The place after these tokens, the begin among them, which are known to fit."""
        at = self.start()
        for token in ids:
            if token != self.tokenizer.begin:
                self.move(at, int(token))
        return at

    def move(self, at: Stand, token: int) -> None:
        """As `read`, of a token that is known to fit."""
        kind, value = self.tokenizer.tokens[token].kind, self.tokenizer.tokens[token].value
        at.shift = 0
        if kind == "Metre":
            self._begin_bar(at, self.tokenizer.tokens[token].metre)
        elif kind == "Position":
            at.position, at.step, at.latest = value, at.bar_start + value, NEVER
            at.instrument = None
        elif kind == "TimeShift":
            at.step, at.shift, at.latest, at.instrument = at.step + value, value, NEVER, None
        elif kind == "Program":
            at.instrument = value
        elif kind in ("Pitch", "PitchDrum", "NoteOn", "DrumOn"):
            at.pitch, at.velocity = value, self.settings.velocity
            if kind in ("NoteOn", "DrumOn") and not self.settings.velocities:
                self._note_on(at)
                kind = "Begun"
        elif kind == "Velocity":
            at.velocity = value
            if not self.settings.barred:
                self._note_on(at)
                kind = "Begun"
        elif kind == "Duration":
            self._note(at, value)
        elif kind in ("NoteOff", "DrumOff"):
            self._note_off(at, value)
        at.last = kind

    def _begin_bar(self, at: Stand, metre: str) -> None:
        start = at.bar_start + at.bar_steps
        at.bars.append(Bar(start, metre))
        at.bar_steps = self.settings.bar_steps(metre)
        at.step, at.position, at.latest = start, -1, NEVER
        at.sounding = {key: end for key, end in at.sounding.items() if end > start}

    def _playing(self, at: Stand) -> int:
        """The instrument of the event under way."""
        return self.settings.instruments[0] if at.instrument is None else at.instrument

    def _note(self, at: Stand, steps: int) -> None:
        one = (self._playing(at), at.pitch)
        at.sounding[one] = at.step + steps
        at.begun.append((at.step, *one))
        at.notes.append(Placed(at.step, *one, at.step + steps, at.velocity))
        at.latest, at.instrument = (one[0], 1, at.pitch, 0), None

    def _note_on(self, at: Stand) -> None:
        one = (self._playing(at), at.pitch)
        at.sounding[one], at.loudness[one] = at.step, at.velocity
        at.begun.append((at.step, *one))
        at.latest, at.instrument = (one[0], 1, at.pitch, 0), None

    def _note_off(self, at: Stand, pitch: int) -> None:
        one = (self._playing(at), pitch)
        began = at.sounding.pop(one)
        at.notes.append(Placed(began, *one, at.step, at.loudness.pop(one)))
        at.latest, at.instrument = (one[0], 0, began, pitch), None

    # ---- What may come next

    def _next(self, at: Stand) -> NDArray[np.int64] | list[int]:
        if at.last == "EOS":
            return []
        barred = self.settings.barred
        if at.last in ("Pitch", "PitchDrum", "NoteOn", "DrumOn"):
            return self._velocity if self.settings.velocities else self._durations
        if at.last == "Velocity":
            return self._durations
        return self._next_of_bars(at) if barred else self._next_of_shifts(at)

    @property
    def _durations(self) -> NDArray[np.int64]:
        longest = self.settings.longest
        return self._ids["Duration"][1 : min(self.keeping.hold or longest, longest) + 1]

    def _next_of_bars(self, at: Stand) -> NDArray[np.int64] | list[int]:
        if at.last == "BOS":
            return self._ids["Bar"][:1]
        if at.last == "Bar":
            return self._metres
        if at.last == "Program":
            return self._pitches(at, self._playing(at))
        found: list[int] = self._notes(at) if at.last in ("Position", "Duration") else []
        if at.last == "Position":
            return found
        first = max(at.position + 1, self._free_from(at) - at.bar_start)
        found += _listed(self._ids["Position"][first : at.bar_steps])
        found += _listed(self._ids["Bar"][:1])
        if at.last == "Duration":
            found.append(self.tokenizer.end)
        return found

    def _notes(self, at: Stand) -> list[int]:
        """How a note may begin at this step: by its instrument, or its pitch."""
        if not self.settings.several:
            return _listed(self._pitches(at, self.settings.instruments[0]))
        fitting = [k for k in self.settings.instruments if len(self._pitches(at, k))]
        return _listed(self._ids["Program"][fitting])

    def _pitches(self, at: Stand, instrument: int) -> NDArray[np.int64]:
        """The tokens of the pitches with which a note of this instrument may begin."""
        free = self._usable[instrument].copy()
        sounding = [key for key, when in at.sounding.items() if self._sounds(at, when)]
        most = self.keeping.most
        if most is not None and len(sounding) >= most:
            return np.zeros(0, np.int64)
        free[[pitch for k, pitch in sounding if k == instrument]] = False
        # At one step instruments ascend, and pitches of each.
        if at.latest[:2] >= (instrument, 1):
            free[: at.latest[2] + 1 if at.latest[0] == instrument else 128] = False
        on, drum = ("Pitch", "PitchDrum") if self.settings.barred else ("NoteOn", "DrumOn")
        return self._ids[drum if instrument == DRUMS else on][:128][free]

    def _sounds(self, at: Stand, when: int) -> bool:
        return when > at.step if self.settings.barred else True

    def _free_from(self, at: Stand) -> int:
        """The first step after this one, or this one, at which some note may begin."""
        ends = sorted(end for end in at.sounding.values() if end > at.step)
        most = self.keeping.most
        first = at.step
        if most is not None and len(ends) >= most:
            first = ends[len(ends) - most]
        if len(ends) >= len(self._usable_keys):  # it may be that all of them sound
            first = max(first, min(at.sounding.get(key, 0) for key in self._usable_keys))
        return first

    def _next_of_shifts(self, at: Stand) -> list[int]:
        several, longest, due = self.settings.several, self.settings.longest, self._due(at)
        if at.last == "Program":
            return self._happens(at, self._playing(at), due)
        # Longer silences than one token tells begin with the longest one.
        again = (at.last != "TimeShift" or at.shift == longest) and not due
        shift = min(max(self._room(at), 1), longest)
        found = _listed(self._ids["TimeShift"][1 : shift + 1]) if again else []
        instruments = self.settings.instruments
        happens = {k: self._happens(at, k, due) for k in instruments}
        if several:
            found += [int(self._ids["Program"][k]) for k in instruments if happens[k]]
        else:
            found += happens[instruments[0]]
        if at.last in ("NoteOff", "DrumOff") and not at.sounding:
            found.append(self.tokenizer.end)
        return found

    def _happens(self, at: Stand, instrument: int, due: Sequence[Event]) -> list[int]:
        """The tokens that end or begin a note of this instrument, none of them after what is
        due."""
        offs = self._offs(at, instrument, due[0] if due else None)
        if due and (instrument, 1) > due[0][:2]:
            return offs
        return offs + _listed(self._pitches(at, instrument))

    def _offs(self, at: Stand, instrument: int, last: Event | None) -> list[int]:
        """The tokens that end a note of this instrument that sounds: in their order, and so before
        any begins at this step; none after `last`."""
        return [
            self._off(k, pitch)
            for (k, pitch), began in at.sounding.items()
            if k == instrument
            and (k, 0, began, pitch) > at.latest
            and (last is None or (k, 0, began, pitch) <= last)
        ]

    def _off(self, instrument: int, pitch: int) -> int:
        return int(self._ids["DrumOff" if instrument == DRUMS else "NoteOff"][pitch])

    def _room(self, at: Stand) -> int:
        """How many steps may pass until a note that sounds has sounded as long as it may."""
        longest = self.settings.longest
        if not self.keeping.hold:
            return longest
        left = (began + self.keeping.hold - at.step for began in at.sounding.values())
        return min(left, default=longest)

    def _due(self, at: Stand) -> list[Event]:
        """The ends of notes that have to come at this step, in their order."""
        if self._room(at) > 0:
            return []
        ends = sorted((k, 0, began, pitch) for (k, pitch), began in at.sounding.items())
        return [e for e in ends if e[2] + self.keeping.hold <= at.step and e > at.latest]

    def shifts(self, steps: int) -> list[int]:
        """The tokens of midi-like that let so many steps pass: the longest first."""
        longest = self.settings.longest
        each = [longest] * (steps // longest) + ([steps % longest] if steps % longest else [])
        return [int(self._ids["TimeShift"][n]) for n in each]

    def closing(self, at: Stand, until: int) -> list[int]:
        """The tokens that end all notes that sound, at the step `until` or, where that is no later
        than the last of them began, a step after that. For remi there are none."""
        if self.settings.barred or not at.sounding:
            return []
        newest = max(at.sounding.values())
        end = max(until, at.step, newest + 1)
        due = self._due(at) if end > at.step else []
        rest = sorted((k, 0, began, pitch) for (k, pitch), began in at.sounding.items())
        made = [token for event in due for token in self._ending(event)]
        made += self.shifts(end - at.step)
        return made + [t for event in rest if event not in due for t in self._ending(event)]

    def _ending(self, event: Event) -> list[int]:
        """The tokens that tell the end of a note."""
        instrument, _, _, pitch = event
        program = [int(self._ids["Program"][instrument])] if self.settings.several else []
        return [*program, self._off(instrument, pitch)]


def _listed(ids: NDArray[np.int64]) -> list[int]:
    return [int(k) for k in ids]
