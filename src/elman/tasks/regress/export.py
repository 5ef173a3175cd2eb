"""What leaves of a regressor.

    columns     which columns of a table hold what: `sequence_column`, `input_columns`, `target`, …
    encoder     {"x", "y", "state", "static": {"mean", "deviation"}, "every_step", …}: inputs are
                (x - mean) / deviation, and what is told is told * deviation + mean of `y`
    start       None, or what sequences start from: "state" or "static" values, unscaled
    feedback    whether the values of the step before are read: they are states of the program
    linear      linear answers, as `Recursion` or `Featured` keep themselves, told of the scaled
                inputs of each sequence and of what is known at its start; the network reads them

Where values are told at every step and no layer reads backwards, the program `model` streams:
`x` [B, T, I] (with feedback one step, [B, 1, I]), and `linear_N` [B, T, O] of each linear answer →
`y` [B, T, O]. Its first states are those that the program `start` makes of `known` [B, S], where
there is one; else zeros, or as they were learnt.

Else it reads whole sequences: `x`, `lengths`, `known` [B, S] where something is known at the start,
and `linear_N` [B, T, O] or [B, O] → `y` [B, T, O] or [B, O].

Question: {"x": [T][I], "known": [S]}, in the data's units; answer: [T][O], or [O].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from elman.export.building import Builder, Last, stacked, unstacked
from elman.export.program import Array, Arrays, Export, Program, Raw, Runner
from elman.layers.recurrent import Recurrent
from elman.tasks import leaving
from elman.tasks.regress.data import Encoded, Encoder, Scale
from elman.tasks.regress.model import Member, Regressor, Start
from elman.tasks.regress.options import RegressOptions
from elman.tasks.regress.reading import settled
from elman.tasks.regress.scores import tell
from elman.tasks.task import Kept


def export(model: nn.Module, kept: Kept, options: RegressOptions) -> Export:
    model = cast(Regressor, model)
    _, encoder, _ = settled(kept)
    start = {"given": "state", "encoded": "static"}.get(options.initial_state or "")
    surroundings = {
        "columns": kept["columns"],
        "encoder": encoder.to_json(),
        "start": start,
        "feedback": model.feedback,
        "linear": [one.to_json() for one in encoder.linear],
    }
    leave = Leaving(model, encoder, start)
    programs: dict[str, Program] = {"model": leave.model()}
    originals: dict[str, Runner] = {"model": Whole(leave)}
    if leave.streams:
        originals["model"] = Streamed(leave)
        if start is not None:
            programs["start"], originals["start"] = leave.start(), First(leave)
    raw = Raw(partial(drawn, encoder, start), partial(answered, model, encoder, start, options))
    return Export("regress", programs, surroundings, originals, raw)


def drawn(encoder: Encoder, start: str | None, draw: np.random.Generator, count: int) -> list[Any]:
    """Sequences about the mean of what was trained on."""
    own: Scale = getattr(encoder, start) if start else encoder.state
    return [
        {
            "x": encoder.x.back(draw.standard_normal((int(n), len(encoder.x.mean)))).tolist(),
            "known": own.back(draw.standard_normal(len(own.mean))).tolist() if start else [],
        }
        for n in draw.integers(1, 50, count)
    ]


def answered(
    model: Regressor, encoder: Encoder, start: str | None, options: RegressOptions,
    questions: Sequence[Any],
) -> list[Any]:  # fmt: skip
    none, encoded = np.zeros(0, np.float32), []
    for one in questions:
        x = encoder.x.scaled(np.array(one["x"]).reshape(-1, len(encoder.x.mean)))
        known = np.array(one["known"], dtype=np.float32)
        state, static = (known if start == side else none for side in ("state", "static"))
        encoded.append(Encoded(x, none, state, static))
    told = tell(model, encoder.with_linear(encoded), options, "cpu")
    return [encoder.y.back(values).tolist() for values in told]


@dataclass(frozen=True)
class Leaving:
    """A regressor on its way out: `stated` is what its sequences start from."""

    whole: Regressor
    encoder: Encoder
    stated: str | None

    @property
    def members(self) -> list[Member]:
        return [one for one in self.whole.members if isinstance(one, Member)]

    @property
    def streams(self) -> bool:
        both = any(any(m.reader.recurrent.bidirectional) for m in self.members)
        return self.encoder.every_step and not both

    @property
    def answers(self) -> list[int]:
        """The linear answers that are read."""
        return sorted({m.answer for m in self.members if m.answer is not None})

    @property
    def known(self) -> int:
        """How many values are known at the start."""
        scale = self.encoder.static if self.stated == "static" else self.encoder.state
        return len(scale.mean)

    def prefix(self, k: int) -> str:
        """What the names of a member's states begin with."""
        return leaving.prefix(k, len(self.members))

    def model(self) -> Program:
        build, O = Builder(self.whole), len(self.encoder.y.mean)  # noqa: E741
        steps = 1 if self.whole.feedback else "T"
        x = build.numbers("x", "B", steps, len(self.encoder.x.mean))
        lengths = None if self.streams else build.lengths()
        known = None
        if self.stated is not None and not self.streams:
            known = build.numbers("known", "B", self.known)
        told = ("B", steps, O) if self.encoder.every_step else ("B", O)
        linear = {k: build.numbers(f"linear_{k}", *told) for k in self.answers}
        each = [
            self._member(build, k, member, x, lengths, known, linear)
            for k, member in enumerate(self.members)
        ]
        return build.done(build.named(build.mean(each), "y"))

    def _member(
        self, build: Builder, k: int, member: Member, x: str, lengths: str | None,
        known: str | None, linear: dict[int, str],
    ) -> str:  # fmt: skip
        answer = None if member.answer is None else linear[member.answer]
        past = f"{self.prefix(k)}told" if member.feedback else None
        before = None if past is None else build.state(past, np.zeros(member.targets))
        parts = [x]
        if before is not None:
            parts.append(build.steps(before, 1))
        if answer is not None and member.pool is None:
            parts.append(answer)
        x = build.concat(*parts)
        stack = member.reader.recurrent
        if self.streams:
            y, _ = build.stack(stack, x, carried=True, prefix=self.prefix(k))
        else:
            first = None
            if member.start is not None and known is not None:
                first = _started(build, member.start, known)
            y, _ = build.stack(stack, x, lengths, first=first)
        if member.pool is not None:
            y = leaving.pooled(build, member.pool, y, lengths)
        told = build.linear(y, member.output)
        if answer is not None and member.trust is not None:
            trusted = build.affine(answer, member.trust)
            told = build.add(trusted, build.affine(told, member.left))
        if past is not None:
            build.carry(past, build.pool(told, "last", None))
        return told

    def start(self) -> Program:
        """The first states, by name."""
        build, made = Builder(self.whole), []
        known = build.numbers("known", "B", self.known)
        for k, member in enumerate(self.members):
            assert member.start is not None
            layers = _started(build, member.start, known)
            for at, (cell, (states,)) in enumerate(
                zip(member.reader.recurrent.cell, layers, strict=True)
            ):
                for name, value in zip(cell.states, states, strict=True):
                    made.append(build.named(value, f"{self.prefix(k)}{name}_l{at}"))
        return build.done(*made)


