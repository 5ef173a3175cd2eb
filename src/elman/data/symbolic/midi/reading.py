"""MIDI files as pieces.

Formats 0 and 1. A track of several channels or programmes becomes a track for each; drums are those
of channel 10. What gives no note, tempo, metre, key or name is counted as not used.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from elman.data.symbolic import arrays
from elman.data.symbolic.account import Account
from elman.data.symbolic.arrays import Ints
from elman.data.symbolic.midi import notes
from elman.data.symbolic.midi.chunks import Events, File, parse
from elman.data.symbolic.piece import ChordSymbol, Metre, Piece, Tempo, Track
from elman.data.symbolic.theory.keys import LETTERS, MOST, Key
from elman.data.symbolic.timing import COMMON_TIME, bar_ticks
from elman.errors import UserError

DRUMS: Final = 9  # counted from 0
MOST_TRACKS: Final = 128  # with notes
MOST_QUARTERS: Final = 20_000  # nearly three hours at 120 a minute
LONGEST_NAME: Final = 80  # letters
CHORD: Final = b"chord: "  # what a text begins with that is a chord symbol, as `write_midi` puts it
TEXT, NAME, TEMPO, METRE, KEY = 0x01, 0x03, 0x51, 0x58, 0x59
OF_METAS: Final = {
    TEXT: "texts", 0x02: "texts", 0x04: "texts", 0x05: "lyrics", 0x06: "texts", 0x07: "texts",
    0x7F: "messages to instruments",
}  # fmt: skip
NOTE_OFF, NOTE_ON, CONTROLLER, PROGRAM = 0x80, 0x90, 0xB0, 0xC0
NO_BEND: Final = (0xE0, 0, 64)  # which only says that there is none
SUSTAIN: Final = 64
SILENCE: Final = (120, 123)  # all sound off, all notes off
OF_STATUS: Final = {
    0xA0: "changes of pressure", 0xB0: "controllers", 0xD0: "changes of pressure",
    0xE0: "pitch bends",
}  # fmt: skip
EMPTY: Final = "tracks without notes: left out"
SPLIT: Final = "tracks of several channels or programmes: one made of each"
SMPTE: Final = "files timed in frames a second: a quarter is taken for a second"
RATES: Final = {24: 24.0, 25: 25.0, 29: 30 / 1.001, 30: 30.0}  # frames a second, by the header
NO_END: Final = "tracks that do not say that they end: they end with their last event"
FEWER: Final = "headers that tell of fewer tracks than there are: all are read"
BEHIND: Final = "files with bytes behind their last track: not read"
FINEST: Final = 7  # 1/128, the finest unit of a metre, as a power of two
ALTERS: Final = (-1, 0, 1)
BAD_META: Final = "tempos, metres or keys that mean nothing: passed over"


Meta = tuple[int, int, bytes]  # tick, kind, what it holds


def read_midi(data: bytes, name: str, account: Account) -> Piece:
    """The piece in a MIDI file. What was mended and left out is added to `account`.

    UserError, naming the byte: not MIDI, cut short, damaged, of format 2, a division of 0, more
    than 20,000 quarters, 128 tracks or a million events, or without a note.
    """
    file = parse(data, name)
    own = Account(files=1)
    division, rate = _division(file, name, own)
    end = max((track.end for track in file.tracks), default=0)
    if end > MOST_QUARTERS * division:
        raise UserError(
            f"{name}: lasts {end:,} ticks, {end // division:,} quarters, more than "
            f"{MOST_QUARTERS:,}; cut it into pieces"
        )
    metas = [meta for track in file.tracks for meta in track.metas]
    metas.sort(key=lambda meta: meta[0])  # stable: of those at one tick the last one counts
    metres, pickup = _metres(metas, division, own)
    tracks = _tracks(file, _bar_ends(metres, pickup, division, end), own)
    if not tracks:
        raise UserError(f"{name}: holds no note; give a file with notes in it")
    if len(tracks) > MOST_TRACKS:
        raise UserError(
            f"{name}: {len(tracks):,} tracks with notes, more than {MOST_TRACKS}; leave some out"
        )
    _count_the_rest(file, metas, own)
    own.pieces, own.tracks = 1, len(tracks)
    own.notes = sum(len(track.notes) for track in tracks)
    account.add(own)
    return Piece(
        name, division, tuple(tracks),
        max(end, *(int(arrays.table(track.notes)[:, :2].sum(1).max()) for track in tracks)),
        _tempos(metas, own) if rate is None else (Tempo(0, rate),),
        metres, _chords(metas), pickup, key=_key(metas, own),
    )  # fmt: skip


def _division(file: File, name: str, account: Account) -> tuple[int, float | None]:
    """Ticks a quarter; where times are in frames a second, also how many quarters a minute are."""
    if file.format > 1:
        what = "a set of independent patterns" if file.format == 2 else "unknown"
        raise UserError(
            f"{name}: MIDI of format {file.format}, {what}; save each piece as format 0 or 1"
        )
    if not file.division & 0x8000:
        if not file.division:
            raise UserError(f"{name}: a division of 0 ticks a quarter: damaged; make it again")
        return file.division, None
    frames, ticks = 256 - (file.division >> 8), file.division & 0xFF
    if frames not in RATES or not ticks:
        raise UserError(
            f"{name}: a division of {ticks} ticks in each of {frames} frames a second: damaged; "
            "make it again"
        )
    account.mended[SMPTE] += 1
    whole = 30 if frames == 29 else frames
    return whole * ticks, 60 * RATES[frames] / whole


def _tracks(file: File, bar_end: Callable[[int], int], account: Account) -> list[Track]:
    """The tracks that have notes, in the order of the file."""
    changes = [_changes(events) for events in file.tracks]
    everywhere = _together(changes)
    found: list[Track] = []
    for k, (events, own) in enumerate(zip(file.tracks, changes, strict=True)):
        name, before = _name(events), len(found)
        silences = _silences(events, account)
        kind, channels = events.channel[:, 1] & 0xF0, events.channel[:, 1] & 0x0F
        played = (kind == NOTE_ON) | (kind == NOTE_OFF)
        for channel in np.unique(channels[played]).tolist():
            mine = played & (channels == channel)
            switches = events.channel[mine][:, (0, 2, 3)]
            switches[kind[mine] == NOTE_OFF, 2] = 0
            of_channel = notes.notes_of(
                switches, silences.get(channel, ()), bar_end, account.mended
            )
            programs = own.get(channel) or everywhere.get(channel, [])
            for program, rows in _by_program(of_channel, programs):
                found.append(Track(arrays.notes(rows), program, channel == DRUMS, name))
        account.mended[SPLIT] += len(found) - before > 1
        account.mended[EMPTY] += len(found) == before and k > 0  # the first has the tempos
        account.mended[NO_END] += not events.ended
    return found


def _by_program(rows: Ints, programs: Sequence[tuple[int, int]]) -> Iterator[tuple[int, Ints]]:
    """The notes of one channel, parted by the programme at their beginning."""
    if len({program for _, program in programs}) < 2:
        late = programs and len(rows) and rows[0, 0] < programs[0][0] and programs[0][1]
        if len(rows) and not late:
            yield (programs[0][1] if programs else 0), rows
            return
    ticks = np.array([tick for tick, _ in programs], np.int64)
    values = np.array([0, *(program for _, program in programs)], np.int64)
    of_note = values[np.searchsorted(ticks, rows[:, 0], side="right")]
    for program in dict.fromkeys(of_note.tolist()):
        yield program, rows[of_note == program]


def _silences(events: Events, account: Account) -> dict[int, list[int]]:
    """By channel the ticks of "all notes off". What gives no notes is counted."""
    tick, status, first, second = events.channel.T
    kind = status & 0xF0
    others = (kind != NOTE_ON) & (kind != NOTE_OFF) & (kind != PROGRAM)
    silences: dict[int, list[int]] = {}
    if not others.any():
        return silences
    rest = zip(*(column[others].tolist() for column in (tick, status, first, second)), strict=True)
    for at, code, one, two in rest:
        if code & 0xF0 == CONTROLLER and one in SILENCE:
            silences.setdefault(code & 0x0F, []).append(at)
        elif code & 0xF0 == CONTROLLER and one == SUSTAIN:
            account.unused["sustain pedal up or down"] += 1
        elif (code & 0xF0, one, two) != NO_BEND:
            account.unused[OF_STATUS[code & 0xF0]] += 1
    return silences


Changes = dict[int, list[tuple[int, int]]]  # by channel: from a tick on, a programme


def _changes(events: Events) -> Changes:
    changes: Changes = {}
    rows = events.channel[events.channel[:, 1] & 0xF0 == PROGRAM]
    for tick, status, program, _ in rows.tolist():
        changes.setdefault(status & 0x0F, []).append((tick, program))
    return changes


def _together(changes: Sequence[Changes]) -> Changes:
    """The changes of all tracks: a channel may be told its programme in another track."""
    together: Changes = {}
    for one in changes:
        for channel, listed in one.items():
            together.setdefault(channel, []).extend(listed)
    for listed in together.values():
        listed.sort(key=lambda change: change[0])
    return together


def _name(events: Events) -> str:
    return next((_text(data) for _, kind, data in events.metas if kind == NAME), "")


def _text(data: bytes) -> str:
    """A text in whatever it is written in; what cannot be shown is left out of it."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return "".join(letter for letter in text if letter.isprintable())[:LONGEST_NAME].strip()


