"""What leaves of a network that hears.

    hearing     {"rate", "mels", "window", "hop", "deltas", "normalise"}, `window` and `hop` in
                milliseconds: log energies in mel bands, frame by frame, as `LogMel` makes them
    transform   samples of the Fourier transform of a frame
    bands       [transform / 2 + 1][mels], what each frequency gives to each band
    mean, spread   of features [M], where `normalise` is "training"; else each clip is brought to
                its own ("clip"), or to how loud it is itself ("level", see `levelled`)
    labels      of clips that have one each; none where transcripts are written
    vocabulary  of transcripts, None of labels; symbols are its ids plus `shift`, and 0 is the blank
    shift       0 or 1
    pieces      whether recordings that are longer than half a minute are read in pieces, cut where
                it is quiet, as `elman.tasks.speech.long` has it, and not as a stream; classes of
                several pieces are averaged, weighed by samples
    between     what stands between the transcripts of two pieces

Program `model`: `x` [B, T, M] normalised features, `lengths` → `scores` [B, C] of classes; or
`log_p` [B, T', V] of symbols, of which the likeliest at each step, runs joined and blanks left out,
are the transcript. T' is T over the stride of the convolutions, rounded up.

Question: {"samples": [S]}, float in [-1, 1] at the rate of `hearing`; answer: the label or the
transcript.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from elman.data.texts.segmentation import is_unspaced
from elman.export.building import Builder
from elman.export.program import Array, Arrays, Export, Program, Raw
from elman.layers.sound import LogMel
from elman.tasks import leaving
from elman.tasks.speech.decoding import SpeechDecoding
from elman.tasks.speech.hearing import looks_ahead
from elman.tasks.speech.model import Network, Recogniser, recogniser
from elman.tasks.speech.options import SpeechOptions
from elman.tasks.speech.reading import settled
from elman.tasks.speech.rejection import background
from elman.tasks.speech.transcription import transcribe
from elman.tasks.task import Kept


def export(model: nn.Module, kept: Kept, options: SpeechOptions) -> Export:
    network = recogniser(model)
    encoder, _ = settled(kept)
    features = network.features
    training = network.hearing.normalise == "training"
    surroundings = {
        "hearing": asdict(encoder.hearing),
        "transform": features.transform,
        "bands": features.bands.tolist(),
        "mean": network.normaliser.mean.tolist() if training else None,
        "spread": network.normaliser.spread.tolist() if training else None,
        "labels": list(encoder.labels),
        "vocabulary": None if encoder.vocabulary is None else encoder.vocabulary.to_json(),
        "shift": None if encoder.vocabulary is None else encoder.shift,
        "pieces": bool(looks_ahead(network)),
        "between": "" if is_unspaced(network.transcripts) else " ",
    }
    raw = Raw(partial(drawn, features), partial(answered, network, kept))
    return Export(
        "speech", {"model": program(network)}, surroundings, {"model": Original(network)}, raw
    )


def program(model: Recogniser) -> Program:
    build = Builder(model)
    x = build.numbers("x", "B", "T", model.features.output_size)
    lengths: str | None = build.lengths()
    each = [scores(build, network, x, lengths) for network in model.networks]
    if model.mode == "classify":
        return build.done(build.named(leaving.together(build, each), "scores"))
    return build.done(build.softmax(each[0], log=True, name="log_p"))


def scores(build: Builder, network: Network, x: str, lengths: str | None) -> str:
    """Of classes [B, C], or of symbols [B, T', V]."""
    for part in network.fronts:
        x, lengths = build.front(part, x, lengths)
    y = leaving.read(build, network.reader, x, lengths)
    if network.pool is not None:
        y = leaving.pooled(build, network.pool, y, lengths)
    return build.linear(y, network.output)


def drawn(features: LogMel, draw: np.random.Generator, count: int) -> list[Any]:
    """Noises and tones of up to two seconds; the first is shorter than a window."""
    lengths = [len(features.window) // 2, *draw.integers(100, 2 * features.rate, count).tolist()]
    made = []
    for n in lengths[:count]:
        wave = background(draw, n, features.rate)
        pitch = draw.uniform(100, features.rate / 4)
        wave += 0.1 * np.sin(2 * np.pi * pitch * np.arange(n) / features.rate).astype(np.float32)
        made.append({"samples": wave.tolist()})
    return made


def answered(model: Recogniser, kept: Kept, questions: Sequence[Any]) -> list[Any]:
    rate, how = model.hearing.rate, SpeechDecoding()
    waves = (np.array(one["samples"], dtype=np.float32) for one in questions)
    return [transcribe(how, model, kept, wave, rate).text for wave in waves]


@dataclass(frozen=True)
class Original:
    """What follows the features, as a `Runner`."""

    model: Recogniser

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        x, lengths = torch.from_numpy(inputs["x"]), torch.from_numpy(inputs["lengths"])
        scores, _ = self.model.said(x, lengths)
        return {"log_p" if self.model.pool is None else "scores": scores.numpy()}, {}
