"""A linear chain: each label by its token, its neighbours and the label before it.

The best labels of a sentence are found by Viterbi's algorithm. Where they are wrong, the weights of
the true ones rise and those of the wrong ones fall, just as far as sets the true labels ahead by as
much as others were wrong, and no farther than `BOLDEST` (passive-aggressive updates: Crammer et al.
2006, JMLR 7:551); the mean of the weights over all steps is kept (Collins 2002,
doi:10.3115/1118693.1118694).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from elman.data.tags.sentence import Sentence

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

ENDS: Final = 3  # letters of a token's beginning and end
PASSES: Final = 3
BOLDEST: Final = 0.1  # of a step
EDGE: Final = "\0"  # what stands before and after a sentence
KNOWN: Final = 1 << 14  # tokens of which is remembered what they look like


def features(tokens: Sequence[str]) -> list[list[str]]:
    """What is seen of each token, all different: itself, its beginning, end and shape, and its
    neighbours."""
    padded = [EDGE, EDGE, *tokens, EDGE, EDGE]
    found = []
    for k, token in enumerate(tokens, 2):
        before, after = padded[k - 1], padded[k + 1]
        found.append([
            "bias", *_by_itself(token),
            f"before {before}", f"after {after}", f"before2 {padded[k - 2]}",
            f"after2 {padded[k + 2]}", f"both {before}\1{token}", f"next {token}\1{after}",
            f"shape before {shape(before)}", f"shape after {shape(after)}",
            f"end before {before[-ENDS:]}",
        ])  # fmt: skip
    return found


@functools.lru_cache(KNOWN)
def _by_itself(token: str) -> tuple[str, ...]:
    found = [f"is {token}", f"low {token.lower()}", f"shape {shape(token)}"]
    for n in range(1, ENDS + 1):
        found += [f"begin{n} {token[:n]}", f"end{n} {token[-n:]}"]
    return tuple(found)


@functools.lru_cache(KNOWN)
def shape(token: str) -> str:
    """The kinds of its signs, each run once: "McDonald-2" is XxXx-9."""
    kinds = [
        "9" if sign.isdigit() else "X" if sign.isupper() else "x" if sign.isalpha() else sign
        for sign in token
    ]
    return "".join(kind for k, kind in enumerate(kinds) if not k or kind != kinds[k - 1])


class Chain:
    """A chain that has learnt from sentences, gone through `passes` times in a drawn order."""

    def __init__(
        self, sentences: Sequence[Sentence], labels: Sequence[str], passes: int = PASSES
    ) -> None:
        self.labels = list(labels)
        self._number: dict[str, int] = {}
        seen = [self._numbered(s.tokens, new=True) for s in sentences]
        index = {label: k for k, label in enumerate(labels)}
        true = [np.array([index[label] for label in s.labels], dtype=np.int64) for s in sentences]
        # One more row for features that are not known, always zero.
        self._weights = np.zeros((len(self._number) + 1, len(labels)))
        self._turns = np.zeros((len(labels), len(labels)))  # from the label before to the next
        parts = (self._weights, self._turns)
        # The mean over all steps is the end less what came late: each change times its step.
        late = tuple(np.zeros_like(part) for part in parts)
        draw, step = np.random.default_rng(0), 1
        for _ in range(passes):
            for k in draw.permutation(len(seen)).tolist():
                said = self._best(seen[k])
                wrong = int((said != true[k]).sum())
                if wrong:
                    moves = self._moves(seen[k], true[k], said)
                    behind = sum(
                        float(part.ravel()[at] @ by)
                        for part, (at, by) in zip(parts, moves, strict=True)
                    )
                    length = sum(float(by @ by) for _, by in moves)
                    size = min(BOLDEST, (wrong - behind) / length)
                    for part, its, (at, by) in zip(parts, late, moves, strict=True):
                        part.ravel()[at] += size * by
                        its.ravel()[at] += step * size * by
                step += 1
        for part, its in zip(parts, late, strict=True):
            part -= its / step

    def answer(self, tokens: Sequence[str]) -> list[str]:
        """The best labels of a sentence together."""
        best = self._best(self._numbered(tokens, new=False))
        return [self.labels[k] for k in best]

    def scores(self, tokens: Sequence[str]) -> tuple[Floats, Floats]:
        """What each label of each token scores by itself, [T, C], and each turn, [C, C]."""
        return self._weights[self._numbered(tokens, new=False)].sum(1), self._turns

    def _numbered(self, tokens: Sequence[str], *, new: bool) -> Ints:
        """The numbers of the features of each token, [T, K]; -1 for one that is not known."""
        number = self._number
        if new:
            rows = [[number.setdefault(f, len(number)) for f in one] for one in features(tokens)]
        else:
            rows = [[number.get(f, -1) for f in one] for one in features(tokens)]
        return np.array(rows, dtype=np.int64)

    def _moves(self, seen: Ints, true: Ints, said: Ints) -> list[tuple[Ints, Floats]]:
        """What the true labels have more than those said, of weights and of turns: places in the
        flat arrays, each once, and how often."""
        count = len(self.labels)
        own = seen * count + true[:, None], seen * count + said[:, None]
        turns = true[:-1] * count + true[1:], said[:-1] * count + said[1:]
        found = []
        for more, less in (own, turns):
            at, place = np.unique(np.concatenate([more, less]), return_inverse=True)
            signs = np.repeat([1.0, -1.0], more.size)
            by = np.bincount(place.ravel(), signs, minlength=len(at))
            found.append((at[by != 0], by[by != 0]))
        return found

    def _best(self, seen: Ints) -> Ints:
        return viterbi(self._weights[seen].sum(1), self._turns)


def log_marginals(own: Floats, turns: Floats) -> Floats:
    """ln P of each label of each token, [T, C], where a sentence's labels have the probability
    exp(their score) over that of all others (Lafferty, McCallum and Pereira 2001): forward and
    backward."""
    ahead, back = own.copy(), np.zeros_like(own)
    for t in range(1, len(own)):
        ahead[t] += _summed(ahead[t - 1][:, None] + turns, 0)
    for t in range(len(own) - 2, -1, -1):
        back[t] = _summed(turns + (own[t + 1] + back[t + 1])[None], 1)
    both: Floats = ahead + back
    return both - _summed(both, 1)[:, None]


def _summed(logs: Floats, axis: int) -> Floats:
    most = logs.max(axis, keepdims=True)
    summed: Floats = np.log(np.exp(logs - most).sum(axis)) + most.squeeze(axis)
    return summed


def viterbi(own: Floats, turns: Floats) -> Ints:
    """The labels [T] with the greatest sum of their own scores [T, C] and of the turns [C, C] from
    each to the next; of equal ones the smaller numbers at the end."""
    steps = len(own)
    back = np.empty((steps, own.shape[1]), dtype=np.int64)
    best = own[0]
    for t in range(1, steps):
        ways = best[:, None] + turns
        back[t] = ways.argmax(0)
        best = ways.max(0) + own[t]
    said = np.empty(steps, dtype=np.int64)
    said[-1] = best.argmax()
    for t in range(steps - 1, 0, -1):
        said[t - 1] = back[t, said[t]]
    return said
