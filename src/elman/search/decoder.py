"""A model that writes, as the search sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

State = TypeVar("State")


class Step(NamedTuple, Generic[State]):
    """What a model says of the next token of N hypotheses.

    log_p [N, V]: log probabilities in nats, a fresh tensor, for the search writes into it.
    state: the model's, after the tokens that it read.
    attention [N, S]: weights of the source's S positions while these tokens were chosen, or None.
    """

    log_p: Tensor
    state: State
    attention: Tensor | None = None


class Decoder(Protocol[State]):
    """A model that writes, many hypotheses side by side; each row depends on itself alone."""

    def step(self, tokens: Tensor, state: State) -> Step[State]:
        """Read on: tokens int64 [N], the newest of each hypothesis."""
        ...

    def select(self, state: State, rows: Tensor) -> State:
        """The hypotheses `rows`, int64 [M], in that order, each as often as it is named."""
        ...
