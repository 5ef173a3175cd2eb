"""Pieces as a language model reads them: each the ids of its tokens, between begin and end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from elman.data.tables.content import BadRows
from elman.errors import UserError
from elman.tasks.music.events.settings import Settings, from_plain
from elman.tasks.music.events.tokens import Ids, Tokenizer, tokenizer
from elman.tasks.task import Kept

DAMAGED = "preprocessing.json: damaged ({})"


@dataclass(frozen=True)
class Tune:
    """One piece: its tokens [T], begin and end among them; how many notes they tell, and how many
    quarters it is until the last of them has ended."""

    name: str
    ids: Ids
    notes: int
    quarters: float

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def foretold(self) -> int:
        """How many tokens are scored: all but the begin."""
        return len(self.ids) - 1

    def digest(self) -> str:
        """Equal for equal tokens."""
        return hashlib.sha256(self.ids.astype("<i4").tobytes()).hexdigest()


@dataclass(frozen=True)
class EventData:
    """Pieces for training, for validation and, where there are some, kept for the final scores."""

    name: str
    settings: Settings
    train: tuple[Tune, ...]
    check: tuple[Tune, ...]
    bad: BadRows
    test: tuple[Tune, ...] | None = None
    facts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    form: str = field(default="events", init=False)

    @property
    def tokenizer(self) -> Tokenizer:
        return tokenizer(self.settings)

    @cached_property
    def tokens(self) -> int:
        """Tokens to train on, in one epoch."""
        return sum(tune.foretold for tune in self.train)

    def tested(self) -> EventData | None:
        """The data set with the test part in place of the validation part; None without one."""
        return None if self.test is None else replace(self, check=self.test, test=None)

    def preprocessing(self) -> dict[str, Any]:
        parts = [self.train, self.check, *([] if self.test is None else [self.test])]
        return {
            "form": self.form,
            "tokens": self.settings.plain(),
            "vocabulary": fingerprint(self.tokenizer),
            "sha256": [_digest(part) for part in parts],
        }


def settled(kept: Kept) -> Tokenizer:
    """The tokenizer of a trained model, made anew from its settings. UserError: they are damaged,
    or the tokens are others than those that the model has learnt."""
    made = tokenizer(from_plain(kept.get("tokens")))
    known = kept.get("vocabulary")
    if not isinstance(known, Mapping) or set(known) != {"size", "sha256", "miditok"}:
        raise UserError(DAMAGED.format("no vocabulary in it"))
    own = fingerprint(made)
    if (known["size"], known["sha256"]) != (own["size"], own["sha256"]):
        version = str(known["miditok"])[:20]
        raise UserError(
            f"preprocessing.json: its tokens are not those of the miditok that is installed, "
            f"{own['miditok']}; the model was trained with {version}, or the file is damaged"
        )
    return made


def fingerprint(tokenizer: Tokenizer) -> dict[str, Any]:
    """By which tokens are known again."""
    from importlib.metadata import version

    names = "\n".join(map(str, tokenizer.tokens))
    digest = hashlib.sha256(names.encode()).hexdigest()
    return {"size": len(tokenizer), "sha256": digest, "miditok": version("miditok")}


def _digest(tunes: Iterable[Tune]) -> str:
    """Equal for equal pieces in the same order."""
    digest = hashlib.sha256()
    for tune in tunes:
        digest.update(tune.digest().encode())
    return digest.hexdigest()


def concatenated(tunes: Iterable[Tune]) -> Ids:
    """All tokens, one piece after the other."""
    return np.concatenate([np.zeros(0, np.int64), *(tune.ids for tune in tunes)])
