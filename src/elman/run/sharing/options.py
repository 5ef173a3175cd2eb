"""What a run's model card says that nobody but its maker knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elman.options import make, plain, read_toml, require

FILE = "card.toml"  # in the run folder


@dataclass(frozen=True)
class CardOptions:
    """What the model card is told; card.toml in the run folder holds the same, said once.

    Parameters
    ----------
    license
        Licence of the model, as hubs name it: apache-2.0, mit, cc-by-4.0, other.
    data_license
        Licence of the data that it learnt from; that of name:NAME is known.
    datasets
        Data sets on the hub that it learnt from, a list: user/name.
    language
        Languages of the data, a list of codes: en,zh.
    about
        What the model is for, in a sentence or two.
    limits
        What it must not be used for, or is bad at.
    """

    license: str | None = None
    data_license: str | None = None
    datasets: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    about: str | None = None
    limits: str | None = None

    def __post_init__(self) -> None:
        named = self.license is None or re.fullmatch(r"[a-z0-9][a-z0-9.-]*", self.license)
        require(self, "license", bool(named), "a name as hubs have it: mit, cc-by-4.0, other")
        known = all(re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) for name in self.datasets)
        require(self, "datasets", known, "names of data sets on the hub, as user/name")
        codes = all(re.fullmatch(r"[a-z]{2,3}|code|multilingual", code) for code in self.language)
        require(self, "language", codes, "codes of two or three letters, as en,zh")


def told(folder: Path, values: Mapping[str, Any]) -> CardOptions:
    """What `values` say, and of the rest what card.toml in the folder says. UserError: damaged."""
    path = folder / FILE
    kept: Mapping[str, Any] = {}
    if path.is_file():
        kept = read_toml(path)
        make(CardOptions, kept, where=str(path))  # damage in it is told of the file
    return make(CardOptions, {**kept, **values})


def as_table(card: CardOptions) -> dict[str, Any]:
    """What card.toml says of it: nothing of what was left open."""
    return {name: value for name, value in plain(card).items() if value}
