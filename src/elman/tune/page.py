"""A search as files: one table and its notes, as Markdown and as JSON."""

from __future__ import annotations

import json

from elman.run import files
from elman.tune.result import Result, as_record, notes, table
from elman.tune.study import PAGE, REPORT, RESULT


def write(result: Result, pictures: list[str]) -> None:
    """tuning.json and tuning.md, which shows the pictures of the report."""
    path = result.search.path
    files.replace(path / RESULT, json.dumps(as_record(result), indent=1, ensure_ascii=False))
    heads, rows = table(result)
    lines = [f"# Settings searched: {result.search.asked.task}", ""]
    lines += ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    lines += ["", *(f"- {note}" for note in notes(result))]
    for name in pictures:
        lines += ["", f"![{name.removesuffix('.png')}]({REPORT}/{name})"]
    files.replace(path / PAGE, "\n".join(lines) + "\n")
