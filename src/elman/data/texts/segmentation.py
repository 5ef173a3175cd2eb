"""Whether texts have been tokenised already, so that spaces say what a token is.

i don 't like apples .    tokens are what the spaces part
I don't like apples.      they are not
我 喜欢 苹果 。            tokens are what the spaces part
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from elman.data.texts.scripts import main_script, scripts

SPACED: Final = re.compile(r"\n|\S+")
"""The tokens of such a text: each newline, and what stands between spaces."""

TOLD: Final = "tokenised already: tokens are what the spaces part"
MOST: Final = 50_000  # texts that are looked at, from all over
BEGINNING: Final = 10_000  # characters of each
NEARLY_ALL: Final = 0.8  # abbreviations keep their stops in tokenised texts too
LEAST: Final = 3  # marks by which it is told
OFTEN: Final = 0.05  # marks for each text from which one kind of them alone decides

# Scripts without spaces between words: the letters of a token on average, if spaces part words.
UNSPACED: Final = {
    **dict.fromkeys(("CJK", "Hiragana", "Katakana", "Bopomofo"), 3.5),
    **dict.fromkeys(("Thai", "Lao", "Khmer", "Myanmar"), 9.0),
}
STOPS: Final = frozenset(".,。，、．،۔।։።၊")
OTHERS: Final = frozenset("?!;:？！；：؟؛")  # which French sets apart in any text
_SHORT: Final = re.compile(r"\w{1,4}\.")  # within a text may be an abbreviation: Mr., 3.
_INITIALS: Final = re.compile(r"(?:[^\W\d_]\.)+")  # U.S.
_CONTRACTED: Final = re.compile(r"\w+(?:n['’]t|['’](?:t|s|re|ve|ll|d|m))", re.IGNORECASE)
_ENDS: Final = re.compile(  # of contractions, by themselves: don ' t, do n't, it 's
    r"(?:(?<=\s)['’]\s?(?:t|s|re|ve|ll|d|m)|(?<=\s)n['’]t|(?<=\s)&apos;\w*)(?=\s|$)",
    re.IGNORECASE,
)


class Marks(NamedTuple):
    """How often marks of a kind are tokens of their own, and how often they end another."""

    alone: int
    attached: int

    def decide(self, least: float) -> bool | None:
        """Whether they stand alone; None where there are too few to tell."""
        total = self.alone + self.attached
        return self.alone >= NEARLY_ALL * total if total >= max(LEAST, least) else None


def is_tokenised(texts: Sequence[str]) -> bool:
    """Whether spaces are the segmentation of these texts, as all of them together show.

    Of scripts that part words by spaces anyhow, stops are tokens of their own, or the ends of
    contractions are; the others have spaces between words.
    """
    step = max(1, len(texts) // MOST)
    sample = [text[:BEGINNING] for text in itertools.islice(texts, 0, None, step)]
    script = main_script("".join(sample))
    stops = _marks(sample, STOPS)
    if script in UNSPACED:
        return stops.alone >= stops.attached and _parted(sample, UNSPACED[script])
    ends = Marks(
        sum(len(_ENDS.findall(text)) for text in sample),
        sum(len(_CONTRACTED.findall(text)) for text in sample),
    )
    by_kind = (
        stops.decide(OFTEN * len(sample)), ends.decide(0), _marks(sample, OTHERS).decide(0),
        stops.decide(0),
    )  # fmt: skip
    return next((decided for decided in by_kind if decided is not None), False)


def is_unspaced(texts: Sequence[str]) -> bool:
    """Whether most letters are of a script that has no spaces between words."""
    return main_script("".join(texts[:MOST])) in UNSPACED


def first_lines(pieces: Iterable[str], characters: int) -> tuple[list[str], Iterator[str]]:
    """The lines of about so many characters at the beginning, and all pieces again."""
    remaining, begun = iter(pieces), []
    while characters > 0 and (piece := next(remaining, None)) is not None:
        begun.append(piece)
        characters -= len(piece)
    lines = [line for line in "".join(begun).splitlines() if line.strip()]
    return lines, itertools.chain(begun, remaining)


def _marks(texts: Sequence[str], kind: frozenset[str]) -> Marks:
    alone = attached = 0
    for tokens in map(str.split, texts):
        for token in tokens:
            if token[-1] in kind:
                if kind.issuperset(token):
                    alone += 1
                elif token is tokens[-1] or not _SHORT.fullmatch(token):
                    attached += not _INITIALS.fullmatch(token)
    return Marks(alone, attached)


def _parted(texts: Sequence[str], mean: float) -> bool:
    """Whether tokens have no more letters than words on average, and long texts several."""
    letters = tokens = 0
    long, several = 0, 0
    for text in texts:
        here = [sum(scripts(token).values()) for token in text.split()]
        here = [n for n in here if n]
        letters, tokens = letters + sum(here), tokens + len(here)
        if sum(here) >= 2 * mean:
            long, several = long + 1, several + (len(here) > 1)
    if not long:  # words, or pairs of them
        long, several = len(texts), sum(len(text.split()) > 1 for text in texts)
    return letters <= mean * tokens and several >= NEARLY_ALL * long
