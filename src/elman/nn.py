"""The layers, under the names that they bear in `torch.nn`."""

from elman.cells import Cell
from elman.layers.recurrent import GRU, LSTM, RNN, Recurrent

__all__ = ["GRU", "LSTM", "RNN", "Cell", "Recurrent"]
