"""What hears as PyTorch's users write it: torch.nn alone, padded batches, packed where it recurs.

It has the parameters of `elman.tasks.speech`, and its mel bands; padding changes no answer there,
and so it may change none here: batch norm reads the steps that are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

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
    clips,
)
from elman.bench.peers import elman_speech
from elman.bench.peers.elman_speech import COMPARED
from elman.bench.peers.prepared import Prepared
from elman.bench.work import Array, Work
from elman.layers.bands import BANDS, EVERY, POOLS, STEPS
from elman.layers.sound import FLOOR, LOUD, RANGE, bands

LAYERS: dict[str, type[nn.LSTM | nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}
TRANSFORM = 256  # samples


def prepare(work: Work) -> Prepared:
    model = network(work)
    if work.kind == "features":
        return spectrum(model, work)
    return training(model, work) if work.kind == "hear" else writing(model.eval(), work)


def network(work: Work) -> Plain:
    """The same numbers as Elman's."""
    model, weights = Plain(work), elman_speech.network(work).state_dict()
    for name in ("normaliser.mean", "normaliser.spread"):  # for other ways to measure clips
        del weights[name]
    model.load_state_dict(weights)
    return model


class Plain(nn.Module):
    """The model of `elman.tasks.speech`, its parameters under the same names."""

    hann: Tensor
    triangles: Tensor

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.window = round(RATE * WINDOW / 1000)
        self.register_buffer("hann", torch.hann_window(self.window, periodic=False), False)
        self.register_buffer("triangles", bands(RATE, TRANSFORM, MELS), False)
        self.bands: Any = nn.Module()
        self.bands.layers, planes, left = nn.ModuleList(), 1, MELS
        for f in BAND_FILTERS:
            layer: Any = nn.Module()
            layer.convolution = nn.Conv2d(
                planes, f, (BANDS, STEPS), (EVERY, 1), (BANDS // 2, STEPS // 2), bias=False
            )
            self.bands.layers.append(layer)
            planes, left = f, -(-left // EVERY)
        self.bands.norms = nn.ModuleList(nn.BatchNorm1d(f) for f in BAND_FILTERS)
        width = planes * (left + len(POOLS))
        sizes = zip((width, *FILTERS), FILTERS, strict=False)
        self.front: Any = nn.Module()
        self.front.layers = nn.ModuleList(
            nn.Conv1d(i, f, WIDTH, STRIDE, padding=WIDTH // 2, bias=False) for i, f in sizes
        )
        self.front.norms = nn.ModuleList(nn.BatchNorm1d(f) for f in FILTERS)
        self.reader: Any = nn.Module()
        self.reader.recurrent = LAYERS[work.cell](FILTERS[-1], work.H, bidirectional=True)
        self.output = nn.Linear(2 * work.H, SYMBOLS)

    def features(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """log-mel [B, T, M] by the loudness of each clip, all frames of the batch at once."""
        hop = round(RATE * HOP / 1000)
        frames = waves.unfold(1, self.window, hop) * self.hann
        spectrum = torch.fft.rfft(frames, n=TRANSFORM)
        energy = (spectrum.real.square() + spectrum.imag.square()) @ self.triangles
        x = energy.clamp(min=FLOOR).log()
        lengths = (lengths - self.window) // hop + 1
        levels = torch.stack(
            [
                row[:n].mean(1).topk(max(1, round(LOUD * n))).values.mean()
                for row, n in zip(x, lengths.tolist(), strict=True)
            ]
        )
        x = ((x - levels[:, None, None]).clamp(min=-RANGE) + RANGE / 2) / (RANGE / 3)
        return x * alive(x.shape[1], lengths)[:, :, None], lengths

    def shared(self, x: Tensor, lengths: Tensor) -> Tensor:
        """log-mel [B, T, M] through the convolutions over time and bands → [B, T, F]."""
        there, y = alive(x.shape[1], lengths), x[:, :, None]  # [B, T, planes, M]
        for layer, norm in zip(self.bands.layers, self.bands.norms, strict=True):
            found = layer.convolution(y.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            y = torch.zeros_like(found)
            y[there] = norm(found[there]).relu()
        return torch.cat([y.flatten(2), y.amax(3), y.mean(3)], 2)

    def forward(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Log probabilities [B, T', V], and how many steps each clip has."""
        x, lengths = self.features(waves, lengths)
        x = self.shared(x, lengths)
        for convolution, norm in zip(self.front.layers, self.front.norms, strict=True):
            y = convolution(x.transpose(1, 2)).transpose(1, 2)
            lengths = (lengths + STRIDE - 1) // STRIDE
            there = alive(y.shape[1], lengths)
            x = torch.zeros_like(y)
            x[there] = norm(y[there]).relu()
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        read, _ = pad_packed_sequence(self.reader.recurrent(packed)[0], batch_first=True)
        return self.output(read).log_softmax(-1), lengths


def alive(steps: int, lengths: Tensor) -> Tensor:
    """Which steps are no padding, bool [B, T]."""
    return torch.arange(steps) < lengths[:, None]


def training(model: Plain, work: Work) -> Prepared:
    weights = dict(model.named_parameters())
    batches = [
        (*side_by_side(each.waves), torch.cat([torch.from_numpy(ids) for ids in each.said]),
         torch.tensor([len(ids) for ids in each.said]))
        for each in clips(work)
    ]  # fmt: skip

    def once() -> Sequence[Tensor]:
        losses = []
        for waves, lengths, said, sizes in batches:
            log_p, steps = model(waves, lengths)
            total = F.ctc_loss(
                log_p.transpose(0, 1), said, steps, sizes, reduction="sum", zero_infinity=True
            )
            loss = total / len(said)
            gradients = torch.autograd.grad(loss, list(weights.values()))
            losses.append(loss.detach())
        found = dict(zip(weights, gradients, strict=True))
        return torch.stack(losses), *(found[name] for name in COMPARED)

    return Prepared(once, comparable=True)


def writing(model: Plain, work: Work) -> Prepared:
    batches = [side_by_side(each.waves) for each in clips(work)]

    @torch.no_grad()
    def once() -> Sequence[Tensor]:
        paths = []
        for waves, lengths in batches:
            log_p, steps = model(waves, lengths)
            for row, n in zip(log_p, steps.tolist(), strict=True):
                peaks, path = row[:n].max(1)
                symbols = torch.unique_consecutive(path)
                symbols[symbols > 0].tolist()  # the transcript
                paths.append(peaks.sum())
        return (torch.stack(paths),)

    return Prepared(once, comparable=True)


def spectrum(model: Plain, work: Work) -> Prepared:
    batches = [side_by_side(each.waves) for each in clips(work)]

    @torch.no_grad()
    def once() -> Sequence[Tensor]:
        return [model.features(*each)[0] for each in batches]

    return Prepared(once, comparable=True)


def side_by_side(waves: Sequence[Array]) -> tuple[Tensor, Tensor]:
    """[B, S] and the lengths [B]."""
    rows = [torch.from_numpy(wave) for wave in waves]
    return pad_sequence(rows, True), torch.tensor([len(wave) for wave in waves])
