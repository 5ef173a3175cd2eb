"""Trains on every known data set for so many minutes, as a new user would, and tells what came.

    python bench/verdicts.py FOLDER --minutes 1 [--files DATA] [--only NAME…] [--threads 1]

The sets stand in verdicts.toml; those made by formula are made first. Every row is `elman train …
--json` in a process of its own, and `elman evaluate` where there is a part for the test. A row that
is done is kept in FOLDER/rows, so that the command can be ended and begun again, or run twice at
once. From all rows that are done it writes

- FOLDER/verdicts.md: the network's first score, every rival's, the interval of the gain;
- FOLDER/promises.md: how much of the minutes was used, and the line that says why no more was.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elman.options import make
from elman.wording import minutes as clock
from elman.wording import readable

HERE = Path(__file__).parent
MADE = "made/"
LEAST, MOST = 0.9, 1.05  # shares of the minutes


@dataclass(frozen=True)
class Row:
    """One data set, and what is done with it; files lie below a folder that is named later."""

    name: str
    task: str
    size: str
    data: tuple[str, ...]
    named: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    promise: bool = False


@dataclass(frozen=True)
class Ended:
    """A process that has ended: exit code, seconds on the wall and of processors, what it said."""

    code: int
    wall: float
    processor: float
    out: str
    err: str


def rows(path: Path = HERE / "verdicts.toml") -> list[Row]:
    """The rows of a file, in order."""
    with path.open("rb") as file:
        tables = tomllib.load(file)["row"]
    return [make(Row, table, where=path.name) for table in tables]


def found(row: Row, files: Path | None, made: Path) -> tuple[list[str], list[str]] | None:
    """Where a row's data and test part lie; None where they are not at hand."""

    def where(items: Sequence[str]) -> list[str] | None:
        places = []
        for item in items:
            if item.startswith("name:"):
                places.append(item)
            elif item.startswith(MADE):
                places.append(str(made / item.removeprefix(MADE)))
            elif files is not None and (files / item).exists():
                places.append(str(files / item))
            else:
                return None
        return places

    data, test = where(row.data), where(row.test)
    if data is None and row.named:
        data = list(row.named)
    return None if data is None else (data, test or [])


def run(command: Sequence[str], log: Path) -> Ended:
    """Runs `elman` with these arguments in a process of its own, whose messages go to `log`."""
    out = log.with_suffix(".out")
    began = time.perf_counter()
    with out.open("wb") as stdout, log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "elman", *command], stdout=stdout, stderr=stderr
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    processor = used.ru_utime + used.ru_stime
    said = out.read_text(), log.read_text()
    return Ended(process.returncode, wall, processor, said[0], said[1])


def measured(
    row: Row, data: Sequence[str], test: Sequence[str], minutes: float, threads: int, folder: Path
) -> dict[str, Any]:
    """Trains and, where there is a test part, scores on it; all that the tables tell of it."""
    place = folder / "runs" / row.name.replace(" ", "-").replace(",", "")
    log = folder / "rows" / f"{place.name}.log"
    command = [
        "train", row.task, *data, "--minutes", f"{minutes:g}", *row.options,
        "--run", str(place), "--force", "--threads", str(threads), "--json",
    ]  # fmt: skip
    trained = run(command, log)
    record: dict[str, Any] = {
        "name": row.name, "task": row.task, "size": row.size, "promise": row.promise,
        "minutes": minutes, "threads": threads, "wall": trained.wall,
        "processor": trained.processor, "error": "", "tested": False,
        "command": told(["elman", "train", row.task, *data, *row.options, "--minutes",
                         f"{minutes:g}"]),
    }  # fmt: skip
    if trained.code:
        return record | {"error": _last_line(trained.err) or f"exit code {trained.code}"}
    record |= _kept(json.loads(trained.out))
    kept = json.loads((place / "scores.json").read_text())
    record |= {"epochs": kept.get("epochs"), "ended": kept.get("ended", "")}
    report = (place / "report.md").read_text().splitlines()
    record["line"] = next((x for x in report if x.startswith(("It used ", "It ended "))), "")
    if test:
        log = log.with_suffix(".test.log")
        scored = run(["evaluate", str(place), *test, "--json"], log)
        if scored.code:
            return record | {"error": f"evaluate: {_last_line(scored.err)}"}
        record |= _kept(json.loads(scored.out)) | {"tested": True}
    return record


