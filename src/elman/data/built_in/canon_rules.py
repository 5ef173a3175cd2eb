"""The rules of the canons that are made, and how often any piece of two voices breaks each.

rule            broken when
voices          more than two notes sound at a time
range           a note lies outside of `RANGE`
scale           a note is not of the key; a minor one may be raised to lead to the final tonic
rhythm          a note does not follow at once, or stands where its length does not stand
melody          a voice moves by an interval that is not in `LEAPS`, or not at all
recovery        no step back follows a leap wider than a third
crossing        the lower voice is as high as the upper one, or higher
strong beats    the voices are dissonant there
weak beats      a dissonance is not reached and left by steps, or both voices begin it
parallels       both move from a fifth to a fifth, or from an octave to an octave
imitation       what one voice had is not in the other, so many beats later
opening         a voice begins neither on the tonic nor on the fifth above it
cadence         the voices do not end on the tonic, from the notes next to it
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from elman.data.symbolic.piece import Piece
from elman.data.symbolic.theory import keys
from elman.data.symbolic.theory.keys import Key

NAME: Final = "name:canons"  # of the pieces that are made by these rules
BEAT: Final = 2  # eighths, in which all times here are counted
CONSONANT: Final = frozenset({0, 3, 4, 7, 8, 9})  # semitones, without octaves
PERFECT: Final = frozenset({0, 7})
LEAPS: Final = frozenset({1, 2, 3, 4, 5, 7, 12})  # semitones from a note to the next
WIDE: Final = 4  # semitones; after a wider leap follows a step back
RANGE: Final = (43, 84)  # pitches
STRONG: Final = {2: (0,), 3: (0,), 4: (0, 4)}  # eighths of a bar of so many beats
DELAYS: Final = {2: (2, 4), 3: (3,), 4: (2, 4)}  # beats after which the other voice follows
STEPS: Final = (-7, -4, 4, 7)  # of the scale, by which it is higher
STANDS: Final = {
    2: {1: (0, 1, 2, 3), 2: (0, 2), 4: (0,)},
    3: {1: (0, 1, 2, 3, 4, 5), 2: (0, 2, 4), 4: (0,), 6: (0,)},
    4: {1: tuple(range(8)), 2: (0, 2, 4, 6), 4: (0, 4), 8: (0,)},
}
"""Where in a bar of so many beats a note of each length may begin, in eighths."""
RULES: Final = (
    "voices", "range", "scale", "rhythm", "melody", "recovery", "crossing", "strong beats",
    "weak beats", "parallels", "imitation", "opening", "cadence",
)  # fmt: skip


class Share(NamedTuple):
    """How often a rule was broken, of how many times it could have been."""

    broken: int
    of: int

    @property
    def share(self) -> float:
        return self.broken / self.of if self.of else 0.0


class Sung(NamedTuple):
    """A note of a voice, in eighths."""

    start: int
    length: int
    pitch: int

    @property
    def end(self) -> int:
        return self.start + self.length


Line = Sequence[Sung]


def violations(piece: Piece) -> dict[str, Share]:
    """Of each rule how often a piece breaks it.

    Of what the piece does not tell, metre and key and which voice leads, that is taken which breaks
    the fewest rules. A piece whose tracks are not two voices is taken as the highest and the lowest
    note that sound.
    """
    found = [
        {"voices": more} | _judged(upper, lower, beats, _key(piece, upper, lower, beats))
        for upper, lower, more in _voices(piece)
        for beats in _beats(piece)
    ]
    return min(found, key=lambda shares: sum(share.share for share in shares.values()))


def added(counts: Iterable[Mapping[str, Share]]) -> dict[str, Share]:
    """The shares of several pieces as those of one."""
    total = dict.fromkeys(RULES, Share(0, 0))
    for count in counts:
        for rule, (broken, of) in count.items():
            total[rule] = Share(total[rule].broken + broken, total[rule].of + of)
    return total


def line(shares: Mapping[str, Share]) -> str:
    """For the user: "rules of canons broken: imitation 12.0%, melody 0.4%; 11 always kept"."""
    broken = sorted((-share.share, rule) for rule, share in shares.items() if share.broken)
    if not broken:
        return f"rules of canons broken: none of {len(shares)}"
    told = ", ".join(f"{rule} {-share:.1%}" for share, rule in broken)
    return f"rules of canons broken: {told}; {len(shares) - len(broken)} always kept"


def _judged(upper: Line, lower: Line, beats: int, key: Key) -> dict[str, Share]:
    bar = beats * BEAT
    end = max((note.end for note in (*upper, *lower)), default=0)
    both = list(_together(upper, lower))
    notes, moves = [*upper, *lower], [*pairwise(upper), *pairwise(lower)]
    wide = [
        (b.pitch - a.pitch, c.pitch - b.pitch)
        for line in (upper, lower)
        for a, b, c in zip(line, line[1:], line[2:], strict=False)
        if abs(b.pitch - a.pitch) > WIDE
    ]
    strong = [moment for moment in both if moment.at % bar in STRONG[beats]]
    weak = [moment for moment in both if moment.at % bar not in STRONG[beats]]
    moved = [moment for moment in both if moment.before is not None]
    return {
        "range": _share(not RANGE[0] <= note.pitch <= RANGE[1] for note in notes),
        "scale": _share(not _in_scale(note, key, end - bar) for note in notes),
        "rhythm": _share(wrong for line in (upper, lower) for wrong in _rhythm(line, beats, end)),
        "melody": _share(abs(b.pitch - a.pitch) not in LEAPS for a, b in moves),
        "recovery": _share(abs(after) > 2 or leap * after >= 0 for leap, after in wide),
        "crossing": _share(moment.upper <= moment.lower for moment in both),
        "strong beats": _share(moment.apart not in CONSONANT for moment in strong),
        "weak beats": _share(
            moment.apart not in CONSONANT and not moment.passing for moment in weak
        ),
        "parallels": _share(
            moment.apart in PERFECT and moment.before == moment.apart for moment in moved
        ),
        "imitation": _imitation(upper, lower, beats, key, end),
        "opening": _share(_degree(line[0], key) not in (0, 4) for line in (upper, lower) if line),
        "cadence": _share([not _cadence(upper, lower, key)]),
    }


def _share(wrong: Iterable[bool]) -> Share:
    told = list(wrong)
    return Share(sum(told), len(told))


def _in_scale(note: Sung, key: Key, last_bar: int) -> bool:
    leading = key.mode == "minor" and note.end == last_bar
    return note.pitch % 12 in key.classes or (leading and note.pitch % 12 == (key.tonic - 1) % 12)


def _rhythm(line: Line, beats: int, end: int) -> Iterator[bool]:
    """Of each note whether it is wrong; the last one fills the last bar."""
    bar = beats * BEAT
    for k, note in enumerate(line):
        stands = STANDS[beats].get(note.length, ())
        follows = k == 0 or line[k - 1].end == note.start
        final = k + 1 == len(line)
        right = note.length == bar and note.end == end if final else note.start % bar in stands
        yield not (follows and right)


class Moment(NamedTuple):
    """Both voices sound, and one begins a note or both do. `before` is how far they were apart,
    octaves left aside, if both begin one and both sounded."""

    at: int
    upper: int
    lower: int
    passing: bool  # one begins, and comes and goes by a step
    before: int | None

    @property
    def apart(self) -> int:
        return abs(self.upper - self.lower) % 12


def _together(upper: Line, lower: Line) -> Iterator[Moment]:
    begins = sorted({note.start for note in (*upper, *lower)})
    i = j = 0
    for at in begins:
        i, j = _sounding(upper, i, at), _sounding(lower, j, at)
        one, two = _at(upper, i, at), _at(lower, j, at)
        if one is None or two is None:
            continue
        both = one.start == at == two.start
        line, k = (upper, i) if one.start == at else (lower, j)
        before = None
        if both and i and j and upper[i - 1].end == at == lower[j - 1].end:
            before = abs(upper[i - 1].pitch - lower[j - 1].pitch) % 12
        yield Moment(at, one.pitch, two.pitch, not both and _by_steps(line, k), before)


def _sounding(line: Line, k: int, at: int) -> int:
    """The place of the last note that begins by `at`, from the place `k` on."""
    while k + 1 < len(line) and line[k + 1].start <= at:
        k += 1
    return k


def _at(line: Line, k: int, at: int) -> Sung | None:
    return line[k] if line and line[k].start <= at < line[k].end else None


def _by_steps(line: Line, k: int) -> bool:
    if not 0 < k < len(line) - 1:
        return False
    return all(abs(a.pitch - b.pitch) in (1, 2) for a, b in pairwise(line[k - 1 : k + 2]))


def _degree(note: Sung, key: Key) -> int | None:
    degree = key.degree(note.pitch)
    return None if degree is None else degree % 7


def _imitation(upper: Line, lower: Line, beats: int, key: Key, end: int) -> Share:
    """The notes that one voice has and the other does not, by the likeliest leader and delay; of
    all up to the last two bars."""
    free = end - 2 * beats * BEAT
    best = Share(1, 1)
    for steps in STEPS:
        lead, follow = (upper, lower) if steps < 0 else (lower, upper)
        has = {(n.start, n.length, key.degree(n.pitch)) for n in follow if n.start < free}
        for delay in DELAYS[beats]:
            later = [(n.start + delay * BEAT, n.length, key.degree(n.pitch)) for n in lead]
            wanted = {
                (start, length, None if degree is None else degree + steps)
                for start, length, degree in later
                if start < free
            }
            share = Share(len(has ^ wanted), max(len(has | wanted), 1))
            best = min(best, share, key=lambda share: share.share)
    return best


def _cadence(upper: Line, lower: Line, key: Key) -> bool:
    if min(len(upper), len(lower)) < 2 or upper[-1].start != lower[-1].start:
        return False
    if _degree(upper[-1], key) != 0 or _degree(lower[-1], key) != 0:
        return False
    near = {line[-2].pitch - line[-1].pitch for line in (upper, lower)}
    return -1 in near and bool(near & {1, 2})


def _beats(piece: Piece) -> Sequence[int]:
    told = piece.metres[0] if piece.metres else None
    return (told.beats,) if told and told.unit == 4 and told.beats in STRONG else tuple(STRONG)


def _key(piece: Piece, upper: Line, lower: Line, beats: int) -> Key:
    """The key that the piece tells, else that of most notes; of two the one of the last note."""
    if piece.key and (told := keys.read(piece.key)):
        return told
    notes = [*upper, *lower]
    end = max((note.end for note in notes), default=0)
    final = {line[-1].pitch % 12 for line in (upper, lower) if line}

    def misfits(key: Key) -> tuple[int, bool]:
        bar = end - beats * BEAT
        return sum(not _in_scale(note, key, bar) for note in notes), key.tonic not in final

    every = [keys.on(tonic, mode) for mode in ("major", "minor") for tonic in range(12)]
    return min(every, key=misfits)


def _voices(piece: Piece) -> Iterator[tuple[Line, Line, Share]]:
    """The upper and the lower voice, in how many steps more than two notes sound; twice, where it
    is not told which voice begins alone."""
    tracks = [track.notes for track in piece.tracks if track.notes and not track.is_drum]
    unit = piece.division / BEAT

    def sung(start: int, end: int, pitch: int) -> Sung:
        first = round(start / unit)
        return Sung(first, max(round(end / unit) - first, 1), pitch)

    if len(tracks) == 2 and all(a.end <= b.start for t in tracks for a, b in pairwise(t)):
        lines = [[sung(n.start, n.end, n.pitch) for n in track] for track in tracks]
        upper, lower = sorted(lines, key=lambda line: -sum(n.pitch for n in line) / len(line))
        yield upper, lower, Share(0, sum(map(len, lines)))
        return
    steps = [set[int]() for _ in range(round(piece.length / unit))]
    for note in (note for track in tracks for note in track):
        one = sung(note.start, note.end, note.pitch)
        for step in steps[one.start : one.end]:
            step.add(note.pitch)
    for leader in (0, 1):
        yield *_parted(steps, leader), Share(sum(len(step) > 2 for step in steps), len(steps))


def _parted(steps: Sequence[set[int]], leader: int) -> tuple[Line, Line]:
    """The highest and the lowest note of each step as voices. One that is alone is of the voice
    that was nearer to it, and of the `leader` before both have sounded."""
    lines: tuple[list[Sung], list[Sung]] = ([], [])
    first = next((k for k, step in enumerate(steps) if len(step) > 1), 0)
    for at, step in enumerate(steps):
        here = {0: max(step), 1: min(step)} if len(step) > 1 else {}
        if len(step) == 1 and at < first:
            here = {leader: max(step)}
        elif len(step) == 1:
            (pitch,) = step
            far = [abs(line[-1].pitch - pitch) if line else 128 for line in lines]
            here = {int(far[1] < far[0]): pitch}
        for voice, pitch in here.items():
            line = lines[voice]
            if line and line[-1].pitch == pitch and line[-1].end == at:
                line[-1] = Sung(line[-1].start, line[-1].length + 1, pitch)
            else:
                line.append(Sung(at, 1, pitch))
    return lines
