"""What the user left open of a recogniser, settled by the data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from elman.errors import UserError
from elman.search.ctc import needed
from elman.tasks.pace import fitting, told
from elman.tasks.settling import settle
from elman.tasks.speech.data import SpeechData
from elman.tasks.speech.model import Recogniser
from elman.tasks.speech.options import WIDTH, SpeechOptions
from elman.tasks.speech.training import epoch, loss
from elman.tasks.task import Budget, Plan

SECONDS = 24.0  # of sound in a batch
RATE = 4e-3  # of learning
DROPOUT, FEW = 0.2, 10  # not with fewer epochs, in which nothing is learnt by heart
FILTERS = {"transcribe": (64, 96, 128), "classify": (96, 96)}
BANDS = (16, 32)  # filters over time and bands
BAND_WIDTH = {"transcribe": 5, "classify": 3}  # frames that these see
STRIDES = ((2, 2, 2), (2, 2, 1), (2, 1, 1), (1, 1, 1))  # tried in this order to write transcripts
ROOM = 2.5  # steps for each symbol that most clips must have
TIGHT = 0.05  # share of clips that may have fewer
# After so many updates the learning rate has fallen for the first time; a restart costs much of
# what a network with CTC has learnt, so that it comes late.
UPDATES = {"transcribe": 12_000, "classify": 3_000}
FEWEST, MOST = 12, {"transcribe": 300, "classify": 60}  # passes until then


def plan(dataset: SpeechData, options: SpeechOptions, budget: Budget) -> Plan[SpeechOptions]:
    hearing, mode = dataset.encoder.hearing, dataset.encoder.mode
    if options.members > 1 and mode == "transcribe":
        raise UserError(
            f"--members {options.members}: several networks name classes, and what is written here "
            "are transcripts; leave it out, or give --mode classify"
        )
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
        pooling="attention" if mode == "classify" else None,
        averages=(0,),
        band_convolutions=BANDS,
        convolutions=FILTERS[mode],
        hidden_size=(units,),
        bidirectional=(not options.streaming,),
        weight_drop=0.0,
    )
    if settled.band_convolutions != (0,):
        settled = settle(
            settled,
            band_convolution_width=BAND_WIDTH[mode],
            band_pooling=mode == "transcribe",
        )
    assert settled.convolutions is not None
    if settled.fronted:
        settled = settle(
            settled,
            convolution_width=(WIDTH,),
            convolution_stride=_strides(dataset, len(settled.convolutions)),
        )
    first = epoch(dataset, settled, batch, 0, 1)
    model = Recogniser(settle(settled, dropout=DROPOUT), dataset.encoder)
    epochs = fitting(loss, model, first, budget)
    settled = settle(settled, dropout=0.0 if epochs < FEW else DROPOUT)
    passes = int(np.clip(UPDATES[mode] // max(1, len(first)), FEWEST, MOST[mode]))
    shape = ", ".join(map(str, settled.hidden_size or ()))
    ways = "forward only" if options.streaming else "both ways"
    does = "names a class" if known is None else f"writes {known.level}"
    several = f"{settled.members} times " if settled.members > 1 else ""
    why = (
        f"{hearing.mels} bands of {hearing.rate:,} samples a second, "
        f"{several}{'/'.join(settled.cell)} of {shape} units, {ways}, {does}: "
        + told(budget, epochs, passes)
    )
    return Plan(settled, batch, budget.learning_rate or RATE, why, passes)


def _strides(dataset: SpeechData, count: int) -> tuple[int, ...]:
    """As few steps as leave room for what is said: the more of them are blank, the longer a network
    writes nothing else. For classes half of the frames."""
    short = (2, *[1] * (count - 1))
    if dataset.encoder.mode == "classify" or count != len(STRIDES[0]):
        return short
    features = dataset.encoder.hearing.features()
    frames = features.frames(torch.from_numpy(dataset.lengths(dataset.train))).numpy()
    wanted = np.array([max(1, needed(target.tolist())) for target in dataset.train.targets])
    room = float(np.quantile(frames / wanted, TIGHT))
    for strides in STRIDES:
        together = int(np.prod(strides))
        if room >= ROOM * together and (-(-frames // together) >= wanted).all():
            return strides
    return STRIDES[-1]
