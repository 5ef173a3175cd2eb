"""Hearing while somebody speaks: samples in, what is certain out; the state may be kept.

    samples ─ LogMel.listen ─ frames ─ blocks of BLOCK ─ front ─ layers ─ log probabilities ─ search

Whatever the pieces are in which samples come, the network reads the same blocks, so that what is
heard never depends on them, to the last bit. A file is heard in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from elman.errors import UserError
from elman.layers.sound import SoundState
from elman.search.ctc import Greedy, PrefixBeam, Spoken, joined
from elman.tasks.speech.data import Floats
from elman.tasks.speech.model import Recogniser
from elman.tasks.speech.writing import Transcribing, Transcript

BLOCK = 32  # frames that the network reads together: the delay, beside that of the search


@final
class Listener:
    """What a network that never looks ahead hears of one stream of samples.

    UserError: a network that looks ahead.
    """

    def __init__(self, model: Recogniser, write: Transcribing) -> None:
        if why := looks_ahead(model):
            raise UserError(f"this model {why}; train with --streaming to hear as one speaks")
        self._model, self._write = model, write
        self._sound = SoundState()
        self._frames: Tensor | None = None  # that wait for a block to be full
        self._front: list[Tensor] | None = None
        self._state: list[tuple[Tensor, ...]] | None = None
        self._search: Greedy | PrefixBeam = (
            write.beam(lag=True) if write.decoding.searched else Greedy()
        )

    @property
    def delay(self) -> float:
        """Seconds from a sound until the network has read it."""
        hearing = self._model.hearing
        return self._model.features.delay_seconds + hearing.seconds(BLOCK)

    def hear(self, samples: Floats) -> Spoken:
        """What is certain now, and was not before, with these samples [S] more."""
        with torch.no_grad():
            frames, self._sound = self._model.features.listen(
                torch.from_numpy(samples), self._sound
            )
            self._read(frames, last=False)
        return self._search.take()

    def end(self) -> Spoken:
        """What was not certain, now that no more samples come; nothing may be heard after it."""
        with torch.no_grad():
            self._read(self._model.features.end(self._sound), last=True)
        settled = self._search.take()
        rest = self._search.best(1)
        if not rest and isinstance(self._search, PrefixBeam):
            rest = self._search.best(1, complete=False)
        return joined(settled, rest[0]) if rest else settled

    def _read(self, frames: Tensor, *, last: bool) -> None:
        """Read frames [t, M] by full blocks, and at the end what is left."""
        kept = frames if self._frames is None else torch.cat([self._frames, frames])
        while len(kept) >= BLOCK or (last and len(kept)):
            block, kept = kept[:BLOCK], kept[BLOCK:]
            x = self._model.normaliser(block[None], torch.tensor([len(block)]))[0]
            if self._model.front is not None:
                x, self._front = self._model.front.listen(x, self._front)
            if len(x):
                y, self._state = self._model.reader.recurrent(x[:, None], self._state)
                log_p = self._model.output(y[:, 0]).log_softmax(-1)
                self._search.feed(log_p.double().numpy())
        self._frames = kept.clone()

    def tensors(self) -> dict[str, Tensor]:
        """All that goes on with it, by names; that of the search as JSON, in bytes."""
        found = {"samples": self._sound.samples}
        if self._sound.recent is not None:
            found["recent"] = self._sound.recent
        if self._frames is not None:
            found["frames"] = self._frames
        for k, kept in enumerate(self._front or ()):
            found[f"front.{k}"] = kept
        for k, layer in enumerate(self._state or ()):
            found |= {f"state.{k}.{n}": part for n, part in enumerate(layer)}
        told = {
            "first": self._sound.first, "given": self._sound.given,
            "search": self._search.state(), "searched": self._write.decoding.searched,
        }  # fmt: skip
        text = json.dumps(told, default=_plain).encode()
        found["told"] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
        return {name: tensor.contiguous().clone() for name, tensor in found.items()}


def looks_ahead(model: Recogniser) -> str:
    """Why a network cannot hear as one speaks, in words; empty where it can."""
    if model.mode == "classify":
        return "names whole clips"
    if any(model.reader.recurrent.bidirectional):
        return "reads both ways"
    if model.front is not None and not model.front.causal:
        return "has filters that look ahead"
    if model.normaliser.by_clip:
        return "normalises each clip, whose end it must know"
    return ""


def heard(model: Recogniser, write: Transcribing, waves: Iterable[Floats]) -> Transcript:
    """The transcript of samples that come in pieces, however long they are."""
    listener = Listener(model, write)
    spoken = Spoken((), (), (), (), 0.0, 0.0)
    for wave in waves:
        spoken = joined(spoken, listener.hear(wave))
    return write.transcript(joined(spoken, listener.end()))


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item()
