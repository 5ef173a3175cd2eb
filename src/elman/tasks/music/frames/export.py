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

Of several networks the names of their states begin with `m0_`, `m1_`, … Contexts, `direct` and
`scores` of the next note are those of the first, then those of the second, and so on: a note is as
likely as it is on average to each, once each is told what may come next. `scores` of the
independent head are those of all together.

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
from elman.tasks import leaving
from elman.tasks.ensemble import LEAST
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
    heads = [network.head for network in model.networks]
    chained = [head for head in heads if isinstance(head, Chain | Voices)]
    if chained:
        programs |= {"begin": begin(model, chained), "note": note(model, chained)}
        originals |= {"begin": Begin(chained), "note": Note(chained)}
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
    networks, contexts, scores = model.networks, list[str](), list[str]()
    for k, network in enumerate(networks):
        prefix = leaving.prefix(k, len(networks))
        y, _ = build.stack(network.recurrent, x, carried=True, prefix=prefix)
        contexts.append(build.concat(y, x))
        if isinstance(network.head, Independent):
            scores.append(build.linear(contexts[-1], network.head.output))
    if scores:
        return build.done(build.named(_odds(build, scores), "scores"))
    return build.done(build.named(build.concat(*contexts), "context"))


def _odds(build: Builder, each: Sequence[str]) -> str:
    """The log odds of what is as likely as it is on average by each of these log odds."""
    if len(each) == 1:
        return each[0]

    def chance(scores: Sequence[str]) -> str:
        mean = build.mean([build.activation(one, "sigmoid") for one in scores])
        return build.activation(build.affine(mean, 1.0, torch.tensor([LEAST])), "log")

    against = chance([build.affine(one, -1.0) for one in each])
    return build.add(chance(each), build.affine(against, -1.0))


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


def begin(model: FrameModel, heads: Sequence[Chain | Voices]) -> Program:
    build = Builder(model)
    sizes = [network.context_size for network in model.networks]
    context, at = build.numbers("context", "B", sum(sizes)), 0
    states, direct = [], []
    for k, (head, size) in enumerate(zip(heads, sizes, strict=True)):
        own = context if len(heads) == 1 else build.slice(context, at, at + size)
        name = f"{leaving.prefix(k, len(heads))}h_l0"
        states.append(build.activation(build.linear(own, head.begin), "tanh", name))
        direct.append(build.linear(own, head.direct))
        at += size
    return build.done(*states, build.named(build.concat(*direct), "direct"))


def note(model: FrameModel, heads: Sequence[Chain | Voices]) -> Program:
    build = Builder(model)
    token, scores = build.ids("token", ("B", 1), heads[0].notes.num_embeddings), []
    for k, head in enumerate(heads):
        read, prefix = build.lookup(token, head.notes.weight), leaving.prefix(k, len(heads))
        y, _ = build.stack(head.layer, read, carried=True, prefix=prefix)
        scores.append(build.linear(build.pool(y, "last", None), head.output))
    return build.done(build.named(build.concat(*scores), "scores"))


@dataclass(frozen=True)
class Steps:
    """What is known of steps, as a `Runner`."""

    model: FrameModel

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        model, stacks = self.model, [network.recurrent for network in self.model.networks]
        before, *back = (self._frames(inputs, names) for names in frame_inputs(model))
        place = torch.from_numpy(inputs["place"]).T
        state = None if states is None else leaving.stacked(stacks, states)
        x = model.inputs(before, torch.stack(back, -2) if back else None, place)
        context, after = model.contexts(x, state)
        context, ends = context.transpose(0, 1), leaving.unstacked(stacks, after)
        if model.together.coins:
            log_p, _ = model.together.ask(context, place.T, None, 0)
            silent, sounds = log_p.unbind(-1)
            if len(stacks) > 1:  # as `_odds` has it
                silent, sounds = ((each.exp() + LEAST).log() for each in (silent, sounds))
            return {"scores": (sounds - silent).numpy()}, ends
        return {"context": context.numpy()}, ends

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

    heads: Sequence[Chain | Voices]

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        parts = torch.from_numpy(inputs["context"]).chunk(len(self.heads), -1)
        pairs = list(zip(self.heads, parts, strict=True))
        found = {
            f"{leaving.prefix(k, len(pairs))}h_l0": head.begin(own).tanh().numpy()
            for k, (head, own) in enumerate(pairs)
        }
        direct = torch.cat([head.direct(own) for head, own in pairs], -1)
        return found | {"direct": direct.numpy()}, {}


@dataclass(frozen=True)
class Note:
    """One note after another, as a `Runner`."""

    heads: Sequence[Chain | Voices]

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        token, scores, ends = torch.from_numpy(inputs["token"]), [], dict[str, Array]()
        for k, head in enumerate(self.heads):
            prefix = leaving.prefix(k, len(self.heads))
            own = None if states is None else stacked(head.layer, leaving.own(prefix, states))
            y, after = head.layer(token.T, own, embedding=head.notes.weight)
            scores.append(head.output(y[0]))
            named = unstacked(head.layer, after)
            ends |= {f"{prefix}{name}": value for name, value in named.items()}
        return {"scores": torch.cat(scores, -1).numpy()}, ends
