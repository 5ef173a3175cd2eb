"""What the ids of a foreign model mean: a vocabulary that was saved as JSON, or the text itself.

["a", "b"]                       by id
{"a": 0, "b": 1}                 the id of each, as a Tokenizer's word_index and char_to_int
{"0": "a", "1": "b"}             the symbol of each id, as index_word and int_to_char
{"class_name": "Tokenizer", …}   tokenizer.to_json() of Keras
any other file                   a text: its different characters in order, sorted(set(text))
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from elman.data import source
from elman.data.texts.vocabulary import UNKNOWN, Characters, Vocabulary, Words
from elman.errors import UserError
from elman.options import shown
from elman.wording import listed

LARGEST = 64 << 20  # bytes of JSON
UNKNOWN_NAMES = frozenset({"<unk>", "[unk]", "<oov>", "[oov]", "<unknown>", "<UNK>", "<OOV>"})
PRIVATE = range(0xF0000, 0x10FFFE)  # code points of no character, for ids that have none
MOST_LONG = 8  # names such as <pad> among characters
UNLIKELY = 20.0  # nats that <unk> stays below the mean score, where the model has none: 2e-9


@dataclass(frozen=True)
class Symbols:
    """The vocabulary in Elman's order, and for each of its symbols the id that the model knows it
    by; -1 for `<unk>` where the model has nothing like it. `remarks` are for the user."""

    vocabulary: Vocabulary
    ids: tuple[int, ...]
    remarks: tuple[str, ...] = ()

    @property
    def first(self) -> int:
        """The first of our symbols that the model has: 1 where `<unk>` is our own."""
        return int(self.ids[0] < 0)

    def drawn(self, shape: tuple[int, int], *, masked: bool) -> tuple[Tensor, Tensor]:
        """Random ids of ours [B, T] and the model's own; none that it passes over as `masked`."""
        usable = [
            k for k, theirs in enumerate(self.ids) if theirs > 0 or (theirs == 0 and not masked)
        ]
        draw = torch.Generator().manual_seed(0)
        ours = torch.tensor(usable)[torch.randint(len(usable), shape, generator=draw)]
        return ours, torch.tensor(self.ids)[ours]

    def rows(self, table: Tensor) -> Tensor:
        """Rows of a table [V, …] in Elman's order; that of an `<unk>` of our own is their mean."""
        mean = table.mean(0, keepdim=True)
        index = torch.tensor(self.ids)
        return torch.cat([table, mean])[index]

    def scores(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The dense layer's rows likewise. An `<unk>` of our own is as good as never foretold."""
        bias = self.rows(bias)
        bias[: self.first] -= UNLIKELY
        return self.rows(weight), bias


class Named(NamedTuple):
    """What a file tells: names by id, which of them stands for what is unknown, and whether texts
    were put into lower case."""

    names: Mapping[int, str]
    unknown: str | None = None
    lowercase: bool = False


def read(path: str, size: int, *, lowercase: bool = False) -> Symbols:
    """The symbols of a model of `size` ids. UserError: a file that is none, or does not fit."""
    found = _named(path, size)
    twice = [name for name, count in Counter(found.names.values()).items() if count > 1]
    if twice:
        raise UserError(f"{path}: {shown(twice[0])} stands for two ids")
    long = sum(len(name) != 1 for name in found.names.values())
    characters = long < len(found.names) and long <= MOST_LONG
    unknown = _unknown(found)
    ids = (-1 if unknown is None else unknown, *(k for k in range(size) if k != unknown))
    named = _every_one(found.names, size, characters=characters)
    symbols = (UNKNOWN, *(named[k] for k in ids[1:]))
    lowercase = lowercase or found.lowercase
    made: Vocabulary = Words(symbols, lowercase, spaced=True)
    remarks = ["words are what spaces part, as Keras' Tokenizer has them"]
    if characters:
        made, remarks = Characters(symbols, lowercase), []
    left = [str(k) for k in range(size) if k not in found.names and k != unknown]
    if left:
        remarks.append(f"{path} has no symbol for the ids {listed(left, 5)}")
    if unknown is None:
        remarks.append("the model knows no <unk>; whatever else a text holds is read as the mean")
    return Symbols(made, ids, tuple(remarks))


def _unknown(found: Named) -> int | None:
    """The id for unknown symbols: by its name, or that of padding, which no text has."""
    names = {found.unknown, *UNKNOWN_NAMES}
    named = next((k for k, name in found.names.items() if name in names), None)
    return 0 if named is None and 0 not in found.names else named


def _every_one(names: Mapping[int, str], size: int, *, characters: bool) -> list[str]:
    """A name for every id, one character each if so told: where there is none, one that no text
    holds."""
    given = set(names.values())
    private = (code for code in map(chr, PRIVATE) if code not in given)
    every = []
    for k in range(size):
        name = names.get(k, "")
        if characters and len(name) != 1:
            name = next(private)
        elif not name or name == UNKNOWN:
            name = f"<no symbol {k}>"
        every.append(name)
    return every


def _named(path: str, size: int) -> Named:
    if Path(path).suffix.lower() != ".json":
        letters = sorted(set("".join(source.read_text(source.resolve([path])))))
        if len(letters) != size:
            raise _other_size(path, f"{len(letters):,} different characters", size)
        return Named(dict(enumerate(letters)))
    value = _json(path)
    if isinstance(value, dict) and value.get("class_name") == "Tokenizer":
        return _tokenizer(value.get("config"), path, size)
    names = _by_id(value, path)
    found = max(names) + 1
    if found > size or size - found > max(2, size // 10):
        raise _other_size(path, f"{found:,} ids", size)
    return Named(names)


def _tokenizer(config: Any, path: str, size: int) -> Named:
    if not isinstance(config, dict):
        raise UserError(f"{path}: damaged (a Tokenizer without config)")
    index, unknown = config.get("word_index"), config.get("oov_token")
    names = _by_id(_parsed(index, path) if isinstance(index, str) else index, path)
    # Of more words than num_words Keras reads the most frequent alone.
    names = {k: name for k, name in names.items() if k < size}
    return Named(names, unknown if isinstance(unknown, str) else None, config.get("lower") is True)


def _other_size(path: str, found: str, size: int) -> UserError:
    return UserError(
        f"{path}: {found} in it, but the model has {size:,} symbols; give the vocabulary that it "
        "was trained with"
    )


def _json(path: str) -> Any:
    try:
        if Path(path).stat().st_size > LARGEST:
            raise UserError(f"{path}: larger than any vocabulary that is read")
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8; save the JSON so") from None
    return _parsed(text, path)


def _parsed(text: str, path: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid JSON ({str(error)[:60]})") from None


def _by_id(value: Any, path: str) -> dict[int, str]:
    """Names by id, whichever way round they were written."""
    if isinstance(value, list):
        found: dict[Any, Any] = dict(enumerate(value))
    elif isinstance(value, dict) and all(isinstance(v, str) for v in value.values()):
        found = {int(k) if k.isdecimal() and len(k) < 10 else k: v for k, v in value.items()}
    elif isinstance(value, dict):
        found = {v: k for k, v in value.items()}
        if len(found) < len(value):
            raise UserError(f"{path}: two symbols have one id")
    else:
        found = {}
    fits = all(type(k) is int and 0 <= k < 10_000_000 and isinstance(v, str)
               for k, v in found.items())  # fmt: skip
    if not found or not fits:
        raise UserError(
            f"{path}: is no vocabulary; a list of symbols fits, or an object with the id of each"
        )
    return found


def classes(given: Sequence[str], count: int) -> tuple[str, ...]:
    """The names of classes: as given, as in a JSON file, or numbers. UserError: too few."""
    if len(given) == 1 and given[0].lower().endswith(".json"):
        names = _by_id(_json(given[0]), given[0])
        given = [names.get(k, str(k)) for k in range(max(names) + 1)]
    if not given:
        return tuple(map(str, range(count)))
    if len(given) != count or len(set(given)) != count:
        raise UserError(
            f"--classes {shown(tuple(given))}: {len(given)} names, the model has {count} outputs; "
            "give as many, in their order"
        )
    return tuple(given)
