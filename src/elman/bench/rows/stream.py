"""One row, one step after another: a text that is written, and vectors that come one by one."""

from __future__ import annotations

from collections.abc import Iterator

from elman.bench.compare import Bench, Entrant, Goal, Result, interleave, medians, spread, spreads
from elman.bench.work import Work

SUMMARY = "one token or vector; ratio: the best peer over elman (tokens: onnx, whose step is bare)"
SIZES = (64, 128, 256, 512, 1024)
# Over ONNX Runtime's step of I = H, to which no embedding, output or choice is added.
OVER_ONNX = {64: 8.0, 128: 3.0, 256: 1.8, 512: 1.8, 1024: 1.8}
OVER_TORCH = {"lstm": 8.0}
STORED = {"float16": ("f16", 1.7), "int8": ("int8", 3.0)}  # column, and over float32
RATE = 0.85  # of the matrix-vector product's rate
LARGE = 512  # from there on weights, and not overheads, take the time
VECTORS = 64  # steps of a call


def run(bench: Bench) -> Iterator[Result]:
    for read in (tokens, vectors):
        for cell in bench.cells("stream"):
            for H in bench.sizes(*SIZES):
                yield read(bench, cell, H)


def tokens(bench: Bench, cell: str, H: int) -> Result:
    """Elman's whole loop in one call, torch.nn's in Python, and a step of ONNX Runtime."""
    T = 512 if H < LARGE else 128  # so many that the call itself does not count
    text = Work("write", cell, H, B=1, T=T, variant="float32")
    entrants = [
        Entrant("elman", "elman", text),
        *(
            Entrant(column, "elman", Work("write", cell, H, B=1, T=T, variant=storage))
            for storage, (column, _) in STORED.items()
        ),
        *(Entrant(name, name, text) for name in bench.rivals("torch")),
        *(
            Entrant(name, name, Work("step", cell, H, B=1, T=VECTORS))
            for name in bench.rivals("onnx")
        ),
    ]
    seconds, notes = interleave(bench, entrants)
    step = {e.name: seconds[e.name] / e.work.T for e in entrants if e.name in seconds}
    over = {name: spread(step[name] / step["elman"]) for name in step if name != "elman"}
    goals = []
    if "onnx" in over and H in OVER_ONNX:
        goals.append(Goal("onnx over tokens", OVER_ONNX[H], over["onnx"].median))
    if "torch" in over and cell in OVER_TORCH:
        goals.append(Goal("torch over tokens", OVER_TORCH[cell], over["torch"].median))
    if H >= LARGE:
        for storage, (column, reach) in STORED.items():
            faster = spread(step["elman"] / step[column]).median
            goals.append(Goal(f"float32 over {storage}", reach, faster))
    middle = medians(step)
    return Result(
        "stream", f"{cell} token {H}", bench.threads, "us",
        {e.name: 1e6 * middle[e.name] if e.name in middle else None for e in entrants},
        spreads(step), over.get("onnx", over.get("torch")), tuple(goals), notes=notes,
    )  # fmt: skip


def vectors(bench: Bench, cell: str, H: int) -> Result:
    """Everybody's step, and a product with as many weights."""
    work = Work("step", cell, H, B=1, T=VECTORS)
    names = bench.rivals("torch", "onnx")
    entrants = [
        *(Entrant(name, name, work) for name in ["elman", *names]),
        Entrant("mv", "limits", Work("weights", cell, H)),
    ]
    seconds, notes = interleave(bench, entrants)
    step = {name: s if name == "mv" else s / VECTORS for name, s in seconds.items()}
    middle = medians(step)
    best = min((name for name in names if name in step), key=middle.__getitem__, default=None)
    ratio = None if best is None else spread(step[best] / step["elman"])
    goals = [] if ratio is None else [Goal(f"times as fast as {best}", 1.0, ratio.median)]
    if H >= LARGE:
        share = spread(step["mv"] / step["elman"]).median
        goals.append(Goal("share of the matrix-vector rate", RATE, share))
    return Result(
        "stream", f"{cell} vector {H}", bench.threads, "us",
        {e.name: 1e6 * middle[e.name] if e.name in middle else None for e in entrants},
        spreads(step), ratio, tuple(goals), notes=notes,
    )  # fmt: skip
