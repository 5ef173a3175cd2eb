"""How large a language model to train, and how hard to hold it back, given text and time.

With C multiplications to spend, a model of P parameters sees C / (6 P) tokens (two operations a
weight forward, four backward). It should see about `TOKENS_A_WEIGHT` tokens for each weight, so
P = sqrt(C / (6 TOKENS_A_WEIGHT)). The constants were found on Tiny Shakespeare: docs/results.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from elman import cells, wording
from elman.errors import UserError
from elman.tasks import pace
from elman.tasks.settling import settle
from elman.tasks.task import Budget, Plan
from elman.tasks.text.data import TextData
from elman.tasks.text.model import LanguageNetwork
from elman.tasks.text.options import TextOptions
from elman.tasks.text.rivals import COUNTED
from elman.tasks.text.scores import SCORED, SCORED_WINDOWS
from elman.tasks.text.training import epoch, loss

V = TypeVar("V")

TOKENS_A_WEIGHT = 8.0
TRAINED = 0.72  # share of the time and speed of the trial left by updates, validations, samples
WEIGHTS_A_TOKEN = 4.0  # a text bears no more weights than so many times its tokens
WIDTHS = (32, 64, 96, 128, 192, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 2048)
EPOCH_WIDTHS = ((20_000, 128), (200_000, 256), (math.inf, 512))  # where epochs, not minutes, count
ONE_HOT = 512  # symbols up to which one-hot input is as good as an embedding
# Passes over the text below which so much is dropped.
DROPOUT = ((2, 0.0), (6, 0.15), (12, 0.25), (20, 0.3), (math.inf, 0.5))
WEIGHT_DROP = ((6, 0.0), (20, 0.1), (math.inf, 0.3))
# Networks that answer together: so many where one alone would read the text so often.
MEMBERS = ((12, 1), (20, 2), (30, 3), (math.inf, 5))
FALL = 100  # passes after which the learning rate has fallen for the first time, at the latest
FEW, FALL_OF_FEW = 50, 8  # tokens a symbol below which so many passes are learnt by heart
TABLE = 0.5  # of the weights of a table of many symbols count for the size: each is seen rarely
SCORING_SHARE = 0.03  # of the time, for each validation
SCORING_SPEED = 2  # tokens scored in the time in which one is trained on
COUNTED_A_SECOND = 20_000  # of the time given: 2 to 4 % of it
# Streams read side by side, by the tokens seen in all: few tokens must bring many updates.
BATCHES = ((2_000_000, 8), (8_000_000, 16), (math.inf, 32))
BATCH = 32  # in which speed is measured, and windows are read
SLOWER = {8: 0.8, 16: 0.93}  # tokens a second in smaller batches, against `BATCH`
LEARNING_RATE = 4e-3
RATE_UNITS, FASTEST = 2.0, 0.02  # one gated layer of H units learns at 2 / H, at most at 0.02
GATED = ("lstm", "gru", "gru-reset-before")


def plan(dataset: TextData, options: TextOptions, budget: Budget) -> Plan[TextOptions]:
    for name in options.cell:
        cells.get(name)
    if options.windowed and options.sequence_length >= dataset.cut:
        raise UserError(
            f"--sequence-length {options.sequence_length}: the training part has only "
            f"{dataset.cut:,} tokens; give a value below that"
        )

    def speed(candidate: Plan[TextOptions]) -> float:
        model = LanguageNetwork(dataset.vocabulary.size, candidate.options)
        first = epoch(dataset, candidate.options, candidate.batch_size, 0, 0)
        return pace.speed(loss, model, first, budget)

    return make_plan(dataset.cut, dataset.vocabulary.size, options, budget, speed)


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
    if options.tie_weights is None:
        many = vocabulary > ONE_HOT and options.embedding is None and not options.windowed
        options = replace(options, tie_weights=many)
    trial = Plan(options, budget.batch_size or BATCH, LEARNING_RATE, "")
    shapes = _shapes(options, vocabulary)
    scored, counted = SCORED_WINDOWS if options.windowed else SCORED, COUNTED
    members = options.members or 1
    if budget.seconds is None:
        assert budget.epochs is not None
        widest = next(w for limit, w in EPOCH_WIDTHS if tokens <= limit)
        shape = shapes[max((w for w in shapes if w <= widest), default=min(shapes))]
        seen: float = budget.epochs * tokens
        batch = budget.batch_size or _batch(shape, seen)
        why = f"{wording.counted(budget.epochs, 'pass', 'passes')} over the text"
    else:
        work = _work(vocabulary, shapes, budget.seconds, trial, speed)
        shape, seen = _affordable(tokens, vocabulary, shapes, work / members)
        free = options.members is None and not options.hidden_size
        if free and vocabulary <= ONE_HOT and not options.windowed:
            members = _share(MEMBERS, seen / tokens)
            shape, seen = _affordable(tokens, vocabulary, shapes, work / members)
        batch = budget.batch_size or _batch(shape, seen)
        if budget.batch_size is None:
            seen *= SLOWER.get(batch, 1.0)
        scored = min(scored, 1 + int(SCORING_SHARE * SCORING_SPEED * seen))
        counted = min(counted, 1 + int(COUNTED_A_SECOND * budget.seconds))
        why = f"{budget.seconds:.0f} s are enough for about {seen / tokens:,.1f} passes"
    passes = seen / tokens
    rate = budget.learning_rate or _rate(shape)
    recurrent = any(cells.get(name).recurrent for name in shape.cell)
    settled = settle(
        shape, dropout=_share(DROPOUT, passes),
        weight_drop=_share(WEIGHT_DROP, passes) if recurrent else 0.0, members=members,
        scored=scored, counted=counted,
    )  # fmt: skip
    assert settled.hidden_size
    layers = settled.num_layers or 1
    units = ", ".join(str(h) for h in settled.hidden_size)
    why = (
        (f"{members} times " if members > 1 else "")
        + f"{'/'.join(settled.cell)} of {units} units"
        + (f" in {layers} layers" if layers > 1 else "")
        + f", {weights(settled, vocabulary):,} weights, dropout {settled.dropout:g}"
        + (f", weight drop {settled.weight_drop:g}" if settled.weight_drop else "")
        + f": {why}"
    )
    few = vocabulary > ONE_HOT and tokens < FEW * vocabulary
    fall = FALL_OF_FEW if few else FALL
    early = budget.seconds is not None and passes > 1.5 * fall
    return Plan(settled, batch, rate, why, fall if early else None)


def _batch(options: TextOptions, seen: float) -> int:
    """Streams side by side for so many tokens in all; windows are many enough in any case."""
    return BATCH if options.windowed else next(b for limit, b in BATCHES if seen < limit)


def _rate(options: TextOptions) -> float:
    """The highest learning rate: the narrower a gated layer, the faster it may learn (as in
    arXiv:2203.03466); several layers, and other cells, are more easily upset."""
    assert options.hidden_size
    rate = min(RATE_UNITS / max(options.hidden_size), FASTEST)
    calm = (options.num_layers or 1) == 1 and options.cell[0] in GATED
    return rate if calm else min(rate, LEARNING_RATE)


def weights(options: TextOptions, vocabulary: int) -> int:
    """Weights of the products that a token goes through, output included, biases left out."""
    total, below = 0, options.embedding or vocabulary
    for layer, (inputs, outputs) in enumerate(_sizes(options, vocabulary)):
        cell, hidden = cells.get(_of(options.cell, layer)), _of(options.hidden_size or (), layer)
        total += outputs * len(cell.gates) * (inputs + hidden if cell.recurrent else inputs)
        below = outputs
    return total + below * vocabulary


def _shapes(options: TextOptions, vocabulary: int) -> dict[int, TextOptions]:
    """By width, ascending: the options with that width, wherever such a model can be built.

    Tied weights, and residual layers, may leave only the width that the embedding asks for.
    """
    embedding, both = options.embedding or 0, options.bidirectional[-1]
    if options.tie_weights and not options.hidden_size and both and embedding % 2:
        raise UserError(
            f"--tie-weights: no last layer that reads both ways is as wide as --embedding "
            f"{embedding}; give an even one, such as {embedding + 1}"
        )

    def built(widths: Sequence[int]) -> dict[int, TextOptions]:
        shapes = {w: _shape(options, vocabulary, w) for w in widths}
        return {w: shape for w, shape in shapes.items() if _fits(shape, vocabulary)}

    asked = [width for width in (embedding // 2, embedding) if width]
    # Where no width will do, the model itself says why.
    return built(WIDTHS) or built(asked) or {w: _shape(options, vocabulary, w) for w in WIDTHS}


def _shape(options: TextOptions, vocabulary: int, width: int) -> TextOptions:
    """The options with hidden sizes and an embedding."""
    hidden, embedding = options.hidden_size or (width,), options.embedding
    if embedding is None:
        embedding = 0 if vocabulary <= ONE_HOT else min(width, 256)
        if options.tie_weights:
            embedding = hidden[-1] * (2 if options.bidirectional[-1] else 1)
    return replace(options, hidden_size=hidden, embedding=embedding)


def _fits(options: TextOptions, vocabulary: int) -> bool:
    """Whether the widths allow tied weights and residual layers, where these are asked for."""
    sizes = _sizes(options, vocabulary)
    tied = not options.tie_weights or options.embedding == sizes[-1][1]
    return tied and (not options.residual or any(x == y for x, y in sizes))


def _size(options: TextOptions, vocabulary: int) -> float:
    """The weights that ask for tokens to learn from."""
    table = _sizes(options, vocabulary)[-1][1] * vocabulary
    return weights(options, vocabulary) - (table * (1 - TABLE) if vocabulary > ONE_HOT else 0)


def _sizes(options: TextOptions, vocabulary: int) -> list[tuple[int, int]]:
    """How wide the input and the output of each layer are."""
    assert options.hidden_size and options.num_layers
    below, sizes = options.embedding or vocabulary, []
    for layer in range(options.num_layers):
        directions = 2 if _of(options.bidirectional, layer) else 1
        sizes.append((below, directions * _of(options.hidden_size, layer)))
        below = sizes[-1][1]
    return sizes


def _work(
    vocabulary: int,
    shapes: Mapping[int, TextOptions],
    seconds: float,
    trial: Plan[TextOptions],
    speed: Callable[[Plan[TextOptions]], float],
) -> float:
    """The multiplications of all updates that the time has room for."""
    tried = shapes[min(shapes, key=lambda width: abs(width - 256))]
    tried = replace(tried, dropout=tried.dropout or 0.0, weight_drop=tried.weight_drop or 0.0)
    operations = speed(replace(trial, options=tried)) * 6 * weights(tried, vocabulary)  # a second
    return operations * seconds * TRAINED


def _affordable(
    tokens: int,
    vocabulary: int,
    shapes: Mapping[int, TextOptions],
    work: float,
) -> tuple[TextOptions, float]:
    """The shape to take, and how many tokens it will see in so many multiplications."""
    most = min(math.sqrt(work / (6 * TOKENS_A_WEIGHT)), WEIGHTS_A_TOKEN * tokens)
    fitting = [w for w, shape in shapes.items() if _size(shape, vocabulary) <= most]
    shape = shapes[max(fitting, default=min(shapes))]
    return shape, work / (6 * weights(shape, vocabulary))


def _share(rule: Sequence[tuple[float, V]], passes: float) -> V:
    return next(share for limit, share in rule if passes < limit)


def _of(values: Sequence[V], layer: int) -> V:
    return values[layer] if len(values) > 1 else values[0]
