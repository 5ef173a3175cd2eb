"""How much of what came before a language model makes use of: the memory probe."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from elman.inspection import pictures
from elman.inspection.section import Found, Section
from elman.inspection.subject import Subject
from elman.probe.memory import Memory, Way, remembered
from elman.tasks.text.data import TextData
from elman.tasks.text.options import TextOptions
from elman.wording import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACES = 1024
FEWEST, MOST = 64, 256  # steps of context, as far as training's window does not ask for more
SAID: dict[Way, str] = {
    "cut": "nothing further back",
    "elsewhere": "further back another text",
    "shuffled": "further back the same, shuffled",
}


def find(subject: Subject) -> Found | None:
    """None of anything but a language model that reads forward, or of a very short text."""
    dataset, run = subject.dataset, subject.run
    if run is None or not isinstance(dataset, TextData):
        return None
    options = run.trained.options
    if not isinstance(options, TextOptions) or options.windowed:
        return None
    windows = _windows(dataset, options.sequence_length)
    if windows is None:
        return None
    windows = windows.to(subject.device)

    def losses(x: Tensor, y: Tensor) -> Tensor:
        scores, _ = subject.model(x)
        return F.cross_entropy(scores[-1], y, reduction="none")

    assert subject.look is not None
    memory = remembered(
        subject.model, losses, windows[:-1], windows[-1], ways=("cut", "elsewhere"),
        seconds=subject.seconds, step=subject.look.unit,
    )  # fmt: skip
    return Found(
        memory.told(options.sequence_length),
        _table(memory),
        memory.measured(),
        functools.partial(draw, memory, options.sequence_length),
        f"The loss of the same {counted(memory.places, 'answer')} with so many "
        f"{memory.step}s of context, from a fresh state or after another text; bands are 95 % of "
        "what chance does to the difference from all context. The line stands at the window by "
        "which gradients are cut in training.",
    )


def _windows(dataset: TextData, window: int) -> Tensor | None:
    """Stretches of the validation part, or of the text where there is none, [K + 1, P]."""
    begin = dataset.cut if dataset.tokens - dataset.cut > FEWEST else 0
    held = dataset.tokens - begin
    K = min(max(2 * window, FEWEST), max(window, MOST), held // 8)
    if K < 2:
        return None
    starts = np.linspace(begin, dataset.tokens - K - 1, min(PLACES, held - K)).astype(np.int64)
    rows = [dataset.corpus.ids.read(int(start), K + 1) for start in starts]
    return torch.from_numpy(np.stack(rows).T.astype(np.int64))


def _table(memory: Memory) -> list[str]:
    rows = [
        "| context | " + " | ".join(SAID[way] for way in memory.losses) + " |",
        "|---" * (1 + len(memory.losses)) + "|",
    ]
    for k, context in enumerate(memory.contexts):
        cells = []
        for each in memory.losses.values():
            short = each[k] - each[-1]
            error = short.std(ddof=1) / np.sqrt(memory.places)
            cells.append(f"{each[k].mean():.3f} ({short.mean():+.3f} ± {error:.3f})")
        rows.append(f"| {context} | {' | '.join(cells)} |")
    return [
        *rows,
        "",
        "In brackets what is missing against all context, with its standard error.",
    ]


def draw(memory: Memory, truncation: int) -> Figure:
    """Loss over context, a line for each way."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    panel = figure.subplots()
    at = np.array(memory.contexts, dtype=np.float64)
    for number, (way, each) in enumerate(memory.losses.items()):
        mean = each.mean(1)
        error = 1.96 * (each - each[-1]).std(1, ddof=1) / np.sqrt(memory.places)
        pictures.line(panel, number, at, mean, SAID[way])
        pictures.band(panel, number, at, mean - error, mean + error)
    if at[0] < truncation <= at[-1]:
        panel.axvline(truncation, color="black", lw=0.8, ls=":")
    panel.set_xscale("log", base=2)
    panel.set_xticks(at, [f"{k:.0f}" for k in at], fontsize=7)
    pictures.tidy(panel, f"{memory.step}s of context", memory.unit)
    panel.legend(frameon=False, fontsize=8)
    return figure


SECTION = Section("context", "Use of what came before", 4, 2.0, find)
