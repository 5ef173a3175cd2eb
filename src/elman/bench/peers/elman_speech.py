"""Elman's task `speech`: its training step, its transcripts, and its mel spectrum alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from elman.bench.clips import (
    BAND_FILTERS,
    FILTERS,
    HOP,
    MELS,
    RATE,
    STRIDE,
    SYMBOLS,
    WIDTH,
    WINDOW,
    Clips,
    clips,
)  # fmt: skip
from elman.bench.peers.prepared import Prepared
from elman.bench.work import Work
from elman.data.batching import padded
from elman.data.texts import vocabulary as vocabularies
from elman.layers.sound import levelled
from elman.search.ctc import greedy
from elman.tasks.speech.data import Encoder, Hearing
from elman.tasks.speech.model import Recogniser
from elman.tasks.speech.options import SpeechOptions
from elman.tasks.speech.training import Batch, loss

# Their gradients are compared. Those of the first filters are sums that nearly cancel: of them
# float32 leaves two digits, float64 all.
COMPARED = ("front.norms.0.weight", "front.layers.2.weight", "reader.recurrent.weight_ih_l0",
            "reader.recurrent.weight_hh_l0_reverse", "output.weight")  # fmt: skip


def prepare(work: Work) -> Prepared:
    if work.kind == "features":
        return spectrum(work)
    return training(work) if work.kind == "hear" else writing(work)


def network(work: Work) -> Recogniser:
    """The same in every process."""
    torch.manual_seed(0)
    options = SpeechOptions(
        cell=(work.cell,), hidden_size=(work.H,), bidirectional=(True,), dropout=0.0,
        weight_drop=0.0, band_convolutions=BAND_FILTERS, band_pooling=True,
        convolutions=FILTERS, convolution_width=(WIDTH,), convolution_stride=(STRIDE,),
    )  # fmt: skip
    hearing = Hearing(RATE, MELS, WINDOW, HOP, deltas=False, normalise="level")
    letters = "".join(map(chr, range(ord("a"), ord("a") + SYMBOLS - 1)))
    model = Recogniser(options, Encoder(hearing, (), vocabularies.build("characters", [letters])))
    assert model.output.out_features == SYMBOLS
    # Sharper than at the start of training, so that no two symbols are nearly as likely.
    torch.nn.init.normal_(model.output.weight)
    return model


def training(work: Work) -> Prepared:
    """From samples to the gradients of every batch, without an update of the weights."""
    model = network(work)
    weights = dict(model.named_parameters())
    batches = [batch(each) for each in clips(work)]

    def once() -> Sequence[Tensor]:
        losses = []
        for each in batches:
            total, count, _ = loss(model, each, None, "cpu")
            gradients = torch.autograd.grad(total / count, list(weights.values()))
            losses.append(total.detach() / count)
        found = dict(zip(weights, gradients, strict=True))
        return torch.stack(losses), *(found[name] for name in COMPARED)

    return Prepared(once, comparable=True)


def batch(some: Clips) -> Batch:
    """As the task makes it, of clips as they are."""
    waves, lengths = padded(some.waves)
    sizes = torch.tensor([len(ids) for ids in some.said])
    return Batch(waves, lengths, torch.from_numpy(np.concatenate(some.said)), sizes, None, None)


def writing(work: Work) -> Prepared:
    """From samples to the symbols of each clip; log p of their paths is what is compared."""
    model = network(work).eval()
    batches = [padded(each.waves) for each in clips(work)]

    @torch.no_grad()
    def once() -> Sequence[Tensor]:
        found = []
        for waves, lengths in batches:
            log_p, steps = model(waves, lengths)
            rows = log_p.double().numpy()
            found += [greedy(row[:n]) for row, n in zip(rows, steps.tolist(), strict=True)]
        return (torch.tensor([spoken.log_p for spoken in found]),)

    return Prepared(once, comparable=True)


def spectrum(work: Work) -> Prepared:
    """From samples to what the first convolution reads."""
    features = Hearing(RATE, MELS, WINDOW, HOP, deltas=False, normalise="level").features()
    batches = [padded(each.waves) for each in clips(work)]

    @torch.no_grad()
    def once() -> Sequence[Tensor]:
        return [levelled(*features(*each)) for each in batches]

    return Prepared(once, comparable=True)
