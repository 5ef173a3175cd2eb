"""A tune as it is played: sections as often as their bar lines say, parts in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from elman.data.symbolic.abc.fields import Wrong
from elman.data.symbolic.abc.items import Barline, Ending, Item, PartMark, Section, Sound

MOST: Final = 200_000  # sounds and bar lines that a tune is played with


def played(items: Iterable[Item], order: str) -> list[Sound | Barline]:
    """All that sounds, in the order in which it does, with the bar lines between."""
    out: list[Sound | Barline] = []
    for part in _in_order(items, order):
        for section in _sections(part):
            for item in _unrolled(section):
                if not isinstance(item, Ending | PartMark):
                    out.append(item)
                if len(out) > MOST:
                    raise Wrong(f"with its repeats the tune is longer than {MOST:,} notes")
    return out


def _in_order(items: Iterable[Item], order: str) -> Iterator[list[Item]]:
    """The parts as the head orders them, what stands before the first one first."""
    parts: dict[str, list[Item]] = {}
    written: list[list[Item]] = [[]]
    for item in items:
        if isinstance(item, PartMark):
            written.append([])
            parts.setdefault(item.name[:1], written[-1])
        else:
            written[-1].append(item)
    if not order or not parts:
        yield from written
        return
    yield written[0]
    for name in order:
        if name not in parts:
            raise Wrong(f"the order of parts (P:) has {name}, but no part {name} begins")
        yield parts[name]


def _sections(items: Iterable[Item]) -> Iterator[Section]:
    """What is repeated together.

    A section begins at |: or after the one before it, which ends at :| or, once all of its endings
    are there, at a double bar line. Endings that follow :| are of the same section.
    """
    section, repeated = Section(), False  # `repeated`: the last that came was :|
    for item in items:
        if isinstance(item, Ending):
            section.endings.append((item.passes, []))
            repeated = False
            continue
        if repeated and not isinstance(item, PartMark):
            yield section
            section, repeated = Section(), False
        held = section.endings[-1][1] if section.endings else section.common
        held.append(item)
        if not isinstance(item, Barline):
            continue
        if item.ends > 1:
            section.times, repeated = max(section.times, item.ends), True
        ended = item.double and section.endings and section.times > 1 and not repeated
        if item.begins > 1 or ended:
            yield section
            section, repeated = Section(), False
            section.times = item.begins  # ::| may tell it again
    yield section


def _unrolled(section: Section) -> Iterator[Item]:
    if not section.endings:
        for _ in range(section.times):
            yield from section.common
        return
    passes = max(max(ending) for ending, _ in section.endings)
    for k in range(1, max(passes, section.times) + 1):
        yield from section.common
        yield from next((items for ending, items in section.endings if k in ending), ())
