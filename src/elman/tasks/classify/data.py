"""Labelled sequences as a network reads them: token ids or scaled vectors, and class numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from elman.data.labelled.examples import Examples
from elman.data.labelled.roles import LabelRoles
from elman.data.tables.content import BadRows
from elman.data.texts import vocabulary
from elman.data.texts.vocabulary import Vocabulary
from elman.errors import UserError
from elman.tasks.classify.curves import kernels, scaling
from elman.tasks.classify.options import Scaling
from elman.tasks.classify.words.bag import Bag
from elman.tasks.classify.words.grams_bag import GramsBag
from elman.wording import listed

Ints = NDArray[np.int64]
RARE = 2  # a word that comes less often is read as <unk>, which so is learnt
SPACED = 0.1  # share of spaces from which a text is one of words


@dataclass(frozen=True)
class Encoder:
    """From a text or vectors to what the network reads."""

    vocabulary: Vocabulary | None  # of texts
    mean: NDArray[np.float32] | None  # [I] or [1], of vectors
    scale: NDArray[np.float32] | None
    inputs: int  # I, of vectors
    longest: int
    scaling: Scaling = "channel"  # by `mean` and `scale`, or by each sequence's own

    def encode(self, sequence: str | NDArray[np.float32]) -> NDArray[Any]:
        """Ids [T] of a text, or vectors [T, I]. T is at least 1. ValueError: another kind."""
        if isinstance(sequence, str):
            if self.vocabulary is None:
                raise ValueError("a text, where the model reads vectors")
            ids = self.vocabulary.encode(sequence)[: self.longest].astype(np.int64)
            return ids if len(ids) else np.array([self.vocabulary.unknown or 0])
        if self.mean is None or self.scale is None:
            raise ValueError("vectors, where the model reads texts")
        if sequence.shape[1] != self.inputs:
            raise ValueError(
                f"steps of {sequence.shape[1]} values, where the model reads {self.inputs}"
            )
        sequence = sequence[: self.longest]
        if self.scaling == "sequence":
            return scaling.by_itself(sequence)
        scaled: NDArray[np.float32] = (sequence - self.mean) / self.scale
        return scaled

    @property
    def pictured(self) -> bool:
        """Whether sequences are the rows of images, all scaled alike."""
        return self.mean is not None and len(self.mean) == 1 < self.inputs

    def to_json(self) -> dict[str, Any]:
        if self.vocabulary is not None:
            return {"vocabulary": self.vocabulary.to_json(), "longest": self.longest}
        assert self.mean is not None and self.scale is not None
        return {
            "mean": [float(value) for value in self.mean],
            "scale": [float(value) for value in self.scale],
            "inputs": self.inputs,
            "longest": self.longest,
            "scaling": self.scaling,
        }


def encoder_from_json(data: Mapping[str, Any]) -> Encoder:
    """The encoder that gave this `to_json`. UserError where it is damaged."""
    try:
        longest = int(data["longest"])
        if "vocabulary" in data:
            return Encoder(vocabulary.from_json(data["vocabulary"]), None, None, 0, longest)
        mean = np.array(data["mean"], dtype=np.float32)
        scale = np.array(data["scale"], dtype=np.float32)
        inputs = int(data["inputs"])
        if longest < 1 or inputs < 1 or not {mean.shape, scale.shape} <= {(1,), (inputs,)}:
            raise ValueError("sizes that do not fit")
        if not (np.isfinite(mean).all() and np.isfinite(scale).all() and (scale > 0).all()):
            raise ValueError("a scale that is none")
        how: Scaling = data.get("scaling", "channel")
        if how not in get_args(Scaling):
            raise ValueError("a scaling that is none")
        return Encoder(None, mean, scale, inputs, longest, how)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"preprocessing.json: damaged ({error})") from None


def make_encoder(
    examples: Examples,
    *,
    level: str | None,
    limit: int | None,
    lowercase: bool,
    longest: int,
    scaled: Scaling = "channel",
) -> Encoder:
    """An encoder that fits these sequences, those for training."""
    if examples.texts:
        level = level or _level(examples.texts)
        made = vocabulary.build(level, examples.texts, limit=limit, lowercase=lowercase)
        return Encoder(_without_rare(made, examples.texts), None, None, 0, longest)
    rows = np.concatenate([v[:longest] for v in examples.vectors[:20_000]])
    inputs = rows.shape[1]
    # Of images all pixels are scaled alike: those at the border hardly ever change.
    alike = bool(rows.min() >= 0 and rows.max() <= 1)
    axis = None if alike else 0
    mean = np.atleast_1d(rows.mean(axis, dtype=np.float64)).astype(np.float32)
    scale = np.atleast_1d(rows.std(axis, dtype=np.float64)).astype(np.float32)
    scale[scale < 1e-6] = 1.0
    return Encoder(None, mean, scale, inputs, longest, scaled)


class Said(NamedTuple):
    """The answers of what stands beside networks to a validation part, and what they hold for."""

    inputs: Any  # these very ones
    grams: Any
    weights: list[Tensor]  # equal ones
    scores: Tensor  # [N, C]


@dataclass(frozen=True)
class Labelled:
    """A data set: training and validation part, each encoded, and how that was done.

    With `folds` all sequences are for training, and those of the validation part are among them:
    each is to be scored by what has learnt from the other folds alone.
    """

    name: str
    train: Examples
    check: Examples
    inputs: list[NDArray[Any]]  # of training, then those of validation; ids as narrow as they fit
    targets: Ints  # class numbers [N], of both; or [N, C], 0 and 1, of several labels at once
    classes: tuple[str, ...]
    encoder: Encoder
    roles: LabelRoles
    bad: BadRows
    # Of the training part; with folds, for each what is not in it, and at the end all.
    bags: tuple[Bag, ...] | tuple[GramsBag, ...] = ()
    kernels: kernels.Shape | None = None
    folds: Ints | None = None  # of each of the validation part
    training_folds: Ints | None = None  # of each of the training part
    told: tuple[str, ...] = ()  # what was decided, for the user
    said: list[Said] = field(default_factory=list, compare=False)  # the latest alone

    @property
    def parts(self) -> list[Ints]:
        """Which of the training sequences a network learns from: for each fold those that are not
        in it; one part, all of them, where there are no folds."""
        if self.training_folds is None:
            return [np.arange(self.trained)]
        count = int(self.training_folds.max()) + 1
        return [np.flatnonzero(self.training_folds != k) for k in range(count)]

    def cuts(self) -> list[tuple[Ints, Ints]]:
        """What simple rivals learn from and are scored by: numbers of training sequences, and of
        those of the validation part; one pair, or one for each fold."""
        if self.folds is None:
            return [(np.arange(self.trained), np.arange(len(self.check)))]
        return [(part, np.flatnonzero(self.folds == k)) for k, part in enumerate(self.parts)]

    @property
    def lengths(self) -> Ints:
        return np.array([len(x) for x in self.inputs], dtype=np.int64)

    @property
    def several(self) -> bool:
        """Whether a sequence may have several labels at once."""
        return self.roles.several is not None

    @property
    def trained(self) -> int:
        """How many of the inputs are for training; the others are for validation."""
        return len(self.train)

    def preprocessing(self) -> dict[str, Any]:
        return {
            "classes": list(self.classes),
            "encoder": self.encoder.to_json(),
            "reading": self.roles.to_json(),
            "bag": [bag.to_json() for bag in self.bags] or None,
            "kernels": None if self.kernels is None else self.kernels.to_json(),
            "folds": None if self.folds is None else len(self.parts),
            "sha256": [self.train.digest(), self.check.digest()],
        }


def with_all(dataset: Labelled) -> list[Ints]:
    """The training sequences of each fold and, at the end, all of them; these alone without."""
    parts = dataset.parts
    return [*parts, np.arange(dataset.trained)] if len(parts) > 1 else parts


def numbers(examples: Examples, classes: Sequence[str], *, several: bool) -> Ints:
    """The class numbers of labels, [N], or, of several labels at once, [N, C] of 0 and 1.

    UserError: a label that is none of the classes.
    """
    index = {label: k for k, label in enumerate(classes)}
    each = examples.each
    for labels, where in zip(each, examples.where, strict=True):
        for label in labels:
            if label not in index:
                known = listed(classes, 10)
                raise UserError(f'{where}: label "{label}" is not in the training data ({known})')
    if not several:
        return np.array([index[label] for (label,) in each], dtype=np.int64)
    made = np.zeros((len(each), len(classes)), dtype=np.int64)
    for row, labels in zip(made, each, strict=True):
        row[[index[label] for label in labels]] = 1
    return made


def _level(texts: Sequence[str]) -> str:
    sample = "".join(texts[:2000])
    return "words" if sample.count(" ") >= SPACED * len(sample) else "characters"


def _without_rare(made: Vocabulary, texts: Sequence[str]) -> Vocabulary:
    """The same, without the words that come less than `RARE` times, if it is one of words."""
    if not isinstance(made, vocabulary.Words | vocabulary.Characters):
        return made
    counts = np.zeros(made.size, dtype=np.int64)
    for text in texts:
        counts += np.bincount(made.encode(text), minlength=made.size)
    counts[0] = RARE
    kept = tuple(s for s, count in zip(made.symbols, counts, strict=True) if count >= RARE)
    return replace(made, symbols=kept if len(kept) > 1 else made.symbols)
