"""Phrases that must occur: the tokens that lead there, and room in the beam for those who go.

Dynamic beam allocation (Post and Vilar 2018, arXiv:1804.06609). Hypotheses that stand equally far
in their phrases share a bank of the beam, so that the likely ones that have begun no phrase do not
crowd out those that have. A phrase that is broken off falls back to the longest part of it that
stands at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from elman.search.pick import NEVER

# Options are listed in milliseconds: what needs PyTorch loads it when it is called.
if TYPE_CHECKING:
    from torch import Tensor

Phrase: TypeAlias = tuple[int, ...]


class Candidate(NamedTuple):
    """A hypothesis of a group, a token that may continue it, and the log probability of both."""

    parent: int
    token: int
    total: float


def missing(said: Sequence[int], phrases: Sequence[Phrase]) -> list[Phrase]:
    """The phrases that do not occur in `said`."""
    return [
        phrase
        for phrase in phrases
        if all(tuple(said[i : i + len(phrase)]) != phrase for i in range(len(said) + 1))
    ]


def begun(said: Sequence[int], phrase: Phrase) -> int:
    """How many of the first tokens of `phrase`, at most all but one, stand at the end of `said`."""
    longest = min(len(phrase) - 1, len(said))
    return next(k for k in range(longest, -1, -1) if tuple(said[len(said) - k :]) == phrase[:k])


def continuations(
    log_p: Tensor,
    rows: Sequence[int],
    likeliest: tuple[Tensor, Tensor],
    totals: Tensor,
    said: Sequence[Sequence[int]],
    unmet: Sequence[Sequence[Phrase]],
) -> list[Candidate]:
    """The likeliest tokens of each hypothesis of a group, and those that lead on in its phrases.

    rows: where the W hypotheses stand in log_p [N, V]; likeliest: log probabilities and ids
    [W, k] of these rows; totals [W]; for each hypothesis what it has said, and the phrases that
    are missing from it. Best first; of equals the earlier hypothesis, then the lower id.
    """
    values, ids = (part.tolist() for part in likeliest)
    ways = [
        (w, token, value)
        for w in range(len(rows))
        for token, value in zip(ids[w], values[w], strict=True)
    ]
    leads = sorted(
        {(w, phrase[begun(said[w], phrase)]) for w in range(len(rows)) for phrase in unmet[w]}
        - {(w, token) for w, token, _ in ways}
    )
    if leads:
        at = [rows[w] for w, _ in leads], [token for _, token in leads]
        values = log_p[at].tolist()
        ways += [(w, token, value) for (w, token), value in zip(leads, values, strict=True)]
    before = totals.tolist()
    found = [Candidate(w, token, before[w] + value) for w, token, value in ways]
    there = [way for way in found if way.total > NEVER]
    return sorted(there, key=lambda way: (-way.total, way.parent, way.token))


def make_room(
    ways: Sequence[Candidate],
    said: Sequence[Sequence[int]],
    unmet: Sequence[Sequence[Phrase]],
    width: int,
) -> list[Candidate]:
    """The `width` of `ways` that go on, in their order, fewer where there are not as many.

    Those from which equally many tokens of phrases are still to come have a bank. The banks share
    the beam evenly; the nearest to the end has the rest, then what others do not fill.
    """
    banks: dict[int, list[int]] = {}
    for i, way in enumerate(ways):
        still = ahead([*said[way.parent], way.token], unmet[way.parent])
        banks.setdefault(still, []).append(i)
    share = width // max(len(banks), 1)
    nearest_first = [banks[still] for still in sorted(banks)]
    chosen = [i for bank in nearest_first for i in bank[:share]]
    left = [i for bank in nearest_first for i in bank[share:]]
    return [ways[i] for i in sorted(chosen + left[: width - len(chosen)])]


def ahead(text: Sequence[int], phrases: Sequence[Phrase]) -> int:
    """The tokens of phrases still to come after `text`, its last token the first since `phrases`
    were all missing. Of the one that is begun, the part that stands is done."""
    still = [phrase for phrase in phrases if tuple(text[-len(phrase) :]) != phrase]
    return sum(map(len, still)) - max((begun(text, phrase) for phrase in still), default=0)
