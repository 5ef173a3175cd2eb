"""What `elman generate` may be asked for where the model makes music."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from elman.errors import UserError
from elman.options import require, require_range
from elman.tasks.music.composing.rules import Rules, parse

DEFAULT_BARS = 16


@dataclass(frozen=True)
class Composing:
    """How a piece is made.

    Parameters
    ----------
    bars
        Bars to make, after the prompt if there is one; 16 if no other length is given.
    seconds
        Seconds to make instead, at the piece's tempo.
    steps
        Steps of the grid to make instead; of a model of events, events.
    ending
        End on the tonic chord, held for the last beat: of --ending-tries ways through the last two
        bars the one after which the model finds that chord likeliest.
    ending_tries
        Ways through the last two bars that are tried for --ending.
    keep
        What the music has to keep, in parts with ; between them: "key D minor; soprano 60-81; bass
        E2-C4; range 36-84; metre 3/4; at most 4 notes; no repeat 4 bars; no parallels; forbidden
        F#, C4; required G4 at bar 8 beat 2; hold 2 bars". Without hold no note sounds longer than
        the longest that was trained on.
    given
        Harmonise: a file whose voices are kept to the note while the model makes the others.
    given_voices
        Which voices the tracks of --given are, "soprano" or "S,B"; the highest if not told.
    method
        How --given is harmonised: beam looks for the likeliest voices, gibbs draws them, each note
        by its probability given all others.
    beam
        Hypotheses that the beam keeps side by side.
    sweeps
        How many times gibbs draws every note anew.
    tempo
        Quarters a minute; that of the prompt, or 100, if not told.
    temperature
        Below 1 safer, above 1 wilder; 0 always takes the likeliest note.
    top_k
        Choose among so many likeliest notes; 0 for all.
    top_p
        Choose among the likeliest notes that together reach this probability; 1 for all.
    seed
        Seed of the choices; another one each time if not given.
    """

    bars: int | None = None
    seconds: float | None = None
    steps: int | None = None
    ending: bool = False
    ending_tries: int = 16
    keep: str = ""
    given: Path | None = None
    given_voices: tuple[str, ...] = ()
    method: Literal["beam", "gibbs"] = "beam"
    beam: int = 8
    sweeps: int = 5
    tempo: float | None = None
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        require_range(self, ("bars",), 0, 10_000)
        require_range(self, ("seconds",), 0, 36_000)
        require_range(self, ("steps",), 0, 1_000_000)
        require_range(self, ("ending_tries", "beam"), 1, 1_000)
        require_range(self, ("sweeps",), 0, 100_000)
        require_range(self, ("tempo",), 5, 1_000)
        require_range(self, ("temperature",), 0, 1e6)
        require_range(self, ("top_k",), 0, 2**63 - 1)
        require_range(self, ("top_p",), 0, 1)
        require(self, "top_p", self.top_p > 0, "a value above 0, at most 1")
        require_range(self, ("seed",), 0, 2**63 - 1)
        lengths = [n for n in ("bars", "seconds", "steps") if getattr(self, n) is not None]
        if len(lengths) > 1:
            raise UserError(f"--{lengths[0]} and --{lengths[1]}: give one length")
        if self.given is not None:
            for name in lengths:
                require(self, name, False, "no --given: a piece is as long as its given voices")
            require(self, "ending", not self.ending, "no --given: the given voices end the piece")
        else:
            require(self, "given_voices", not self.given_voices, "--given, a file that has them")
        _ = self.rules  # wrong ones are told before PyTorch is loaded

    @property
    def rules(self) -> Rules:
        """What `keep` says. UserError where that is not understood."""
        return parse(self.keep)
