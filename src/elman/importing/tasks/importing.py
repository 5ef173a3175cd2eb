"""From a network and what the user tells of it to a run folder, task by task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from elman.errors import UserError
from elman.importing.network import Network
from elman.importing.tasks import classify, tag, text
from elman.importing.tasks.made import write
from elman.run import folder

Task: TypeAlias = Literal["text", "classify", "tag"]


class Imported(NamedTuple):
    """The run folder, the largest difference of its answers, and what the user should know."""

    run: Path
    difference: float
    remarks: tuple[str, ...]


def import_run(
    network: Network, task: Task, run: Path | None, *, vocabulary: str | None = None,
    classes: Sequence[str] = (), lowercase: bool = False, force: bool = False,
) -> Imported:  # fmt: skip
    """Makes a run of a network. UserError: it does not fit the task, or the place is taken."""
    source = network.account.source
    if task == "text":
        if vocabulary is None:
            raise UserError(
                f"{source}: give what its ids mean as --vocabulary: JSON, or the text that it "
                "learnt from"
            )
        if classes:
            raise UserError("--classes: for --task classify or tag")
        made = text.made(network, vocabulary, lowercase=lowercase)
    else:
        kind = classify if task == "classify" else tag
        made = kind.made(network, vocabulary, classes, lowercase=lowercase)
    place = run or folder.free_name(Path(source).name.split(".")[0])
    difference = write(made, source, place, force=force)
    return Imported(place, difference, made.remarks)
