"""What is heard in one recording, however long it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from elman.data.sound import audio
from elman.data.sound.clips import Recording
from elman.data.sound.mono import of_samples
from elman.data.texts.segmentation import is_unspaced
from elman.tasks.speech.data import Encoder, Floats
from elman.tasks.speech.decoding import SpeechDecoding
from elman.tasks.speech.hearing import heard, looks_ahead
from elman.tasks.speech.long import pieces
from elman.tasks.speech.model import Recogniser, recogniser
from elman.tasks.speech.reading import settled
from elman.tasks.speech.scores import transcribing
from elman.tasks.speech.writing import Transcribing, Transcript
from elman.tasks.task import Kept

BLOCK = 10.0  # seconds of a recording that are held at once
UNKNOWN = "unknown"  # told of a clip where no class is sure enough


def transcribe(
    decoding: SpeechDecoding, model: nn.Module, kept: Kept, sound: Any, rate: int | None
) -> Transcript:
    """The transcript of a recording, a path or samples [S] or [S, channels] at `rate` a second,
    float in [-1, 1] or int16; of a model that names classes the name.

    UserError: a file that is no sound; samples without a rate, or such as are no sound.
    """

    def waves(rate_out: int) -> Iterable[Floats]:
        if isinstance(sound, str | Path):
            return audio.blocks(Recording(Path(sound)), BLOCK, rate_out)
        return iter([of_samples(sound, rate, rate_out)])

    return transcribed(decoding, model, kept, waves)


def transcribed(
    decoding: SpeechDecoding, model: nn.Module, kept: Kept,
    waves: Callable[[int], Iterable[Floats]],
) -> Transcript:  # fmt: skip
    """The transcript of a recording that `waves` gives in pieces at the rate that it is asked for.

    UserError: options that are of no use to the model, and whatever `waves` raises.
    """
    decoding.check_no_stream()
    encoder, _ = settled(kept)
    decoding.check_mode(writes=encoder.mode == "transcribe")
    model = recogniser(model).cpu()
    wave = waves(encoder.hearing.rate)
    if model.mode == "classify":
        label, sure = named(model, encoder, wave, decoding.threshold)
        return Transcript(label, sure, ())
    return transcripts(model, transcribing(model, encoder, decoding), wave)[0]


def transcripts(
    model: Recogniser, write: Transcribing, waves: Iterable[Floats]
) -> list[Transcript]:
    """The transcripts of a recording that comes as samples in pieces, the best first; one at least.

    A network that never looks ahead hears it as a stream; others read it in pieces of half a
    minute, cut where it is quiet, of which only the best transcript is told if there are several.
    """
    if write.decoding.n_best == 1 and not looks_ahead(model):
        return [heard(model, write, waves)]
    parts: list[list[Transcript]] = []
    for begin, wave in pieces(waves, model.hearing.rate):
        with torch.no_grad():
            log_p, _ = model(torch.from_numpy(wave)[None], torch.tensor([len(wave)]))
        parts.append(write(log_p[0].double().numpy(), begin))
    if len(parts) == 1:
        return parts[0]
    between = "" if is_unspaced(write.transcripts) else " "
    return [_joined([part[0] for part in parts], between)]


def named(
    model: Recogniser, encoder: Encoder, waves: Iterable[Floats], threshold: float | None = None
) -> tuple[str, float]:
    """The class of a recording, and how probable it is, in [0, 1]; "unknown" where that is below
    the threshold."""
    total, scores = 0, torch.zeros(len(encoder.labels), dtype=torch.float64)
    for _, wave in pieces(waves, model.hearing.rate):
        with torch.no_grad():
            own, _ = model(torch.from_numpy(wave)[None], torch.tensor([len(wave)]))
        weight = max(1, len(wave))
        scores += weight * own[0].double().log_softmax(-1)
        total += weight
    chances = (scores / total).softmax(-1).numpy()
    best = int(np.argmax(chances))
    sure = float(chances[best])
    label = UNKNOWN if threshold is not None and sure < threshold else encoder.labels[best]
    return label, sure


def _joined(parts: list[Transcript], between: str) -> Transcript:
    said = [part for part in parts if part.text]
    if not said:
        return parts[0]
    words = tuple(word for part in said for word in part.words)
    count = sum(len(part.text) for part in said)
    sure = sum(len(part.text) * np.log(max(part.confidence, 1e-9)) for part in said) / count
    return Transcript(between.join(part.text for part in said), float(np.exp(sure)), words)
