"""Spans of labels, as conlleval finds them (Tjong Kim Sang and Buchholz 2000, CoNLL-2000 task).

B-PER I-PER O B-LOC   under BIO: tokens 0 and 1 are a PER, token 3 a LOC
name  name  O call    without prefixes: each run of one label but O
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from elman.data.tags.sentence import OUTSIDE
from elman.tasks.labelling import Counted

# B, I, O; also E or L for the last token of a span, S or U for the only one, M for inner ones.
PREFIXED = re.compile(r"([BIMELSU])(?:[-_](.+))?")
BEGINS, ENDS = "BSU", "ELSU"


class Span(NamedTuple):
    """Tokens `start` up to `stop`, without `stop`."""

    start: int
    stop: int
    kind: str


class Found(NamedTuple):
    """How often each kind is there, how often it was said, and how often both, by kind."""

    there: Counter[str]
    said: Counter[str]
    hit: Counter[str]

    def f1(self) -> float:
        """2 hits / (there + said), of all kinds together; 1 where there was nothing to find."""
        both = self.there.total() + self.said.total()
        return 2 * self.hit.total() / both if both else 1.0

    def each(self) -> list[Counted]:
        """Each kind with its counts, in the order of their names."""
        kinds = sorted(self.there | self.said)
        return [Counted(k, self.there[k], self.said[k], self.hit[k]) for k in kinds]


def prefixed(labels: Sequence[str]) -> bool:
    """Whether labels are those of BIO, IOB, BIOES, BILOU or BMES; else runs of them are spans."""
    others = [label for label in labels if label != OUTSIDE]
    found = [PREFIXED.fullmatch(label) for label in others]
    return all(found) and any(m is not None and m[1] in "BI" for m in found)


def spans(labels: Sequence[str], *, by_prefix: bool) -> list[Span]:
    """The spans of a sentence, in order.

    By prefix, a span begins where a prefix says so, after a token outside or of another kind, and
    after the end of a span: so wrong sequences, such as I-PER after O, have spans too.
    """
    found: list[Span] = []
    before, start, kind = "O", 0, ""  # the prefix before; where the open span began, its kind
    for place, label in enumerate([*labels, OUTSIDE]):
        prefix, its_kind = _parts(label, by_prefix)
        goes_on = prefix not in "O" + BEGINS and before not in "O" + ENDS and its_kind == kind
        if not goes_on:
            if before != "O":
                found.append(Span(start, place, kind))
            start, kind = place, its_kind
        before = prefix
    return found


def count(
    true: Sequence[Sequence[str]], said: Sequence[Sequence[str]], *, by_prefix: bool
) -> Found:
    """The spans of sentences that are exactly right: the same tokens and the same kind."""
    result = Found(Counter(), Counter(), Counter())
    for own, other in zip(true, said, strict=True):
        there, found = spans(own, by_prefix=by_prefix), spans(other, by_prefix=by_prefix)
        result.there.update(span.kind for span in there)
        result.said.update(span.kind for span in found)
        result.hit.update(span.kind for span in set(there) & set(found))
    return result


def _parts(label: str, by_prefix: bool) -> tuple[str, str]:
    if label == OUTSIDE:
        return "O", ""
    if not by_prefix:
        return "I", label
    match = PREFIXED.fullmatch(label)
    assert match is not None  # as `prefixed` found
    return match[1], match[2] or ""
