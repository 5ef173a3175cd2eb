"""Several processes that train one run, over torch.distributed.

Gradients are summed by hand, in one flat buffer: see docs/parallel.md for why not by DDP.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, final

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from elman.data.batching import Share
from elman.errors import UserError
from elman.options import shown
from elman.run.alike import alike
from elman.run.parallel.members import Members
from elman.run.parallel.ranks import Ranks
from elman.tasks.sharing import OfOne, Parted
from elman.tasks.task import Epoch

if TYPE_CHECKING:
    from elman.run.job import Job

Said = TypeVar("Said")


@final
class Several(Ranks):
    """One of several processes, which are `members`."""

    def __init__(self, members: Members, *, local: int, threads: int, command: str) -> None:
        self.members, self.local, self.threads, self.command = members, local, threads, command
        self.rank, self.size = members.rank, members.size
        self._job: Job | None = None
        self._flat = torch.empty(0)

    def each(self, work: Callable[[], Said]) -> Said:
        try:
            found, trouble = work(), ""
        except UserError as error:
            found, trouble = None, str(error)
        troubles = self._all(trouble)
        if any(troubles):
            n = next(n for n, told in enumerate(troubles) if told)
            where = "" if all(troubles) else f"{self.members.name(n)}: "
            raise UserError(where + troubles[n])
        return found  # type: ignore[return-value]

    def check_alike(self, values: Mapping[str, Any]) -> None:
        every = self._all(dict(values))
        for n, other in enumerate(every):
            for what, value in every[0].items():
                if not alike(other.get(what), value):
                    raise UserError(
                        f"{self.members.name(n)} has {what} {listed(other.get(what))}, and "
                        f"{self.members.name(0)} {listed(value)}; give all of them the same"
                    )

    def tell(self, value: Said | None) -> Said:
        said = [value]
        with self._together():
            dist.broadcast_object_list(said, src=0)
        return said[0]  # type: ignore[return-value]

    def begin(self, job: Job) -> None:
        self._job = job
        job.clock.told = self.tell(job.clock.elapsed)
        with self._together(), torch.no_grad():
            for tensor in (*job.model.parameters(), *job.model.buffers()):
                dist.broadcast(tensor, src=0)
        if self.rank:
            drawn = np.random.SeedSequence((job.how.seed, self.rank)).generate_state(1, np.uint64)
            torch.manual_seed(int(drawn[0]))

    def share(self, epoch: Epoch[Any]) -> Epoch[Any]:
        if not isinstance(epoch, Parted):
            raise UserError(
                "batches of this task cannot be shared: its epochs have no `part`; train it in "
                "one process"
            )
        return OfOne(epoch, Share(self.rank, self.size))

    def agree(self, count: int, *, asked: bool) -> tuple[int, bool]:
        assert self._job is not None
        now = self._job.clock.now if self.first else 0.0
        told = torch.tensor([count, asked, now], dtype=torch.float64)
        with self._together():
            dist.all_reduce(told)
        counted, stop, self._job.clock.told = told.tolist()
        return int(counted), stop > 0

    def sum(self, model: nn.Module, total: Tensor) -> float:
        weights = [p for p in model.parameters() if p.requires_grad]
        given = torch.tensor([p.grad is not None for p in weights], dtype=torch.float32)
        head = [total.detach().float().reshape(1), given.to(total.device)]
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in weights]
        size = 1 + len(weights) + sum(p.numel() for p in weights)
        if len(self._flat) != size or self._flat.device != total.device:
            self._flat = torch.empty(size, device=total.device)
        torch.cat([*head, *(part.reshape(-1) for part in parts)], out=self._flat)
        with self._together():
            dist.all_reduce(self._flat)
        at = 1 + len(weights)
        there = self._flat[1:at].tolist()
        for weight, found in zip(weights, there, strict=True):
            gradient = self._flat[at : at + weight.numel()].view_as(weight)
            weight.grad = gradient if found else None
            at += weight.numel()
        return self._flat[0].item()

    def from_first(self, work: Callable[[], Said]) -> Said:
        assert self._job is not None
        clock, said = self._job.clock, None
        if self.first:
            clock.told = None  # it goes on while this rank is at work
            said = (work(), clock.elapsed, clock.validation)
        found, clock.told, clock.validation = self.tell(said)
        return found

    def gather(self, tensors: Mapping[str, Tensor]) -> list[Mapping[str, Tensor]]:
        own = {name: tensor.detach().cpu() for name, tensor in tensors.items()}
        every: list[Any] | None = [None] * self.size if self.first else None
        with self._together():
            dist.gather_object(own, every, dst=0)
        return every or []

    def close(self) -> None:
        """No more calls: the connections are closed, which others notice who still wait."""
        with contextlib.suppress(RuntimeError, AssertionError, ValueError):
            dist.destroy_process_group()

    def _all(self, value: Said) -> list[Said]:
        every: list[Any] = [None] * self.size
        with self._together():
            dist.all_gather_object(every, value)
        return every

    @contextlib.contextmanager
    def _together(self) -> Iterator[None]:
        """A call that fails where another rank has ended: who that is, is found out."""
        try:
            yield
        except RuntimeError as error:
            path = "RUN" if self._job is None else self._job.folder.path
            raise self.members.missed(f"{self.command} resume {path}") from error


def listed(value: Any) -> str:
    """A plain value as a flag has it."""
    return shown(tuple(value)) if isinstance(value, list) else shown(value)
