"""Texts with an id and a transcript a line, where ids are names of recordings.

84/121123/84-121123.trans.txt     84-121123-0000 GO DO YOU HEAR                  LibriSpeech
84/121123/84-121123-0000.flac     speaker/chapter/speaker-chapter-number
transcript.txt                    BAC009S0002W0122 而 对 楼市                      AISHELL
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from itertools import islice

from elman.data.sound.clips import Clip
from elman.data.sound.layouts.found import Found, plain
from elman.data.sound.parts import part_of
from elman.data.sound.tree import Tree, stem
from elman.data.tables.content import BadRows

LIBRI = re.compile(
    r"(?:.*/)?(?P<speaker>[^/]+)/(?P<chapter>[^/]+)/(?P=speaker)-(?P=chapter)\.trans\.txt"
)
ENDINGS = (".txt", ".trans", ".trn", ".text", ".tra")
TRIED = 20  # lines by which such a text is known


def read(tree: Tree, bad: BadRows, wanted: bool) -> Found | None:
    """The clips that such texts tell; None where there is none.

    A recording that stands in none of them is a bad row.
    """
    texts = [name for name in tree.names if _may_be(tree, name) and _is_such(tree, name)]
    if not texts:
        return None
    clips = [clip for name in texts for clip in _clips(tree, name, bad)]
    told = {clip.recording for clip in clips}
    left = [name for name in tree.sounds if tree.recording(name) not in told]
    for name in left:
        if wanted:
            bad.add(tree.where(name), "no transcript of it in any text")
        else:
            clips.append(Clip(tree.where(name), tree.recording(name)))
    libri = all(map(LIBRI.fullmatch, texts))
    named = posixpath.basename(texts[0]) if len(texts) == 1 else f"{len(texts):,} texts"
    facts = [f"transcripts from {named}, lines of id and text"]
    facts += ["speakers from the folders, as LibriSpeech has them"] if libri else []
    return Found("LibriSpeech" if libri else "lines of id and text", clips, facts)


def _may_be(tree: Tree, name: str) -> bool:
    """Whether a file may be such a text: no transcript of one recording."""
    if not name.lower().endswith(ENDINGS) and posixpath.basename(name) != "text":
        return False
    return posixpath.basename(posixpath.splitext(name)[0]) not in tree.bare_stems


def _is_such(tree: Tree, name: str) -> bool:
    """Whether most of its first lines begin with the name of a recording, and go on."""
    lines = [line for _, line in islice(tree.lines(name), TRIED)]
    begun = [parts for line in lines if len(parts := line.split(maxsplit=1)) == 2]
    fits = sum(stem(first) in tree.bare_stems for first, _ in begun)
    return bool(lines) and 2 * fits > len(lines)


def _clips(tree: Tree, name: str, bad: BadRows) -> Iterator[Clip]:
    folder, libri = posixpath.dirname(name), LIBRI.fullmatch(name)
    for where, line in tree.lines(name):
        key, *rest = line.split(maxsplit=1)
        found = tree.find(key, folder)
        if found is None:
            bad.add(where, f'no recording "{key[:200]}"')
            continue
        speaker = libri["speaker"] if libri else ""
        yield Clip(where, found, text=plain(" ".join(rest)), speaker=speaker, part=part_of(folder))
