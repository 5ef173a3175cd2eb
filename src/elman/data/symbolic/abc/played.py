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
        for section in sections(part):
            for item in unrolled(section):
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


def sections(items: Iterable[Item]) -> list[Section]:
    """What is repeated together.

    A section begins at |: or after the one before it, which ends at :| or, once all of its endings
    are there, at a double bar line. Endings that follow :| are of the same section. Where |: stands
    twice with nothing between, a section stands within the section that begins there.
    """
    cutter = _Cutter()
    for item in items:
        cutter.add(item)
    return cutter.found()


class _Cutter:
    def __init__(self) -> None:
        self.done: list[Section] = []
        self.now = Section()
        self.begun = False  # by |:
        self.repeated = False  # :| came last, which endings may follow
        self.outer: Section | None = None  # that `now` is a part of

    def found(self) -> list[Section]:
        self._end()
        return self.done

    def add(self, item: Item) -> None:
        if isinstance(item, Ending):
            self.now.endings.append((item.passes, []))
            self.repeated = False
            return
        if self.repeated:
            self._end()
        (self.now.endings[-1][1] if self.now.endings else self.now.common).append(item)
        if isinstance(item, Barline):
            self._bar(item)

    def _bar(self, bar: Barline) -> None:
        if bar.ends > 1:
            self.now.times, self.repeated = max(self.now.times, bar.ends), True
        over = bar.double and self.now.endings and self.now.times > 1 and not self.repeated
        if bar.begins and self.begun and self.outer is None and self._is_empty():
            self.outer, self.now = self.now, Section()
        elif bar.begins or over:
            self._end()
            self.begun = bar.begins

    def _end(self) -> None:
        self.repeated = self.begun = False
        if self.outer is None:
            self.done.append(self.now)
            self.now = Section()
        else:
            self.outer.common += unrolled(self.now)
            self.now, self.outer = self.outer, None

    def _is_empty(self) -> bool:
        here = self.now
        return not here.endings and all(isinstance(item, Barline) for item in here.common)


def unrolled(section: Section) -> Iterator[Item]:
    """A section as it is played."""
    if not section.endings:
        for _ in range(section.times):
            yield from section.common
        return
    passes = max(max(ending) for ending, _ in section.endings)
    for k in range(1, max(passes, section.times) + 1):
        yield from section.common
        yield from next((items for ending, items in section.endings if k in ending), ())
