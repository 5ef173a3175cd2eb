"""`elman.fuse` on models from packages that others wrote: what was fused, how far off, how fast.

    pip install asteroid demucs sb3-contrib pytorch-nlp
    python bench/fuse_packages.py [--threads 1] [--repeats 7] [--autocast]

Models have random weights. A package that is not installed is passed over. `off` is the largest
difference of a result or a gradient from that of PyTorch in float32, as a share of its largest
value; with --autocast both run under bf16's autocast, and the difference of PyTorch's own stands
beside it. `ratio` is the time of PyTorch over that of Elman, forward and backward through the whole
model, everything outside the recurrent layers included: medians of turns taken one after the other.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import elman


class Case(NamedTuple):
    name: str
    make: Callable[[], tuple[nn.Module, tuple[Any, ...]]]  # the model, and what to call it with


def dual_path() -> tuple[nn.Module, tuple[Any, ...]]:
    """Separation of speakers: six blocks of two LSTMs each, both ways."""
    models = importlib.import_module("asteroid.models")
    return models.DPRNNTasNet(n_src=2, n_repeats=2), (torch.randn(1, 8000),)


def residual() -> tuple[nn.Module, tuple[Any, ...]]:
    recurrent = importlib.import_module("asteroid.masknn.recurrent")
    return recurrent.StackedResidualRNN("GRU", 128, 4), (torch.randn(16, 64, 128),)


def separation() -> tuple[nn.Module, tuple[Any, ...]]:
    """Separation of music: convolutions around an LSTM of two layers, both ways."""
    demucs = importlib.import_module("demucs.demucs")
    model = demucs.Demucs(["voice", "rest"], channels=16, depth=4, lstm_layers=2)
    return model, (torch.randn(1, 2, 22050),)


def policy() -> tuple[nn.Module, tuple[Any, ...]]:
    """Reinforcement learning: an LSTM for the actor and one for the critic."""
    policies = importlib.import_module("sb3_contrib.common.recurrent.policies")
    spaces = importlib.import_module("gymnasium.spaces")
    types = importlib.import_module("sb3_contrib.common.recurrent.type_aliases")
    box = spaces.Box(-1, 1, (8,))
    model = policies.RecurrentActorCriticPolicy(box, spaces.Discrete(4), lambda progress: 1e-3)
    h = torch.zeros(1, 4, 256)
    states = types.RNNStates((h, h), (h, h))
    rows = 4 * 64
    actions = torch.zeros(rows)
    return Evaluated(model), (torch.randn(rows, 8), actions, states, torch.zeros(rows))


class Evaluated(nn.Module):
    """A policy whose call is the evaluation of actions, which is what training does."""

    def __init__(self, policy: Any) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, *arguments: Any) -> Any:
        return self.policy.evaluate_actions(*arguments)


def weight_drop() -> tuple[nn.Module, tuple[Any, ...]]:
    """A subclass of LSTM whose forward drops weights: to be left alone."""
    torchnlp = importlib.import_module("torchnlp.nn")
    return torchnlp.WeightDropLSTM(32, 32, weight_dropout=0.5), (torch.randn(16, 8, 32),)


CASES = (
    Case("asteroid DPRNNTasNet", dual_path),
    Case("asteroid StackedResidualRNN", residual),
    Case("demucs Demucs", separation),
    Case("sb3-contrib RecurrentActorCriticPolicy", policy),
    Case("pytorch-nlp WeightDropLSTM", weight_drop),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--autocast", action="store_true", help="in bf16")
    options = parser.parse_args()
    half = options.autocast
    warnings.simplefilter("ignore")  # those of the packages
    torch.set_num_threads(options.threads)
    for case in CASES:
        print(f"\n{case.name}")
        try:
            (model, inputs), (other, _) = seeded(case), seeded(case)
        except ImportError as error:
            print(f"  passed over: {error}")
            continue
        elman.fuse(other)
        print("  " + str(elman.fused(other)).replace("\n", "\n  "))
        exact = trained(model, inputs, half=False)
        off = [
            max(apart(a, b) for a, b in zip(trained(m, inputs, half=half), exact, strict=True))
            for m in (other, model)
        ]
        ratios = []
        for _ in range(options.repeats):
            theirs, ours = (timed(m, inputs, half=half) for m in (model, other))
            ratios.append(theirs / ours)
        beside = f" (PyTorch {off[1]:.1e})" if half else ""
        print(f"  off {off[0]:.1e}{beside}   ratio {statistics.median(ratios):.2f}", flush=True)


def seeded(case: Case) -> tuple[nn.Module, tuple[Any, ...]]:
    torch.manual_seed(0)
    return case.make()


def tensors(result: Any) -> list[Tensor]:
    if isinstance(result, Tensor):
        return [result]
    return [t for part in result for t in tensors(part)] if isinstance(result, tuple) else []


def trained(model: nn.Module, inputs: tuple[Any, ...], *, half: bool) -> list[Tensor]:
    """The results of a call with dropout, and the gradients that came of it."""
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        results = [t.float() for t in tensors(model(*inputs)) if t.requires_grad]
    model.zero_grad()
    torch.stack([t.pow(2).mean() for t in results]).sum().backward()  # type: ignore[no-untyped-call]
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return [t.detach() for t in (*results, *gradients)]


def apart(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max().clamp_min(1e-6))


def timed(model: nn.Module, inputs: tuple[Any, ...], *, half: bool) -> float:
    start = time.perf_counter()
    trained(model, inputs, half=half)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
