"""The layers, under the names that they bear in `torch.nn`."""

from elman.cells import Cell
from elman.layers.dropin import GRU, LSTM, RNN
from elman.layers.recurrent import Recurrent

__all__ = ["GRU", "LSTM", "RNN", "Cell", "Recurrent"]