def _started(build: Builder, start: Start, known: str) -> Last:
    """The first states of `Start`, by layer, direction and state."""
    if start.outer is not None:
        known = build.affine(known, 1 / start.deviation, -start.mean / start.deviation)
        if start.inner is not None:
            known = build.activation(build.linear(known, start.inner), "tanh")
        known = build.linear(known, start.outer)
    place, made = 0, []
    for n, D, H in start.shapes:
        at = [[place + (s * D + d) * H for s in range(n)] for d in range(D)]
        made.append(tuple(tuple(build.slice(known, a, a + H) for a in one) for one in at))
        place += n * D * H
    return made


def _tensor(values: Array) -> Tensor:
    return torch.from_numpy(values)


@dataclass(frozen=True)
class Whole:
    """The model over whole sequences, as a `Runner`."""

    leave: Leaving

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        x, lengths = _tensor(inputs["x"]), _tensor(inputs["lengths"])
        known = _tensor(inputs.get("known", np.zeros((len(x), 0), np.float32)))
        y = self.leave.whole(x, lengths, known, _linear(self.leave, inputs))
        return {"y": y.numpy()}, {}


@dataclass(frozen=True)
class Streamed:
    """The model over a stretch of a sequence, as a `Runner`."""

    leave: Leaving

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        x, linear = _tensor(inputs["x"]), _linear(self.leave, inputs)
        told: list[Tensor] = []
        after: dict[str, Array] = {}
        for k, member in enumerate(self.leave.members):
            prefix, stack = self.leave.prefix(k), member.reader.recurrent
            past = torch.zeros(len(x), member.targets)
            state = None
            if states is not None:
                own = leaving.own(prefix, states)
                state = stacked(stack, own)
                past = _tensor(own["told"]) if member.feedback else past
            answer = None if member.answer is None or linear is None else linear[member.answer]
            parts = [x, past[:, None]] if member.feedback else [x]
            seen = torch.cat(parts if answer is None else [*parts, answer], -1)
            y, end = stack(seen.transpose(0, 1), state)
            assert isinstance(y, Tensor)
            told.append(member._told(y.transpose(0, 1), answer))
            after |= {f"{prefix}{n}": v for n, v in unstacked(stack, end).items()}
            if member.feedback:
                after[f"{prefix}told"] = told[-1][:, -1].numpy()
        return {"y": torch.stack(told).mean(0).numpy()}, after


@dataclass(frozen=True)
class First:
    """The first states by what is known at the start, as a `Runner`."""

    leave: Leaving

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        known = _tensor(inputs["known"])
        made: dict[str, Array] = {}
        for k, member in enumerate(self.leave.members):
            stack: Recurrent = member.reader.recurrent
            assert member.start is not None
            first = unstacked(stack, member.start(known))
            made |= {f"{self.leave.prefix(k)}{name}": value for name, value in first.items()}
        return made, {}


def _linear(leave: Leaving, inputs: Arrays) -> Tensor | None:
    """[L, B, …] of the linear answers; zeros for those that nobody reads."""
    if not leave.answers:
        return None
    like = _tensor(inputs[f"linear_{leave.answers[0]}"])
    return torch.stack([
        _tensor(inputs[f"linear_{k}"]) if k in leave.answers else torch.zeros_like(like)
        for k in range(len(leave.encoder.linear))
    ])  # fmt: skip
