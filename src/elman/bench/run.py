"""Every row, for every number of threads, one result at a time."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping

from elman import kernels
from elman.bench import rows
from elman.bench.compare import Bench, Result
from elman.bench.options import BenchOptions
from elman.bench.peers import PEERS
from elman.bench.processes import Workers
from elman.errors import UserError


def at_hand(options: BenchOptions) -> tuple[tuple[str, ...], dict[str, str]]:
    """The peers to stand beside, and what installs those that are missing.

    UserError: one that was asked for by name is not installed.
    """
    present, missing = [], {}
    for peer in PEERS:
        if options.peers is not None and peer.name not in options.peers:
            continue
        if peer.versions() is not None:
            present.append(peer.name)
        elif options.peers is not None:
            raise UserError(f"--peers {peer.name}: not installed; {peer.install}")
        else:
            missing[peer.name] = peer.install
    return tuple(present), missing


def chosen(options: BenchOptions) -> tuple[str, ...]:
    """The names of the rows to measure."""
    if options.rows is not None:
        named = options.rows
    else:
        named = tuple(name for name in rows.NAMES if name not in rows.ASKED_FOR)
    return (*named, "busy") if options.busy and "busy" not in named else named


def summary(row: str) -> str:
    """What the numbers of a row mean, in one line."""
    return str(importlib.import_module(f"elman.bench.rows.{row}").SUMMARY)


def results(
    options: BenchOptions, threads: tuple[int, ...], environment: Mapping[str, str],
    say: Callable[[str], None],
) -> Iterator[Result]:  # fmt: skip
    """Measure. `environment` is that of the workers; `say` is told what is being prepared.

    RunError: our own layers, or the machine's limits, cannot be measured.
    """
    present, _ = at_hand(options)
    for count in threads:
        with Workers(count, environment) as workers:
            bench = Bench(options, workers, count, present, say)
            for name in chosen(options):
                if name in rows.NEED_KERNELS and kernels.available().instruction_set is None:
                    why = f"left out ({kernels.available().why})"
                    yield Result(name, "no kernels", count, "x", {"elman": None}, {}, notes=(why,))
                    continue
                if not bench.precisions(name):
                    continue
                module = importlib.import_module(f"elman.bench.rows.{name}")
                results: Iterator[Result] = module.run(bench)
                yield from results
