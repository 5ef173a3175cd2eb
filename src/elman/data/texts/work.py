"""A text encoded segment by segment, in a folder in which it can be gone on with.

3f…a0.work/rule.json  000000.segment  000001.segment  …
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from elman.data.cache import replacing
from elman.data.telling import Pace
from elman.data.texts.segments import Rule, Sealed, Segment, digest_of, seal
from elman.data.texts.workers import Job, Workers, can_start
from elman.errors import UserError

SEGMENT = 1 << 22  # characters; a process takes 20 times as many bytes, and about a second
RULE = "rule.json"


class Passed:
    """How many bytes of files have been read, and how many of them are encoded."""

    def __init__(self, pace: Pace, beat: Callable[[str], object]) -> None:
        self._pace, self._beat = pace, beat
        self.total = pace.total
        self._lock = threading.Lock()
        self.read = self.done = self.fresh = 0

    def reading(self, count: int) -> None:
        """So many more bytes are read."""
        self.read += count

    def encoded(self, count: int, *, now: bool = True) -> None:
        """So many more are encoded, `now` or in an earlier sitting."""
        with self._lock:
            self.done += count
            self.fresh += count if now else 0

    def look(self) -> None:
        """Tells it, if it is time."""
        if (stage := self._pace.at(self.done, self.fresh)) is not None:
            self._beat(stage.told)


class Work:
    """Where segments lie until all are there. A text of one segment needs no folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def rule(self, make: Callable[[], Rule]) -> Rule:
        """The rule by which it was begun, else a new one."""
        try:
            return Rule.from_json(json.loads((self.folder / RULE).read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, UserError):
            return make()

    def segments(
        self, pieces: Iterable[str], rule: Rule, processes: int, passed: Passed
    ) -> list[Segment | Sealed]:
        """All segments of a text, encoded by so many processes, of a short one by fewer; those that
        lie here already, of the same text by the same rule, are taken as they are. OSError: they
        cannot be written."""
        if passed.total is not None:
            processes = min(processes, passed.total // SEGMENT)
        places: list[Path] = []
        with ExitStack() as stack:
            workers: Workers | None = None
            for group, last, size in _grouped(pieces, passed):
                if last and not places:
                    return [rule.segment(group)]
                if not places:
                    self._begin(rule)
                place = self.folder / f"{len(places):06}.segment"
                places.append(place)
                if _is_sealed(place, digest_of(group, rule)):
                    passed.encoded(size, now=False)
                elif processes > 1 and can_start():
                    if workers is None:
                        workers = stack.enter_context(
                            Workers(
                                rule, processes, lambda job: passed.encoded(job.size), passed.look
                            )
                        )
                    workers.put(Job(group, place, size))
                else:
                    seal(rule.segment(group), digest_of(group, rule), place)
                    passed.encoded(size)
                passed.look()
            if workers is not None:
                workers.finish()
        return [Sealed(place) for place in places]

    def remove(self) -> None:
        """Nobody will go on with it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _begin(self, rule: Rule) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for part in self.folder.glob("*.part"):
            part.unlink()
        with replacing(self.folder / RULE) as part:
            part.write_text(json.dumps(rule.to_json()), encoding="utf-8")


def _is_sealed(place: Path, digest: str) -> bool:
    try:
        sealed = Sealed(place)
        if sealed.digest == digest:
            sealed.check()
            return True
    except (OSError, ValueError):
        pass
    return False


def _grouped(pieces: Iterable[str], passed: Passed) -> Iterator[tuple[list[str], bool, int]]:
    """Pieces of about `SEGMENT` characters together, whether they are the last, and how many bytes
    were read for them."""
    group: list[str] = []
    length = before = 0
    for piece in pieces:
        if length >= SEGMENT:
            yield group, False, passed.read - before
            before, group, length = passed.read, [], 0
        group.append(piece)
        length += len(piece)
    if group:
        yield group, True, passed.read - before
