"""From logits to the next token: greedy, temperature, top-k, top-p, repetition penalty."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar

from elman.errors import RunError, UserError
from elman.options import require, require_range

# Options are listed in milliseconds: what needs PyTorch or NumPy loads it when it is called.
if TYPE_CHECKING:
    from torch import Tensor

State = TypeVar("State")
Place = TypeVar("Place")

LAST = 8
"""Ids that a place remembers: a split character has four bytes at most, a space needs one word."""

Weights: TypeAlias = Literal["float32", "float16", "int8"]
"""How a model's weights are stored while it writes: float32 is exact, the others are smaller."""

Step: TypeAlias = "Callable[[Tensor, State], tuple[Tensor, State]]"
"""A model that reads on: ids int64 [T >= 1] and a state → logits [V] of the next token, new state.

It leaves the state that it is given as it was, so that a text can be continued from it again.
"""


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Parameters
    ----------
    temperature
        Below 1 safer, above 1 wilder; 0 always takes the likeliest token.
    top_k
        Choose among so many likeliest tokens; 0 for all.
    top_p
        Choose among the likeliest tokens that together reach this probability; 1 for all.
    repetition_penalty
        Above 1 makes tokens that stand in the text already less likely; 1 for none.
    seed
        Seed of the choices; another one each time if not given.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        require_range(self, ("temperature",), 0, 1e6)
        require_range(self, ("top_k",), 0, 2**63 - 1)
        require_range(self, ("top_p",), 0, 1)
        require(self, "top_p", self.top_p > 0, "a value above 0, at most 1")
        require_range(self, ("repetition_penalty",), 0.01, 100)
        require_range(self, ("seed",), 0, 2**63 - 1)


@dataclass(frozen=True)
class Cursor(Generic[State]):
    """A place in a text from which a model can write on, as often as wanted.

    It never changes: to branch, keep it and generate from it twice, with different seeds.
    `state` and `logits` [V] are the model's after all `position` tokens; `seen` are their ids.
    `last` are the newest of them, at most `LAST`, by which a text goes on without a seam.
    """

    state: State
    logits: Tensor
    seen: frozenset[int]
    position: int
    last: tuple[int, ...]


def start(step: Step[State], state: State, prompt: Sequence[int]) -> Cursor[State]:
    """The place after `prompt`, read at once from `state`. Raises UserError if it is empty."""
    if len(prompt) == 0:
        raise UserError("the prompt is empty; give at least one token to start from")
    logits, state = step(_ids(prompt), state)
    return Cursor(state, logits, frozenset(prompt), len(prompt), tuple(prompt[-LAST:]))


def advance(step: Step[State], cursor: Cursor[State], ids: Sequence[int]) -> Cursor[State]:
    """The place after `cursor` once `ids`, at least one, have been read from there."""
    logits, state = step(_ids(ids), cursor.state)
    return moved(cursor, ids, logits, state)


def moved(cursor: Cursor[State], ids: Sequence[int], logits: Tensor, state: State) -> Cursor[State]:
    """The place after `cursor` once a model that read `ids` stands at `logits` and `state`."""
    # Most tokens have been seen before: then nothing is copied.
    seen = cursor.seen if cursor.seen.issuperset(ids) else cursor.seen.union(ids)
    last = (*cursor.last, *ids[-LAST:])[-LAST:]
    return Cursor(state, logits, seen, cursor.position + len(ids), last)


def generate(
    step: Step[State],
    cursor: Cursor[State],
    length: int,
    sampling: Sampling,
    forbidden: Collection[int] = (),
) -> Iterator[tuple[int, Cursor[State]]]:
    """`length` tokens from `cursor` on, each as it is made, with the place after it.

    Random choices depend on the seed and the position alone. So n tokens, and m more from the
    last cursor, are the n + m tokens made in one go, wherever the stream was stopped.
    Tokens in `forbidden` are never chosen. Raises what `distribution` raises.
    """
    seed = seed_of(sampling)
    for _ in range(length):
        p = distribution(cursor.logits, cursor.seen, sampling, forbidden)
        token = choose(p, uniform(seed, cursor.position))
        cursor = advance(step, cursor, [token])
        yield token, cursor


def seed_of(sampling: Sampling) -> int:
    """The seed given, or a new one, below 2^63."""
    return secrets.randbits(63) if sampling.seed is None else sampling.seed


def seeds(sampling: Sampling) -> Iterator[int]:
    """A seed for each of many texts: that given, or a new one, then others drawn from it."""
    first = seed_of(sampling)
    yield first
    draw = random.Random(first)
    while True:
        yield draw.getrandbits(63)


