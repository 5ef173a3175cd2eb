"""A place in a text or a piece, kept in a file: to go on from there another day, or twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from elman.decode import LAST
from elman.errors import UserError
from elman.run import checkpoint
from elman.tasks.task import Cursor, State

if TYPE_CHECKING:
    from elman.tasks.music.composing.place import Composer, Place


def save(cursor: Cursor, path: Path) -> None:
    """Keep a place. Raises UserError where the file cannot be written."""
    checkpoint.write(path, *kept(cursor))


def load(path: Path, like: Cursor, device: str) -> Cursor:
    """A kept place; `like` is any place of the model that it has to fit. Raises UserError."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; give one that --save-state kept")
    try:
        return restored(*checkpoint.read(path), like, device)
    except ValueError:
        told = "is not a place in a text of this model; it came from another one"
        raise UserError(f"{path}: {told}") from None


def kept(cursor: Cursor) -> tuple[checkpoint.Tensors, dict[str, Any]]:
    """What a place goes on with: tensors, and plain values."""
    plain = {
        "seen": sorted(cursor.seen), "position": cursor.position, "last": list(cursor.last)
    }  # fmt: skip
    return checkpoint.carry_tensors(cursor.state) | {"logits": cursor.logits}, plain


def restored(
    tensors: Mapping[str, Tensor], plain: Mapping[str, Any], like: Cursor, device: str
) -> Cursor:
    """The place that `kept` took apart. ValueError: it is none of the model of which `like` is."""
    seen, position, last = plain.get("seen"), plain.get("position"), plain.get("last")
    logits, symbols = tensors.get("logits"), len(like.logits)
    state = checkpoint.load_carry(tensors, device)
    if (
        state is not None
        and _fits(state, like.state, symbols)
        and logits is not None
        and (logits.shape, logits.dtype) == (like.logits.shape, like.logits.dtype)
        and isinstance(seen, list)
        and isinstance(last, list)
        and len(last) <= LAST
        and all(isinstance(token, int) and 0 <= token < symbols for token in seen + last)
        and isinstance(position, int)
        and 0 < position < 2**63
    ):
        return Cursor(state, logits.to(device), frozenset(seen), position, tuple(last))
    raise ValueError("a place of another model")


def mean(places: Sequence[Cursor], weights: Sequence[float]) -> Cursor:
    """A place between others: the mean of all numbers of their states, and of the logits, which are
    a linear function of the last layer's output. The weights sum up to 1.

    It has seen what any of them has, goes on at the position of the longest, and continues the text
    of that with the largest weight. Those without weight count for nothing, so that of one with all
    of it the mean is that one. UserError: the states are no numbers that have a mean.
    """
    heavy = [k for k, weight in enumerate(weights) if weight]
    places, weights = [places[k] for k in heavy], [weights[k] for k in heavy]
    first = max(range(len(places)), key=lambda k: (weights[k], -k))
    return Cursor(
        _mean_state([at.state for at in places], weights),
        _mean([at.logits for at in places], weights),
        frozenset().union(*(at.seen for at in places)),
        max(at.position for at in places),
        places[first].last,
    )


def save_in_piece(place: Place, path: Path) -> None:
    """Keep a place in a piece. Raises UserError where the file cannot be written."""
    checkpoint.write(path, *kept_in_piece(place))


def load_in_piece(path: Path, composer: Composer, device: str) -> Place:
    """A kept place in a piece, which has to be one of the composer's. Raises UserError."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; give one that --save-state kept")
    tensors, known = checkpoint.read(path)
    try:
        return restored_in_piece(tensors, known, composer, device)
    except ValueError:
        told = "is not a place in a piece of this model; it came from another one"
        raise UserError(f"{path}: {told}") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def kept_in_piece(place: Place) -> tuple[checkpoint.Tensors, dict[str, Any]]:
    """What a place in a piece goes on with: tensors, and plain values."""
    return checkpoint.carry_tensors(place.state) | place.tensors(), dict(place.known)


def restored_in_piece(
    tensors: Mapping[str, Tensor], known: Mapping[str, Any], composer: Composer, device: str
) -> Place:
    """The place that `kept_in_piece` took apart. ValueError, UserError: not the composer's."""
    state = checkpoint.load_carry(tensors, device)
    place = composer.begin().restored(state, tensors, known, device)
    composer.check(place)
    return place


def _fits(kept: Sequence[Sequence[Tensor]], own: Sequence[Sequence[Tensor]], symbols: int) -> bool:
    return [len(layer) for layer in kept] == [len(layer) for layer in own] and all(
        _matches(a, b, symbols)
        for layer, other in zip(kept, own, strict=True)
        for a, b in zip(layer, other, strict=True)
    )


def _matches(kept: Tensor, own: Tensor, symbols: int) -> bool:
    if kept.dtype != own.dtype:
        return False
    if own.is_floating_point():
        return kept.shape == own.shape
    # A window of tokens, however many have been read.
    return kept.dim() == 1 and len(kept) > 0 and 0 <= int(kept.min()) <= int(kept.max()) < symbols


def _mean_state(states: Sequence[State], weights: Sequence[float]) -> State:
    return [
        tuple(_mean(parts, weights) for parts in zip(*layers, strict=True))
        for layers in zip(*states, strict=True)
    ]


def _mean(tensors: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """In float64, so that the mean of equal numbers is that number."""
    first = tensors[0]
    if not first.is_floating_point():
        raise UserError(
            "states of this model are what it has read last, not numbers that have a mean"
        )
    total = sum((t.double() * w for t, w in zip(tensors, weights, strict=True)), torch.zeros(()))
    return total.to(first.dtype)
