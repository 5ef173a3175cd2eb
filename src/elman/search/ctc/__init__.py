"""From what a network with connectionist temporal classification gives for each frame, natural log
probabilities [T, V] of V - 1 symbols and the blank, symbol 0, to symbols, words and their times.

A path is one symbol or blank for each frame; it stands for the symbols that are left when runs of
one symbol are made one and blanks are taken out. The probability of symbols is the sum over all
their paths (Graves et al. 2006, doi:10.1145/1143844.1143891).

It knows no models and no files, and needs no PyTorch.
"""

from elman.search.ctc.alignment import align, enough, log_probability, needed
from elman.search.ctc.beam import PrefixBeam
from elman.search.ctc.grammar import Grammar, Lexicon, Phrases
from elman.search.ctc.greedy import Greedy, greedy, greedy_batch
from elman.search.ctc.language import LanguageModel
from elman.search.ctc.spoken import BLANK, Spoken, Word, joined, words

__all__ = [
    "BLANK",
    "Grammar",
    "Greedy",
    "LanguageModel",
    "Lexicon",
    "Phrases",
    "PrefixBeam",
    "Spoken",
    "Word",
    "align",
    "enough",
    "greedy",
    "greedy_batch",
    "joined",
    "log_probability",
    "needed",
    "words",
]