def until(pieces: Iterable[tuple[str, Place]], stops: Sequence[str]) -> Iterator[tuple[str, Place]]:
    """Pieces of text, with the place after each, up to the first of `stops`, which is left out.

    However the pieces cut a stop, it is found; of stops that end at one character the longest is
    left out. What may be the beginning of one is held back until it is known. The last place is
    that after the whole piece in which a stop ended. UserError: a stop without a character.
    """
    until = Until(stops)
    place: Place | None = None
    for piece, place in pieces:
        yield until.push(piece), place
        if until.ended:
            return
    if place is not None and (held := until.rest()):
        yield held, place


class Until:
    """Pieces of text up to the first of `stops`, for whoever is handed them one by one: what
    `until` does. UserError: a stop without a character."""

    def __init__(self, stops: Sequence[str]) -> None:
        if "" in stops:
            raise UserError("--stop: needs at least one character")
        self.ended = False  # a stop has come
        self._stops, self._held = [_Stop(stop) for stop in stops], ""

    def push(self, piece: str) -> str:
        """What is certain to stand before every stop, now that this piece has come."""
        for k, character in enumerate(piece):
            ended = [len(stop.text) for stop in self._stops if stop.read(character)]
            if ended:
                self.ended = True
                text = self._held + piece[: k + 1]
                return text[: len(text) - max(ended)]
        text = self._held + piece
        sure = len(text) - max((stop.matched for stop in self._stops), default=0)
        self._held = text[sure:]
        return text[:sure]

    def rest(self) -> str:
        """What was held back, of a text that ends without a stop."""
        return self._held


class _Stop:
    """A text that is looked for in one that arrives character by character, by the table of
    Knuth, Morris and Pratt (1977): the longest beginning of it that stands at the end so far."""

    def __init__(self, text: str) -> None:
        self.text, self.matched = text, 0
        self._shorter = [0]  # [n - 1]: of the first n characters, but shorter than n
        for character in text[1:]:
            self._shorter.append(self._after(self._shorter[-1], character))

    def read(self, character: str) -> bool:
        """Whether the text ends with this character."""
        self.matched = self._after(self.matched, character)
        return self.matched == len(self.text)

    def _after(self, matched: int, character: str) -> int:
        while matched and self.text[matched] != character:
            matched = self._shorter[matched - 1]
        return matched + (self.text[matched] == character)


def distribution(
    logits: Tensor, history: Collection[int], sampling: Sampling, forbidden: Collection[int] = ()
) -> Tensor:
    """Probabilities [V], float64 on the CPU, with which the next token is chosen from `logits` [V].

    In this order: forbidden tokens are removed; tokens of `history` are penalised as in
    arXiv:1909.05858, with negative logits multiplied, as dividing would favour them; logits are
    divided by the temperature; the k likeliest tokens stay; of these the fewest whose probability
    reaches top_p stay (the nucleus, arXiv:1904.09751). Of equal tokens the lower id comes first.
    Raises RunError for logits that are NaN or +inf, UserError where every token is forbidden.
    """
    x = logits.detach().cpu().double()
    if not bool((x < float("inf")).all()):  # false for NaN too
        raise RunError("the model gives logits that are not finite; its weights are damaged")
    if forbidden:
        x = x.index_fill(0, _ids(forbidden), float("-inf"))
    if history and sampling.repetition_penalty != 1:
        seen = _ids(history)
        old, penalty = x[seen], sampling.repetition_penalty
        x = x.index_copy(0, seen, (old / penalty).where(old > 0, old * penalty))
    likeliest = int(x.argmax())  # the first of equals
    if x[likeliest] == float("-inf"):
        raise UserError("every token is forbidden; allow at least one")
    if sampling.temperature == 0:
        return x.new_zeros(len(x)).index_fill(0, _ids([likeliest]), 1)
    # The largest is made 0 first: no temperature is so low that it overflows.
    p = ((x - x[likeliest]) / sampling.temperature).softmax(0)
    if sampling.top_k > 0 or sampling.top_p < 1:
        order = x.argsort(descending=True, stable=True)
        ranked = p[order]
        if sampling.top_k > 0:
            ranked[sampling.top_k :] = 0
        if sampling.top_p < 1:
            before = ranked.cumsum(0).roll(1)
            before[0] = 0
            ranked[before >= sampling.top_p * ranked.sum()] = 0
        p = p.index_copy(0, order, ranked / ranked.sum())
    return p


def choose(probabilities: Tensor, uniform: float) -> int:
    """The token at `uniform`, in [0, 1), of the cumulated `probabilities` [V]: never one with 0."""
    cumulated = probabilities.cumsum(0)
    return int((cumulated > uniform * cumulated[-1]).int().argmax())


def uniform(seed: int, position: int) -> float:
    """A number in [0, 1) by a counter-based generator: no generator's state has to be kept."""
    import numpy as np

    return float(np.random.Generator(np.random.Philox(key=seed, counter=position)).random())


def _ids(ids: Collection[int]) -> Tensor:
    import torch

    return torch.tensor(list(ids), dtype=torch.int64)
