"""A served session is a run, a state and a position: what the sessions ask of a kind of run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, final

from torch import Tensor

from elman.errors import UserError
from elman.run import checkpoint, place
from elman.run.trained import Run
from elman.serve.contract import Refused
from elman.tasks.music.composing.place import Composer, Place
from elman.tasks.task import Cursor


class Places(Protocol):
    """The places of one run, of whatever kind they are, taken apart and put together."""

    def kept(self, place: Any) -> tuple[Mapping[str, Tensor], dict[str, Any]]:
        """Tensors and plain values that it goes on with."""

    def restored(self, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> Any:
        """The place that `kept` took apart. ValueError: it does not fit the model."""

    def position(self, place: Any) -> int:
        """How much was read and made."""

    def mean(self, places: Sequence[Any], weights: Sequence[float]) -> Any:
        """A place between others; the weights sum up to 1. Refused where there is none."""


@final
class TextPlaces:
    """Places in texts."""

    def __init__(self, run: Run) -> None:
        self._like, self._device = run.read(""), run.device

    def kept(self, at: Cursor) -> tuple[Mapping[str, Tensor], dict[str, Any]]:
        return place.kept(at)

    def restored(self, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> Cursor:
        return place.restored(tensors, plain, self._like, self._device)

    def position(self, at: Cursor) -> int:
        return at.position

    def mean(self, places: Sequence[Cursor], weights: Sequence[float]) -> Cursor:
        try:
            return place.mean(places, weights)
        except UserError as error:
            raise Refused(400, "cannot_blend", str(error), "sessions") from None


@final
class PiecePlaces:
    """Places in pieces of music."""

    def __init__(self, run: Run) -> None:
        self._composer, self._device = composer_of(run), run.device

    def kept(self, at: Place) -> tuple[Mapping[str, Tensor], dict[str, Any]]:
        tensors, known = place.kept_in_piece(at)
        return tensors, {"known": known}

    def restored(self, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> Place:
        try:
            return place.restored_in_piece(tensors, plain["known"], self._composer, self._device)
        except UserError as error:
            raise ValueError(str(error)) from None

    def position(self, at: Place) -> int:
        """Steps, or tokens."""
        return len(at.history)

    def mean(self, places: Sequence[Place], weights: Sequence[float]) -> Place:
        told = "what was played in two pieces has no mean; only texts are blended"
        raise Refused(400, "cannot_blend", told, "sessions")


def composer_of(run: Run) -> Composer:
    """A new one, as one composer goes through one piece at a time."""
    task, trained = run.trained.task, run.trained
    assert task.compose is not None
    return task.compose(run.model, trained.preprocessing, trained.options, run.device)


def places_of(run: Run) -> Places | None:
    """The places of a run, or None where it has none to be kept."""
    if run.trained.task.writer is not None:
        return TextPlaces(run)
    return PiecePlaces(run) if run.trained.task.compose is not None else None


def digest(run: Run) -> str:
    """The model's hash: what its places depend on, weights and what turns input into tensors."""
    found = hashlib.sha256(json.dumps(run.trained.preprocessing, sort_keys=True).encode())
    for name, tensor in sorted(checkpoint.weights_of(run.model).items()):
        found.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        found.update(tensor.cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
