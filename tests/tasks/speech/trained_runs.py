"""Small networks that have learnt to hear letters which are tones; not to be changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tones
import torch

import elman


@dataclass(frozen=True)
class Hears:
    """Data, and a run trained on it."""

    data: Path
    run: Path


@pytest.fixture(scope="session")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a cache of its own, and one thread."""
    folder = tmp_path_factory.mktemp("speech")
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELMAN_CACHE", str(folder / "cache"))
        yield folder


@pytest.fixture(scope="session")
def said(_place: Path) -> Path:
    """A folder of clips with a table of what is said in them."""
    return tones.folder(_place / "said", tones.texts(80, np.random.default_rng(3), 4))


@pytest.fixture(scope="session")
def streaming(said: Path, _place: Path) -> Hears:
    """A network that never looks ahead."""
    how = tones.SMALL | {"epochs": 8, "streaming": True}
    elman.train("speech", said, run=_place / "streaming", **how)
    return Hears(said, _place / "streaming")


@pytest.fixture(scope="session")
def both_ways(said: Path, _place: Path) -> Hears:
    """A network that reads both ways."""
    how = tones.SMALL | {"epochs": 8, "normalise": "training"}
    elman.train("speech", said, run=_place / "both-ways", **how)
    return Hears(said, _place / "both-ways")


@pytest.fixture(scope="session")
def classes(_place: Path) -> Hears:
    """A network that names one letter a clip."""
    data = tones.classes(_place / "letters", 12)
    how = tones.SMALL | {"epochs": 6, "normalise": "training"}
    elman.train("speech", data, run=_place / "classes", **how)
    return Hears(data, _place / "classes")
