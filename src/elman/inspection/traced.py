"""One layer of a trained network over one sequence, as a trace takes it, with its own weights.

What comes to the layer from above is taken from autograd: the gradient of the run's own loss by
each state, less what the step after sends back. The trace then makes every other gradient by the
cell's equations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from elman.errors import UserError
from elman.inspection.subject import Subject
from elman.inspection.subjects import of_run, of_text
from elman.layers.scan import State
from elman.probe.opened import Layers, Pass, Step, opened
from elman.probe.trace import Setup, Weights

if TYPE_CHECKING:
    from elman.run.trained import Run

MOST_STEPS = 2_000  # of a sequence
TINY = 1e-5  # of the largest gradient from above, below which a state gets none
ROUNDED = 1e-3  # share up to which float32 may differ from what is reckoned in float64


@dataclass(frozen=True)
class Traced:
    """A layer over a sequence, and what the run itself made of it."""

    setup: Setup
    labels: Mapping[int, str]  # what each step reads, by its number from 1
    name: str  # of the layer
    what: str  # the sequence, in words
    loss: float  # of the whole network over the sequences that were read
    outputs: Tensor  # [T, H], of the run's own pass
    gradient: Tensor  # of weight_ih, by autograd through the whole network, [G*H, I]
    alone: bool  # whether that is of this sequence and this pass alone

    def agrees(self, outputs: Tensor, gradient: Tensor | None) -> str:
        """How far a trace lies from the run's own pass, in a sentence; WARNING where too far."""
        far = float((outputs - self.outputs).abs().max())
        told, size = f"the run's own pass, in float32, differs by {far:.1e} at most", 1.0
        good = far <= ROUNDED * max(1.0, float(self.outputs.abs().max()))
        if gradient is not None and self.alone:
            size = float(self.gradient.abs().max())
            apart = float((gradient - self.gradient).abs().max())
            told += f", its gradient of W by {apart:.1e}, where the largest is {size:.3g}"
            good = good and apart <= ROUNDED * max(size, 1e-6)
        return told if good else f"WARNING: {told}"


def trace_of(run: Run, *data: str, text: str | None = None, row: int = 0, layer: int = 0) -> Traced:
    """A layer, counted from 0 over all that are recurrent, over the `row`-th sequence that is drawn
    from the run's validation part or from `data`; or over `text`.

    UserError: no such layer, a text or data that the task cannot read, a layer that cannot be
    written as its cell's equations alone.
    """
    try:
        subject = of_run(run, *data, size=1, seed=row) if text is None else of_text(run, text, row)
    except UserError as error:
        if text is None:
            raise
        raise UserError(f"--text: {error}; give a longer text, or DATA") from None
    return trace_in(subject, layer)


def trace_in(subject: Subject, layer: int = 0, sequence: int = 0) -> Traced:
    """A layer, counted from 0, over one of the sequences of a subject of a run.

    UserError: no such layer, a layer that cannot be written as its cell's equations alone.
    """
    seen = _chosen(subject, layer)
    model = subject.model
    with opened(model, gradients=True) as layers:
        loss = subject.loss(model)
        found = _same(layers, seen)
        _check(found)
        return _traced(subject, found, loss, layers, sequence)


def _chosen(subject: Subject, layer: int) -> Pass:
    names = [subject.called(seen) for seen in subject.passes]
    if not 0 <= layer < len(names):
        listed = ", ".join(f"{k} {name}" for k, name in enumerate(names))
        raise UserError(f"--layer {layer}: there is {listed}")
    return subject.passes[layer]


def _same(layers: Layers, seen: Pass) -> Pass:
    """The same pass of another run through the model."""
    (found,) = [
        one for one in layers.of(seen.path, seen.layer, reverse=seen.reverse)
        if one.call == seen.call
    ]  # fmt: skip
    return found


def _check(seen: Pass) -> None:
    d, steps = seen.direction, len(seen.steps)
    if d.norm_ih is not None or d.norm_hh is not None:
        raise UserError(f"{seen.name} has layer norm, which is no part of its cell's equations")
    if d.keep is not None:
        raise UserError(f"{seen.name} has zoneout, which is no part of its cell's equations")
    if steps > MOST_STEPS:
        raise UserError(f"the sequence has {steps:,} steps; at most {MOST_STEPS:,} can be traced")


