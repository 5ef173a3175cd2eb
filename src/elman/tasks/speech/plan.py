"""What the user left open of a recogniser, settled by the data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from elman.tasks.pace import expectation
from elman.tasks.settling import settle
from elman.tasks.speech.data import SpeechData
from elman.tasks.speech.model import Recogniser
from elman.tasks.speech.options import SpeechOptions
from elman.tasks.speech.training import epoch, loss
from elman.tasks.task import Budget, Plan

SECONDS = 24.0  # of sound in a batch
RATE = 4e-3
UPDATES = 3_000  # after which the learning rate has fallen for the first time
FEWEST, MOST = 12, 60  # passes until then


def plan(dataset: SpeechData, options: SpeechOptions, budget: Budget) -> Plan[SpeechOptions]:
    hearing, mode = dataset.encoder.hearing, dataset.encoder.mode
    seconds = dataset.seconds(dataset.train)
    each = seconds / max(1, len(dataset.train))
    batch = budget.batch_size or int(np.clip(SECONDS / each, 4, 64))
    units = 128 if seconds < 3_600 else 256
    known = dataset.encoder.vocabulary
    settled = settle(
        replace(options, causal=options.causal or options.streaming),
        mode=mode,
        rate=hearing.rate,
        mels=hearing.mels,
        normalise=hearing.normalise,
        level=None if known is None else known.level,
        pooling="mean" if mode == "classify" else None,
        convolutions=(96, 96),
        hidden_size=(units,),
        bidirectional=(not options.streaming,),
        dropout=0.2,
        weight_drop=0.0,
    )
    assert settled.convolutions is not None and settled.hidden_size is not None
    if settled.fronted:
        count = len(settled.convolutions)
        settled = settle(
            settled, convolution_width=(5,), convolution_stride=(2,) + (1,) * (count - 1)
        )
    rate = budget.learning_rate or RATE
    model, first = Recogniser(settled, dataset.encoder), epoch(dataset, settled, batch, 0, 0)
    passes = int(np.clip(UPDATES // max(1, len(first)), FEWEST, MOST))
    shape = ", ".join(map(str, settled.hidden_size or ()))
    ways = "forward only" if options.streaming else "both ways"
    told = "names a class" if known is None else f"writes {known.level}"
    why = (
        f"{hearing.mels} bands of {hearing.rate:,} samples a second, "
        f"{'/'.join(settled.cell)} of {shape} units, {ways}, {told}: "
        + expectation(loss, model, first, budget, passes)
    )
    return Plan(settled, batch, rate, why, passes)
