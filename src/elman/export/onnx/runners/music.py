"""Compose with the model beside this file; NumPy and ONNX Runtime are all that it needs.

    python model.py --bars 16 --seed 1 --output piece.mid

With --json a line of standard input is {"steps": 64, "temperature": 1, "seed": 1}, and its answer
the pitches of each step. A model of events gives the names of its tokens, as miditok has them.
From Python: `composer(open_model()).compose(64, Sampling(seed=1))`.
"""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from elman.export.onnx.runners.folder import Model, open_model
from elman.export.onnx.runners.lines import JSON, answer_json, ending, written
from elman.export.onnx.runners.midi import midi
from elman.export.onnx.runners.network import Array
from elman.export.onnx.runners.sampling import Sampling, choose, distribution, seed_of, uniform

# The numbers of a step do not depend on how many were drawn for the steps before it.
STREAMS, CHOICES = 1 << 24, 1 << 20
METRES = ((4, 4), (3, 4), (2, 4), (6, 8), (3, 8), (2, 2), (3, 2), (9, 8), (12, 8))
BARS, EVENTS = 16, 500  # made if nothing else is asked for


class FrameComposer:
    """Which pitches sound in each step of a grid, step by step.

    No note sounds longer than the longest that was trained on, as `elman generate` has it; other
    rules stay with Elman.
    """

    def __init__(self, model: Model) -> None:
        self._model, told = model, model.surroundings
        self._reading, self._head = told["reading"], told["head"]
        self.per_quarter: int = self._reading["per_quarter"]
        self._lowest: int = self._reading["lowest"]
        self._pitches: int = self._reading["highest"] - self._lowest + 1
        self.voices: int = self._reading["voices"] if self._head == "voices" else 0
        self._lookback: list[list[int]] = told["lookback"]
        self._reach = max(map(max, self._lookback), default=1)
        self.metre, self.bar = self._usual()

    def compose(self, steps: int, sampling: Sampling) -> Iterator[list[int | None]]:
        """The pitches of so many steps, as in MIDI; of voices from the highest down, None where one
        is silent."""
        P, voices = self._pitches, self.voices
        held = np.zeros((voices, P) if voices else P, np.int64)
        longest = self._reading["longest"] or steps + 1
        network, states = self._model["model"], None
        silent, made = np.zeros_like(held, bool), deque[Array](maxlen=self._reach)
        seed = seed_of(sampling)
        for step in range(steps):
            place = self._place(step)
            given = {"place": np.array([[place]])}
            lags = self._lookback[place] if self._lookback else []
            for lag, name in ((1, ""), *((lag, f"back_{k}_") for k, lag in enumerate(lags))):
                given |= self._read(made[-lag] if lag <= len(made) else silent, name)
            outputs, states = network.run(given, states)
            known = next(iter(outputs.values()))[:, -1]
            frame = self._drawn(known, held < longest, Draws(seed, step, sampling))
            held = np.where(frame, held + 1, 0)
            made.append(frame)
            yield self._told(frame)

    def _read(self, frame: Array, name: str) -> dict[str, Array]:
        """A frame as inputs of the network, whose names begin like that."""
        if not self.voices:
            return {name.rstrip("_") or "before": frame.astype(np.float32)[None, None]}
        sung = np.where(frame.any(1), frame.argmax(1), self._pitches)
        return {f"{name}voice_{v}": sung[None, v : v + 1] for v in range(self.voices)}

    def _drawn(self, known: Array, allowed: Array, draws: Draws) -> Array:
        """Which notes sound, bool [P] or of voices [V, P], note by note by `draws`."""
        frame = np.zeros(allowed.shape, bool)
        if self._head == "independent":
            for note in np.flatnonzero(allowed):
                score = known[0, note].astype(np.float64)
                frame[note] = draws(-np.logaddexp(0, [score, -score])) == 1
            return frame
        outputs, _ = self._model["begin"].run({"context": known})
        end = self._pitches
        direct = outputs.pop("direct").reshape(-1, self.voices or 1, end + 1)  # [networks, …]
        states: dict[str, Array] | None = outputs
        token, any_token = end, np.ones(end + 1, bool)
        for voice in range(len(allowed) - 1, -1, -1) if allowed.ndim == 2 else ():
            place = len(allowed) - 1 - voice
            scores, states = self._scores(token + place * (end + 1), states)
            told = together(scores + direct[:, place], any_token)
            token = draws(np.where(np.append(allowed[voice], True), told, -np.inf))
            frame[voice, token : token + 1] = token < end
        while allowed.ndim == 1:
            scores, states = self._scores(token, states)
            above = np.append(np.arange(end) > (-1 if token == end else token), True)
            told = together(scores + direct[:, 0], above)
            token = draws(np.where(np.append(allowed, True), told, -np.inf))
            if token == end:
                break
            frame[token] = True
        return frame

    def _scores(self, token: int, states: Any) -> tuple[Array, Any]:
        """Of the next token, of each network, [networks, P + 1]."""
        outputs, states = self._model["note"].run({"token": np.array([[token]])}, states)
        return outputs["scores"].reshape(-1, self._pitches + 1), states

    def _told(self, frame: Array) -> list[int | None]:
        if frame.ndim == 1:
            return [self._lowest + int(note) for note in np.flatnonzero(frame)]
        return [self._lowest + int(row.argmax()) if row.any() else None for row in frame]

    def _usual(self) -> tuple[tuple[int, int], int]:
        """A metre that the data has, and how many steps its bar has."""
        bars = self._reading["bars"]
        for beats, unit in METRES:
            bar, rest = divmod(4 * self.per_quarter * beats, unit)
            if not rest and (not bars or bar in bars):
                return (beats, unit), bar
        return METRES[0], 4 * self.per_quarter

    def _place(self, step: int) -> int:
        """The kind of place of a step: which of its bar, or of a quarter, and whether the first."""
        bars = self._reading["bars"]
        count = self.per_quarter + sum(bars)
        place = step % self.per_quarter
        if self.bar in bars:
            place = self.per_quarter + sum(bars[: bars.index(self.bar)]) + step % self.bar
        return place + count if step == 0 else place


