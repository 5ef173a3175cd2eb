"""What an answer depends on: how much each step of the input adds to it.

    with asked(model, lambda model: model(tokens)[0][-1].log_softmax(-1)[:, 7]) as (answer, x):
        found = integrated_gradients(answer, x)
    found.values  # [T, B]

What enters the first recurrent layer is looked at: vectors x [T, B, I], those of tokens too. The
answer f(x) [B] is any one number for each sequence that the model makes of it. Each way compares x
with a baseline, vectors of zeros unless told otherwise, which stands for "nothing was read":

- gradient × input, (x - b) · df/dx: the first order alone, one pass;
- integrated gradients, the mean of df/dx on the way from b to x in its place (Sundararajan et al.
  2017, arXiv:1703.01365): the shares sum to f(x) - f(b), and how far they miss it is told;
- occlusion: by how much the answer falls where the baseline stands in place of one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from elman.errors import UserError
from elman.layers.scan import vectors
from elman.probe.measured import Measured
from elman.probe.opened import Rows, recurrent_modules
from elman.probe.quiet import quiet
from elman.wording import counted

Floats: TypeAlias = NDArray[np.float64]
Answer: TypeAlias = Callable[[Tensor], Tensor]  # x [T, B, I] → [B]

TOLERANCE = 0.01  # of what an answer changes by
FIRST, MOST = 8, 512  # places on the way from the baseline


@dataclass(frozen=True, eq=False)
class Saliency:
    """What each step adds to the answer of its sequence, by one way of asking.

    `gap` [B] is how far the sum over steps is from what the answer differs by from that of the
    baseline: for integrated gradients the error that is left. Of one answer for all sequences
    together, `answer`, `baseline` and `gap` have one entry.
    """

    way: str
    values: Floats  # [T, B], zero in padding
    answer: Floats  # [B]
    baseline: Floats  # [B], the answer of the baseline
    points: int = 1  # gradients that were taken

    @property
    def gap(self) -> Floats:
        return _sums(self.values, len(self.answer)) - (self.answer - self.baseline)

    @property
    def whole(self) -> NDArray[np.bool_]:
        """Which sums are right within 1 % of what the answer differs by, [B]."""
        right: NDArray[np.bool_] = self.missed <= TOLERANCE
        return right

    @property
    def complete(self) -> bool:
        """Whether every sum is right within 1 %."""
        return bool(self.whole.all())

    @property
    def missed(self) -> Floats:
        """By what share of what the answer differs by its sum is wrong, [B]."""
        missed: Floats = abs(self.gap) / _scale(self.answer - self.baseline)
        return missed

    def measured(self, unit: str = "") -> Measured:
        """For page and JSON."""
        T, B = self.values.shape
        return Measured(self.way, self.values, unit, ("step", "sequence"), T * B)

    def told(self) -> str:
        """How far the sums can be trusted."""
        asked, gradients = counted(len(self.answer), "answer"), counted(self.points, "gradient")
        return (
            f"{self.way}: the shares miss what the answer differs by from that of no input by at "
            f"most {self.missed.max():.1%} ({asked}, {gradients})"
        )


@contextmanager
def asked(
    model: nn.Module, call: Callable[[nn.Module], Tensor], path: str | None = None
) -> Iterator[tuple[Answer, Tensor]]:
    """The answer `call(model)` as a function of what enters a recurrent module: [B], one number
    for each sequence, or one for all of them, such as a loss.

    `path` names the module, the first one if not given. Yields that function and x [T, B, I] of the
    call itself. Meanwhile the model is in evaluation mode; afterwards all is as it was.
    UserError: no recurrent module, or none of that path; it is called not once but often; `call`
    gives no number for each sequence.
    """
    found, _ = recurrent_modules(model)
    if not found:
        raise UserError("no recurrent layer to look into")
    if path is not None and path not in found:
        raise UserError(f'no recurrent module "{path}"; there are {", ".join(found)}')
    module = next(iter(found.values())) if path is None else found[path]
    door = _Door(module)
    handle = module.register_forward_pre_hook(door, with_kwargs=True)
    try:
        with quiet(model):
            with torch.no_grad():
                first = _numbers(call(model))
            if door.calls != 1 or door.x is None:
                raise UserError(
                    f"the recurrent module is called {door.calls} times; this is for a module that "
                    "reads all steps in one call"
                )
            x = door.x
            if len(first) not in (1, x.shape[1]):
                raise UserError(
                    f"{len(first)} answers for {x.shape[1]} sequences; give one number for each"
                )

            def answer(x: Tensor) -> Tensor:
                door.calls, door.given = 0, x
                return _numbers(call(model))

            yield answer, x
    finally:
        handle.remove()


def gradient_times_input(answer: Answer, x: Tensor, baseline: Tensor | None = None) -> Saliency:
    """(x - b) · df/dx for each step of `x` [T, B, I]; a `baseline` may be one vector for all."""
    b = _baseline(x, baseline)
    gradient, found = _gradient(answer, x)
    with torch.no_grad():
        empty = answer(b)
    values = ((x - b) * gradient).sum(-1)
    return Saliency("gradient times input", _array(values), _array(found), _array(empty))


def integrated_gradients(
    answer: Answer,
    x: Tensor,
    baseline: Tensor | None = None,
    *,
    tolerance: float = TOLERANCE,
    most: int = MOST,
) -> Saliency:
    """Gradients integrated from the baseline to `x` [T, B, I], by Gauss and Legendre's rule.

    The places on the way are doubled until the sums and each share are right within `tolerance` of
    what the answer changes by, or there are `most`; `gap` tells how far they are then.
    """
    b = _baseline(x, baseline)
    with torch.no_grad():
        full, empty = _array(answer(x)), _array(answer(b))
    scale = tolerance * _scale(full - empty)
    before, count = np.full(x.shape[:2], np.inf), min(FIRST, most)
    while True:
        nodes, weights = np.polynomial.legendre.leggauss(count)
        total = torch.zeros(x.shape[:2], dtype=torch.float64, device=x.device)
        for node, weight in zip(nodes, weights, strict=True):
            place = b + (x - b) * float((node + 1) / 2)
            gradient, _ = _gradient(answer, place)
            total += float(weight / 2) * ((x - b) * gradient).sum(-1).double()
        values = _array(total)
        near = abs(_sums(values, len(full)) - (full - empty)) <= scale
        if count >= most or (near.all() and (abs(values - before) <= scale).all()):
            return Saliency("integrated gradients", values, full, empty, count)
        before, count = values, min(2 * count, most)


def occlusion(
    answer: Answer, x: Tensor, baseline: Tensor | None = None, *, width: int = 1
) -> Saliency:
    """By how much the answer falls where the baseline stands in place of `width` steps.

    Of more than one step, those from half the width before to half the width after; the sums then
    count each step that often.
    """
    b = _baseline(x, baseline)
    if not 1 <= width <= len(x):
        raise UserError(f"width {width}: the sequences have {len(x)} steps")
    with torch.no_grad():
        full, empty = answer(x), answer(b)
        falls = []
        for t in range(len(x)):
            start = max(0, t - (width - 1) // 2)
            without = x.clone()
            without[start : t + width // 2 + 1] = b[start : t + width // 2 + 1]
            falls.append(full - answer(without))
    return Saliency("occlusion", _array(torch.stack(falls)), _array(full), _array(empty), 0)


class _Door:
    """Before a module runs: keeps what would enter it, or puts something else in its place."""

    def __init__(self, module: nn.Module) -> None:
        self._batch_first = bool(module.batch_first)
        self.x: Tensor | None = None  # [T, B, I]
        self.given: Tensor | None = None
        self.calls = 0

    def __call__(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        self.calls += 1
        kwargs = dict(kwargs)
        embedding = kwargs.pop("embedding", None)
        input = kwargs.pop("input") if "input" in kwargs else args[0]
        data = input.data if isinstance(input, PackedSequence) else input
        if not data.is_floating_point():
            data = vectors(data, cast(Tensor, module.weight_ih_l0), embedding)
        if self.given is None:
            self.x = self._padded(data.detach(), input)
            entering = data
        else:
            entering = self._form(self.given, input)
        if isinstance(input, PackedSequence):
            entering = PackedSequence(entering, *input[1:])
        return (entering, *args[1:]), kwargs

    def _padded(self, data: Tensor, input: Tensor | PackedSequence) -> Tensor:
        if isinstance(input, PackedSequence):
            rows = _rows(input)
            return rows.padded(torch.split(data, list(rows.sizes)))
        if data.dim() == 2:
            return data.unsqueeze(1)
        return data.transpose(0, 1) if self._batch_first else data

    def _form(self, x: Tensor, input: Tensor | PackedSequence) -> Tensor:
        """The way back; of packed sequences their rows."""
        if isinstance(input, PackedSequence):
            return torch.cat(_rows(input).cut(x))
        one = input.dim() == (2 if input.is_floating_point() else 1)
        if one:
            return x.squeeze(1)
        return x.transpose(0, 1) if self._batch_first else x


def _rows(packed: PackedSequence) -> Rows:
    return Rows(tuple(packed.batch_sizes.tolist()), packed.unsorted_indices)


def _gradient(answer: Answer, x: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        leaf = x.detach().clone().requires_grad_()
        found = answer(leaf)
        # Sequences do not see each other, so that the sum gives each its own.
        (gradient,) = torch.autograd.grad(found.sum(), leaf)
    return gradient, found.detach()


def _numbers(answers: Tensor) -> Tensor:
    if answers.dim() > 1:
        raise UserError(
            f"the answer must be one number for each sequence, got {list(answers.shape)}"
        )
    return answers.reshape(-1)


def _baseline(x: Tensor, baseline: Tensor | None) -> Tensor:
    return torch.zeros_like(x) if baseline is None else baseline.to(x).expand_as(x)


def _sums(values: Floats, answers: int) -> Floats:
    """Over steps, and over sequences where they have one answer together."""
    sums: Floats = values.sum(0)
    return sums if answers == len(sums) else sums.sum(keepdims=True)


def _scale(change: Floats) -> Floats:
    """What an error is a share of; a change near nothing counts as one of a thousandth."""
    return np.maximum(abs(change), 1e-3)


def _array(values: Tensor) -> Floats:
    found: Floats = values.detach().double().cpu().numpy()
    return found
