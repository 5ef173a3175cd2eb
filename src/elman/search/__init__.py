"""From a step function to whole sequences: greedy, beam, required phrases, sampling.

It knows no models and no files. As options are listed in milliseconds, importing it loads no
PyTorch.
"""

from elman.search.loop import Decoder, Hypothesis, Step, search
from elman.search.options import Search

__all__ = ["Decoder", "Hypothesis", "Search", "Step", "search"]
