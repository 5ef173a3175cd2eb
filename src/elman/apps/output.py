"""Scores and lists on standard output: tables for people, a line a row in a pipe, or JSON.

score       network  rival 1
perplexity  3.1415   4.6692
rival 1: Kneser-Ney 6-gram
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console as Terminal
from rich.table import Table

from elman.apps.console import warn
from elman.data.tables.content import BadRows
from elman.wording import counted, readable

if TYPE_CHECKING:
    from elman.run.verdict import Verdict

NARROW_COLUMN = 15  # characters; a table with less for each column becomes a list


def print_scores(
    task: str, run: Path, verdict: Verdict, seconds: float, as_json: bool, how: str = "",
    left_out: int = 0,
) -> None:  # fmt: skip
    """The scores of a run; `how` says how they were counted, `left_out` of how many rows not."""
    if as_json:
        from elman.run.verdict import to_record

        record: dict[str, Any] = {"task": task, "run": str(run)} | to_record(verdict)
        record |= {"seconds": round(seconds, 3)}
        record |= {"counted": how} if how else {}
        print(json.dumps(record | ({"left_out": left_out} if left_out else {})))
        return
    if not verdict.scores:  # nothing was kept for validation
        return
    numbered = list(enumerate(verdict.rivals.items(), 1))
    heads = ("score", "network", *(f"rival {k}" for k, _ in numbered))
    columns = [verdict.scores, *verdict.rivals.values()]
    rows = [
        (name, *(readable(scores[name]) if name in scores else "" for scores in columns))
        for name in verdict.scores
    ]
    print_table(heads, rows)
    for k, (name, _) in numbered:
        print(f"rival {k}: {name}")
    if how:
        print(f"counted: {how}")


def print_table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Rows under their heads, as the terminal allows; in a pipe a row is a line."""
    terminal = Terminal(highlight=False, width=None if sys.stdout.isatty() else 1000)
    if terminal.width < NARROW_COLUMN * len(heads):
        for row in rows:
            first, *others = (f"{head} {cell}" for head, cell in zip(heads, row, strict=True))
            print("\n  ".join([first, *others]))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        # The first column holds names, to be copied as they stand.
        table.add_column(head, overflow="fold", no_wrap=head == heads[0])
    for row in rows:
        table.add_row(*row)
    with terminal.capture() as drawn:  # printed by ourselves: rich makes a broken pipe an error
        terminal.print(table)
    print("\n".join(line.rstrip() for line in drawn.get().splitlines()))


def tell_left_out(bad: BadRows) -> None:
    """How many rows were left out, and what was wrong with the first, on standard error."""
    for line in bad.first:
        warn(f"left out: {line}")
    if bad.count:
        warn(f"{counted(bad.count, 'row')} left out")
