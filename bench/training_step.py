"""One training step as a plain script has it: who stands alone in a process, without `elman bench`.

    python bench/training_step.py torch --hidden 256
    MALLOC_MMAP_THRESHOLD_=268435456 MALLOC_TRIM_THRESHOLD_=536870912 \\
      python bench/training_step.py torch --hidden 256     # freed memory is kept, as beside Elman
    python bench/training_step.py elman --cell GRU --bf16 --threads 2
    python bench/training_step.py elman --characters --hidden 384 --batch 32 --bf16

A step is forward and backward with the gradient of the input; with --update AdamW's too. The rate
is that of the products, three times the forward pass. --characters: one-hot 65, the layer, 65
scores, cross entropy and AdamW, in characters a second.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
SYMBOLS = 65


def step_of_layer(given: argparse.Namespace) -> Callable[[], None]:
    H, shape = given.hidden, (given.steps, given.batch, given.hidden)
    layer = kind(given)(H, H)
    x, dy = torch.randn(shape, requires_grad=True), torch.randn(shape)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=1e-5)

    def step() -> None:
        nonlocal dy
        with torch.autocast("cpu", torch.bfloat16, enabled=given.bf16):
            y, _ = layer(x)
        dy = dy.to(y.dtype)
        y.backward(dy)
        if given.update:
            optimiser.step()
        optimiser.zero_grad()
        x.grad = None

    return step


def step_of_characters(given: argparse.Namespace) -> Callable[[], None]:
    layer, scores = kind(given)(SYMBOLS, given.hidden), torch.nn.Linear(given.hidden, SYMBOLS)
    ids = torch.randint(0, SYMBOLS, (given.steps + 1, given.batch))
    x, target = F.one_hot(ids[:-1], SYMBOLS).float(), ids[1:].flatten()
    optimiser = torch.optim.AdamW([*layer.parameters(), *scores.parameters()], lr=1e-4)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=given.bf16):
            y, _ = layer(x)
            loss = F.cross_entropy(scores(y).flatten(0, 1), target)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad()

    return step


def kind(given: argparse.Namespace) -> Callable[[int, int], torch.nn.Module]:
    package = "torch.nn" if given.who == "torch" else "elman.nn"
    found: Callable[[int, int], torch.nn.Module] = getattr(
        importlib.import_module(package), given.cell
    )
    return found


def seconds_of(step: Callable[[], None], limit: float) -> list[float]:
    """Of each step within `limit` seconds, sorted; two more come first."""
    step()
    step()
    found: list[float] = []
    end = time.perf_counter() + limit
    while time.perf_counter() < end or not found:
        began = time.perf_counter()
        step()
        found.append(time.perf_counter() - began)
    return sorted(found)


def main() -> None:
    arguments = argparse.ArgumentParser(description="A training step in a process of its own.")
    arguments.add_argument("who", choices=("torch", "elman"))
    arguments.add_argument("--cell", choices=tuple(GATES), default="LSTM")
    for name, usual in (("hidden", 256), ("batch", 64), ("steps", 64), ("threads", 1)):
        arguments.add_argument(f"--{name}", type=int, default=usual)
    arguments.add_argument("--seconds", type=float, default=3.0)
    for name in ("bf16", "update", "characters"):
        arguments.add_argument(f"--{name}", action="store_true")
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    step = step_of_characters(given) if given.characters else step_of_layer(given)
    found = seconds_of(step, given.seconds)
    best, middle = found[0], found[len(found) // 2]
    if given.characters:
        work, unit = given.steps * given.batch / 1e3, "thousand characters a second"
    else:
        operations = 12.0 * given.steps * given.batch * GATES[given.cell] * given.hidden**2
        work, unit = operations / 1e9, "GF/s"
    print(f"{middle * 1e3:.1f} ms, {work / middle:.0f} {unit}; at best {work / best:.0f}")


if __name__ == "__main__":
    main()
