"""The parts that data has already, by the names of its tables and folders.

train.tsv dev.tsv test.tsv               Common Voice
train-clean-5/… dev-clean-2/…            LibriSpeech
validation_list.txt testing_list.txt     Speech Commands: recordings that are no training
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from elman.data.sound.clips import Clip, Part
from elman.data.sound.tree import Tree
from elman.wording import counted

WORDS: Mapping[str, Part] = {
    "train": "train", "training": "train", "valid": "validation", "validation": "validation",
    "val": "validation", "dev": "validation", "test": "test", "testing": "test", "eval": "test",
}  # fmt: skip
LISTS: Mapping[str, Part] = {"validation_list.txt": "validation", "testing_list.txt": "test"}
SHOWN: Mapping[Part, str] = {"train": "training", "validation": "validation", "test": "test"}


def part_of(name: str) -> Part:
    """The part that a name is of, by the first of its folders that says so; "" where none does."""
    for piece in PurePosixPath(name).parts:
        for word in re.split(r"[-_. ]", piece.lower()):
            if word in WORDS:
                return WORDS[word]
    return ""


def usual(names: Iterable[str]) -> list[str]:
    """Of several tables those that are parts, where one is for training; else all."""
    names = list(names)
    if any(part_of(name) == "train" for name in names):
        return [name for name in names if part_of(name)]
    return names


def of_lists(tree: Tree, clips: Sequence[Clip]) -> list[Clip]:
    """The clips with the parts that lists of recordings tell; those in none are for training."""
    lists = [(name, part) for name in tree.names if (part := LISTS.get(name.rpartition("/")[2]))]
    if not lists:
        return list(clips)
    parts = {
        found: part
        for name, part in lists
        for _, line in tree.lines(name)
        if (found := tree.find(line, name.rpartition("/")[0])) is not None
    }
    return [replace(clip, part=parts.get(clip.recording, "train")) for clip in clips]


def settled(clips: Sequence[Clip]) -> tuple[list[Clip], list[str]]:
    """The clips with their parts where all have one, and one of them is for training; else without;
    and what is to be told."""
    counts = {part: sum(clip.part == part for clip in clips) for part in SHOWN}
    others = counts["validation"] + counts["test"]
    if not counts["train"] or not others or counts["train"] + others < len(clips):
        return [replace(clip, part="") for clip in clips], []
    told = ", ".join(
        f"{counted(n, 'clip')} for {SHOWN[part]}" for part, n in counts.items() if n
    )  # fmt: skip
    return list(clips), [f"parts of the data: {told}"]
