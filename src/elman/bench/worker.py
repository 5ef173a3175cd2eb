"""A process that measures for one peer with one number of threads: it runs when told, else sleeps.

    $ python -m elman.bench.worker torch 1
    {"make": {"kind": "mm", "H": 2048}}
    {"seconds": 0.11, "sample": []}
    {"run": 0, "calls": 3}
    {"seconds": 0.10}
    {"drop": true}
    {}

The process is bound to as many cores as it has threads: so all peers share the same ones, and XLA,
which counts cores, takes no more. `run` names what was made by its number since the last `drop`. An
answer {"error": …} says why something cannot be done. The process ends with its input.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from elman.bench.peers import BY_NAME
from elman.bench.peers.prepared import Prepared
from elman.bench.work import Work

SHORT = 0.1  # seconds; shorter calls are warmed up once more
SAMPLED = 64  # numbers out of each result


def main() -> None:
    peer, threads = BY_NAME[sys.argv[1]], int(sys.argv[2])
    bind(threads)
    # What libraries print must not fall between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    made: list[Prepared] = []
    for line in sys.stdin:
        try:
            answer = _answer(json.loads(line), peer.adapter, threads, made)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(answer), file=answers, flush=True)


def bind(count: int) -> None:
    """Stay on `count` of the cores at hand: whole ones before second threads of the same core."""
    if not hasattr(os, "sched_setaffinity"):
        return
    taken: Counter[str] = Counter()
    ranked = []
    for cpu in sorted(os.sched_getaffinity(0)):
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        core = siblings.read_text() if siblings.exists() else str(cpu)
        ranked.append((taken[core], cpu))
        taken[core] += 1
    os.sched_setaffinity(0, [cpu for _, cpu in sorted(ranked)][:count])


def _answer(told: dict[str, Any], adapter: str, threads: int, made: list[Prepared]) -> Any:
    if "make" in told:
        prepare = importlib.import_module(f"elman.bench.peers.{adapter}").prepare
        prepared = prepare(Work(**told["make"]), threads)
        if prepared is None:
            return {"error": "cannot do this"}
        results = prepared.once()
        samples = sample(prepared, results) if prepared.comparable else []
        seconds = timed(prepared.once, 1)  # the first call compiled
        if seconds < SHORT:
            seconds = timed(prepared.once, 1)
        made.append(prepared)
        return {"seconds": seconds, "sample": samples}
    if "run" in told:
        once = made[told["run"]].once
        once()  # the first call after a rest takes several times as long
        return {"seconds": timed(once, told["calls"])}
    made.clear()
    return {}


def sample(prepared: Prepared, results: Any) -> list[list[float]]:
    """Some numbers of each result, at the same places whoever made it."""
    picked = []
    for result in results:
        # Half numbers of PyTorch have no type in NumPy.
        values = np.asarray(result.float() if hasattr(result, "float") else result)
        values = (values.swapaxes(0, 1) if prepared.batch_first else values).ravel()
        places = np.linspace(0, len(values) - 1, SAMPLED).astype(int)
        picked.append(values[places].tolist())
    return picked


def timed(once: Callable[[], object], calls: int) -> float:
    """Seconds for one call."""
    start = time.perf_counter()
    for _ in range(calls):
        once()
    return (time.perf_counter() - start) / calls


if __name__ == "__main__":
    main()
