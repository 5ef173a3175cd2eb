"""What tests of reading recordings ask for, and what they compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from corpora import (
    seen,
)

from elman.data.sound import reading
from elman.data.sound.clips import Clip
from elman.data.sound.options import SoundOptions
from elman.data.sound.reading import Clips
from elman.data.tables.content import BadRows
from elman.errors import UserError
from elman.options import make

NOTHING: Mapping[str, str] = {}  # asked


def read(*data: Path, skip: bool = False, asked: Mapping[str, str] = NOTHING) -> Clips:
    """What is read, strictly unless bad rows may be left out."""
    return reading.read([str(one) for one in data], BadRows(skip), make(SoundOptions, asked))


def refused(*data: Path, asked: Mapping[str, str] = NOTHING) -> str:
    """The line that the user is told."""
    with pytest.raises(UserError) as error:
        read(*data, asked=asked)
    assert "\n" not in str(error.value)
    return str(error.value)


def what(clips: Sequence[Clip]) -> list[tuple[object, ...]]:
    """All of the clips but where they lie and their order."""
    return sorted((seen(clip) for clip in clips), key=repr)
