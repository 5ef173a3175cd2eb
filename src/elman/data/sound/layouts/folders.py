"""Recordings without any text: a folder a class, or names that tell by a pattern.

yes/0a7c2a8d_nohash_0.wav     Speech Commands: the folder is the label, the name tells the speaker
0_george_12.wav               {label}_{speaker}_{index}
"""

from __future__ import annotations

import posixpath

from elman.data.sound.clips import Clip
from elman.data.sound.layouts.found import Found
from elman.data.sound.names import NamePattern, guessed, of_speakers
from elman.data.sound.parts import WORDS, part_of
from elman.data.sound.tree import Tree, stem
from elman.data.tables.content import BadRows
from elman.errors import UserError
from elman.wording import counted

NOISE = "_background_noise_"  # of Speech Commands: long, and no word


def by_pattern(tree: Tree, pattern: NamePattern, bad: BadRows) -> Found:
    """The clips as their names tell. A name that does not fit is a bad row."""
    clips = []
    for name in tree.sounds:
        fields = pattern.read(name)
        if fields is None:
            bad.add(tree.where(name), f"its name does not fit {pattern.written}")
            continue
        clips.append(
            Clip(
                tree.where(name), tree.recording(name), text=fields.get("text"),
                label=fields.get("label"), speaker=fields.get("speaker", ""),
                part=part_of(posixpath.dirname(name)),
            )
        )  # fmt: skip
    return Found("name pattern", clips, [told(pattern, clips)], name_pattern=pattern.written)


def told(pattern: NamePattern, clips: list[Clip]) -> str:
    """How names are read, and how many of each field there are."""
    many: dict[str, tuple[str, set[str | None]]] = {
        "label": ("label", {clip.label for clip in clips}),
        "speaker": ("speaker", {clip.speaker for clip in clips}),
        "text": ("transcript", {clip.text for clip in clips}),
    }
    counts = [counted(len(many[f][1]), many[f][0]) for f in pattern.told if f in many]
    return f"file names read as {pattern.written}: {', '.join(counts)}"


def read(tree: Tree, bad: BadRows) -> Found | None:
    """The clips of folders that are classes, or of names that can be guessed; None of others.

    UserError where folders or names may mean several things.
    """
    sounds = [n for n in tree.sounds if NOISE not in n.split("/")]
    guess = guessed(sounds)
    labels = {_folder(name) for name in sounds}
    if len(labels - {""}) > 1 and not labels <= {"", *WORDS}:
        if all(_folder(name) in stem(name) for name in sounds):
            raise UserError(
                f"{tree.shown}: the names of its folders stand in those of its files too, as in "
                f"{sounds[0]}, so that labels and speakers cannot be told apart; give "
                '--name-pattern, as "{label}/*" or "{label}_{speaker}_{index}"'
            )
        return _classes(tree, sounds, bad)
    if guess.either:
        raise UserError(
            f"{tree.shown}: names such as {stem(sounds[0])} may be {' or '.join(guess.either)}; "
            "say which by --name-pattern"
        )
    return None if guess.pattern is None else by_pattern(tree, guess.pattern, bad)


def _folder(name: str) -> str:
    return posixpath.basename(posixpath.dirname(name))


def _classes(tree: Tree, sounds: list[str], bad: BadRows) -> Found:
    clips = []
    speakers = of_speakers(sounds)
    for name in sounds:
        if not _folder(name):
            bad.add(tree.where(name), "lies beside the folders of the classes, in none of them")
            continue
        fields = speakers.read(name) if speakers is not None else None
        clips.append(
            Clip(
                tree.where(name), tree.recording(name), label=_folder(name),
                speaker=(fields or {}).get("speaker", ""), part=part_of(posixpath.dirname(name)),
            )
        )  # fmt: skip
    labels = {clip.label for clip in clips}
    facts = [f"labels from the folder of each recording: {counted(len(labels), 'label')}"]
    facts += [told(speakers, clips)] if speakers is not None else []
    left = len(tree.sounds) - len(sounds)
    facts += [f"not used: {counted(left, 'recording')} in {NOISE}"] if left else []
    pattern = None if speakers is None else speakers.written
    return Found("a folder a class", clips, facts, name_pattern=pattern)
