"""Streaming with one row: Elman against torch.nn and ONNX Runtime, and the weights' own rate.

    python bench/streaming.py [--cells lstm gru] [--sizes 64 … 1024] [--threads 1 2] [--rounds 5]
    python bench/streaming.py --quality RUN TEXT [--characters 20000]

Tokens: 66 symbols, one layer of H units, a linear output, sampled: Elman's whole loop in one call,
and `elman.decode` around torch.nn, as `elman generate` was before; ONNX Runtime's step of I = H
alone, to which nothing of that is added. Vectors: steps of I = H, state in, state out. Each round
measures all, one after the other; medians of the rounds are shown, in microseconds, and medians of
the ratios. `rate` is that of torch.mv over weights of the same size, in GB/s, and `of rate` the
share of it at which Elman's step streams its own. ONNX Runtime is left out where it or onnx is not
installed. --quality scores a text with each storage of a trained run's weights, token by token.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import elman
from elman import decode, kernels
from elman.data import source
from elman.data.vocabulary import from_json
from elman.kernels.stream import STORAGES, Storage, Stream, Weights
from elman.tasks.text import streaming

SYMBOLS = 66
CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}
SECONDS = 0.02  # of one measurement, so that the clock and the first call do not count


class Timed(NamedTuple):
    """Seconds a step in each round, by what was measured; and bytes of float32 weights a step."""

    cell: str
    hidden_size: int
    threads: int
    seconds: dict[str, list[float]]
    vector_bytes: int

    def median(self, what: str) -> float:
        return statistics.median(self.seconds[what])

    def ratio(self, what: str, over: str) -> float:
        pairs = zip(self.seconds[what], self.seconds[over], strict=True)
        return statistics.median(a / b for a, b in pairs)


class Quality(NamedTuple):
    """How well a model with weights stored so predicts a text."""

    storage: Storage
    bits_per_character: float
    characters: int


def measure(cell: str, hidden_size: int, threads: int, rounds: int) -> Timed:
    """One row of the table: every contestant in turn, so many rounds."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    steps: dict[str, tuple[Callable[[int], object], int]] = {}  # n steps in a call, and which n
    over_tokens = CELLS[cell](SYMBOLS, hidden_size)
    output = nn.Linear(hidden_size, SYMBOLS)
    for storage in STORAGES:
        steps[f"tokens {storage}"] = many(token_loop(cell, over_tokens, output, storage))
    steps["tokens torch.nn"] = many(torch_tokens(over_tokens, output))
    over_vectors = CELLS[cell](hidden_size, hidden_size)
    for storage in STORAGES:
        steps[f"vectors {storage}"] = many(vector_steps(cell, over_vectors, storage))
    steps["vectors torch.nn"] = many(torch_vectors(over_vectors))
    if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnx"):
        steps["vectors ORT"] = many(onnx_steps(cell, over_vectors, threads))
    numbers = sum(w.numel() for w in over_vectors.parameters() if w.dim() == 2)
    big, x = torch.randn(numbers // hidden_size, hidden_size), torch.randn(hidden_size)

    def products(n: int) -> None:
        for _ in range(n):
            torch.mv(big, x)

    steps["product"] = many(products)
    seconds: dict[str, list[float]] = {what: [] for what in steps}
    for _ in range(rounds):
        for what, (step, n) in steps.items():
            seconds[what].append(timed(step, n) / n)
    return Timed(cell, hidden_size, threads, seconds, 4 * numbers)


def quality(run: Path, text: str, characters: int) -> list[Quality]:
    """A trained run's bits per character on the last `characters` of a text, by storage."""
    trained = elman.load(run, device="cpu")
    content = "".join(source.read_text(source.resolve([text])))[-characters:]
    vocabulary = from_json(trained.folder.preprocessing()["vocabulary"])
    ids = torch.from_numpy(vocabulary.encode(content).astype(np.int64))
    found = []
    for storage in STORAGES:
        stream = streaming.stream(trained.model, storage)
        if isinstance(stream, str):
            raise SystemExit(stream)
        place = trained.read()
        state = [tuple(s[0].contiguous() for s in layer) for layer in place.state]
        scores, _ = stream.read(ids[:-1].contiguous(), state)
        scores = torch.cat([place.logits[None], scores])
        nats = F.cross_entropy(scores.double(), ids, reduction="sum").item()
        found.append(Quality(storage, nats / np.log(2) / len(content), len(content)))
    return found


# ---- Contestants: each runs n steps ------------------------------------------------------------


def layer_of(cell: str, layer: nn.RNNBase) -> Weights:
    parts = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return Weights(cell, *(getattr(layer, name).detach() for name in parts))


def zeros(cell: str, H: int, *batch: int) -> tuple[Tensor, ...]:
    return tuple(torch.zeros(*batch, H) for _ in range(2 if cell == "lstm" else 1))


def token_loop(
    cell: str, layer: nn.RNNBase, output: nn.Linear, storage: Storage
) -> Callable[[int], object]:
    matrix = (output.weight.detach(), output.bias.detach())
    stream = Stream([layer_of(cell, layer)], tokens=SYMBOLS, output=matrix, storage=storage)
    state, logits = [zeros(cell, layer.hidden_size, 1)], torch.zeros(SYMBOLS)
    return lambda n: stream.generate(n, logits, state, 1, seed=1)


def torch_tokens(layer: nn.RNNBase, output: nn.Linear) -> Callable[[int], object]:
    """`elman.decode`, one call of the model a token."""
    sampling = decode.Sampling(seed=1)

    @torch.no_grad()
    def step(ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        y, after = layer(F.one_hot(ids, SYMBOLS).float(), state)
        return output(y[-1]), after

    place = decode.start(step, None, [0])
    return lambda n: list(decode.generate(step, place, n, sampling))


def vector_steps(cell: str, layer: nn.RNNBase, storage: Storage) -> Callable[[int], object]:
    stream = Stream([layer_of(cell, layer)], storage=storage)
    x = torch.randn(layer.input_size)

    def step(n: int) -> None:
        state = [zeros(cell, layer.hidden_size)]
        for _ in range(n):
            _, state = stream.step(x, state)

    return step


def torch_vectors(layer: nn.RNNBase) -> Callable[[int], object]:
    x = torch.randn(1, layer.input_size)

    @torch.no_grad()
    def step(n: int) -> None:
        state = None
        for _ in range(n):
            _, state = layer(x, state)

    return step


def onnx_steps(cell: str, layer: nn.RNNBase, threads: int) -> Callable[[int], object]:
    """ONNX Runtime's operator over one step, h (and c) handed back. Its gates: i o f c, z r n."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    H, order = layer.hidden_size, [0, 3, 1, 2] if cell == "lstm" else [1, 0, 2]

    def reordered(name: str) -> Any:
        parts = getattr(layer, name).detach().chunk(len(order))
        return torch.cat([parts[k] for k in order]).numpy()

    def floats(name: str, *shape: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    bias = np.concatenate([reordered("bias_ih_l0"), reordered("bias_hh_l0")])
    constants = {"W": reordered("weight_ih_l0"), "R": reordered("weight_hh_l0"), "B": bias}
    names = ["h", "c"] if cell == "lstm" else ["h"]
    after = [f"{name}_after" for name in names]
    options = {} if cell == "lstm" else {"linear_before_reset": 1}
    node = helper.make_node(
        cell.upper(), ["x", "W", "R", "B", "", *names], ["", *after], hidden_size=H, **options
    )
    graph = helper.make_graph(
        [node],
        "step",
        [floats("x", 1, 1, H), *(floats(name, 1, 1, H) for name in names)],
        [floats(name, 1, 1, H) for name in after],
        [numpy_helper.from_array(array[None], name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    asked = onnxruntime.SessionOptions()
    asked.intra_op_num_threads, asked.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), asked, providers=["CPUExecutionProvider"]
    )
    x = np.random.default_rng(0).standard_normal((1, 1, H), dtype=np.float32)

    def step(n: int) -> None:
        state = [np.zeros((1, 1, H), np.float32) for _ in names]
        for _ in range(n):
            state = session.run(after, {"x": x, **dict(zip(names, state, strict=True))})

    return step


# ---- The clock and the table ------------------------------------------------------------------


def many(step: Callable[[int], object]) -> tuple[Callable[[int], object], int]:
    """The steps of one measurement: as many as take about `SECONDS`."""
    step(4)
    return step, max(4, round(SECONDS / (timed(step, 8) / 8)))


def timed(step: Callable[[int], object], n: int) -> float:
    began = time.perf_counter()
    step(n)
    return time.perf_counter() - began


def shown(row: Timed) -> str:
    us = {what: f"{1e6 * row.median(what):8.1f}" for what in row.seconds}
    rate = row.vector_bytes / row.median("product") / 1e9
    ort = "vectors ORT" in row.seconds
    loop, step = "tokens float32", "vectors float32"
    return " | ".join(
        [
            f"{row.cell:4} {row.hidden_size:5} {row.threads}",
            us[loop],
            f"torch.nn {row.ratio('tokens torch.nn', loop):6.1f}x",
            f"ORT {row.ratio('vectors ORT', loop):5.1f}x" if ort else "ORT    -  ",
            f"f16 {row.ratio(loop, 'tokens float16'):4.2f}x",
            f"int8 {row.ratio(loop, 'tokens int8'):4.2f}x",
            us[step],
            f"torch.nn {row.ratio('vectors torch.nn', step):5.1f}x",
            f"ORT {row.ratio('vectors ORT', step):5.2f}x" if ort else "ORT   -  ",
            f"rate {rate:5.1f} GB/s",
            f"of rate {row.ratio('product', step):4.0%}",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=list(CELLS))
    parser.add_argument("--sizes", nargs="+", type=int, default=[64, 128, 256, 512, 1024])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quality", nargs=2, metavar=("RUN", "TEXT"))
    parser.add_argument("--characters", type=int, default=20_000)
    given = parser.parse_args()
    if given.quality:
        for q in quality(Path(given.quality[0]), given.quality[1], given.characters):
            print(f"{q.storage:8} {q.bits_per_character:.5f} bits of {q.characters:,} characters")
        return
    print(f"Elman's kernels: {kernels.available()}")
    print("cell     H threads | tokens us | vs … | storages | vectors us | vs … | matrix-vector")
    for threads in given.threads:
        for cell in given.cells:
            for H in given.sizes:
                print(shown(measure(cell, H, threads, given.rounds)), flush=True)


if __name__ == "__main__":
    main()
