"""Many sentences, many hypotheses of each, side by side until each sentence has ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from elman.decode import seed_of
from elman.errors import UserError
from elman.search.beams import Beams
from elman.search.blocks import block, block_phrases, block_repeats, only
from elman.search.options import Search
from elman.search.pick import NEVER, best, draw, likeliest

# Options are listed in milliseconds: what needs PyTorch or NumPy loads it when it is called.
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


@dataclass(frozen=True)
class Hypothesis:
    """A sequence that was found.

    tokens: without start and end. log_probability: in nats, the sum over the tokens, and the end
    where it is finished. score: that by which they are ranked, log_probability divided by the
    length penalty. attention [len(tokens), S], on the CPU, or None. finished: the end stands
    where it may; otherwise this is the best that could be had.
    """

    tokens: tuple[int, ...]
    log_probability: float
    score: float
    attention: Tensor | None
    finished: bool


def search(
    decoder: Decoder[State],
    state: State,
    count: int,
    start: int,
    end: int,
    options: Search,
    *,
    max_lengths: Sequence[int],
    forbidden_tokens: Collection[int] = (),
    required: Sequence[Sequence[tuple[int, ...]]] = (),
    forbidden: Sequence[tuple[int, ...]] = (),
    keep_attention: bool = False,
    streams: Sequence[int] = (),
    device: str = "cpu",
) -> list[list[Hypothesis]]:
    """For each of `count` sentences at most `options.n_best` sequences, best first.

    state: the decoder's for these sentences, one hypothesis each. start, end: the ids of which
    the first is read before a sequence and the second ends it.

    max_lengths: for each sentence the tokens that its sequences have at most; after so many only
    the end may come, and it counts at its probability. Of fewer than `options.min_length` the
    former wins. `options.max_length` is the caller's to read.
    forbidden_tokens: never chosen. forbidden: runs of tokens that never occur.
    required: for each sentence runs of tokens that all must occur, wherever, also one over the
    other (dynamic beam allocation, arXiv:1804.06609). None for no sentence.
    keep_attention: whether sequences come with the attention of their steps.
    streams: for each sentence the number, below 2^64, of the random numbers that it is drawn by;
    all 0 if not given. So what is drawn depends on seed and stream, not on the batch.
    device: where the decoder wants its tokens and rows.

    The score of n tokens, the end included, is their log probability over ((5 + n) / 6) to the
    power of the length penalty (arXiv:1609.08144). A sentence is left when no hypothesis can beat
    what it has: with a beam that holds all sequences, the best of all are found. Equal hypotheses
    are ranked as their beginnings were, then by id; those of a sentence do not depend on the
    others in the batch. Sequences that are drawn are independent, so they may be equal.

    Where nothing could be finished, by what is required or blocked, the best that was begun comes
    back. UserError: every first token is forbidden; phrases are required and temperature is
    above 0. RunError: log probabilities that are NaN or +inf.
    """
    import torch

    drawn = options.temperature > 0
    if drawn and any(required):
        raise UserError("only a search can be required to write phrases: leave --temperature at 0")
    # Each sequence that is drawn goes its own way, as a group of one.
    sentences = [n for n in range(count) for _ in range(options.n_best if drawn else 1)]
    wanted = 1 if drawn else options.n_best
    phrases = [list(dict.fromkeys(required[n])) if required else [] for n in sentences]
    uniforms = _uniforms(options, streams or [0] * count, max_lengths) if drawn else []
    most = torch.tensor(max_lengths, dtype=torch.int64)[sentences]  # of each group
    least = most.clamp(max=options.min_length)
    found: list[list[Hypothesis]] = [[] for _ in sentences]
    to_beat = torch.full((len(sentences),), NEVER, dtype=torch.float64)

    with torch.no_grad():
        if len(sentences) > count:
            state = decoder.select(state, torch.tensor(sentences, device=device))
        beams = Beams(len(sentences), start)
        while len(beams.group):
            group, t = beams.group, beams.t
            step = decoder.step(beams.tokens.flatten().to(device), state)
            if keep_attention and step.attention is not None:
                beams.attend(step.attention)

            log_p = step.log_p
            rows = torch.arange(len(log_p)).view(beams.totals.shape)  # [G, W]
            block(log_p, rows, forbidden_tokens)
            block_phrases(log_p, beams.history, forbidden)
            block_repeats(log_p, beams.history, options.no_repeat)
            block(log_p, rows[t < least[group]], [end])
            only(log_p, rows[t == most[group]], end)
            if drawn:
                said, at = beams.history.tolist(), [uniforms[g][t] for g in group.tolist()]
                picked = draw(log_p, beams.totals, said, options, at)
            else:
                values, ids = likeliest(log_p, options.beam)
                picked = best(values, ids, beams.totals, options.beam)

            there = picked.totals > NEVER
            ended, live = there & (picked.tokens == end), there & (picked.tokens != end)
            scores = picked.totals / _penalty(t + 1, options)
            better = ended & (scores > to_beat[group][:, None])
            for k, w in better.nonzero().tolist():
                row, total = int(rows[k, picked.parents[k, w]]), float(picked.totals[k, w])
                kept = found[int(group[k])]
                kept.append(_hypothesis(beams, row, total, float(scores[k, w]), finished=True))
                kept.sort(key=lambda one: -one.score)
                del kept[wanted:]
                if len(kept) == wanted:
                    to_beat[group[k]] = kept[-1].score

            # What is still to come costs nothing at best, and the longest is divided by most.
            bound = picked.totals.where(live, NEVER).amax(1) / _penalty(most[group] + 1, options)
            done = bound <= to_beat[group]
            for k in (~live.any(1)).nonzero().flatten().tolist():
                g = int(group[k])
                done[k] = True
                if not found[g]:
                    if t == 0 and most[g] > 0 and not phrases[g]:
                        raise UserError("every token is forbidden; allow at least one")
                    found[g] = _unfinished(beams, rows[k], beams.totals[k], wanted, options)

            rows = beams.grow(picked, live, ~done)
            same = len(rows) == len(log_p) and bool((rows == torch.arange(len(rows))).all())
            state = step.state if same else decoder.select(step.state, rows.to(device))

    best_first: list[list[Hypothesis]] = [[] for _ in range(count)]
    for n, several in zip(sentences, found, strict=True):
        best_first[n] += several
    for several in best_first:
        several.sort(key=lambda one: -one.score)  # drawn ones came one by one
    return best_first


def _penalty(n: float | Tensor, options: Search) -> Any:
    return ((5 + n) / 6) ** options.length_penalty


def _hypothesis(
    beams: Beams, row: int, total: float, score: float, *, finished: bool
) -> Hypothesis:
    tokens = tuple(beams.history[row].tolist())
    return Hypothesis(tokens, total, score, beams.attention(row), finished)


def _unfinished(
    beams: Beams, rows: Tensor, totals: Tensor, wanted: int, options: Search
) -> list[Hypothesis]:
    penalty = _penalty(beams.t, options)
    return [
        _hypothesis(beams, row, total, total / penalty, finished=False)
        for row, total in list(zip(rows.tolist(), totals.tolist(), strict=True))[:wanted]
        if total > NEVER
    ]


def _uniforms(
    options: Search, streams: Sequence[int], max_lengths: Sequence[int]
) -> list[list[float]]:
    """For each sequence to be drawn numbers in [0, 1), by a counter-based generator."""
    import numpy as np

    seed = seed_of(options)
    return [
        np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, copy, stream]))
        .random(most + 1)
        .tolist()
        for stream, most in zip(streams, max_lengths, strict=True)
        for copy in range(options.n_best)
    ]