def verdict_table(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the network and its rivals had, as lines of Markdown.

    In bold the rival that the training part chose; a gain above 0 is better, however a score
    counts.
    """
    lines = [
        "| data | task | score | network | rivals | gain, 95 % | passes | used | processor s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for record in records:
        head = f"| {record['name']}, {record['size']} | {record['task']} |"
        if record["error"]:
            lines.append(f"{head} | | {_cell(record['error'])} | | | | |")
            continue
        first = next(iter(record["scores"]), "")
        rivals = [
            f"{'**' * (not k)}{_cell(name)} {readable(scores[first])}{'**' * (not k)}"
            for k, (name, scores) in enumerate(record["rivals"].items())
            if first in scores
        ]
        where = f"{first.replace('_', ' ')}{', test' if record['tested'] else ''}"
        own = readable(record["scores"][first]) if first else ""
        lines.append(
            f"{head} {where} | {own} | {'; '.join(rivals)} | {_gain(record['gain'])} | "
            f"{record['epochs']} | {_used(record)} | {record['processor']:,.0f} |"
        )
    return lines


def promise_table(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """How much of the minutes was used, as lines of Markdown."""
    lines = ["| data | task | used | share | what the report says |", "|---|---|---|---|---|"]
    for record in (one for one in records if one["promise"]):
        share = record["wall"] / (60 * record["minutes"])
        said = record["error"] or record.get("line", "")
        lines.append(
            f"| {record['name']}, {record['size']} | {record['task']} | {_used(record)} | "
            f"{share:.0%} | {_cell(said)} |"
        )
    return lines


def kept_promises(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of rows that used neither 90 to 105 % of their minutes nor said why they ended."""
    return [one["name"] for one in records if one["error"] or not _is_kept(one)]


def _is_kept(record: Mapping[str, Any]) -> bool:
    share = record["wall"] / (60 * record["minutes"])
    return share <= MOST and (share >= LEAST or bool(record["ended"]))


def told(command: Sequence[str]) -> str:
    """A command as it would be typed, files by their names."""
    return shlex.join(Path(part).name if part.startswith("/") else part for part in command)


def _kept(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in ("scores", "rivals", "gain")}


def _gain(gain: Mapping[str, Any] | None) -> str:
    if gain is None:
        return "not counted"
    if gain["low"] is None:
        return f"too few to tell ({gain['units']} {gain['unit']})"
    return f"{readable(gain['low'])} to {readable(gain['high'])}"


def _used(record: Mapping[str, Any]) -> str:
    return f"{clock(record['wall'])} of {clock(60 * record['minutes'])}"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


@contextmanager
def taken(path: Path) -> Iterator[bool]:
    """Whether this process is the one that works on a row, which is free again when it ends."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def done(folder: Path, every: Sequence[Row]) -> list[dict[str, Any]]:
    """The records of the rows that are done, in the order of the list."""
    paths = [folder / "rows" / f"{row.name}.json" for row in every]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--files", type=Path, help="where the files of verdicts.toml lie")
    parser.add_argument("--only", nargs="+", default=[], help="names of rows")
    parser.add_argument("--promises", action="store_true", help="only the rows of that table")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--most", type=int, default=10_000, help="rows to train in this call")
    asked = parser.parse_args()
    every = rows()
    for name in asked.only:
        if name not in {row.name for row in every}:
            parser.error(f'no row "{name}"; there are {", ".join(row.name for row in every)}')
    folder: Path = asked.folder
    (folder / "rows").mkdir(parents=True, exist_ok=True)
    made = folder / "made"
    chosen = [r for r in every if (not asked.only or r.name in asked.only)
              and (r.promise or not asked.promises)]  # fmt: skip
    if any(i.startswith(MADE) and not (made / i.removeprefix(MADE)).exists()
           for row in chosen for i in row.data):  # fmt: skip
        subprocess.run([sys.executable, str(HERE / "made_systems.py"), str(made)], check=True)
    trained = 0
    for row in chosen:
        path = folder / "rows" / f"{row.name}.json"
        place = found(row, asked.files, made)
        if place is None:
            print(f"{row.name}: not at hand; name its folder with --files", flush=True)
        if place is None or path.exists() or trained >= asked.most:
            continue
        with taken(path.with_suffix(".lock")) as free:
            if not free or path.exists():
                continue
            record = measured(row, *place, asked.minutes, asked.threads, folder)
            fresh = path.with_suffix(".new")
            fresh.write_text(json.dumps(record, indent=1, ensure_ascii=False))
            fresh.replace(path)
            trained += 1
        said = record["error"] or verdict_table([record])[-1]
        print(said, flush=True)
        records = done(folder, every)
        (folder / "verdicts.md").write_text("\n".join(verdict_table(records)) + "\n")
        (folder / "promises.md").write_text("\n".join(promise_table(records)) + "\n")
    broken = kept_promises([one for one in done(folder, every) if one["promise"]])
    print(f"rows done: {len(done(folder, every))}; promises that were not kept: {broken or 'none'}")


if __name__ == "__main__":
    main()
