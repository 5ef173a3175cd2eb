"""What is trained on, validated on and kept for a test.

george jackson lucas nicolas theo | yweweler      speakers apart, where there are enough of them
0_george_5.wav … | 0_george_[0-4].wav             --test-files "*_[0-4].wav"
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from functools import lru_cache
from pathlib import PurePath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.data.sound.clips import Clip, Part
from elman.data.sound.options import CutOptions
from elman.errors import UserError, unknown_name
from elman.wording import counted

SPEAKERS = 5  # from which some are kept apart; of fewer, too much would go
MOST = 1 / 3  # of the clips that speakers may take out of training
TRAIN: Part = "train"
VALIDATION: Part = "validation"
TEST: Part = "test"

Numbers = NDArray[np.int64]


class Cut(NamedTuple):
    """The numbers of the clips of each part, rising, and what is to be told."""

    train: Numbers
    validation: Numbers
    test: Numbers
    facts: tuple[str, ...]


def cut(
    clips: Sequence[Clip], how: CutOptions, alike: Sequence[Hashable] | None = None
) -> Cut:  # fmt: skip
    """The parts of clips: those named by `how`, else those that the data has, else drawn.

    Drawn by names, so that the same clips give the same parts in any order, and whether they lie in
    a folder or an archive. Speakers are kept apart where all are known, there are enough, and the
    test keeps them apart too. Clips of one stretch of a recording stay on one side, as do those
    that are equal by `alike`, such as digests of their samples. Where clips have labels, about the
    same share of each is drawn, and all labels are there in training.
    UserError: a speaker or a name that there is not, one in two parts, nothing left to train on.
    """
    groups = list(_groups(clips, alike))
    parts, facts = _given(clips, how)
    held = _whole_groups(parts, groups)
    if held:
        facts.append(f"{counted(held, 'clip')} equal to one of another part: put there too")
    free = [group for group in groups if not parts[group[0]]]
    drawn = VALIDATION not in parts and not _names(how, VALIDATION)
    if drawn and how.validation > 0 and free:
        tested = {clip.speaker for clip, part in zip(clips, parts, strict=True) if part == TEST}
        chosen, told = _drawn(clips, free, how.validation, tested)
        facts.append(told)
        for k in chosen:
            parts[k] = VALIDATION
    found = [
        np.array([k for k, own in enumerate(parts) if (own or TRAIN) == part], dtype=np.int64)
        for part in (TRAIN, VALIDATION, TEST)
    ]
    if not len(found[0]):
        raise UserError("no clip is left to train on; keep fewer for validation and test")
    facts += _shared(clips, found)
    return Cut(found[0], found[1], found[2], tuple(facts))


def _names(how: CutOptions, part: Part) -> bool:
    """Whether speakers or files of a part are named."""
    if part == TEST:
        return bool(how.test_speakers or how.test_files)
    return bool(how.validation_speakers or how.validation_files)


def _given(clips: Sequence[Clip], how: CutOptions) -> tuple[list[Part], list[str]]:
    """The part of each clip as it is named or as the data has it, "" where it is open; the facts.

    What is named for the test takes the place of the data's own test part, and so for validation.
    """
    parts = [_own(clip, how) for clip in clips]
    facts = []
    for part, speakers, files in (
        (VALIDATION, how.validation_speakers, how.validation_files),
        (TEST, how.test_speakers, how.test_files),
    ):
        named = {*_of_speakers(clips, speakers, part), *_of_files(clips, files, part)}
        for k in sorted(named):
            if parts[k] == VALIDATION and part == TEST and _names(how, VALIDATION):
                raise UserError(f"{clips[k].where}: named for validation and test; name it once")
            parts[k] = part
        if named:
            what = ", ".join([*speakers, *files])
            facts.append(f"{part}: {counted(len(named), 'clip')}, as named ({what})")
    return parts, facts


def _own(clip: Clip, how: CutOptions) -> Part:
    """The part that the data itself has a clip in, unless that part is named otherwise; training
    may be drawn from."""
    if clip.part in (VALIDATION, TEST) and not _names(how, clip.part):
        return clip.part
    return ""


def _of_speakers(clips: Sequence[Clip], names: Sequence[str], part: Part) -> Iterator[int]:
    known = sorted({clip.speaker for clip in clips if clip.speaker})
    for name in names:
        if name not in known:
            flag = f"--{part}-speakers {name}"
            if not known:
                raise UserError(
                    f"{flag}: no speaker of any clip is known; tell them by --speaker-column or "
                    f"--name-pattern, or give --{part}-files"
                )
            raise UserError(f"{flag}: {unknown_name('speaker', name, known[:20])}")
    yield from (k for k, clip in enumerate(clips) if clip.speaker in names)


def _of_files(clips: Sequence[Clip], patterns: Sequence[str], part: Part) -> Iterator[int]:
    """The clips of recordings whose names fit: `*_0.wav`, or `s1/*.wav` with the folder."""
    paths = [PurePath(clip.recording.member or clip.recording.path) for clip in clips]
    for pattern in patterns:
        try:
            fit = [k for k, path in enumerate(paths) if path.match(pattern)]
        except ValueError:  # an empty one
            fit = []
        if not fit:
            raise UserError(
                f'--{part}-files "{pattern}": fits no recording; their names are such as '
                f"{paths[0].name if paths else 'none'}"
            )
        yield from fit


def _groups(clips: Sequence[Clip], alike: Sequence[Hashable] | None) -> Iterator[list[int]]:
    """Clips that must stay together, in an order that does not depend on theirs."""
    together = _Together(len(clips))
    first: dict[Hashable, int] = {}
    for k, clip in enumerate(clips):
        keys: list[Hashable] = [("stretch", clip.recording, clip.start, clip.stop)]
        keys += [] if alike is None else [("alike", alike[k])]
        for key in keys:
            together.join(k, first.setdefault(key, k))
    order = sorted(range(len(clips)), key=lambda k: _drawing(clips[k]))
    groups: dict[int, list[int]] = {}
    for k in order:
        groups.setdefault(together.root(k), []).append(k)
    yield from groups.values()


def _drawing(clip: Clip) -> tuple[bytes, ...]:
    """What the place of a clip is drawn by: its name and times, then the names of the folders from
    the innermost on, so that where the data lies does not count."""
    path = PurePath(clip.recording.member or clip.recording.path)
    own = f"{path.stem} {clip.start!r} {clip.stop!r} {clip.text} {clip.label}"
    return tuple(_hash(part) for part in (own, *reversed(path.parts[:-1])))


@lru_cache(maxsize=1 << 16)
def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest()


class _Together:
    """Sets that grow together."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def root(self, k: int) -> int:
        while self._above[k] != k:
            self._above[k] = self._above[self._above[k]]
            k = self._above[k]
        return k

    def join(self, k: int, other: int) -> None:
        self._above[self.root(k)] = self.root(other)


