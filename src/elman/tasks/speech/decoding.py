"""How a trained model writes what it hears: options of `elman evaluate` and `elman predict`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from elman.options import require, require_files, require_range

WRITING = (
    "beam", "n_best", "language_model", "language_weight", "insertion", "lexicon", "phrases",
)  # fmt: skip
TRANSCRIPTS = "transcripts"  # in place of a file: those that were trained on


@dataclass(frozen=True)
class SpeechDecoding:
    """How what is heard becomes text, or the name of a class.

    Parameters
    ----------
    beam
        Prefixes that a search keeps side by side; 1 takes the likeliest symbol of each step.
    n_best
        Transcripts to give of each clip, the best first.
    language_model
        A text that is like what is said, from which an n-gram model learns what may follow; or
        "transcripts", those that were trained on.
    language_weight
        How much the n-gram model counts.
    insertion
        What each word, or each character of such a text, is worth beside that, in nats.
    lexicon
        A text with the words that may be written, and no others.
    phrases
        All that may be said, a list; one of them is written.
    raw_rate
        Samples a second of raw sound on standard input, 16 bits each; a WAV tells its own.
    threshold
        How sure a class must be, from 0 to 1; below it "unknown" is told.
    state
        Go on hearing standard input where --save-state stopped.
    save_state
        Keep what was heard of standard input in a file, with what is not certain yet; the text goes
        on with --state.
    """

    beam: int | None = None
    n_best: int = 1
    language_model: Path | None = None
    language_weight: float = 0.5
    insertion: float = 0.5
    lexicon: Path | None = None
    phrases: tuple[str, ...] = ()
    raw_rate: int | None = None
    threshold: float | None = None
    state: Path | None = None
    save_state: Path | None = None

    def __post_init__(self) -> None:
        require_range(self, ("beam", "n_best"), 1, 10_000)
        require_range(self, ("language_weight",), 0, 100)
        require_range(self, ("insertion",), -100, 100)
        require_range(self, ("raw_rate",), 1_000, 768_000)
        require_range(self, ("threshold",), 0, 1)
        require_files(self, ("language_model", "lexicon", "state", "save_state"))
        both = self.lexicon is not None and bool(self.phrases)
        require(self, "phrases", not both, "no --lexicon beside it: phrases name all words")

    @property
    def searched(self) -> bool:
        """Whether there is more to it than the likeliest symbol of each step."""
        guided = self.language_model is not None or self.lexicon is not None or self.phrases
        return bool(guided) or (self.beam or 1) > 1 or self.n_best > 1

    def check_no_stream(self) -> None:
        """UserError where something is asked that is for standard input alone."""
        for name in ("state", "save_state", "raw_rate"):
            require(self, name, getattr(self, name) is None, "elman predict RUN -, standard input")

    def check_no_state(self) -> None:
        """UserError where a state is asked for that only a model which writes can keep."""
        for name in ("state", "save_state"):
            require(self, name, getattr(self, name) is None, "a model that writes what is said")

    def check_mode(self, *, writes: bool) -> None:
        """UserError where something is asked that a model of the other kind does."""
        if writes:
            require(self, "threshold", self.threshold is None, "a model that names classes")
            return
        for name in ("language_model", "lexicon", "beam"):
            require(self, name, getattr(self, name) is None, "a model that writes what is said")
        require(self, "phrases", not self.phrases, "a model that writes what is said")
        require(self, "n_best", self.n_best == 1, "a model that writes what is said")

    def told(self) -> str:
        """What of it changes the text that is written of the same sound, in words."""
        parts = {name: getattr(self, name) for name in WRITING}
        return ", ".join(f"{name} {value}" for name, value in parts.items() if value)

    @property
    def width(self) -> int:
        """Prefixes kept: as asked for, else enough where something guides the search."""
        return self.beam or (max(16, self.n_best) if self.searched else 1)
