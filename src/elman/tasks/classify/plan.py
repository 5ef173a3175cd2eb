"""What a classifier is made of where the user left it open: by the data, its size, the time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from elman.data.texts import vectors
from elman.data.texts.vocabulary import Words
from elman.errors import UserError
from elman.tasks.classify.data import Encoder, Labelled
from elman.tasks.classify.model import networks_alone
from elman.tasks.classify.options import ClassifyOptions
from elman.tasks.classify.training import epoch, loss
from elman.tasks.pace import epoch_seconds, expectation
from elman.tasks.settling import lasting, settle
from elman.tasks.task import Budget, Plan

STEPS = 64  # of a sequence of numbers, to which the convolutions bring it down
UPDATES = 1_500  # after which the learning rate has fallen, of few sequences of numbers
MOST_MEMBERS = 4  # networks a fold


def plan(dataset: Labelled, options: ClassifyOptions, budget: Budget) -> Plan[ClassifyOptions]:
    settled = _settled(dataset, options, budget.batch_size, budget.learning_rate)
    chosen, batch, passes = settled.options, settled.batch_size, settled.passes
    if chosen.members is None:
        alone, count = replace(chosen, members=1), 1
        if budget.epochs is None:
            first = epoch(dataset, alone, batch, 0, 0)
            each = epoch_seconds(loss, networks_alone(dataset, alone), first, budget)
            count = members(budget.seconds, passes, each)
        chosen = replace(alone, members=count)
    first = epoch(dataset, chosen, batch, 0, 0)
    expected = expectation(loss, networks_alone(dataset, chosen), first, budget, passes)
    return Plan(chosen, batch, settled.learning_rate, f"{told(chosen)}: {expected}", passes)


@dataclass(frozen=True)
class _Settled:
    """Options without gaps but for the members, which need the time that one takes; and how they
    are trained."""

    options: ClassifyOptions
    batch_size: int
    learning_rate: float
    passes: int


def _settled(
    dataset: Labelled, options: ClassifyOptions, batch_size: int | None, rate: float | None
) -> _Settled:
    known = dataset.encoder.vocabulary
    few = max(8, min(64, dataset.trained // 50))
    kernels = 0 if dataset.kernels is None else dataset.kernels.features
    chosen = replace(
        settle(
            options, weight_drop=0.0, token_dropout=_hidden_tokens(dataset.encoder), kernels=kernels
        ),
        embedding=_embedding(dataset, options),
        bag=dataset.bags[0].kind if dataset.bags else "none",
        folds=0 if dataset.folds is None else len(dataset.parts),
        scaling=None if known else dataset.encoder.scaling,
        vectors=None if options.vectors is None else lasting(options.vectors),
    )
    if known is not None or dataset.encoder.pictured:
        texts = known is not None
        if options.fronted:
            if texts:
                raise UserError("--convolutions: for sequences of numbers; these are texts")
            chosen = _front(chosen, dataset)
        chosen = settle(
            chosen, hidden_size=(128,), bidirectional=(False,), convolutions=(0,),
            dropout=0.5 if texts else 0.2, pooling="max" if texts else "last", members=1,
            label_smoothing=0.0,
        )  # fmt: skip
        return _Settled(chosen, batch_size or few, rate or (2e-3 if texts else 4e-3),
                        20 if texts else 60)  # fmt: skip
    chosen = _front(settle(chosen, convolutions=(32, 64, 32)), dataset)
    chosen = settle(
        chosen, hidden_size=(32,), bidirectional=(True,), dropout=0.3, pooling="mean",
        label_smoothing=0.1, jitter=0.05, resizing=0.1, warping=0.2, slicing=0.1,
    )  # fmt: skip
    batch = batch_size or max(16, few)
    each = -(-max(map(len, dataset.parts)) // batch)
    return _Settled(chosen, batch, rate or 3e-3, max(30, min(400, UPDATES // each)))


def _front(options: ClassifyOptions, dataset: Labelled) -> ClassifyOptions:
    """Widths and strides of the convolutions, one for each; a stride of 2 while there are more
    than `STEPS` steps, of the first more where that would not do."""
    if not options.fronted:
        return options
    assert options.convolutions
    count = len(options.convolutions)
    widths = _each(options.convolution_width, count) or tuple((9, 5, 3)[min(k, 2)]
                                                              for k in range(count))  # fmt: skip
    strides = _each(options.convolution_stride, count)
    if strides is None:
        steps, found = int(np.median(dataset.lengths)), []
        for k in range(count):
            least = 2 if steps > STEPS else 1
            first = math.ceil(steps / (STEPS * 2 ** (count - 1)))
            found.append(least if k else max(least, first))
            steps = math.ceil(steps / found[-1])
        strides = tuple(found)
    return replace(options, convolution_width=widths, convolution_stride=strides)


def _each(values: tuple[int, ...] | None, count: int) -> tuple[int, ...] | None:
    return values * count if values is not None and len(values) == 1 else values


def members(seconds: float | None, passes: int, each: float) -> int:
    """How many networks a fold the time has room for, where one takes `each` seconds an epoch."""
    if seconds is None:
        return 1
    return max(1, min(MOST_MEMBERS, int(seconds / (passes * each))))


def told(options: ClassifyOptions) -> str:
    """The network in words."""
    assert options.hidden_size and options.bidirectional and options.convolutions
    units = ", ".join(map(str, options.hidden_size))
    front = ""
    if options.fronted:
        assert options.convolution_stride
        fewer = int(np.prod(options.convolution_stride))
        left = f", which leave every {_nth(fewer)} step" if fewer > 1 else ""
        front = f"convolutions of {', '.join(map(str, options.convolutions))} filters{left}; "
    both = " both ways" if any(options.bidirectional) else ""
    return (
        f"{front}{'/'.join(options.cell)} of {units} units{both}, {options.pooling} of all steps, "
        f"dropout {options.dropout:g}{_beside(options)}"
    )


def _nth(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")


def _beside(options: ClassifyOptions) -> str:
    """What answers beside one network."""
    members, folds = options.members or 1, options.folds or 0
    count = members * max(1, folds)
    others = f", {count} networks" if count > 1 else ""
    if options.kernels:
        others += f", a linear model on {options.kernels:,} features of fixed convolutions"
    if options.bag == "ngrams":
        return f"{others}, a linear model on words and letters"
    return others + ("" if options.bag == "none" else f", naive Bayes of {options.bag}")


def _hidden_tokens(encoder: Encoder) -> float:
    """Share of the tokens read as <unk>: of words more, as most of them are rare."""
    if encoder.vocabulary is None:
        return 0.0
    return 0.3 if isinstance(encoder.vocabulary, Words) else 0.1


def _embedding(dataset: Labelled, options: ClassifyOptions) -> int:
    known = dataset.encoder.vocabulary
    if options.vectors is not None:
        if not isinstance(known, Words):
            raise UserError(f"--vectors {options.vectors}: needs texts read as words")
        table_of, _ = vectors.read_vectors(options.vectors, known.symbols)
        return int(table_of.shape[1])
    if options.embedding is not None:
        return options.embedding
    return 0 if known is None or known.size <= 64 else 128
