"""Clips as a network hears them, and what it is to tell of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from elman.data.sound.clips import Clip, Mode
from elman.data.sound.reading import SoundReading
from elman.data.sound.waves import Heard, Waves
from elman.data.tables.content import BadRows
from elman.data.texts import vocabulary as vocabularies
from elman.data.texts.vocabulary import Vocabulary
from elman.errors import UserError
from elman.layers.sound import LogMel, Moments
from elman.options import make
from elman.tasks.speech.options import Normalise

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

BLANK = 0  # of connectionist temporal classification


@dataclass(frozen=True)
class Hearing:
    """What is heard of samples: a mel spectrum, `hop` and `window` in milliseconds."""

    rate: int
    mels: int
    window: float
    hop: float
    deltas: bool
    normalise: Normalise

    def __post_init__(self) -> None:
        if not (4_000 <= self.rate <= 48_000 and 8 <= self.mels <= 256):
            raise UserError("rate or mels out of range")
        if not (5 <= self.window <= 200 and 1 <= self.hop <= self.window):
            raise UserError("window or hop out of range")

    @property
    def output_size(self) -> int:
        """The number of features of a frame."""
        return self.mels * (2 if self.deltas else 1)

    def features(self) -> LogMel:
        """What makes the spectrum."""
        return LogMel(self.rate, self.mels, self.window / 1000, self.hop / 1000, deltas=self.deltas)

    def seconds(self, frames: float) -> float:
        return frames * self.hop / 1000


@dataclass(frozen=True)
class Encoder:
    """From clips to what the network hears, and from what it tells to texts or labels."""

    hearing: Hearing
    labels: tuple[str, ...] = ()  # of clips that have one each
    vocabulary: Vocabulary | None = None  # of transcripts

    @property
    def mode(self) -> Mode:
        return "classify" if self.vocabulary is None else "transcribe"

    @property
    def outputs(self) -> int:
        """Scores of a frame, the blank's among them, or of a clip."""
        if self.vocabulary is None:
            return len(self.labels)
        return self.vocabulary.size + self.shift

    @property
    def shift(self) -> int:
        """Where a vocabulary has a token for what it lacks, which is never written, the blank takes
        its place."""
        assert self.vocabulary is not None
        return 0 if self.vocabulary.unknown == BLANK else 1

    def symbols(self, text: str) -> Ints:
        """What is to be told for a transcript; the blank stands for what the vocabulary lacks."""
        assert self.vocabulary is not None
        return self.vocabulary.encode(text).astype(np.int64) + self.shift

    def text(self, symbols: Sequence[int]) -> str:
        """The transcript that symbols stand for; none of them is the blank."""
        assert self.vocabulary is not None
        return self.vocabulary.decode(np.array(symbols, dtype=np.int64) - self.shift).strip()

    def shown(self, symbol: int) -> str:
        """A symbol by itself."""
        assert self.vocabulary is not None
        return self.vocabulary.decode([symbol - self.shift])

    def decoder(self) -> Callable[[Sequence[int]], str]:
        """Turns symbols into text as they come: called with some, it gives what is certain. All
        pieces together are the `text` of all symbols, so that a space waits for what follows it."""
        assert self.vocabulary is not None
        decoder, begun, held = self.vocabulary.decoder(), False, ""

        def decode(symbols: Sequence[int]) -> str:
            nonlocal begun, held
            text = held + "".join(decoder.push(symbol - self.shift) for symbol in symbols)
            text = text if begun else text.lstrip()
            shown = text.rstrip()
            begun, held = begun or bool(shown), text[len(shown) :]
            return shown

        return decode

    def clean(self, text: str) -> str:
        """A transcript as answers are written: they are compared so."""
        assert self.vocabulary is not None
        return " ".join(self.vocabulary.clean(text).split())

    def to_json(self) -> dict[str, Any]:
        told = None if self.vocabulary is None else self.vocabulary.to_json()
        return {"hearing": asdict(self.hearing), "labels": list(self.labels), "vocabulary": told}


