"""From a step function to whole sequences: greedy, beam, required phrases, sampling.

It knows no models and no files. As options are listed in milliseconds, importing it loads no
PyTorch.
"""

from elman.search.decoder import Decoder, Step
from elman.search.found import Hypothesis
from elman.search.loop import search
from elman.search.options import Search

__all__ = ["Decoder", "Hypothesis", "Search", "Step", "search"]
