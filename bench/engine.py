"""The engine of `elman serve` with many texts at once, beside loops over PyTorch's layers.

    python bench/engine.py [--streams 1000] [--tokens 100] [--threads 2] [--models characters words]

For each of several language models with random weights, which cost what trained ones cost:

    loop       torch.nn, one text after the other, a token at a time
    batch      torch.nn, one token of all texts at a time
    alone      the engine with a single text
    together   the engine with all texts at once, each read by a task of its own; as many as there
               is time for are compared, token by token, with what they are alone

All choose by softmax at temperature 1. p50 and p99 are of the times between tokens of one text, as
its reader sees them; memory is what a text takes in the engine. `bench/serving.py` measures the
same over HTTP. `--json FILE` keeps the numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from elman.data.texts.vocabulary import Vocabulary, build
from elman.decode import Sampling
from elman.serve.contract import Asked
from elman.serve.engine.engine import TextEngine
from elman.serve.engine.packed import Packed
from elman.tasks.text.model import LanguageNetwork
from elman.tasks.text.options import TextOptions
from elman.tasks.text.writing import streaming
from elman.tasks.text.writing.writer import writer_of


@dataclass(frozen=True)
class Size:
    """A language model."""

    cell: str
    hidden: int
    layers: int
    embedding: int
    symbols: int

    def told(self) -> str:
        return f"{self.layers} x {self.cell} {self.hidden}, {self.symbols:,} symbols"


SIZES = {
    "characters": Size("gru", 256, 1, 0, 100),
    "default": Size("lstm", 512, 1, 128, 100),
    "words": Size("lstm", 512, 2, 256, 5_000),
}


@dataclass(frozen=True)
class Measured:
    """Speeds are tokens a second of all texts, times are milliseconds."""

    model: str
    loop: float
    batch: float
    alone: float
    together: float
    streams: int
    compared: int  # texts that were found to be what they are alone
    p50_ms: float
    p99_ms: float
    bytes_a_text: int
    resident_kb_a_text: float

    def lines(self) -> Sequence[str]:
        return (
            f"{self.model}",
            f"  torch.nn, a loop       {self.loop:10,.0f} tokens/s",
            f"  torch.nn, a batch      {self.batch:10,.0f} tokens/s",
            f"  the engine, one text   {self.alone:10,.0f} tokens/s",
            f"  the engine, {self.streams:,}      {self.together:10,.0f} tokens/s: "
            f"{self.together / self.loop:.1f} of the loop, {self.together / self.batch:.1f} of the "
            f"batch; p50 {self.p50_ms:.1f} ms, p99 {self.p99_ms:.1f} ms",
            f"  {self.compared:,} of them, made again alone: the same tokens",
            f"  a text                 {self.bytes_a_text:10,} bytes of numbers, "
            f"{self.resident_kb_a_text:.0f} kB in all",
        )


def vocabulary(symbols: int) -> Vocabulary:
    return build("characters", ["".join(chr(0x4E00 + k) for k in range(symbols))])


def network(size: Size) -> LanguageNetwork:
    torch.manual_seed(0)
    options = TextOptions(
        cell=(size.cell,), hidden_size=(size.hidden,) * size.layers, num_layers=size.layers,
        embedding=size.embedding, dropout=0.0, weight_drop=0.0,
    )  # fmt: skip
    model = LanguageNetwork(size.symbols, options).eval()
    with torch.no_grad():
        model.output.weight.mul_(20)  # so that choices are neither all alike nor certain
    return model


def torch_speed(size: Size, streams: int, seconds: float) -> float:
    """Tokens a second of `streams` texts that go a token at a time through torch.nn."""
    kind = nn.LSTM if size.cell == "lstm" else nn.GRU
    layers = kind(size.embedding or size.symbols, size.hidden, size.layers)
    output = nn.Linear(size.hidden, size.symbols)
    table = torch.randn(size.symbols, size.embedding) if size.embedding else torch.eye(size.symbols)

    @torch.no_grad()
    def step(tokens: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        y, state = layers(table[tokens][None], state)
        return torch.multinomial(output(y[0]).softmax(-1), 1)[:, 0], state

    tokens, state = torch.zeros(streams, dtype=torch.int64), None
    tokens, state = step(tokens, state)
    made, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        tokens, state = step(tokens, state)
        made += streams
    return made / spent


def resident_kb() -> float:
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


async def engine_speed(
    engine: TextEngine, texts: Sequence[int], tokens: int
) -> tuple[float, list[float], list[list[int]]]:
    """Tokens a second, the seconds between tokens, and the tokens of each text."""
    gaps: list[float] = []

    async def read(k: int) -> list[int]:
        made, last = list[int](), time.perf_counter()
        async for token in engine.write(Asked([k % 90 + 1], tokens, Sampling(seed=k))):
            now = time.perf_counter()
            gaps.append(now - last)
            made.append(token.id)
            last = now
        return made

    began = time.perf_counter()
    made = await asyncio.gather(*(read(k) for k in texts))
    return len(texts) * tokens / (time.perf_counter() - began), gaps, list(made)


def measure(name: str, streams: int, tokens: int, seconds: float) -> Measured:
    size = SIZES[name]
    model, known = network(size), vocabulary(size.symbols - 1)
    writer = writer_of(model, known, TextOptions(), "cpu")
    stream = streaming.stream(model, "float32")
    assert not isinstance(stream, str), stream
    packed = Packed(stream, streams, known.unknown)
    engine = TextEngine(packed, streams, known, writer.read(""))

    async def all_of_them() -> Measured:
        await engine_speed(engine, [0], 64)
        alone, _, _ = await engine_speed(engine, [0], 2_000)
        before = resident_kb()
        together, gaps, texts = await engine_speed(engine, range(streams), tokens)
        kilobytes = (resident_kb() - before) / streams
        until, compared = time.perf_counter() + seconds, 0
        while compared < streams and (time.perf_counter() < until or not compared):
            _, _, (single,) = await engine_speed(engine, [compared], tokens)
            assert single == texts[compared], f"text {compared} is another one alone"
            compared += 1
        return Measured(
            f"{name}: {size.told()}",
            torch_speed(size, 1, seconds), torch_speed(size, streams, seconds), alone, together,
            streams, compared, 1e3 * float(np.percentile(gaps, 50)),
            1e3 * float(np.percentile(gaps, 99)), packed.bytes_of_a_text, kilobytes,
        )  # fmt: skip

    gc.freeze()  # as `elman serve` does
    try:
        return asyncio.run(all_of_them())
    finally:
        engine.close()
        gc.unfreeze()


def main() -> None:
    parser = argparse.ArgumentParser(description="What serving many texts at once costs.")
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--tokens", type=int, default=100, help="of each text")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each of the other measures")
    parser.add_argument("--models", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    found = []
    for name in given.models:
        found.append(measure(name, given.streams, given.tokens, given.seconds))
        print(*found[-1].lines(), sep="\n", flush=True)
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
