"""Many sentences, many hypotheses of each, side by side until each sentence has ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from elman.decode import seed_of
from elman.errors import UserError
from elman.search.beams import Beams
from elman.search.decoder import Decoder, State
from elman.search.found import Found, Hypothesis
from elman.search.limits import Limits
from elman.search.options import Search
from elman.search.pick import NEVER, Picked, best, draw, likeliest
from elman.search.required import Phrase, continuations, make_room

# Options are listed in milliseconds: what needs PyTorch or NumPy loads it when it is called.
if TYPE_CHECKING:
    from torch import Tensor


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
    the end may come, and it counts at its probability. A maximum below `options.min_length` wins;
    `options.max_length` is the caller's to read.
    forbidden_tokens: never chosen. forbidden: runs of at least one token that never occur.
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
    most = torch.tensor(max_lengths, dtype=torch.int64)[sentences]
    phrases = [list(dict.fromkeys(required[n])) if required else [] for n in sentences]
    limits = Limits(
        end, most.clamp(max=options.min_length), most, options.no_repeat, forbidden_tokens,
        forbidden, phrases,
    )  # fmt: skip
    found = Found(most, 1 if drawn else options.n_best, options.length_penalty)
    uniforms = _uniforms(options, streams or [0] * count, max_lengths) if drawn else []

    with torch.no_grad():
        if len(sentences) > count:
            state = decoder.select(state, torch.tensor(sentences, device=device))
        beams = Beams(len(sentences), start)
        while len(beams.group):
            step = decoder.step(beams.tokens.flatten().to(device), state)
            if keep_attention and step.attention is not None:
                beams.attend(step.attention)
            unmet = limits.unmet(beams)
            limits.apply(step.log_p, beams, unmet)
            if drawn:
                at = [uniforms[g][beams.t] for g in beams.group.tolist()]
                picked = draw(step.log_p, beams.totals, beams.history.tolist(), options, at)
            else:
                picked = _search_on(step.log_p, beams, options.beam, unmet)

            there, ends = picked.totals > NEVER, picked.tokens == end
            live = there & ~ends
            found.take(beams, picked, there & ends)
            for k in (~live.any(1)).nonzero().flatten().tolist():
                g = int(beams.group[k])
                if not found.best[g]:
                    if beams.t == 0 and max_lengths[sentences[g]] > 0 and not phrases[g]:
                        raise UserError("every token is forbidden; allow at least one")
                    found.give_up(beams, k)
            rows = beams.grow(picked, live, ~found.done(beams, picked, live))
            state = step.state
            if len(rows) and not torch.equal(rows, torch.arange(len(step.log_p))):
                state = decoder.select(state, rows.to(device))

    sequences: list[list[Hypothesis]] = [[] for _ in range(count)]
    for n, several in zip(sentences, found.best, strict=True):
        sequences[n] += several
    return [sorted(several, key=lambda one: -one.score) for several in sequences]


def _search_on(
    log_p: Tensor, beams: Beams, width: int, unmet: Mapping[int, Sequence[Sequence[Phrase]]]
) -> Picked:
    """The best tokens of each group, with room for those whose phrases are `unmet`."""
    found, ids = likeliest(log_p, width)
    picked = best(found, ids, beams.totals, width)
    for k, lacks in unmet.items():
        rows = beams.rows[k]
        said = beams.history[rows].tolist()
        top = found[rows], ids[rows]
        ways = continuations(log_p, rows.tolist(), top, beams.totals[k], said, lacks)
        chosen = make_room(ways, said, lacks, picked.tokens.shape[1])
        # What is not filled holds no hypothesis.
        parents, tokens, totals = zip(*chosen, strict=True) if chosen else ((), (), ())
        picked.totals[k] = NEVER
        picked.parents[k, : len(chosen)] = rows.new_tensor(parents)
        picked.tokens[k, : len(chosen)] = rows.new_tensor(tokens)
        picked.totals[k, : len(chosen)] = picked.totals.new_tensor(totals)
    return picked


def _uniforms(
    options: Search, streams: Sequence[int], max_lengths: Sequence[int]
) -> list[list[float]]:
    """For each sequence to be drawn numbers in [0, 1), by a counter-based generator."""
    import numpy as np

    seed = seed_of(options)
    counters = [np.array([0, 0, c, n], np.uint64) for n in streams for c in range(options.n_best)]
    lengths = [most + 1 for most in max_lengths for _ in range(options.n_best)]
    return [
        np.random.Generator(np.random.Philox(key=seed, counter=counter)).random(length).tolist()
        for counter, length in zip(counters, lengths, strict=True)
    ]