def encoder_from_json(data: Any) -> Encoder:
    """The encoder that gave this `to_json`. UserError where it is damaged."""
    where = "preprocessing.json"
    if not isinstance(data, Mapping):
        raise UserError(f"{where}: damaged (no encoder in it)")
    hearing = make(Hearing, data.get("hearing", {}), where=where)
    labels, told = data.get("labels"), data.get("vocabulary")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise UserError(f"{where}: damaged (no labels in it)")
    if told is None:
        if len(labels) < 2:
            raise UserError(f"{where}: damaged (fewer than two labels)")
        return Encoder(hearing, tuple(labels))
    if not isinstance(told, dict):
        raise UserError(f"{where}: damaged (no vocabulary in it)")
    return Encoder(hearing, tuple(labels), vocabularies.from_json(told))


@dataclass(frozen=True)
class Part:
    """Clips of one part of the data, their samples, and what is to be told of them.

    `targets` are the symbols of each transcript, or one number each, that of the label. `moments`
    are those of each clip's speaker, where clips are normalised by them.
    """

    clips: tuple[Clip, ...] = ()
    places: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))  # in the waves
    targets: tuple[Ints, ...] = ()
    moments: tuple[Moments, ...] | None = None

    def __len__(self) -> int:
        return len(self.clips)

    def pick(self, chosen: Sequence[int]) -> Part:
        """These clips alone."""
        moments = None if self.moments is None else tuple(self.moments[k] for k in chosen)
        return Part(
            tuple(self.clips[k] for k in chosen), self.places[np.array(chosen, dtype=np.int64)],
            tuple(self.targets[k] for k in chosen), moments,
        )  # fmt: skip


@dataclass(frozen=True)
class SpeechData:
    """A data set: training, validation and, where one is named, test part of clips."""

    name: str
    train: Part
    check: Part
    waves: Waves
    encoder: Encoder
    reading: SoundReading
    bad: BadRows
    test: Part | None = None
    facts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    noises: tuple[Floats, ...] = ()  # mixed in while training

    def wave(self, part: Part, k: int) -> Floats:
        """The samples of a clip of a part."""
        return self.waves.read(int(part.places[k]))

    def heard(self, part: Part) -> list[Heard]:
        """What decoding told of the clips of a part."""
        return [self.waves.heard[k] for k in part.places.tolist()]

    def sounds(self, part: Part) -> list[str]:
        """A digest of the samples of each clip of a part."""
        return [one.digest for one in self.heard(part)]

    def lengths(self, part: Part) -> Ints:
        """Samples of each clip of a part."""
        return self.waves.lengths[part.places]

    def seconds(self, part: Part) -> float:
        """How long the clips of a part are together."""
        return float(self.lengths(part).sum()) / self.encoder.hearing.rate

    @property
    def clip_seconds(self) -> float:
        """How long half of the clips that are trained on are at most."""
        lengths = self.lengths(self.train)
        return float(np.median(lengths)) / self.encoder.hearing.rate if len(lengths) else 0.0

    def preprocessing(self) -> dict[str, Any]:
        parts = [self.train, self.check, *([] if self.test is None else [self.test])]
        return {
            "encoder": self.encoder.to_json(),
            "reading": asdict(self.reading),
            "clip_seconds": self.clip_seconds,
            "sha256": [self._digest(part) for part in parts],
        }

    def tested(self) -> SpeechData | None:
        """The data set with the test part in place of the validation part; None without one."""
        return None if self.test is None else replace(self, check=self.test, test=None)

    def _digest(self, part: Part) -> str:
        """Equal for equal clips in the same order."""
        digest = hashlib.sha256()
        for k, clip in enumerate(part.clips):
            told = f"{clip.recording.stem} {clip.start} {clip.stop} {clip.text} {clip.label}"
            digest.update(f"{told} {self.waves.lengths[part.places[k]]}\n".encode())
        return digest.hexdigest()


def moments(dataset: SpeechData, part: Part, chosen: Iterable[int]) -> list[Moments]:
    """Mean and spread of the spectrum of each of these clips, to be added up."""
    features, found = dataset.encoder.hearing.features(), []
    for k in chosen:
        wave = torch.from_numpy(dataset.wave(part, k))
        x, _ = features(wave[None], torch.tensor([len(wave)]))
        found.append(Moments.of(x[0]))
    return found
