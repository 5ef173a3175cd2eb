"""How large a language model to train, and how hard to hold it back, given text and time.

With C multiplications to spend, a model of P parameters sees C / (6 P) tokens (two operations a
weight forward, four backward). It should see about `TOKENS_A_WEIGHT` tokens for each weight, so
P = sqrt(C / (6 TOKENS_A_WEIGHT)). The constants were found on Tiny Shakespeare: docs/results.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from elman import cells
from elman.tasks.task import Budget, Plan
from elman.tasks.text.options import TextOptions

V = TypeVar("V")

TOKENS_A_WEIGHT = 8.0
TRAINED = 0.72  # share of the time and speed of the trial left by updates, validations, samples
WEIGHTS_A_TOKEN = 4.0  # a text bears no more weights than so many times its tokens
WIDTHS = (32, 64, 96, 128, 192, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 2048)
EPOCH_WIDTHS = ((20_000, 128), (200_000, 256), (math.inf, 512))  # where epochs, not minutes, count
ONE_HOT = 512  # symbols up to which one-hot input is as good as an embedding
# Passes over the text below which so much is dropped.
DROPOUT = ((2, 0.0), (6, 0.15), (12, 0.25), (30, 0.4), (math.inf, 0.5))
SCORED, SCORED_WINDOWS = 1_000_000, 20_000  # tokens; windows of a model that reads both ways
COUNTED = 3_000_000  # tokens that the baseline learns from: they take up about 140 MB
SCORING_SHARE = 0.03  # of the time, for each validation
SCORING_SPEED = 2  # tokens scored in the time in which one is trained on
COUNTED_A_SECOND = 20_000  # of the time given: 2 to 4 % of it
BATCH = 32
LEARNING_RATE = 4e-3


def make_plan(
    tokens: int,
    vocabulary: int,
    options: TextOptions,
    budget: Budget,
    speed: Callable[[Plan[TextOptions]], float],
) -> Plan[TextOptions]:
    """The options with every choice made, for a training part of `tokens` tokens.

    `speed` measures how many tokens a second a plan trains; it is asked only where minutes count.
    """
    batch = budget.batch_size or BATCH
    rate = budget.learning_rate or LEARNING_RATE

    scored, counted = SCORED_WINDOWS if options.windowed else SCORED, COUNTED

    def settle(width: int, dropout: float) -> TextOptions:
        hidden = options.hidden_size or (width,)
        embedding = options.embedding
        if embedding is None:
            embedding = 0 if vocabulary <= ONE_HOT else min(width, 256)
            if options.tie_weights:
                embedding = hidden[-1] * (2 if options.bidirectional[-1] else 1)
        share = options.dropout if options.dropout is not None else dropout
        return replace(
            options,
            hidden_size=hidden,
            embedding=embedding,
            dropout=share,
            scored=options.scored or scored,
            counted=options.counted or counted,
        )

    if budget.seconds is None:
        assert budget.epochs is not None
        width = next(w for limit, w in EPOCH_WIDTHS if tokens <= limit)
        dropout = _dropout(budget.epochs)
        why = f"{budget.epochs:,} passes over the text"
    else:
        width, seen = _width(tokens, vocabulary, settle, budget.seconds, batch, rate, speed)
        dropout = _dropout(seen / tokens)
        scored = min(scored, 1 + int(SCORING_SHARE * SCORING_SPEED * seen))
        counted = min(counted, 1 + int(COUNTED_A_SECOND * budget.seconds))
        why = f"{budget.seconds:.0f} s are enough for about {seen / tokens:,.1f} passes"
    settled = settle(width, dropout)
    assert settled.hidden_size
    layers = settled.num_layers or 1
    shape = ", ".join(str(h) for h in settled.hidden_size)
    why = (
        f"{'/'.join(settled.cell)} of {shape} units"
        + (f" in {layers} layers" if layers > 1 else "")
        + f", {weights(settled, vocabulary):,} weights, dropout {settled.dropout:g}: {why}"
    )
    return Plan(settled, batch, rate, why)


def weights(options: TextOptions, vocabulary: int) -> int:
    """Weights of the products that a token goes through, output included, biases left out."""
    assert options.hidden_size and options.num_layers
    below, total = options.embedding or vocabulary, 0
    for layer in range(options.num_layers):
        cell = cells.get(_of(options.cell, layer))
        hidden = _of(options.hidden_size, layer)
        directions = 2 if _of(options.bidirectional, layer) else 1
        inputs = below + hidden if cell.recurrent else below
        total += directions * len(cell.gates) * hidden * inputs
        below = directions * hidden
    return total + below * vocabulary


def _width(
    tokens: int,
    vocabulary: int,
    settle: Callable[[int, float], TextOptions],
    seconds: float,
    batch: int,
    rate: float,
    speed: Callable[[Plan[TextOptions]], float],
) -> tuple[int, float]:
    """The width to take, and how many tokens it will see in the time."""
    trial = settle(256, 0.0)
    operations = speed(Plan(trial, batch, rate, "")) * 6 * weights(trial, vocabulary)  # a second
    work = operations * seconds * TRAINED
    most = min(math.sqrt(work / (6 * TOKENS_A_WEIGHT)), WEIGHTS_A_TOKEN * tokens)
    fitting = [w for w in WIDTHS if weights(settle(w, 0.0), vocabulary) <= most]
    width = fitting[-1] if fitting else WIDTHS[0]
    return width, work / (6 * weights(settle(width, 0.0), vocabulary))


def _dropout(passes: float) -> float:
    return next(share for limit, share in DROPOUT if passes < limit)


def _of(values: Sequence[V], layer: int) -> V:
    return values[layer] if len(values) > 1 else values[0]
