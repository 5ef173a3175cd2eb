"""Elman's own layers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from elman import cells, nn
from elman.bench.peers import elman_speech, elman_steps, elman_translation
from elman.bench.peers.log_space import START, scanning
from elman.bench.peers.prepared import Prepared
from elman.bench.peers.torch_layers import (
    prepare_layer,
    training,
    training_on_tokens,
    with_weights,
)  # fmt: skip
from elman.bench.peers.torch_steps import writer
from elman.bench.work import Work, numbers
from elman.layers.linear import linear_scan
from elman.layers.scan import LinearStepwise

LAYERS: Mapping[str, type[torch.nn.Module]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


def prepare(work: Work, threads: int) -> Prepared | None:
    torch.set_num_threads(threads)
    if work.kind in ("translate", "write-sentences"):
        return elman_translation.prepare(work)
    if work.kind in ("hear", "transcribe", "features"):
        return elman_speech.prepare(work)
    if work.kind == "tokens":
        layer = nn.Recurrent(work.H, work.H, cell=work.cell)
        with_weights(layer, numbers(work))
        return training_on_tokens(layer, work, lambda ids, table: layer(ids, embedding=table)[0])
    if work.kind == "regularised":
        given = numbers(work)
        x, dy = torch.from_numpy(given.x), torch.from_numpy(given.dy)
        return training(regularised(work), x, dy, comparable=False)
    if work.kind == "linear":
        return linear(work)
    if work.kind == "step":
        stepped = with_weights(LAYERS[work.cell](work.H, work.H), numbers(work))
        return elman_steps.stepping(stepped, work)
    if work.kind == "write":
        return elman_steps.writing(*writer(LAYERS[work.cell], work), work)
    return prepare_layer(work, LAYERS)


def regularised(work: Work) -> nn.Recurrent:
    """A layer with the variant of the work inside its recurrence; "plain" has none."""
    return nn.Recurrent(
        work.H,
        work.H,
        cell=work.cell,
        zoneout=0.1 if work.variant == "zoneout" else 0.0,
        recurrent_dropout=0.25 if work.variant == "variational" else 0.0,
        weight_drop=0.25 if work.variant == "weight-drop" else 0.0,
        layer_norm=work.variant == "layer-norm",
    )


def linear(work: Work) -> Prepared:
    """A gated linear recurrence, by its sweep."""
    sizes, h = torch.full((work.T,), work.B), torch.full((work.B, work.H), START)
    replay = LinearStepwise(cells.get(work.cell), sizes, reverse=False)

    def scan(Wx: Tensor) -> Tensor:
        return linear_scan(work.cell, Wx, sizes, h, None, replay, reverse=False)[0]

    return scanning(work, scan)