def _whole_groups(parts: list[Part], groups: Sequence[Sequence[int]]) -> int:
    """Puts clips that are equal to those of a part there too, of two parts into the test; how many
    these are."""
    held = 0
    for group in groups:
        there = {parts[k] for k in group}
        if len(there) > 1:
            part = TEST if TEST in there else VALIDATION
            held += sum(parts[k] != part for k in group)
            for k in group:
                parts[k] = part
    return held


def _drawn(
    clips: Sequence[Clip], groups: Sequence[list[int]], share: float, tested: set[str]
) -> tuple[list[int], str]:  # fmt: skip
    """The numbers to validate on, and how they were drawn; `tested` are the test's speakers."""
    speakers = {clips[k].speaker for group in groups for k in group}
    if tested & speakers - {""}:
        why = "voices of the test are in training too"
    elif "" in speakers:
        why = "speakers are not known" if speakers == {""} else "not all speakers are known"
    elif len(speakers) < SPEAKERS:
        why = f"{counted(len(speakers), 'speaker')} only" if len(speakers) > 1 else "one speaker"
    elif chosen := _by_speakers(clips, groups, share):
        names = sorted({clips[k].speaker for k in chosen})
        shown = ", ".join(names[:6]) + (f" and {len(names) - 6:,} more" if len(names) > 6 else "")
        rest = counted(len(speakers) - len(names), "other speaker")
        told = f"{counted(len(chosen), 'clip')} of {shown}; {rest} in training, none in both"
        return chosen, f"validation: {told}"
    else:
        why = "no few speakers can be left out without their labels or most of the clips"
    chosen = _by_clips(clips, groups, share)
    return chosen, f"validation: {counted(len(chosen), 'clip')} drawn by name; {why}"


def _by_speakers(
    clips: Sequence[Clip], groups: Sequence[list[int]], share: float
) -> list[int]:  # fmt: skip
    """All clips of some speakers, about a share of all and no more than `MOST`; empty where that
    cannot be. Speakers of equal clips go together."""
    names = sorted({clips[k].speaker for group in groups for k in group}, key=_hash)
    place = {name: n for n, name in enumerate(names)}
    together = _Together(len(names))
    for group in groups:
        for k in group:
            together.join(place[clips[k].speaker], place[clips[group[0]].speaker])
    of: dict[int, list[int]] = defaultdict(list)
    for group in groups:
        of[together.root(place[clips[group[0]].speaker])] += group
    total = sum(map(len, groups))
    # In the order of the first name of each, which is that of names by hash.
    first = {root: min(n for n in range(len(names)) if together.root(n) == root) for root in of}
    left = Counter(clips[k].label for group in groups for k in group)
    chosen: list[int] = []
    smallest: list[int] = []  # where the share is less than any speaker has
    for root in sorted(of, key=first.__getitem__):
        own = of[root]
        more = len(chosen) + len(own)
        without = left - Counter(clips[k].label for k in own)
        if more > MOST * total or len(without) < len(left):
            continue
        if not smallest or len(own) < len(smallest):
            smallest = own
        if abs(more - share * total) < abs(len(chosen) - share * total):
            chosen = chosen + own
            left = without
    return chosen or smallest


def _by_clips(
    clips: Sequence[Clip], groups: Sequence[list[int]], share: float
) -> list[int]:  # fmt: skip
    """About a share of the clips of each label; all labels stay in training."""
    left = Counter(clips[k].label for group in groups for k in group)
    chosen: list[int] = []
    wanted, had = defaultdict[str | None, float](float), Counter[str | None]()
    spare: list[int] | None = None  # the first that may go, where the share is less than a clip
    for group in groups:
        own = Counter(clips[k].label for k in group)
        label = clips[group[0]].label
        for each, count in own.items():
            wanted[each] += share * count
        if any(left[each] <= count for each, count in own.items()):
            continue
        spare = spare or group
        if had[label] + 0.5 < wanted[label]:
            chosen += group
            had += own
            left -= own
    return chosen or spare or []


def _shared(clips: Sequence[Clip], parts: Sequence[Numbers]) -> list[str]:
    """Speakers of the parts for validation and test that are in training too, for the user."""
    train = {clips[k].speaker for k in parts[0]} - {""}
    facts = []
    for name, numbers in ((VALIDATION, parts[1]), (TEST, parts[2])):
        own = {clips[k].speaker for k in numbers} - {""}
        if both := own & train:
            facts.append(
                f"{name}: {len(both):,} of its {counted(len(own), 'speaker')} also in training"
            )
    return facts
