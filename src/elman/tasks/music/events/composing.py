"""A trained model of events as one that composes, as all of `elman generate` asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from elman.data.symbolic.piece import Piece
from elman.errors import UserError
from elman.tasks.music.composing.options import DEFAULT_BARS, Composing
from elman.tasks.music.composing.place import Place, refuse
from elman.tasks.music.composing.rules import Hold
from elman.tasks.music.events.composition import Draft, End, EventComposition
from elman.tasks.music.events.data import settled
from elman.tasks.music.events.fitting import Fitted, fitted
from elman.tasks.music.events.grammar import Grammar, Keeping, Stand
from elman.tasks.music.events.playing import Here, Player
from elman.tasks.music.events.tokens import Tokenizer
from elman.tasks.music.options import MusicOptions
from elman.tasks.task import Kept
from elman.tasks.text.model import LanguageModel

LONGEST = 1_000_000  # tokens of a piece
MOST_STEPS, MOST_WAYS = 1 << 30, 1 << 20
FRAMES = "a model of frames can (--form frames), one of events cannot"
NO_BARS = "the model's tokens, midi-like, tell no bars"


def composer(
    model: nn.Module, kept: Kept, options: MusicOptions, device: str
) -> EventComposer:  # fmt: skip
    return EventComposer(settled(kept), Player(cast(LanguageModel, model), device))


@dataclass
class EventComposer:
    """A trained model of events, as a `Composer`."""

    tokenizer: Tokenizer
    player: Player
    told: list[str] = field(default_factory=list)

    def begin(self) -> Place:
        first = [self.tokenizer.begin]
        return _place(self.player.read(np.array(first)), first, {})

    def read(self, prompt: Piece, after: Place | None = None) -> Place:
        after = after or self.begin()
        fit = fitted(prompt, self.tokenizer.settings)
        self.told += [f"{prompt.name}: {line}" for line in fit.lost.lines()]
        if not fit.notes:
            if prompt.count:
                raise UserError(f"{prompt.name}: none of its notes is one that the model knows")
            return after
        known = {name: x for name, x in after.known.items() if name == "tempo"}
        if prompt.tempos:
            known["tempo"] = float(prompt.tempos[-1].quarters_per_minute)
        fit = self._after(after, fit)
        ids = self.tokenizer.encode_fitted(fit)[:-1]
        if len(ids) > LONGEST:
            raise UserError(f"{prompt.name}: a piece of {len(ids):,} tokens; at most {LONGEST:,}")
        return _place(self.player.read(ids), ids.tolist(), known)

    def _after(self, place: Place, fit: Fitted) -> Fitted:
        """A piece as it stands at a place, all of its notes ended, and then another one."""
        s, grammar = self.tokenizer.settings, Grammar(self.tokenizer)
        at = grammar.walked(place.history.tolist())
        if at.last == "BOS":
            return fit
        newest = max((step for step, _, _ in at.begun), default=-1)
        end = at.bar_start + at.bar_steps if s.barred else max(_until(place, at), newest + 1)
        for token in grammar.closing(at, end):
            grammar.move(at, token)
        before = [n._replace(end=min(n.end, end)) for n in at.notes]
        after = [n._replace(start=n.start + end, end=n.end + end) for n in fit.notes]
        bars = [*at.bars, *(bar._replace(start=bar.start + end) for bar in fit.bars)]
        return Fitted((*sorted(before), *after), tuple(bars), fit.lost)

    def check(self, place: Place) -> None:
        ids = place.history.tolist()
        if not ids or ids[0] != self.tokenizer.begin:
            raise UserError("damaged (no beginning of a piece)")
        if len(ids) > LONGEST:
            raise UserError(f"damaged ({len(ids):,} tokens)")
        grammar = Grammar(self.tokenizer)
        at = grammar.start()
        try:
            for token in ids[1:]:
                grammar.read(at, token)
        except ValueError as error:
            raise UserError("damaged (tokens that are of no piece)") from error
        if not at.settled or at.last == "EOS":
            raise UserError("damaged (half of an event)")
        tempo = place.known.get("tempo", 120.0)
        if not isinstance(tempo, int | float) or not 1 <= tempo <= 10_000:
            raise UserError("damaged (tempo)")
        for name, most in (("until", MOST_STEPS), ("way", MOST_WAYS)):
            value = place.known.get(name, 0)
            if not isinstance(value, int) or not 0 <= value <= most:
                raise UserError(f"damaged ({name})")

    def compose(self, asked: Composing, after: Place, seed: int) -> EventComposition:
        refuse(asked, "given", FRAMES)
        refuse(asked, "given_voices", FRAMES)
        grammar = Grammar(self.tokenizer, self._keeping(asked))
        tempo = float(asked.tempo or after.known.get("tempo", self.tokenizer.settings.tempo))
        ids = after.history.tolist()
        at = grammar.walked(ids)
        known = {name: x for name, x in after.known.items() if name == "until"} | {"tempo": tempo}
        end = self._end(asked, at, known)
        if asked.ending and end.bars is None:
            raise UserError(
                "--ending: needs a length in --bars, and a model whose tokens tell bars (remi)"
            )
        here = Here(after.scores, after.state, len(ids))
        draft = Draft(here, ids, at, int(after.known.get("way", 0)))
        return EventComposition(
            self.player, self.tokenizer, grammar, asked, seed, end, draft, known, self.told,
        )  # fmt: skip

    def _keeping(self, asked: Composing) -> Keeping:
        """What the grammar has to keep of the rules. UserError: what it cannot."""
        rules, s = asked.rules, self.tokenizer.settings
        if rules.required:
            raise UserError(f"--keep required: {FRAMES}")
        if voices := [r.voice for r in rules.ranges if r.voice]:
            raise UserError(f"--keep {voices[0]}: the model knows no voices; give one range")
        if rules.no_parallels:
            raise UserError("--keep no parallels: the model knows no voices")
        if rules.no_repeat and not s.barred:
            raise UserError(f"--keep no repeat: {NO_BARS}")
        pitches = np.array([rules.allows(pitch) for pitch in range(128)])
        if not pitches[s.lowest : s.highest + 1].any():
            raise UserError(
                f"--keep: no pitch is left; the model knows those from {s.lowest} to {s.highest}"
            )
        metre = "" if rules.metre is None else f"{rules.metre[0]}/{rules.metre[1]}"
        if metre and not s.barred:
            raise UserError(f"--keep metre {metre}: {NO_BARS}")
        if metre and metre not in s.metres:
            raise UserError(f"--keep metre {metre}: the model knows {', '.join(s.metres)}")
        if rules.most == 0:
            raise UserError("--keep at most 0 notes: needs one at least")
        return Keeping(pitches, metre, rules.most, self._hold(rules.hold, metre or s.metres[0]))

    def _hold(self, hold: Hold | None, metre: str) -> int:
        """Steps that a note may sound, in bars of such a metre; 0 if any."""
        s = self.tokenizer.settings
        if hold is None:
            return s.held
        steps = s.bar_steps(metre)
        beats = int(metre.partition("/")[0])
        return max(hold.count * steps // (beats if hold.beats else 1), 1)

    def _end(self, asked: Composing, at: Stand, known: Mapping[str, Any]) -> End:
        s = self.tokenizer.settings
        begin = int(known.get("until", at.step))
        if asked.steps is not None:
            return End(events=asked.steps)
        if asked.seconds is not None:
            return End(step=begin + round(asked.seconds * known["tempo"] / 60 * s.grid))
        bars = DEFAULT_BARS if asked.bars is None else asked.bars
        if s.barred:
            return End(bars=len(at.bars) + bars)
        return End(step=begin + bars * s.bar_steps(s.metres[0]))


def _until(place: Place, at: Stand) -> int:
    """The step at which the piece ends so far."""
    return int(place.known.get("until", at.step))


def _place(here: Here, ids: list[int], known: Mapping[str, Any]) -> Place:
    return Place(here.state, here.logits, torch.tensor(ids, dtype=torch.int64), known)
