"""What is looked at: a model, a batch for it, and how long that may take."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from elman.errors import UserError
from elman.probe.gradients import longest_calls
from elman.probe.opened import Call, Layers, Pass, opened
from elman.tasks.looking import ENSEMBLE, Look, alike, network_number

if TYPE_CHECKING:
    from elman.run.trained import Run


@dataclass
class Allowance:
    """How much time is left to whoever is asked now."""

    until: float = float("inf")  # by `time.perf_counter`

    @property
    def seconds(self) -> float:
        return max(0.0, self.until - time.perf_counter())


@dataclass(frozen=True, eq=False)
class Subject:
    """A model, and the loss of one batch of sequences, summed: `loss(model)`.

    Of a run there is more: its `look`, what the steps of the batch are in words, and
    `more(size, seed)`, the same subject with another batch of so many sequences.
    """

    model: nn.Module
    loss: Callable[[nn.Module], Tensor]
    what: str  # the batch, in words; empty where nobody said
    look: Look[Any] | None = None
    run: Run | None = None
    dataset: Any = None
    more: Callable[[int, int], Subject] | None = None
    allowance: Allowance = field(default_factory=Allowance)
    patterns: tuple[str, ...] = ()  # that units are sought for, if not the usual ones

    @property
    def seconds(self) -> float:
        """What is left of the time of the section that is asked now."""
        return self.allowance.seconds

    def unit(self, path: str) -> str:
        """What a step of a module is: character, token, step."""
        call = next((c for c in self.calls if c.path == path), None)
        if self.look is None or self.look.stride > 1 or call is None:
            return "step"
        return "step" if self.steps_of(call) is None else self.look.unit

    def where(self, path: str) -> str:
        """ " of the encoder", for sentences; empty where there is one module only."""
        if len(self.paths) == 1 or not path:
            return ""
        return f" of {ENSEMBLE.sub('', path).removesuffix('.recurrent')}"

    @cached_property
    def layers(self) -> Layers:
        """The model opened and run over the batch once, without gradients.

        UserError: nothing recurrent in it, or its layers were not asked.
        """
        with opened(self.model) as layers:
            self.loss(self.model)
        if not layers.calls:
            raise UserError("the loss asks no recurrent layer; is it the loss of this model?")
        return layers

    @cached_property
    def calls(self) -> list[Call]:
        """Of each recurrent module its longest call; of networks that answer together those of the
        first. Modules that read one step only are left out, where others read more."""
        calls = [c for c in longest_calls(self.layers) if not self.repeated(c.path)]
        return [c for c in calls if len(c.rows.sizes) > 1] or calls

    @property
    def paths(self) -> list[str]:
        """The modules of `calls`."""
        return [call.path for call in self.calls]

    @property
    def passes(self) -> list[Pass]:
        """Every layer in every direction of `calls`."""
        return [seen for call in self.calls for seen in call.passes]

    @property
    def networks(self) -> int:
        """How many networks answer together."""
        return 1 + max(network_number(call.path) for call in self.layers.calls)

    def repeated(self, path: str) -> bool:
        """Whether a module belongs to a network like one that is looked at already."""
        return self.run is not None and alike(path)

    def called(self, seen: Pass) -> str:
        """A pass as people read it, without what all passes of the run have in common."""
        name = ENSEMBLE.sub("", seen.name)
        if len(self.paths) == 1 and seen.path:
            name = seen.name.removeprefix(f"{seen.path}, ")
        return re.sub(r"\b(\w+)\.recurrent\b", r"\1", name)

    def steps_of(self, call: Call) -> list[list[str]] | None:
        """What each step of each sequence reads, where it is known for this module."""
        if self.look is None:
            return None
        lengths, stride = call.rows.lengths.tolist(), self.look.stride
        for steps in (self.look.steps, self.look.answers):
            shown = [row[::stride] for row in steps]
            if [len(row) for row in shown] == lengths:
                return shown
        return None

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device
