"""What is measured. A row is a module of this package, named in `NAMES`, with

    SUMMARY = "what its numbers mean, in one line"
    def run(bench: Bench) -> Iterator[Result]: ...

which is called once for each number of threads. This file is all that is loaded to check a name.
"""

from __future__ import annotations

NAMES = ("limits", "train", "infer", "packed", "regularised", "tokens", "busy")
# Only where it is asked for: it takes the whole machine.
ASKED_FOR = frozenset({"busy"})
