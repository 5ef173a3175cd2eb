"""`elman bench`: the layers beside their peers and the machine's limits."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated, Any

from cyclopts import Group, Parameter

from elman.apps.commands.arguments import AsJson
from elman.apps.console import Passing, warn
from elman.apps.flags import flags, given
from elman.apps.process import ENVIRONMENT, STARTED
from elman.bench.options import BenchOptions
from elman.options import make


def bench(
    *,
    asked: Any = None,
    where: Annotated[
        bool, Parameter(negative="", show_default=False, help="Tell what runs here, and end.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure the layers beside their peers and the machine's limits."""
    options = make(BenchOptions, given(asked))
    from elman.bench import baseline, report, run, table
    from elman.bench import where as place

    facts = place.where(ENVIRONMENT)
    passing = Passing(sys.stderr if as_json else sys.stdout)
    told = place.lines(facts, passing.width)
    if where:
        print(json.dumps(facts) if as_json else "\n".join(told))
        return
    _, missing = run.at_hand(options)
    before = None if options.baseline is None else baseline.read(options.baseline)
    differing = [] if before is None else baseline.differences(before["where"], facts)
    path = report.free_folder(options.output)
    threads = options.threads or tuple(sorted({1, facts["torch_threads"]}))
    drawn, results, complete = table.Table(passing.width, place.machine(facts)), [], False
    passing.say(*told)
    try:
        for result in run.results(options, threads, ENVIRONMENT, passing.pass_by):
            results.append(result)
            passing.say(*drawn.lines(result))
        complete = True
    except KeyboardInterrupt:
        kept = f"; what was measured is in {path}" if results else ""
        raise KeyboardInterrupt(f"interrupted{kept}") from None
    finally:
        passing.say()
        if results:
            seconds = time.perf_counter() - STARTED
            made = report.record(facts, options, missing, results, seconds, complete=complete)
            if not report.write(path, made, results):
                warn(report.NO_PICTURE)
    passing.say(*table.missed(results, passing.width), f"bench folder {path}")
    if as_json:
        print(json.dumps(made))
    if before is not None:
        found, compared = baseline.changes(before["results"], results)
        passing.say("", *differing, *baseline.lines(found, compared))
        slower = sum(change.slower for change in found)
        if slower:
            raise baseline.Slower(f"{slower} of {compared} times are longer than in the baseline")


bench.__annotations__["asked"] = flags(BenchOptions, Group("Benchmark", sort_key=1)) | None
