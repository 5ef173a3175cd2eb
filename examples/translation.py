"""Three ways for the source to reach the translation, side by side, with equally many weights.

The encoder's last state as the decoder's first (Sutskever et al. 2014, arXiv:1409.3215), the same
at every step as well (Cho et al. 2014, arXiv:1406.1078), attention to every step of the encoder
(Bahdanau et al. 2015, arXiv:1409.0473; Luong et al. 2015, arXiv:1508.04025). The forms without
attention get wider layers, so that all three have as many weights. Without data they learn the
numbers and dates that come with Elman. Prints one table.

    python examples/translation.py [SOURCES TARGETS] [--epochs N] [--seeds N] [--units N]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean, stdev

import torch

import elman
from elman.run.trained import Run
from elman.tasks.translate.model import Translator
from elman.tasks.translate.options import Context, TranslateOptions

CONTEXTS: tuple[Context, ...] = ("first", "each", "attention")
STEP = 4  # units by which widths are tried


def weights(context: Context, units: int, symbols: tuple[int, int]) -> int:
    """How many weights such a translator has."""
    options = TranslateOptions(
        context=context, hidden_size=(units,), embedding=256, dropout=0.0, weight_drop=0.0,
        token_dropout=0.0, label_smoothing=0.0,
    )  # fmt: skip
    with torch.device("meta"):
        return sum(p.numel() for p in Translator(options, symbols).parameters())


def width(context: Context, most: int, symbols: tuple[int, int]) -> int:
    """The widest layers with at most so many weights."""
    units = STEP
    while weights(context, units + STEP, symbols) <= most:
        units += STEP
    return units


def main() -> None:
    arguments = argparse.ArgumentParser(description="Three encoder-decoders side by side.")
    arguments.add_argument("data", nargs="*", default=[])
    arguments.add_argument("--epochs", type=int, default=5)
    arguments.add_argument("--seeds", type=int, default=2)
    arguments.add_argument("--units", type=int, default=128)
    given = arguments.parse_args()

    found: dict[Context, list[Run]] = {}
    units = dict.fromkeys(CONTEXTS, given.units)
    for context in reversed(CONTEXTS):
        for seed in range(1, given.seeds + 1):
            run = elman.train(
                "translate", *given.data, context=context, hidden_size=units[context],
                embedding=256, epochs=given.epochs, seed=seed, sample=0,
            )  # fmt: skip
            found.setdefault(context, []).append(run)
            print(f"{context}, seed {seed}: {run.scores}", flush=True)
        if context == "attention":
            model = found[context][0].model
            assert isinstance(model, Translator)
            most = sum(p.numel() for p in model.parameters())
            source = model.source or model.target
            symbols = (source.num_embeddings - 1, model.target.num_embeddings - 1)
            units |= {c: width(c, most, symbols) for c in ("first", "each")}

    names = list(found["first"][0].scores)
    print("\n| context | units | weights | " + " | ".join(names) + " |")
    print("|" + "---|" * (3 + len(names)))
    for context in CONTEXTS:
        count = sum(p.numel() for p in found[context][0].model.parameters())
        cells = [shown([run.scores[name] for run in found[context]]) for name in names]
        print(f"| {context} | {units[context]} | {count:,} | {' | '.join(cells)} |")
    for context in CONTEXTS:
        print(f"{context}: {', '.join(str(Path(run.path)) for run in found[context])}")


def shown(scores: list[float]) -> str:
    """The mean over the seeds, and how far they spread."""
    spread = f" ± {stdev(scores):.2f}" if len(scores) > 1 else ""
    return f"{mean(scores):.2f}{spread}"


if __name__ == "__main__":
    main()
