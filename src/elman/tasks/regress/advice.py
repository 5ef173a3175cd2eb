"""What a regressor's report suggests to try next, by what its network and its rivals had."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from elman.tasks.regress.options import RegressOptions
from elman.tasks.rivals import Rival

NOTHING = 0.98  # of the linear answer's error: above it the layers added next to nothing
MEMBERS = 3


def next_try(
    own: float, rivals: Sequence[Rival], options: RegressOptions, folder: Path
) -> list[str]:
    """A line of Markdown, or none. `own` is the network's first score, an error."""
    command = f"elman train regress --config {shlex.quote(str(folder / 'options.toml'))}"
    linear = next((r for r in rivals if r.name.startswith("a linear")), None)
    if linear is not None:
        error = next(iter(linear.scores.values()))
        if not options.linear and own > error:
            return [f"The linear answer is nearer. Begin from it: `{command} --linear`.", ""]
        if options.linear and own > NOTHING * error:
            return [
                "The layers add next to nothing to the linear answer: what it leaves over may be "
                "noise, or depend on what is not among the inputs.",
                "",
            ]
    if options.members == 1:
        return [
            f"{MEMBERS} networks, averaged, are mostly a little nearer than one: `{command} "
            f"--members {MEMBERS}`.",
            "",
        ]
    return []
