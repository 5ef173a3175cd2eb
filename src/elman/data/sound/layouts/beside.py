"""A text beside each recording: its transcript, or the labels of Audacity.

a.wav  a.txt     hello world
b.wav  b.txt     0.512340 <TAB> 2.100000 <TAB> hello        start, end, text: a clip a line
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from elman.data.encodings.encodings import Unreadable, found
from elman.data.sound.clips import Clip
from elman.data.sound.layouts.found import Found, plain
from elman.data.sound.parts import part_of
from elman.data.sound.tree import TEXTS, Tree
from elman.data.tables.content import BadRows
from elman.errors import UserError
from elman.wording import counted

AUDACITY = re.compile(r"(\d+(?:[.,]\d+)?)\t(\d+(?:[.,]\d+)?)(?:\t(.*))?")
HTK = re.compile(r"\d+ \d+ \S+")  # start and end in 100 ns, and a phone


def read(tree: Tree, bad: BadRows, wanted: bool) -> Found | None:
    """The clips of recordings with such texts; None where no recording has one.

    A recording without one, among those with, is a bad row.
    """
    beside = {name: text for name in tree.sounds if (text := _beside(tree, name)) is not None}
    if not beside:
        return None
    texts = dict(_texts(tree, beside, bad))
    clips, lengths, labelled = list[Clip](), 0, 0
    for name in tree.sounds:
        text = texts.get(name)
        if text is None:
            if not wanted:
                clips.append(Clip(tree.where(name), tree.recording(name)))
                lengths += 1
            elif name not in beside:
                bad.add(tree.where(name), "no text beside it, as others have")
            continue
        lines = [line for line in text.split("\n") if line.strip()]
        if _of_audacity(lines):
            labelled += 1
            clips += _stretches(tree, name, beside[name], text, bad)
        elif lines and all(map(HTK.fullmatch, map(str.strip, lines))):
            bad.add(tree.where(beside[name]), "labels with times in 100 ns; give the words alone")
        else:
            lengths += 1
            where, part = tree.where(name), part_of(posixpath.dirname(name))
            clips.append(Clip(where, tree.recording(name), text=plain(text), part=part))
    facts = []
    if lengths:
        endings = sorted({_ending(text) for text in beside.values()})
        facts.append(f"transcripts from the {' and '.join(endings)} of each recording")
    if labelled:
        stretches = counted(len(clips) - lengths, "stretch")
        facts.append(f"Audacity labels of {counted(labelled, 'recording')}: {stretches}")
    return Found("Audacity labels" if labelled > lengths else "texts beside", clips, facts)


def _beside(tree: Tree, name: str) -> str | None:
    """The text beside a recording, or the only one of its name in a folder of texts."""
    base = posixpath.splitext(name)[0]
    for ending in (*TEXTS, *map(str.upper, TEXTS)):
        for text in (base + ending, name + ending):
            if tree.has(text):
                return text
    known = tree.texts_by_stem.get(posixpath.basename(base), [])
    return known[0] if len(known) == 1 else None


def _ending(text: str) -> str:
    """That of a text, by which it is known."""
    return next(ending for ending in reversed(TEXTS) if text.lower().endswith(ending))


def _texts(tree: Tree, beside: Mapping[str, str], bad: BadRows) -> Iterator[tuple[str, str]]:
    """The text of each recording, ends of lines as \\n. The encoding of those that are not UTF-8 is
    found by all of them together, for one alone is too short to tell."""
    odd: dict[str, bytes] = {}
    for name, text in beside.items():
        try:
            data = tree.read(text)
        except UserError as error:
            bad.refuse(str(error))
            continue
        try:
            yield name, _lines_ended(data.decode("utf-8-sig"))
        except UnicodeDecodeError:
            odd[name] = data
    if not odd:
        return
    try:
        encoding = found(iter([b"\n".join(odd.values())])).encoding
    except Unreadable:
        encoding = ""
    for name, data in odd.items():
        try:
            yield name, _lines_ended(data.decode(encoding or "utf-8"))
        except (UnicodeDecodeError, LookupError):
            bad.add(tree.where(beside[name]), "text in no encoding known here; save it as UTF-8")


def _lines_ended(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _of_audacity(lines: list[str]) -> bool:
    """Whether these are labels of stretches; a line of frequencies begins with a backslash."""
    own = [line for line in lines if not line.startswith("\\")]
    return bool(own) and all(AUDACITY.fullmatch(line.strip("\n ")) for line in own)


def _stretches(tree: Tree, name: str, text: str, held: str, bad: BadRows) -> Iterator[Clip]:
    shown, part = tree.where(text), part_of(posixpath.dirname(name))
    for number, line in enumerate(held.split("\n"), start=1):
        match = AUDACITY.fullmatch(line.strip("\n "))
        if match is None:
            continue
        start, stop = (float(match[k].replace(",", ".")) for k in (1, 2))
        where = f"{shown}, line {number:,}"
        if stop <= start:
            bad.add(where, "a label at a point of time; draw it over a stretch")
            continue
        said = plain(match[3] or "")
        yield Clip(where, tree.recording(name), start, stop, said, part=part)
