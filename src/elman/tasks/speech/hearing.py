"""Hearing while somebody speaks: samples in, what is certain out; the state may be kept.

    samples ─ LogMel.listen ─ frames ─ blocks of BLOCK ─ front ─ layers ─ log probabilities ─ search

Whatever the pieces are in which samples come, the network reads the same blocks, so that what is
heard never depends on them, to the last bit. A file is heard in the same way.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from elman.errors import UserError
from elman.layers.sound import REACH, SoundState
from elman.search.ctc import Greedy, PrefixBeam, Spoken, joined
from elman.tasks.speech.data import Floats
from elman.tasks.speech.model import Recogniser
from elman.tasks.speech.writing import Transcribing, Transcript

BLOCK = 32  # frames that the network reads together: the delay, beside that of the search
SAID = 16  # last symbols that are kept: how the next ones are written may depend on them
HOW = "train one that transcribes with --streaming"
WRONG = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
MOST = 1 << 26  # bytes of a search that is kept in a file


@final
class Listener:
    """What a network that never looks ahead hears of one stream of samples.

    UserError: a network that looks ahead.
    """

    def __init__(self, model: Recogniser, write: Transcribing) -> None:
        if why := looks_ahead(model):
            raise UserError(f"this model {why}; to hear as one speaks, {HOW}")
        self._model, self._write = model, write
        self._sound = SoundState()
        # Those that wait for a block to be full.
        self._frames = torch.zeros(0, model.features.output_size)
        self._fronts: dict[int, list[Tensor]] = {}  # what each front still wants; none at first
        self._state: list[tuple[Tensor, ...]] | None = None
        self._search: Greedy | PrefixBeam = (
            write.beam(lag=True) if write.decoding.searched else Greedy()
        )
        self.said: tuple[int, ...] = ()  # the last symbols that were told

    @classmethod
    def resumed(
        cls, model: Recogniser, write: Transcribing, tensors: Mapping[str, Tensor]
    ) -> Listener:
        """One that goes on where another's `tensors` were taken, to the bit.

        UserError: a network that looks ahead; tensors that are damaged, or came from another model
        or another way of writing. They may be a stranger's.
        """
        made = cls(model, write)
        try:
            made._resume(tensors)
        except (*WRONG, RecursionError):
            raise UserError("damaged (its numbers do not fit)") from None
        return made

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
        told = self._search.take()
        self.said = (*self.said, *told.symbols)[-SAID:]
        return told

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
        kept = torch.cat([self._frames, frames])
        while len(kept) >= BLOCK or (last and len(kept)):
            block, kept = kept[:BLOCK], kept[BLOCK:]
            x = self._model.normaliser(block[None], torch.tensor([len(block)]))[0]
            for k, part in enumerate(self._model.fronts):
                x, self._fronts[k] = part.listen(x, self._fronts.get(k))
            if len(x):
                y, self._state = self._model.reader.recurrent(x[:, None], self._state)
                log_p = self._model.output(y[:, 0]).log_softmax(-1)
                self._search.feed(log_p.double().numpy())
        self._frames = kept.clone()

    def tensors(self) -> dict[str, Tensor]:
        """All that goes on with it, by names; that of the search as JSON, in bytes."""
        found = {"samples": self._sound.samples, "frames": self._frames}
        if self._sound.recent is not None:
            found["recent"] = self._sound.recent
        kept = itertools.chain.from_iterable(self._fronts[k] for k in sorted(self._fronts))
        found |= {f"front.{k}": inputs for k, inputs in enumerate(kept)}
        for k, layer in enumerate(self._state or ()):
            found |= {f"state.{k}.{n}": part for n, part in enumerate(layer)}
        told = {
            "model": _digest(self._model), "how": self._write.decoding.told(),
            "first": self._sound.first, "given": self._sound.given, "said": self.said,
            "search": self._search.state(),
        }  # fmt: skip
        found["told"] = torch.frombuffer(bytearray(_json(told)), dtype=torch.uint8)
        return {name: tensor.contiguous().clone() for name, tensor in found.items()}

    def _resume(self, tensors: Mapping[str, Tensor]) -> None:
        """Take what `tensors` gave. UserError, or an error of Python, where it is no such thing."""
        text = tensors["told"]
        if text.dtype != torch.uint8 or text.dim() != 1 or len(text) > MOST:
            raise UserError("damaged (no state in it)")
        told = json.loads(text.numpy().tobytes())
        if told["model"] != _digest(self._model):
            raise UserError("was kept by another model")
        if told["how"] != self._write.decoding.told():
            raise UserError("was kept with other options of writing, --beam and such; give those")
        first, given = told["first"], told["given"]
        symbols = self._model.output.out_features
        if not (
            _whole(first) and _whole(given) and given <= first
            and all(_whole(s) and s < symbols for s in told["said"])
        ):  # fmt: skip
            raise UserError("damaged (numbers out of range)")
        fits = _shapes(self._model, first, given) | {"told": tuple(text.shape)}
        for name in sorted(fits.keys() | tensors.keys()):
            _check(name, tensors.get(name), fits.get(name))
        if len(tensors["samples"]) >= len(self._model.features.window):
            raise UserError("damaged (too many samples)")
        layers = {int(name.split(".")[1]) for name in fits if name.startswith("state.")}
        self._sound = SoundState(tensors["samples"], first, tensors.get("recent"), given)
        self._frames = tensors["frames"]
        kept = iter([tensors[name] for name in fits if name.startswith("front.")])
        self._fronts = {
            k: own
            for k, part in enumerate(self._model.fronts)
            if (own := list(itertools.islice(kept, len(part.kept(0)[0]))))
        }
        self._state = [
            tuple(tensors[name] for name in fits if name.startswith(f"state.{k}."))
            for k in sorted(layers)
        ] or None
        self.said = tuple(told["said"])
        # What a search was in it says again, and it can go on: tried on one that is thrown away.
        tried = Listener(self._model, self._write)._search
        for search in (tried, self._search):
            search.resume(told["search"])
            if json.loads(_json(search.state())) != told["search"]:
                raise UserError("damaged (its search does not fit)")
        tried.feed(np.full((2, symbols), -np.log(symbols)))
        for spoken in (tried.take(), *tried.best(1)):
            if not all(0 < s < symbols for s in spoken.symbols):
                raise UserError("damaged (symbols out of range)")


def looks_ahead(model: Recogniser) -> str:
    """Why a network cannot hear as one speaks, in words; empty where it can."""
    if model.mode == "classify":
        return "names whole clips"
    if any(model.reader.recurrent.bidirectional):
        return "reads both ways"
    if not all(part.causal for part in model.fronts):
        return "has filters that look ahead"
    if any(part.skips for part in model.fronts):
        return "has a stride that is wider than its filter"
    if model.hearing.normalise != "training":
        return "normalises each clip, whose end it must know"
    return ""


def heard(model: Recogniser, write: Transcribing, waves: Iterable[Floats]) -> Transcript:
    """The transcript of samples that come in pieces, however long they are."""
    listener = Listener(model, write)
    spoken = Spoken((), (), (), (), 0.0, 0.0)
    for wave in waves:
        spoken = joined(spoken, listener.hear(wave))
    return write.transcript(joined(spoken, listener.end()))


def _shapes(model: Recogniser, first: int, given: int) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor that is kept after so many frames; -1 for samples, of any number."""
    features = model.features
    found: dict[str, tuple[int, ...]] = {"samples": (-1,)}
    if first and features.deltas:
        found["recent"] = (first - max(0, given - REACH), features.mels)
    found["frames"] = (given % BLOCK, features.output_size)
    read = given - given % BLOCK
    if not read:
        return found
    width, steps = features.output_size, read
    kept: list[tuple[int, int]] = []
    for part in model.fronts:
        own, steps = part.kept(steps)
        kept, width = [*kept, *own], part.output_size
    found |= {f"front.{k}": shape for k, shape in enumerate(kept)}
    _, state = model.reader.recurrent(torch.zeros(1, 1, width))
    for k, parts in enumerate(state):
        found |= {f"state.{k}.{n}": tuple(part.shape) for n, part in enumerate(parts)}
    return found


def _check(name: str, tensor: Tensor | None, shape: tuple[int, ...] | None) -> None:
    """UserError: a tensor that is missing, too many, or not as it has to be."""
    if tensor is None or shape is None:
        raise UserError(f"damaged ({name} {'missing' if tensor is None else 'is unknown'})")
    if name == "told":
        return
    fits = tuple(tensor.shape) == shape or (shape == (-1,) and tensor.dim() == 1)
    if not fits or tensor.dtype != torch.float32 or not bool(tensor.isfinite().all()):
        raise UserError(f"damaged ({name} does not fit)")


def _digest(model: Recogniser) -> str:
    """Equal for the same weights."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _json(told: Any) -> bytes:
    return json.dumps(told, default=_plain).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item()