def _traced(subject: Subject, seen: Pass, loss: Tensor, layers: Layers, sequence: int) -> Traced:
    rows = seen.rows.unsorted
    row = sequence if rows is None else int(rows[sequence])
    alive = sum(size > row for size in seen.rows.sizes)
    order = range(alive) if not seen.reverse else range(alive - 1, -1, -1)
    steps = [seen.steps[t] for t in order]
    own = _inputs(seen, row)
    d, call = seen.direction, next(c for c in layers.calls if seen in c.passes)
    words = subject.steps_of(call)
    labels = {} if words is None else {k: words[sequence][t] for k, t in enumerate(order, 1)}
    # Of a batch of several sequences, or of a layer that is asked more than once, it is no sum over
    # this sequence alone.
    alone = seen.rows.sizes[0] == 1 and len(layers.of(seen.path, seen.layer)) == 1
    above = _above(seen, steps, row, loss)
    (gradient,) = torch.autograd.grad(loss, [d.weight_ih], allow_unused=True) if (
        d.weight_ih.requires_grad) else (None,)  # fmt: skip
    weights = Weights(
        _exact(d.weight_ih), _double(d.weight_hh), _double(d.bias_ih), _double(d.bias_hh)
    )
    setup = Setup(
        seen.cell,
        weights,
        torch.stack([own[t] for t in order]),
        {name: _exact(steps[0].before[k][row]) for k, name in enumerate(seen.cell.states)},
        above=above,
    )
    return Traced(
        setup,
        labels,
        subject.called(seen),
        subject.what,
        float(loss.detach()),
        torch.stack([_exact(step.after[0][row]) for step in steps]),
        torch.zeros_like(weights.weight_ih) if gradient is None else _exact(gradient),
        alone and gradient is not None,
    )


def _inputs(seen: Pass, row: int) -> list[Tensor]:
    """What one sequence reads at each step, [I] each."""
    if seen.x.dim() == 3:
        return [_exact(step[row]) for step in seen.x]
    starts = torch.tensor([0, *seen.rows.sizes]).cumsum(0).tolist()
    return [
        _exact(seen.x[start + row])
        for start, size in zip(starts, seen.rows.sizes, strict=False)
        if size > row
    ]


def _above(seen: Pass, steps: Sequence[Step], row: int, loss: Tensor) -> dict[str, Tensor]:
    """What comes to the gradient of each state after each step from outside of the layer; states
    that get nothing are left out."""
    states = [s for step in steps for s in step.after]
    grads = torch.autograd.grad(loss, states, retain_graph=True, allow_unused=True)
    whole = [torch.zeros_like(s) if g is None else g for s, g in zip(states, grads, strict=True)]
    names, count = seen.cell.states, len(seen.cell.states)
    found: dict[str, list[Tensor]] = {name: [] for name in names}
    for at, step in enumerate(steps):
        outside = _outside(step.after, whole[at * count : (at + 1) * count])
        back: Sequence[Tensor | None] = [None] * count
        if at + 1 < len(steps):
            sent = whole[(at + 1) * count : (at + 2) * count]
            later = steps[at + 1]
            back = torch.autograd.grad(
                later.after, later.before, _outside(later.after, sent), retain_graph=True,
                allow_unused=True,
            )  # fmt: skip
        for name, mine, less in zip(names, outside, back, strict=True):
            found[name].append(_exact(mine[row]) - (0.0 if less is None else _exact(less[row])))
    made = {name: torch.stack(parts) for name, parts in found.items()}
    size = max(float(part.abs().max()) for part in made.values())
    return {n: part for n, part in made.items() if n == names[0] or part.abs().max() > TINY * size}


def _outside(states: State, whole: Sequence[Tensor]) -> list[Tensor]:
    """The gradients of the states after a step, less what comes to one through another of the same
    step, as to c of an LSTM through h = o * tanh(c)."""
    own = list(whole)
    for _ in states[1:]:  # so often that a state may be reached through all others
        for k, state in enumerate(states):
            through = [
                torch.autograd.grad(other, state, own[j], retain_graph=True, allow_unused=True)[0]
                for j, other in enumerate(states)
                if j != k
            ]
            own[k] = whole[k] - sum((part for part in through if part is not None),
                                    torch.zeros_like(state))  # fmt: skip
    return own


def _exact(x: Tensor) -> Tensor:
    return x.detach().double().cpu().clone()


def _double(x: Tensor | None) -> Tensor | None:
    return None if x is None else _exact(x)
