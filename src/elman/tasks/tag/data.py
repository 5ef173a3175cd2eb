"""Sentences as a network reads them: ids of tokens and of their letters, numbers of labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elman.data.batching import padded
from elman.data.tables.content import BadRows
from elman.data.tags import reading
from elman.data.tags.sentence import Sentence, TagRoles
from elman.data.texts import vocabulary
from elman.data.texts.vocabulary import UNKNOWN, Characters, Words
from elman.errors import UserError
from elman.wording import listed

Ints = NDArray[np.int64]
RARE = 2  # a token or a letter that comes less often is read as <unk>, which so is learnt
LETTERS = 30  # read of a token; of a longer one its beginning and its end


class Inputs(NamedTuple):
    """Sentences side by side. W different tokens are in them, each spelt once."""

    tokens: Tensor  # [B, T] int64, ids
    lengths: Tensor  # [B], on the CPU
    places: Tensor  # [B, T], which of the W each token is
    letters: Tensor  # [W, L] int64, ids
    sizes: Tensor  # [W], letters of each, on the CPU

    def to(self, device: str) -> Inputs:
        """The same for a model on that device."""
        tokens, places, letters = (x.to(device) for x in (self.tokens, self.places, self.letters))
        return Inputs(tokens, self.lengths, places, letters, self.sizes)


@dataclass(frozen=True)
class Encoded:
    """Sentences as numbers: `tokens` number the different ones, whose ids and letters are kept."""

    tokens: list[Ints]  # of each sentence, [T]
    ids: Ints  # [different]
    letters: list[Ints]  # of each different token, at least one

    def inputs(self, chosen: Iterable[int]) -> Inputs:
        """These sentences side by side."""
        numbers, lengths = padded([self.tokens[k] for k in chosen])
        different, places = np.unique(numbers.numpy(), return_inverse=True)
        letters, sizes = padded([self.letters[k] for k in different])
        ids = torch.from_numpy(self.ids[numbers.numpy()])
        return Inputs(ids, lengths, torch.from_numpy(places).view_as(ids), letters, sizes)


@dataclass(frozen=True)
class Encoder:
    """From tokens to what the network reads."""

    words: Words
    letters: Characters
    longest: int  # tokens of a sentence; of longer ones the parts are read

    def encode(self, sentences: Sequence[Sequence[str]]) -> Encoded:
        """Each sentence has one token at least."""
        number: dict[str, int] = {}
        tokens = [
            np.array([number.setdefault(token, len(number)) for token in sentence], dtype=np.int64)
            for sentence in sentences
        ]
        ids = self.words.look_up(number).astype(np.int64)
        letters = [self.letters.encode(_ends(token)).astype(np.int64) for token in number]
        return Encoded(tokens, ids, letters)

    def cut(self, sentences: Iterable[Sentence]) -> list[Sentence]:
        """The sentences, those that are too long in parts."""
        n = self.longest
        return [
            Sentence(where, tokens[k : k + n], labels[k : k + n])
            for where, tokens, labels in sentences
            for k in range(0, len(tokens), n)
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "words": self.words.to_json(),
            "letters": self.letters.to_json(),
            "longest": self.longest,
        }


def make_encoder(
    sentences: Sequence[Sentence], *, limit: int | None, lowercase: bool, longest: int
) -> Encoder:
    """An encoder that fits these sentences, those for training."""
    counts = Counter(token for sentence in sentences for token in sentence.tokens)
    words, letters = Counter[str](), Counter[str]()
    for token, count in counts.items():
        words[token.lower() if lowercase else token] += count
        for letter in _ends(token):
            letters[letter] += count
    words.pop(UNKNOWN, None)
    known = _frequent(words)[: None if limit is None else limit - 1]
    return Encoder(
        Words((UNKNOWN, *known), lowercase), Characters((UNKNOWN, *_frequent(letters))), longest
    )


def encoder_from_json(data: Mapping[str, Any]) -> Encoder:
    """The encoder that gave this `to_json`. UserError where it is damaged."""
    try:
        words, letters = (vocabulary.from_json(data[name]) for name in ("words", "letters"))
        longest = int(data["longest"])
        if not isinstance(words, Words) or not isinstance(letters, Characters) or longest < 1:
            raise ValueError("no words, no letters, or no length")
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"preprocessing.json: damaged ({error})") from None
    return Encoder(words, letters, longest)


def _frequent(counts: Counter[str]) -> list[str]:
    """Those that come often enough, the most frequent first; all where none does."""
    ordered = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
    return [symbol for symbol in ordered if counts[symbol] >= RARE] or ordered


def _ends(token: str) -> str:
    return token if len(token) <= LETTERS else token[: LETTERS // 2] + token[-LETTERS // 2 :]


@dataclass(frozen=True)
class Tagged:
    """A data set: training and validation part, each encoded, and how that was done."""

    name: str
    train: list[Sentence]
    check: list[Sentence]
    encoded: Encoded  # of training, then those of validation
    targets: list[Ints]  # numbers of the labels, of both
    labels: tuple[str, ...]
    encoder: Encoder
    roles: TagRoles
    facts: tuple[str, ...]  # what was guessed, for the user
    cut: int  # sentences that were too long
    bad: BadRows

    @property
    def lengths(self) -> Ints:
        return np.array([len(tokens) for tokens in self.encoded.tokens], dtype=np.int64)

    @property
    def trained(self) -> int:
        """How many of the sentences are for training; the others are for validation."""
        return len(self.train)

    def preprocessing(self) -> dict[str, Any]:
        return {
            "labels": list(self.labels),
            "encoder": self.encoder.to_json(),
            "reading": asdict(self.roles),
            "sha256": [reading.digest(self.train), reading.digest(self.check)],
        }


def numbers(sentences: Sequence[Sentence], labels: Sequence[str]) -> list[Ints]:
    """The numbers of labels. UserError: one that is not among them."""
    index = {label: k for k, label in enumerate(labels)}
    try:
        return [np.array([index[label] for label in s.labels], np.int64) for s in sentences]
    except KeyError:
        pass
    first, label = next((s, x) for s in sentences for x in s.labels if x not in index)
    known = listed(labels, 10)
    raise UserError(f'{first.where}: label "{label}" is not in the training data ({known})')
