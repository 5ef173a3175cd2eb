"""What leaves of a model of frames: what it says of the notes of each step.

    form        "frames"
    reading     {"per_quarter", "lowest", "highest", "voices", "bars", …}
    places      [K][F], what is read of each kind of place; `FrameReading.places` tells the kind
    head        "independent", "chain" or "voices"; P pitches are counted from `lowest`
    lookback    [K][L], of each kind of place how many steps before it the frames stood that the
                model looks back on; [] of one that does not

Program `model` streams: `before` [B, T, P], 1 where a note sounds in the frame before each step; or
of voices `voice_0` [B, T], …, the highest first, the pitch of each, P where it is silent; the same
of the frames that it looks back on, `back_0` [B, T, P], …, or `back_0_voice_0` [B, T], …; and
`place` [B, T], the kind of place of the step itself → `scores` [B, T, P], log odds of each note, of
the independent head; of the others `context` [B, T, C], from which notes are told one by one.

Program `begin`: `context` [B, C] → the state `h_l0`, and `direct`, scores that are added to those
of every note. Program `note` streams: `token` [B, 1], first P → `scores` [B, P + 1] of the next. Of
a chain `direct` is [B, P + 1]; notes rise, and P ends the frame. Of voices, from the lowest up, it
is [B, V * (P + 1)], of each in turn; a token is the note below plus voice * (P + 1), voices counted
from the lowest, and P is silence.

No rules of composing leave: what must or may not sound, ends and repeats stay with Elman. A note
sounds at most `longest` steps, as there.

Question: {"steps", "temperature", "top_k", "top_p", "seed"}; answer: of each step the pitches, as
in MIDI, from below, or of voices from the highest down, None where one is silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from elman.export.building import Builder, stacked, unstacked
from elman.export.program import Array, Arrays, Export, Program, Raw, Runner
from elman.options import make
from elman.tasks.music.composing.composer import compose
from elman.tasks.music.composing.options import Composing
from elman.tasks.music.frames.data import SILENT
from elman.tasks.music.frames.heads.chain import Chain
from elman.tasks.music.frames.heads.independent import Independent
from elman.tasks.music.frames.heads.voices import Voices
from elman.tasks.music.frames.model import FrameModel
from elman.tasks.music.options import OCTAVE, MusicOptions
from elman.tasks.task import Kept


def export(model: nn.Module, kept: Kept, options: MusicOptions) -> Export:
    assert isinstance(model, FrameModel)
    surroundings: dict[str, Any] = {
        "form": "frames",
        "reading": model.reading.to_json(),
        "places": model.features.tolist(),
        "head": options.head,
        "lookback": [] if model.back is None else model.back.lags.tolist(),
    }
    raw = Raw(drawn, partial(answered, model, kept, options))
    programs: dict[str, Program] = {"model": frames(model)}
    originals: dict[str, Runner] = {"model": Steps(model)}
    if isinstance(model.head, Chain | Voices):
        programs |= {"begin": begin(model, model.head), "note": note(model, model.head)}
        originals |= {"begin": Begin(model.head), "note": Note(model.head)}
    return Export("music", programs, surroundings, originals, raw)


def drawn(draw: np.random.Generator, count: int) -> list[Any]:
    return [
        {"steps": 24, "temperature": float(draw.integers(3)) / 2, "top_p": 0.95, "seed": k}
        for k in range(count)
    ]


def answered(
    model: FrameModel, kept: Kept, options: MusicOptions, questions: Sequence[Any]
) -> list[Any]:
    composer, lowest = compose(model, kept, options, "cpu"), model.reading.lowest
    answers = []
    for question in questions:
        made = composer.compose(make(Composing, question), composer.begin(), question["seed"])
        for _ in made:
            pass
        steps = made.place.history
        answers.append([
            (step.nonzero()[:, 0] + lowest).tolist() if step.dtype == torch.bool
            else [None if note == SILENT else note + lowest for note in step.tolist()]
            for step in steps
        ])  # fmt: skip
    return answers


def frames(model: FrameModel) -> Program:
    build = Builder(model)
    heard = [part for name in frame_inputs(model) for part in _heard(build, model, name)]
    place = build.ids("place", ("B", "T"), len(model.features))
    x = build.concat(*heard, build.lookup(place, model.features))
    y, _ = build.stack(model.recurrent, x, carried=True)
    context = build.concat(y, x)
    if isinstance(model.head, Independent):
        return build.done(build.linear(context, model.head.output, "scores"))
    return build.done(build.named(context, "context"))


def frame_inputs(model: FrameModel) -> list[list[str]]:
    """The inputs in which each frame stands that a step is told from, in the order of the model."""
    backs = [] if model.back is None else model.back.bars
    prefixes = ["", *(f"back_{k}_" for k in range(len(backs)))]
    if model.in_voices:
        return [[f"{p}voice_{v}" for v in range(model.reading.voices)] for p in prefixes]
    return [[p.rstrip("_") or "before"] for p in prefixes]


def _heard(build: Builder, model: FrameModel, names: Sequence[str]) -> tuple[str, str]:
    """The notes of a frame, and the pitch classes among them, [12]."""
    P, classes = model.reading.pitches, model.classes  # [P, 12]
    if model.in_voices:
        each = [build.one_hot(build.ids(name, ("B", "T"), P + 1), P + 1) for name in names]
        notes = build.concat(*each)
        # The pitch class of each voice; silence has none.
        classes = torch.cat([classes, classes.new_zeros(1, OCTAVE)]).repeat(len(names), 1)
    else:
        notes = build.flags(names[0], "B", "T", P)
    return notes, build.product(notes, classes.T)


def begin(model: FrameModel, head: Chain | Voices) -> Program:
    build = Builder(model)
    context = build.numbers("context", "B", model.context_size)
    state = build.activation(build.linear(context, head.begin), "tanh", "h_l0")
    return build.done(state, build.linear(context, head.direct, "direct"))


def note(model: FrameModel, head: Chain | Voices) -> Program:
    build = Builder(model)
    token = build.ids("token", ("B", 1), head.notes.num_embeddings)
    y, _ = build.stack(head.layer, build.lookup(token, head.notes.weight), carried=True)
    return build.done(build.linear(build.pool(y, "last", None), head.output, "scores"))


@dataclass(frozen=True)
class Steps:
    """What is known of steps, as a `Runner`."""

    model: FrameModel

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        model, stack = self.model, self.model.recurrent
        before, *back = (self._frames(inputs, names) for names in frame_inputs(model))
        place = torch.from_numpy(inputs["place"]).T
        state = None if states is None else stacked(stack, states)
        x = model.inputs(before, torch.stack(back, -2) if back else None, place)
        context, after = model.told(x, state)
        context = context.transpose(0, 1)
        if isinstance(model.head, Independent):
            return {"scores": model.head.output(context).numpy()}, unstacked(stack, after)
        return {"context": context.numpy()}, unstacked(stack, after)

    def _frames(self, inputs: Arrays, names: Sequence[str]) -> torch.Tensor:
        """A frame before each step, as the model reads it, [T, B, …]."""
        if not self.model.in_voices:
            return torch.from_numpy(inputs[names[0]] > 0).transpose(0, 1)
        each = np.stack([inputs[name] for name in names], -1)
        told = np.where(each == self.model.reading.pitches, SILENT, each)
        return torch.from_numpy(told).transpose(0, 1)


@dataclass(frozen=True)
class Begin:
    """What notes are told from, as a `Runner`."""

    head: Chain | Voices

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        context = torch.from_numpy(inputs["context"])
        state, direct = self.head.begin(context).tanh(), self.head.direct(context)
        return {"h_l0": state.numpy(), "direct": direct.numpy()}, {}


@dataclass(frozen=True)
class Note:
    """One note after another, as a `Runner`."""

    head: Chain | Voices

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        token, layer = torch.from_numpy(inputs["token"]), self.head.layer
        state = None if states is None else stacked(layer, states)
        y, after = layer(token.T, state, embedding=self.head.notes.weight)
        return {"scores": self.head.output(y[0]).numpy()}, unstacked(layer, after)
