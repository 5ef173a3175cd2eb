"""What the plan settles: dropout where epochs are enough to learn clips by heart, filters over
bands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tones

from elman.errors import UserError
from elman.tasks.speech.options import SpeechOptions
from elman.tasks.speech.plan import BAND_WIDTH, DROPOUT, FEW, plan
from elman.tasks.speech.reading import read
from elman.tasks.task import Budget


def settled(data: Path, epochs: int, **given: Any) -> SpeechOptions:
    options = SpeechOptions(**{"hidden_size": (4,), "convolutions": (4,)} | given)
    dataset = read([str(data)], options, 0.1)
    return plan(dataset, options, Budget(None, epochs, None, None, "cpu")).options


@pytest.mark.parametrize("mode", ["transcribe", "classify"])
def test_dropout_and_filters_are_settled_where_they_are_open(mode: str, tmp_path: Path) -> None:
    if mode == "classify":
        data = tones.classes(tmp_path / "data", 8)
    else:
        data = tones.folder(tmp_path / "data", tones.texts(20, np.random.default_rng(1)))
    few, many = settled(data, FEW - 1), settled(data, FEW)
    assert (few.dropout, many.dropout) == (0.0, DROPOUT)
    assert few.band_convolution_width == BAND_WIDTH[mode]
    assert few.band_pooling == (mode == "transcribe")
    assert few.averages == (0,)
    assert settled(data, 1, averages=(5,)).averages == (5,)
    asked = settled(data, 1, dropout=0.3, band_convolution_width=2, band_pooling=False)
    assert (asked.dropout, asked.band_convolution_width, asked.band_pooling) == (0.3, 2, False)
    without = settled(data, FEW, band_convolutions=(0,))
    assert without.band_convolution_width is None and without.band_pooling is None


def test_a_width_of_filters_that_are_left_out_is_refused() -> None:
    with pytest.raises(UserError, match="--band-convolutions 0 leaves out"):
        SpeechOptions(band_convolutions=(0,), band_convolution_width=3)
