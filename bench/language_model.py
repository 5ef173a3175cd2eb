"""Training speed of the language model, in tokens a second: Elman's kernels and PyTorch's in turn.

    python bench/language_model.py [--threads 2] [--rounds 2]

Measured with OpenMP threads that spin for long (the default) and briefly (as `elman` sets it). One
step is forward and backward of one-hot 66 → LSTM H → 66 over 64 steps; the best of eight counts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

import torch
import torch.nn.functional as F

from elman.tasks.text.model import LanguageNetwork
from elman.tasks.text.options import TextOptions

SYMBOLS, STEPS = 66, 64
SIZES = ((384, 32), (512, 32), (384, 64))


def speed(hidden: int, batch: int) -> float:
    options = TextOptions(hidden_size=(hidden,), embedding=0, dropout=0.2, weight_drop=0.0)
    model = LanguageNetwork(SYMBOLS, options)
    x = torch.randint(0, SYMBOLS, (STEPS, batch))
    best = float("inf")
    for _ in range(8):
        began = time.perf_counter()
        scores, _ = model(x)
        F.cross_entropy(scores.flatten(0, 1), x.flatten()).backward()  # type: ignore[no-untyped-call]
        model.zero_grad()
        best = min(best, time.perf_counter() - began)
    return batch * STEPS / best


def main() -> None:
    arguments = argparse.ArgumentParser(description="Training speed with and without our kernels.")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--rounds", type=int, default=2)
    arguments.add_argument("--alone", action="store_true", help="measure once, in this process")
    given = arguments.parse_args()
    if given.alone:
        torch.set_num_threads(given.threads)
        print("  ".join(f"H {h} B {b}: {speed(h, b):7,.0f}/s" for h, b in SIZES))
        return
    # Both settings are read once a process, so that each measurement is a process of its own.
    for _ in range(given.rounds):
        for spin in ("", "1000"):
            for kernels in ("off", ""):
                own = {"GOMP_SPINCOUNT": spin, "ELMAN_KERNELS": kernels}
                kept = {k: v for k, v in os.environ.items() if k not in own}
                command = [sys.executable, __file__, "--alone", "--threads", str(given.threads)]
                told = subprocess.run(
                    command,
                    env=kept | {k: v for k, v in own.items() if v},
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout.strip()
                print(f"spin {spin or 'default':7}  {kernels or 'on':3}  {told}", flush=True)


if __name__ == "__main__":
    main()
