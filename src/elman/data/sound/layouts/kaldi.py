"""Folders as Kaldi reads them.

wav.scp    rec1 audio/rec1.wav            a command, which ends in |, is refused, never run
text       utt1 the words that are said
segments   utt1 rec1 12.30 15.86          without it an utterance is a recording
utt2spk    utt1 anna
"""

from __future__ import annotations

import math
import posixpath
from collections.abc import Iterator
from typing import NamedTuple

from elman.data.sound.clips import Clip, Recording
from elman.data.sound.layouts.found import Found, plain
from elman.data.sound.parts import part_of, usual
from elman.data.sound.tree import Tree
from elman.data.tables.content import BadRows
from elman.errors import UserError
from elman.wording import counted

LIST = "wav.scp"


class _Line(NamedTuple):
    where: str
    rest: str


def read(tree: Tree, bad: BadRows, wanted: bool) -> Found | None:
    """The utterances of all such folders; None where there is none. UserError: a folder without
    transcripts."""
    lists = [name for name in tree.names if posixpath.basename(name) == LIST]
    folders = [posixpath.dirname(name) for name in usual(lists)]
    if not folders:
        return None
    clips = [clip for folder in folders for clip in _clips(tree, folder, bad, wanted)]
    facts = [f"Kaldi folders: {counted(len(folders), 'wav.scp', 'wav.scp')}"]
    left = [posixpath.dirname(name) for name in lists if posixpath.dirname(name) not in folders]
    facts += [f"not used: {', '.join(left[:5])}"] if left else []
    return Found("Kaldi", clips, facts)


def _clips(tree: Tree, folder: str, bad: BadRows, wanted: bool) -> Iterator[Clip]:
    def lines(name: str) -> dict[str, _Line]:
        path = posixpath.join(folder, name)
        return _lines(tree, path, bad) if tree.has(path) else {}

    recordings, segments = lines(LIST), lines("segments")
    texts, speakers = lines("text"), lines("utt2spk")
    if wanted and not texts:
        raise UserError(
            f"{tree.where(posixpath.join(folder, 'text'))}: no such file of transcripts"
        )
    found = dict(_recordings(tree, folder, recordings, bad))
    part = part_of(folder)
    for utterance, line in (segments or recordings).items():
        start, stop, recording = 0.0, None, found.get(utterance)
        if segments:
            try:
                name, start, stop = _stretch(line.rest)
            except ValueError:
                bad.add(line.where, f'"{line.rest[:60]}": needs a recording, a start and an end')
                continue
            recording = found.get(name)
            if name not in recordings:
                bad.add(line.where, f'no recording "{name[:60]}" in wav.scp')
        if recording is None:  # which has been told
            continue
        text = plain(texts[utterance].rest) if utterance in texts else None
        if text is None and wanted:
            bad.add(line.where, f'no transcript of "{utterance[:60]}" in text')
            continue
        speaker = speakers[utterance].rest if utterance in speakers else ""
        where = texts[utterance].where if utterance in texts else line.where
        yield Clip(where, recording, start, stop, text, None, speaker, part)


def _lines(tree: Tree, path: str, bad: BadRows) -> dict[str, _Line]:
    """What follows the first word of each line, by that word."""
    found: dict[str, _Line] = {}
    for where, line in tree.lines(path):
        key, *rest = line.split(maxsplit=1)
        if key in found:
            bad.add(where, f'"{key[:60]}" stands here twice')
        else:
            found[key] = _Line(where, rest[0].strip() if rest else "")
    return found


def _recordings(
    tree: Tree, folder: str, lines: dict[str, _Line], bad: BadRows
) -> Iterator[tuple[str, Recording]]:
    for name, (where, path) in lines.items():
        if path.endswith("|") or path.startswith("|"):
            bad.add(where, "a command; nothing is run: write its output to a file, and name that")
            continue
        found = tree.find(path, folder)
        if found is None:
            bad.add(where, f'no recording "{path[:200]}"')
        else:
            yield name, found


def _stretch(rest: str) -> tuple[str, float, float | None]:
    """Recording, start and end, in seconds; an end of -1 is that of the recording."""
    name, start, stop, *_ = rest.split()
    times = float(start), float(stop)
    if not all(map(math.isfinite, times)):
        raise ValueError
    return name, times[0], None if times[1] == -1 else times[1]
