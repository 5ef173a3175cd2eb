"""Which stacks can be streamed, and why others cannot."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from elman import cells, kernels
from elman.cells.lstm import LSTM
from elman.kernels.stream import GATES
from elman.layers import streaming
from elman.layers.recurrent import Recurrent

pytestmark = pytest.mark.skipif(
    not kernels.instruction_sets(), reason="the extension was not built"
)


@dataclass(frozen=True)
class OwnLSTM(LSTM):  # type: ignore[misc]  # final, for those who are checked
    """Bears the same name, and might be anything."""


def test_a_stack_that_cannot_be_streamed_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def why(stack: Recurrent) -> str:
        return streaming.why_not(stack.eval()) or ""

    for name in cells.names():
        told = why(Recurrent(3, 4, 2, cell=name, zoneout=0.1, residual=True))
        assert told == ("" if name in GATES else f"the cell {name} cannot be streamed")
    assert "training mode" in (streaming.why_not(Recurrent(3, 4)) or "")
    assert "lstm cannot be streamed" in why(Recurrent(3, 4, cell=OwnLSTM()))
    assert "reads both ways" in why(Recurrent(3, 4, bidirectional=True))
    assert "layer norm" in why(Recurrent(3, 4, layer_norm=True))
    assert "float64" in why(Recurrent(3, 4, dtype=torch.float64))
    kernels.available.cache_clear()
    monkeypatch.setenv("ELMAN_KERNELS", "off")
    assert "off" in why(Recurrent(3, 4))
    kernels.available.cache_clear()