def _metres(
    metas: Sequence[Meta], division: int, account: Account
) -> tuple[tuple[Metre, ...], int]:
    """The metres, and how many ticks stand before the first whole bar.

    A first bar that is shorter than those after it, by its metre or because the metre is told again
    within it, is a pickup.
    """
    found: list[Metre] = []
    for tick, kind, data in metas:
        if kind != METRE:
            continue
        if len(data) < 2 or not data[0] or data[1] > FINEST:
            account.mended[BAD_META] += 1
            continue
        metre = Metre(tick, data[0], 1 << data[1])
        if found and found[-1].tick == tick:
            found[-1] = metre
        else:
            found.append(metre)
    if found and found[0].tick:
        found.insert(0, COMMON_TIME)
    pickup = 0
    if len(found) > 1:
        first, second = found[:2]
        lasts, bar = second.tick, bar_ticks(division, first)
        by_metre = lasts == bar < bar_ticks(division, second)
        if by_metre or (first[1:] == second[1:] and lasts < bar):
            pickup, found = lasts, [second._replace(tick=0), *found[2:]]
    changes = [m for k, m in enumerate(found) if not k or m[1:] != found[k - 1][1:]]
    return tuple(changes), pickup


def _bar_ends(
    metres: Sequence[Metre], pickup: int, division: int, end: int
) -> Callable[[int], int]:
    """From a tick to the end of its bar, or of the piece where that is earlier."""
    begins = [0, *(metre.tick for metre in metres[1:])]

    def bar_end(tick: int) -> int:
        k = bisect_right(begins, tick) - 1
        begin = begins[k] if k else pickup
        bar = bar_ticks(division, metres[k] if metres else COMMON_TIME)
        found = begin if tick < begin else math.ceil(begin + ((tick - begin) // bar + 1) * bar)
        return min([found, *begins[k + 1 : k + 2], *([end] if end > tick else [])])

    return bar_end


def _tempos(metas: Sequence[Meta], account: Account) -> tuple[Tempo, ...]:
    found: list[Tempo] = []
    for tick, kind, data in metas:
        if kind != TEMPO:
            continue
        microseconds = int.from_bytes(data[:3], "big")
        if len(data) < 3 or not microseconds:
            account.mended[BAD_META] += 1
            continue
        tempo = Tempo(tick, 60e6 / microseconds)
        if found and found[-1].tick == tick:
            found.pop()
        if not found or found[-1].quarters_per_minute != tempo.quarters_per_minute:
            found.append(tempo)
    return tuple(found)


def _chords(metas: Sequence[Meta]) -> tuple[ChordSymbol, ...]:
    return tuple(
        ChordSymbol(tick, _text(data[len(CHORD) :]))
        for tick, kind, data in metas
        if kind == TEXT and data.startswith(CHORD)
    )


def _key(metas: Sequence[Meta], account: Account) -> str:
    """The first key; those that it changes to are counted."""
    found: list[str] = []
    for _, kind, data in metas:
        if kind != KEY:
            continue
        sharps = int.from_bytes(data[:1], "big", signed=True)
        if len(data) < 2 or abs(sharps) > MOST or data[1] > 1:
            account.mended[BAD_META] += 1
            continue
        name = key_of(sharps, minor=bool(data[1])).short
        if not found or found[-1] != name:
            found.append(name)
    account.unused["changes of key"] += len(found[1:])
    return found[0] if found else ""


def key_of(sharps: int, *, minor: bool) -> Key:
    """The key of a signature; flats are below 0."""
    keys = (
        Key(letter, alter, "minor" if minor else "major") for letter in LETTERS for alter in ALTERS
    )
    return next(key for key in keys if key.sharps == sharps)


def _count_the_rest(file: File, metas: Iterable[Meta], account: Account) -> None:
    for _, kind, data in metas:
        if kind in OF_METAS and not (kind == TEXT and data.startswith(CHORD)):
            account.unused[OF_METAS[kind]] += 1
    account.unused["messages to instruments"] += sum(track.system for track in file.tracks)
    account.unused["chunks of an unknown kind"] += file.strange
    account.mended[FEWER] += len(file.tracks) > file.told
    account.mended[BEHIND] += bool(file.behind or any(track.after for track in file.tracks))
    account.mended, account.unused = +account.mended, +account.unused  # without the zeros
