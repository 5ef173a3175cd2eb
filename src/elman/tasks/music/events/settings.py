"""What the tokens of a model are: plain values, kept with it, by which its tokenizer is made anew.

{"kind": "remi", "grid": 12, "lowest": 21, "highest": 108, "longest": 96, "velocities": 0,
 "instruments": [0], "metres": ["4/4", "3/4"], …}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias, get_args

from elman.errors import UserError

Kind: TypeAlias = Literal["remi", "midi-like"]
KINDS: tuple[Kind, ...] = get_args(Kind)

DRUMS = -1  # the instrument of drums; others are programs of General MIDI, 0 to 127
MOST_STEPS = 192  # of a bar, and of the longest note
MOST_METRES = 64
WHERE = "preprocessing.json: damaged (its tokens: {})"


@dataclass(frozen=True)
class Settings:
    """What a note and a time become. Times are steps, `grid` of them a quarter.

    Instruments are told by tokens of their own where there are several. `metres` are "6/8" and the
    like, the most usual one first; tokens of the kind `midi-like` know no bars, and of theirs only
    the first is used, for lengths in bars. `velocity` is that of notes where `velocities`, how many
    of them are told apart, is 0.
    """

    kind: Kind
    grid: int  # steps a quarter
    lowest: int  # pitches, both among them
    highest: int
    longest: int  # steps that a note lasts at most; of `midi-like`, that one token lets pass
    velocities: int = 0
    velocity: int = 80
    instruments: tuple[int, ...] = (0,)  # ascending
    metres: tuple[str, ...] = ("4/4",)
    tempo: float = 120.0  # quarters a minute of pieces that are written
    held: int = 0  # steps that a note sounds at most in the training part; 0 if not known

    def __post_init__(self) -> None:
        _check(self)

    @property
    def several(self) -> bool:
        """Whether notes tell their instrument."""
        return len(self.instruments) > 1 or self.drums

    @property
    def drums(self) -> bool:
        return DRUMS in self.instruments

    @property
    def barred(self) -> bool:
        """Whether there are tokens for bars."""
        return self.kind == "remi"

    def bar_steps(self, metre: str) -> int:
        """How many steps a bar lasts; 0 where it is no whole number of them."""
        beats, unit = (int(part) for part in metre.split("/"))
        steps, rest = divmod(4 * beats * self.grid, unit)
        return 0 if rest else steps

    def plain(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }


def from_plain(kept: object) -> Settings:
    """The settings that `plain` gave. UserError: damaged."""
    if not isinstance(kept, Mapping):
        raise UserError(WHERE.format("none"))
    known = {field.name for field in fields(Settings)}
    if set(kept) | {"held"} != known:
        wrong = ", ".join(sorted(str(name)[:40] for name in set(kept) ^ known)[:5])
        raise UserError(WHERE.format(f"missing or unknown: {wrong}"))
    values = dict(kept)
    for name in ("instruments", "metres"):
        listed = values[name]
        if not isinstance(listed, list):
            raise UserError(WHERE.format(f"{name} is no list"))
        values[name] = tuple(listed)
    try:
        return Settings(**values)
    except _Wrong as wrong:
        raise UserError(WHERE.format(wrong)) from None


class _Wrong(ValueError):
    """Values that are of no tokenizer."""


def _check(settings: Settings) -> None:
    """ValueError: a value that cannot be."""
    s = settings
    if s.kind not in KINDS:
        raise _Wrong("kind must be " + " or ".join(KINDS))
    _whole(s, "grid", 1, 96)
    _whole(s, "lowest", 0, 126)
    _whole(s, "highest", s.lowest + 1, 127)  # miditok takes no single pitch
    _whole(s, "longest", 1, MOST_STEPS)
    _whole(s, "velocities", 0, 127)
    _whole(s, "velocity", 1, 127)
    _ascending(s.instruments)
    _whole(s, "held", 0, 2**31)
    if not s.metres or len(s.metres) > MOST_METRES or len(set(s.metres)) < len(s.metres):
        raise _Wrong(f"metres must be 1 to {MOST_METRES} different ones")
    for metre in s.metres:
        if not _is_metre(metre) or not 0 < s.bar_steps(metre) <= MOST_STEPS:
            raise _Wrong("metres must be such as 6/8, with whole steps of the grid in a bar")
    tempo = s.tempo
    if not isinstance(tempo, int | float) or not 1 <= tempo <= 10_000:
        raise _Wrong("tempo must be 1 to 10000")


def _whole(settings: Settings, name: str, low: int, high: int) -> None:
    value = getattr(settings, name)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _Wrong(f"{name} must be {low} to {high}")


def _ascending(instruments: Sequence[object]) -> None:
    whole = [k for k in instruments if type(k) is int and DRUMS <= k <= 127]
    if not whole or whole != sorted(set(whole)) or len(whole) < len(instruments):
        raise _Wrong("instruments must ascend, each from -1 (drums) to 127")


def _is_metre(metre: object) -> bool:
    if not isinstance(metre, str) or len(metre) > 8 or not metre.isascii():
        return False
    beats, slash, unit = metre.partition("/")
    if not (slash and beats.isdigit() and unit.isdigit()):
        return False
    return int(beats) > 0 and int(unit) in (1, 2, 4, 8, 16, 32, 64)
