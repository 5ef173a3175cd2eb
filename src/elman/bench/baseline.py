"""Two benches of one machine: what of ours has become slower, beyond the spread of both."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elman.bench.compare import Result, Spread
from elman.bench.peers import PEERS
from elman.errors import ElmanError, UserError

# What must be the same for times to be comparable, and what should be. The cores at hand need not:
# times are compared for each number of threads.
MACHINE = ("cpu", "cache_bytes", "kernels")
VERSIONS = ("torch", "python", "huge_pages")
# Columns of others.
RIVALS = {*(peer.name for peer in PEERS), "comp.", "t.mel", "mv"}
LEAST = 1.03  # times as slow: less is told of no one


class Slower(ElmanError):
    """Something takes longer than in the baseline."""


@dataclass(frozen=True)
class Change:
    """One of our times, now over before, where both spreads lie apart."""

    what: str  # "train bf16 lstm 256, 1 thread: elman-bf16"
    times: float

    @property
    def slower(self) -> bool:
        return self.times > 1


def read(path: Path) -> dict[str, Any]:
    """bench.json, or the folder that holds it. UserError: it cannot be read, or is none."""
    file = path / "bench.json" if path.is_dir() else path
    try:
        made = json.loads(file.read_text(encoding="utf-8"))
        for result in made["results"]:
            for spread in result["seconds"].values():
                Spread(**spread)
        made["where"].items()
    except OSError as error:
        raise UserError(f"--baseline {file}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"--baseline {file}: not the bench.json of this version; make one by elman bench"
        ) from None
    return dict(made)


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is said of versions that differ. UserError: the machine is another one.

    Both are `where` of a bench.
    """
    for name in MACHINE:
        if before.get(name) != now[name]:
            raise UserError(
                f"--baseline: its {_said(name)} is {before.get(name)}, here it is {now[name]}; "
                "give a bench of this machine"
            )
    return [
        f"the baseline had {_said(name)} {before.get(name)}, here it is {now[name]}"
        for name in VERSIONS
        if before.get(name) != now[name]
    ]


def _said(name: str) -> str:
    return name.replace("_", " ")


def changes(before: Sequence[Mapping[str, Any]], now: Sequence[Result]) -> tuple[list[Change], int]:
    """Those of our times that changed, and how many were compared.

    Times are held against the peak of the same rounds where both benches measured it, so that a
    processor that runs slower today is no change.
    """
    known = {_key(r["row"], r["case"], r["threads"], r["precision"]): r for r in before}
    found, compared = [], 0
    for result in now:
        key = _key(result.row, result.case, result.threads, result.precision)
        for name, old, new in _pairs(known.get(key), result):
            compared += 1
            times = new.median / old.median
            apart = new.low > old.high or new.high < old.low
            if apart and max(times, 1 / times) >= LEAST:
                found.append(Change(f"{key}: {name}", times))
    return found, compared


def lines(found: Sequence[Change], compared: int) -> list[str]:
    """For people, the worst first."""
    told = [
        f"  {change.what}: {change.times:.2f} times as long"
        for change in sorted(found, key=lambda change: -change.times)
    ]
    slower = sum(change.slower for change in found)
    first = f"{compared} times beside the baseline: {slower} slower, {len(found) - slower} faster"
    return [first + (":" if told else "."), *told]


def _pairs(
    before: Mapping[str, Any] | None, result: Result
) -> Iterator[tuple[str, Spread, Spread]]:
    """The name, the time before and the time now of each of ours that both have."""
    if before is None:
        return
    both = bool(before["peak"] and result.peak)
    for name, now in result.seconds.items():
        if name.removesuffix("+W") in RIVALS or name not in before["seconds"]:
            continue
        old = Spread(**before["seconds"][name])
        yield name, _times(old, before["peak"], both), _times(now, result.peak, both)


def _times(spread: Spread, peak: float | None, against_peak: bool) -> Spread:
    return Spread(*(s * peak for s in spread)) if peak and against_peak else spread


def _key(row: str, case: str, threads: int, precision: str) -> str:
    half = "" if precision == "float32" else f" {precision}"
    return f"{row}{half} {case}, {threads} thread" + ("s" if threads > 1 else "")
