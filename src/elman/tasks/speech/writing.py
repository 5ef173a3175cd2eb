"""From log probabilities to transcripts: greedy, or by a search that a language guides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.data.texts.scripts import script_of
from elman.search import ctc
from elman.search.ctc import Grammar, LanguageModel, PrefixBeam, Spoken, Word, greedy
from elman.tasks.speech.data import Encoder
from elman.tasks.speech.decoding import SpeechDecoding
from elman.tasks.speech.language import grammar_of, language_of, separator_of

Floats = NDArray[np.float64]

LETTER_BY_LETTER = ("CJK", "Hiragana", "Katakana", "Bopomofo")  # scripts without spaces
LAG = 4.0  # seconds after which a search that hears a stream believes what was best


class Transcript(NamedTuple):
    """What was said, how sure that is, in [0, 1], and each word with its times in seconds."""

    text: str
    confidence: float
    words: tuple[Word, ...]


@dataclass(frozen=True)
class Transcribing:
    """Transcripts of what a network says, by these options; `transcripts` are those trained on,
    `step_seconds` how long a step is."""

    encoder: Encoder
    decoding: SpeechDecoding
    step_seconds: float
    transcripts: Sequence[str] = ()

    @cached_property
    def model(self) -> LanguageModel[Any] | None:
        """What may follow what, where a text tells it."""
        return language_of(self.encoder, self.decoding, self.transcripts)

    @cached_property
    def grammar(self) -> Grammar[Any] | None:
        """What may be written at all, where a lexicon or phrases tell it."""
        return grammar_of(self.encoder, self.decoding)

    def beam(self, *, lag: bool = False) -> PrefixBeam:
        """A search that has heard nothing; with `lag` it settles what lies some seconds back."""
        how = self.decoding
        steps = max(2, round(LAG / self.step_seconds)) if lag else None
        return PrefixBeam(
            beam=how.width, model=self.model, weight=how.language_weight,
            bonus=how.insertion if self.model is not None else 0.0,
            separator=separator_of(self.encoder), grammar=self.grammar, lag=steps,
        )  # fmt: skip

    def __call__(self, log_p: Floats, begin: float = 0.0) -> list[Transcript]:
        """The best transcripts of what begins at `begin` seconds, of log probabilities [T, V]; one
        at least."""
        if not self.decoding.searched:
            return [self.transcript(greedy(log_p), begin)]
        beam = self.beam()
        beam.feed(log_p)
        found = beam.best(self.decoding.n_best) or beam.best(1, complete=False)
        return [self.transcript(spoken, begin) for spoken in found] or [Transcript("", 0.0, ())]

    def transcript(self, spoken: Spoken, begin: float = 0.0) -> Transcript:
        """What symbols say, from `begin` seconds on."""
        text = self.encoder.text(spoken.symbols)
        sure = np.maximum(np.array(spoken.confidences), 1e-9)
        words = ctc.words(spoken, self._piece, self.step_seconds, begin)
        return Transcript(text, float(np.exp(np.log(sure).mean())) if len(sure) else 1.0, (*words,))

    def _piece(self, symbol: int) -> str:
        """The text of a symbol, with the spaces that part it from what stands beside it: a letter
        of a script without spaces has times of its own."""
        vocabulary, text = self.encoder.vocabulary, self.encoder.shown(symbol)
        if vocabulary is not None and vocabulary.level == "words":
            return f" {text}"
        return f" {text} " if len(text) == 1 and script_of(text) in LETTER_BY_LETTER else text
