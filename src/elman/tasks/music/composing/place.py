"""Where a model stands in a piece, and a piece as it is being made: what both forms of music give.

A form makes `Composer`s: `Task.compose(model, kept, options, device)`. A composer begins anywhere,
with or without a prompt, and what it makes is a `Composition`: iterated over, it gives lines of
text, one a step or bar as it is made; at any time, also after Ctrl-C, `piece` is what there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from elman.data.symbolic.piece import Piece
from elman.errors import UserError
from elman.tasks.music.composing.options import Composing
from elman.tasks.task import State


@dataclass(frozen=True)
class Place:
    """Where a model stands in a piece. It never changes: to branch, go on from it twice.

    `state` is the recurrent state and `scores` [K] the model's last output (of frames the hidden
    vector that the head reads, of events the logits) after all of `history`, int64 [n, …]: frames,
    one a row, or tokens, what was read as well as what was made. `known` is what else a piece is
    gone on with, plain values: its tempo, metre, pickup.
    """

    state: State
    scores: Tensor
    history: Tensor
    known: Mapping[str, Any] = field(default_factory=dict)

    def tensors(self) -> dict[str, Tensor]:
        """What a file keeps of the place, beside the state."""
        return {"scores": self.scores, "history": self.history}

    def restored(
        self, state: State | None, kept: Mapping[str, Tensor], known: Mapping[str, Any], device: str
    ) -> Place:
        """A kept place, which has to fit this one, of the same model. ValueError: it does not."""
        scores, history = kept.get("scores"), kept.get("history")
        if (
            state is None
            or [[_form(s) for s in layer] for layer in state]
            != [[_form(s) for s in layer] for layer in self.state]
            or scores is None
            or _form(scores) != _form(self.scores)
            or history is None
            or history.dim() != self.history.dim()
            or _form(history[:0]) != _form(self.history[:0])
        ):
            raise ValueError("a place of another model")
        return Place(state, scores.to(device), history, known)


def _form(tensor: Tensor) -> tuple[torch.Size, torch.dtype]:
    return tensor.shape, tensor.dtype


class Composition(Protocol):
    """A piece as it is being made. Iterated over once, to its end or as far as wanted."""

    seed: int  # of the choices

    def __iter__(self) -> Iterator[str]:
        """Lines of text, each as soon as what it tells is made."""

    @property
    def told(self) -> list[str]:
        """Lines for the user: what was lost of a prompt, what was decided on the way."""

    @property
    def piece(self) -> Piece:
        """The piece from its beginning to here, the prompt in it; every note in it has ended."""

    @property
    def place(self) -> Place:
        """From which the same model goes on as if it had never stopped."""


class Composer(Protocol):
    """A trained model that composes, whatever the form of its music."""

    told: list[str]  # what was lost or changed on the way: lines for the user

    def begin(self) -> Place:
        """The place at the beginning of a piece."""

    def read(self, prompt: Piece, after: Place | None = None) -> Place:
        """The place after the notes of `prompt`, on the model's grid or in its tokens; what that
        loses is told. UserError: nothing of it can be read."""

    def check(self, place: Place) -> None:
        """UserError: a kept place has in its history, or knows, what cannot be of this model."""

    def compose(self, asked: Composing, after: Place, seed: int) -> Composition:
        """A piece that goes on from `after` as `asked`. UserError: what cannot be kept."""


def refuse(asked: Composing, name: str, why: str) -> None:
    """UserError where the field `name` was asked for, which a form of music cannot do."""
    if getattr(asked, name) != getattr(Composing(), name):
        raise UserError(f"--{name.replace('_', '-')}: {why}")