def together(each: Array, may: Array) -> Array:
    """Scores by which a token is as likely as on average by each of these [networks, K], if only
    those come next that `may`."""
    scores: Array = np.where(may, each.astype(np.float64), -np.inf)
    if len(scores) > 1:
        chances = np.exp(scores - scores.max(1, keepdims=True))
        mean = (chances / chances.sum(1, keepdims=True)).mean(0)
        scores = np.log(mean, out=np.full((1, len(mean)), -np.inf), where=mean > 0)
    first: Array = scores[0]
    return first


class Draws:
    """The choices of one step, by numbers that depend on seed and step alone."""

    def __init__(self, seed: int, step: int, sampling: Sampling) -> None:
        self._seed, self._at, self._sampling = seed, step * STREAMS * CHOICES, sampling

    def __call__(self, scores: Array) -> int:
        self._at += 1
        return choose(distribution(scores, (), self._sampling), uniform(self._seed, self._at))


class EventComposer:
    """Tokens of notes, one after the other; which of them make a piece only Elman knows."""

    def __init__(self, model: Model) -> None:
        self._network, self._symbols = model["model"], model.surroundings["symbols"]

    def compose(self, steps: int, sampling: Sampling) -> Iterator[str]:
        """The names of so many tokens, or of fewer, if the piece ends."""
        token, states, seed = self._symbols.index("BOS_None"), None, seed_of(sampling)
        for position in range(1, steps + 1):
            outputs, states = self._network.run({"tokens": np.array([[token]])}, states)
            p = distribution(outputs["scores"][0, -1], (), sampling)
            token = choose(p, uniform(seed, position))
            if self._symbols[token] == "EOS_None":
                return
            yield self._symbols[token]


def composer(model: Model) -> FrameComposer | EventComposer:
    """That of the model's form."""
    return (FrameComposer if model.surroundings["form"] == "frames" else EventComposer)(model)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compose.")
    parser.add_argument("--bars", type=int, default=BARS, help="bars to make")
    parser.add_argument("--steps", type=int, help="steps, or events, to make instead")
    parser.add_argument("--temperature", type=float, default=1.0, help="0 takes the likeliest")
    parser.add_argument("--top-k", type=int, default=0, help="so many likeliest; 0 for all")
    parser.add_argument("--top-p", type=float, default=1.0, help="up to this probability")
    parser.add_argument("--seed", type=int, help="another one each time if not given")
    parser.add_argument("--tempo", type=float, default=100.0, help="quarters a minute")
    parser.add_argument("--output", type=Path, help="a MIDI file; without it notes are printed")
    parser.add_argument("--json", action="store_true", help=JSON)
    asked = parser.parse_args()
    making = composer(open_model())
    with ending():
        if asked.json:
            answer_json(partial(answer, making))
            return
        how = Sampling(asked.temperature, asked.top_k, asked.top_p, seed=asked.seed)
        usual = asked.bars * making.bar if isinstance(making, FrameComposer) else EVENTS
        made = making.compose(usual if asked.steps is None else asked.steps, how)
        if asked.output is None:
            for step in made:
                print(step if isinstance(step, str) else written(step), flush=True)
        elif isinstance(making, FrameComposer):
            steps = [step for step in made if not isinstance(step, str)]
            of = making.per_quarter, making.metre, asked.tempo
            asked.output.write_bytes(midi(steps, *of, voices=making.voices > 0))
        else:
            parser.error("--output: a model of events gives tokens; leave it out")


def answer(making: FrameComposer | EventComposer, question: dict[str, Any]) -> list[Any]:
    """So many `steps`; the other keys are options of `Sampling`."""
    how = dict(question)
    return list(making.compose(how.pop("steps", EVENTS), Sampling(**how)))


if __name__ == "__main__":
    main()
