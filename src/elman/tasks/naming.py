"""Data by its names: how messages call it, and how a run remembers where it lies."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path

from elman.data import source
from elman.wording import counted


def shown(data: Sequence[str]) -> str:
    """What messages call these items of data: the first, and how many more."""
    return data[0] + (f" and {len(data) - 1} more" if len(data) > 1 else "")


def stem(data: Sequence[str], otherwise: str) -> str:
    """A name for a run on these items of data."""
    if data[0] == "-":
        return "stdin"
    return Path(data[0].removeprefix("name:")).name.split(".")[0] or otherwise


def stored(data: Sequence[str]) -> tuple[list[str], dict[str, Path]]:
    """The items as a run remembers them: `name:...`, an absolute path, or, of what could be read
    only once, the name of a copy in the run folder; and where those copies lie now."""
    names, copies = [], dict[str, Path]()
    for number, item in enumerate(data):
        copy = source.copy_of(item)
        if copy is not None:
            names.append(f"input-{number}{source.COPIED}")
            copies[names[-1]] = copy
        else:
            names.append(item if item.startswith("name:") else str(Path(item).absolute()))
    return names, copies


def trained_on(known: Iterable[Hashable], scored: Iterable[Hashable], what: str) -> str:
    """A warning that some of what is scored was trained on, by content; empty where nothing was."""
    learnt, there = set(known), list(scored)
    seen = sum(content in learnt for content in there)
    verb = "was" if len(there) == 1 else "were"
    return f"{seen:,} of {counted(len(there), what)} {verb} trained on" if seen else ""
