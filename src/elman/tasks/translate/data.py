"""Pairs as a network reads them: ids of both sides, each closed by an end."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data.pairs.pairs import Pairs
from elman.data.tables.content import BadRows
from elman.data.texts import vocabulary
from elman.data.texts.scripts import main_script, scripts
from elman.data.texts.segmentation import SPACED, TOLD, is_tokenised, is_unspaced
from elman.data.texts.vocabulary import UNKNOWN, WORD, Characters, Vocabulary, Words
from elman.errors import UserError
from elman.options import given
from elman.tasks.translate.options import Level
from elman.tasks.translate.shortlist import Shortlist, shortlist

Ints = NDArray[np.int64]
RARE = 2  # a word that comes less often is read as <unk>, which so is learnt
ONCE = 0.06  # share of words that come once, from which a side is read by characters
ONCE_PARTED = 0.25  # the same, where somebody has parted the words of Chinese or Thai
ROUGHLY = 4  # tokens by which sources of one batch may differ
MOST_WORDS = 30_000  # of a side, unless more are asked for: of others the data tells too little
PIECED = 2_000  # texts from which words that mostly come once are read in pieces, by BPE
RUNNING = 4  # words of a text on average, for that
PIECES = (2_000, 16_000)  # the fewest and the most pieces, unless others are asked for
LETTERS = 250_000  # letters of a side from which there are more than the fewest
NUMBERS = 0.05  # numbers that come once, for each sentence, from which it is too


@dataclass(frozen=True)
class Encoder:
    """From the two texts of a pair to ids; the last id of each side, `size`, is the end."""

    source: Vocabulary
    target: Vocabulary
    longest: int  # tokens of a side
    cut: bool  # what is longer is cut there

    def source_ids(self, text: str) -> Ints | str:
        """The ids [S], the end among them, or why there are none."""
        return self._ids(self.source, text)

    def target_ids(self, text: str) -> Ints | str:
        """The ids [T], the end among them, or why there are none."""
        return self._ids(self.target, text)

    def _ids(self, side: Vocabulary, text: str) -> Ints | str:
        ids = side.encode(text).astype(np.int64)
        if not len(ids):
            return "nothing but white space"
        if len(ids) > self.longest:
            if not self.cut:
                return f"{len(ids):,} tokens, more than --longest {self.longest:,}"
            ids = ids[: self.longest]
        return np.append(ids, side.size)

    @cached_property
    def _scripts(self) -> frozenset[str]:
        """Those that sources may be written in; none where every text can be read."""
        known = self.source
        symbols = known.symbols[1:] if isinstance(known, Words | Characters) else ()
        return frozenset(scripts("".join(symbols)))

    @property
    def segmentation(self) -> str:
        """Which sides were tokenised already, for the user; empty where neither was."""
        spaced = [isinstance(v, Words) and v.spaced for v in (self.source, self.target)]
        names = ("sources", "targets")
        who = "both sides" if all(spaced) else "".join(itertools.compress(names, spaced))
        return f"{who} are {TOLD}" if who else ""

    def strange(self, text: str) -> str:
        """Why a source cannot be meant for this model: its script; empty where it can."""
        script = main_script(text)
        if not script or not self._scripts or script in self._scripts:
            return ""
        return f"in {script} letters, where the model reads {', '.join(sorted(self._scripts))}"

    def to_json(self) -> dict[str, Any]:
        same = self.target is self.source
        return {
            "source": self.source.to_json(),
            "target": None if same else self.target.to_json(),
            "longest": self.longest,
            "cut": self.cut,
        }


def make_encoder(
    sources: Sequence[str], targets: Sequence[str], levels: tuple[Level | None, Level | None], *,
    limit: int | None, shared: bool, lowercase: bool, longest: int, cut: bool,
) -> Encoder:  # fmt: skip
    """An encoder that fits these pairs, those for training. A level that is None is guessed."""
    spaced = [is_tokenised(texts) for texts in (sources, targets)]
    sides = (
        [([*sources, *targets], levels[0], all(spaced))] if shared
        else [(sources, levels[0], spaced[0]), (targets, levels[1], spaced[1])]
    )  # fmt: skip
    made = [
        _vocabulary(texts, level or guessed(texts, spaced=parted), limit, lowercase, parted)
        for texts, level, parted in sides
    ]
    return Encoder(made[0], made[-1], longest, cut)


def encoder_from_json(data: Mapping[str, Any]) -> Encoder:
    """The encoder that gave this `to_json`. UserError where it is damaged."""
    try:
        source = vocabulary.from_json(data["source"])
        target = source if data["target"] is None else vocabulary.from_json(data["target"])
        longest, cut = int(data["longest"]), data["cut"]
        if longest < 1 or not isinstance(cut, bool):
            raise ValueError("no length")
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"preprocessing.json: damaged ({error})") from None
    return Encoder(source, target, longest, cut)


def guessed(texts: Sequence[str], *, spaced: bool = False) -> Level:
    """Words, but pieces or characters where too many words come once for their meaning to be
    learnt, or characters where too many numbers do, whose meaning is in their digits. Pieces are
    learnt from many texts of several words. `spaced` words are what spaces part."""
    rule = SPACED if spaced else WORD
    counts = Counter(word for text in texts for word in rule.findall(text))
    once = [word for word, count in counts.items() if count == 1]
    share = ONCE_PARTED if spaced and is_unspaced(texts) else ONCE
    if sum(word.isdecimal() for word in once) > NUMBERS * len(texts):
        return "characters"
    if len(once) <= share * counts.total():
        return "words"
    running = counts.total() >= RUNNING * len(texts)
    return "bpe" if running and len(texts) >= PIECED else "characters"


def pieces(texts: Sequence[str]) -> int:
    """How many pieces BPE makes of such texts: the more there is of them, the more."""
    letters = sum(map(len, texts))
    return int(np.clip(PIECES[0] * (letters / LETTERS) ** 0.4, *PIECES))


def _vocabulary(
    texts: Sequence[str], level: Level, limit: int | None, lowercase: bool, spaced: bool
) -> Vocabulary:
    if level == "bpe" and limit is None:
        limit = pieces(texts)
    if level != "words":
        return vocabulary.build(level, texts, limit=limit, lowercase=lowercase)
    rule = SPACED if spaced else WORD
    counts = Counter(
        word for text in texts for word in rule.findall(text.lower() if lowercase else text)
    )
    counts.pop(UNKNOWN, None)
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    often = [word for word in ordered if counts[word] >= RARE] or ordered
    known = often[: given(limit, MOST_WORDS) - 1]
    return Words((UNKNOWN, *known), lowercase, spaced=spaced)


@dataclass(frozen=True)
class Paired:
    """A data set: training and validation part, each encoded, and how that was done."""

    name: str
    train: Pairs
    check: Pairs
    sources: list[Ints]  # of training, then those of validation
    targets: list[Ints]
    encoder: Encoder
    written: int  # tokens that a translation has at most
    bad: BadRows
    test: Paired | None = None  # pairs kept from every choice, as its validation part

    def tested(self) -> Paired | None:
        """The data set with the pairs kept from every choice as its validation part."""
        if self.test is None:
            return None
        n = self.trained
        return replace(
            self, check=self.test.check, sources=self.sources[:n] + self.test.sources,
            targets=self.targets[:n] + self.test.targets, test=None,
        )  # fmt: skip

    @property
    def trained(self) -> int:
        """How many of the pairs are for training; the others are for validation."""
        return len(self.train.sources)

    def preprocessing(self) -> dict[str, Any]:
        parts = [self.train, self.check] + ([] if self.test is None else [self.test.check])
        return {
            "encoder": self.encoder.to_json(),
            "reading": self.train.roles.to_json(),
            "written": self.written,
            "sha256": [part.digest() for part in parts],
        }

    def source(self, k: int) -> str:
        """The source of pair k, as it was read."""
        part, k = (self.train, k) if k < self.trained else (self.check, k - self.trained)
        return part.sources[k]

    def truth(self, k: int) -> str:
        """The target of pair k, as it was read."""
        part, k = (self.train, k) if k < self.trained else (self.check, k - self.trained)
        return part.targets[k]

    @cached_property
    def tokens(self) -> Ints:
        """Of each pair for training the tokens of both sides, by which batches are filled."""
        n = self.trained
        pairs = zip(self.sources[:n], self.targets[:n], strict=True)
        return np.array([len(ours) + len(theirs) for ours, theirs in pairs], dtype=np.int64)

    def shortlist(self, drawn: int) -> Shortlist | None:
        """The tokens that targets are scored among in training, so many of them drawn."""
        if drawn not in self._shortlists:
            made = shortlist(self.targets[: self.trained], self.encoder.target.size + 1, drawn)
            self._shortlists[drawn] = made
        return self._shortlists[drawn]

    @cached_property
    def _shortlists(self) -> dict[int, Shortlist | None]:
        return {}

    def lengths(self, chosen: Sequence[int]) -> Ints:
        """By which pairs are batched: the source's length, roughly, and then the target's."""
        most = max(map(len, self.targets)) + 1
        return np.array(
            [len(self.sources[k]) // ROUGHLY * most + len(self.targets[k]) for k in chosen],
            dtype=np.int64,
        )


def encode(
    name: str, train: Pairs, check: Pairs, encoder: Encoder, written: int | None, bad: BadRows
) -> Paired:
    """The pairs encoded, without those that cannot be. `written` None is that of the longest."""
    sources, targets = list[Ints](), list[Ints]()

    def encoded(part: Pairs) -> Pairs:
        kept = []
        for k, (ours, theirs) in enumerate(zip(part.sources, part.targets, strict=True)):
            source, target = encoder.source_ids(ours), encoder.target_ids(theirs)
            if isinstance(source, str) or isinstance(target, str):
                bad.add(part.where[k], source if isinstance(source, str) else f"target: {target}")
                continue
            kept.append(k)
            sources.append(source)
            targets.append(target)
        return part.pick(kept)

    train, check = encoded(train), encoded(check)
    if not sources:
        raise UserError(f"{name}: no pair is left")
    written = written or max(map(len, targets))
    return Paired(name, train, check, sources, targets, encoder, written, bad)
