"""The network that hears: mel spectrum, convolutions, recurrent layers, symbols at each step or a
class at the end; or several for classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, final

import numpy as np
from torch import Tensor, nn

from elman.layers.averages import Averages
from elman.layers.bands import STEPS, BandConvolutions
from elman.layers.convolution import Front
from elman.layers.regularize import dropout
from elman.layers.sound import Moments, Normaliser, levelled, spec_augment
from elman.tasks.ensemble import together
from elman.tasks.reader import Pool, Reader, front
from elman.tasks.settling import check_settled
from elman.tasks.speech.data import Encoder, SpeechData, encoder_from_json, moments
from elman.tasks.speech.options import SpeechOptions
from elman.tasks.task import Kept

MEASURED = 2_000  # clips, evenly spread, by which the spectrum's mean and spread are told


class Network(nn.Module):
    """`Averages` → `BandConvolutions` → `Convolutions` → `Reader` → linear, at each step that is
    left, or after pooling once a clip."""

    def __init__(self, options: SpeechOptions, encoder: Encoder) -> None:
        super().__init__()
        hearing = encoder.hearing
        self.mode, width = encoder.mode, hearing.output_size
        self.averages: Averages | None = None
        if options.averages and options.averages != (0,):
            self.averages = Averages(width, options.averages, causal=options.causal)
            width = self.averages.output_size
        self.bands: BandConvolutions | None = None
        if options.band_convolutions and options.band_convolutions != (0,):
            self.bands = BandConvolutions(
                hearing.mels, options.band_convolutions,
                steps=options.band_convolution_width or STEPS, planes=width // hearing.mels,
                pooled=bool(options.band_pooling), causal=options.causal,
            )  # fmt: skip
            width = self.bands.output_size
        self.front = front(options, width)
        if self.front is not None:
            width = self.front.output_size
        self.reader = Reader(options, width)
        width = self.reader.output_size
        self.pool: Pool | None = None
        if self.mode == "classify":
            assert options.pooling is not None  # by the plan
            self.pool = Pool(options.pooling, width, both_ways=self.reader.both_ways)
        assert options.dropout is not None
        self.dropout = options.dropout
        self.output = nn.Linear(width, encoder.outputs)

    @property
    def stride(self) -> int:
        """Frames that one step stands for."""
        return 1 if self.front is None else math.prod(self.front.strides)

    @property
    def fronts(self) -> list[Front]:
        """What stands before the recurrent layers, one after the other."""
        each: list[Front | None] = [self.averages, self.bands, self.front]
        return [part for part in each if part is not None]

    def scores(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised features [B, T, M] of `lengths` [B] on the CPU → log probabilities of symbols
        [B, T', V], and how many steps each has; or scores of classes [B, C], and the steps that
        were read."""
        for part in self.fronts:
            x, lengths = part(x, lengths)
        if self.bands is not None or self.front is not None:
            x = dropout(x, self.dropout, training=self.training)
        y, alive = self.reader(x, lengths)
        if self.pool is not None:
            y = self.pool(y, alive)
        scores: Tensor = self.output(dropout(y, self.dropout, training=self.training))
        return scores if self.pool is not None else scores.log_softmax(-1), lengths


@final
class Recogniser(Network):
    """Samples → `LogMel` → normalised → `Network`; of classes there may be several `beside` it,
    trained side by side, and the average of their probabilities answers.

    `transcripts` are those that were trained on; `restore` gives them.
    """

    def __init__(self, options: SpeechOptions, encoder: Encoder) -> None:
        super().__init__(options, encoder)
        self.hearing = encoder.hearing
        self.features = self.hearing.features()
        by_clip = self.hearing.normalise != "training"
        self.normaliser = Normaliser(self.hearing.output_size, by_clip=by_clip)
        others = range(1, options.members)
        self.beside = nn.ModuleList(Network(options, encoder) for _ in others)
        self.transcripts: tuple[str, ...] = ()

    @property
    def networks(self) -> list[Network]:
        """All that answer together."""
        return [self, *(other for other in self.beside if isinstance(other, Network))]

    @property
    def step_seconds(self) -> float:
        """How long one step is."""
        return self.hearing.seconds(self.stride)

    def heard(
        self, waves: Tensor, lengths: Tensor, moments: Sequence[Moments] | None = None,
        draw: np.random.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """`waves` float32 [B, S], `lengths` [B] on the CPU; `moments` of each clip's speaker, where
        clips are normalised by these; with `draw` the spectrum is masked.

        → normalised features [B, T, M], and their lengths.
        """
        x, lengths = self.features(waves, lengths)
        if self.hearing.normalise == "level":
            x = levelled(x, lengths)
        else:
            x = self.normaliser(x, lengths, moments)
        if draw is not None:
            x = spec_augment(x, lengths, draw)
        return x, lengths

    def each(self, x: Tensor, lengths: Tensor) -> list[tuple[Tensor, Tensor]]:
        """What each network says by itself of normalised features, by which it is trained."""
        return [network.scores(x, lengths) for network in self.networks]

    def said(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What all say together, as `scores`."""
        each = self.each(x, lengths)
        if len(each) == 1:
            return each[0]
        return together([scores for scores, _ in each]), each[0][1]

    def forward(
        self, waves: Tensor, lengths: Tensor, moments: Sequence[Moments] | None = None,
        draw: np.random.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """`said` of what is `heard`."""
        return self.said(*self.heard(waves, lengths, moments, draw))


def start(model: nn.Module, kept: Kept, options: SpeechOptions, dataset: SpeechData) -> None:
    """Mean and spread of the training part's spectrum."""
    model, part = recogniser(model), dataset.train
    if dataset.encoder.hearing.normalise != "training":
        return
    chosen = np.unique(np.linspace(0, len(part) - 1, min(MEASURED, len(part))).astype(int))
    first, *others = moments(dataset, part, chosen.tolist())
    model.normaliser.set(sum(others, start=first))


def build(kept: Kept, options: SpeechOptions) -> Recogniser:
    needed = ["hidden_size", "dropout", "weight_drop", "bidirectional", "convolutions"]
    if options.fronted:
        needed += ["convolution_width", "convolution_stride"]
    encoder = encoder_from_json(kept.get("encoder"))
    if encoder.mode == "classify":
        needed.append("pooling")
    check_settled(options, *needed)
    return Recogniser(options, encoder)


def recogniser(model: Any) -> Recogniser:
    """The same model. A run of `speech` has no other."""
    assert isinstance(model, Recogniser)
    return model
