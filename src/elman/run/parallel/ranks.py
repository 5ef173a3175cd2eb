"""What the training loop asks of the processes that train one run, be it one or several."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, final

from torch import Tensor, nn

from elman.tasks.task import Epoch

if TYPE_CHECKING:
    from elman.run.job import Job

Said = TypeVar("Said")


class Ranks(ABC):
    """The processes that train a run, as one of them sees them: its `rank` of `size`.

    The first, rank 0, has the run folder: it plans, decides, scores, writes and tells the user.
    The others follow. What every rank calls, all call in the same order.
    """

    rank = 0
    size = 1
    threads: int | None = None
    """Threads of a process where the user asked for no number; None leaves that to PyTorch."""

    local: int | None = None
    """Of several processes the number of this one on its machine."""

    command = "elman"
    """How the user starts as many processes again."""

    @property
    def first(self) -> bool:
        return self.rank == 0

    # ---- Before the training

    @abstractmethod
    def each(self, work: Callable[[], Said]) -> Said:
        """What `work` gives here. All ranks raise a UserError that it raises in one of them."""

    @abstractmethod
    def check_alike(self, values: Mapping[str, Any]) -> None:
        """UserError in all ranks where plain values, by what they are called, differ in one."""

    @abstractmethod
    def tell(self, value: Said | None) -> Said:
        """What the first rank says; the others give None."""

    @abstractmethod
    def begin(self, job: Job) -> None:
        """The weights of the first rank, and its clock; other random numbers in each."""

    # ---- In it

    @abstractmethod
    def share(self, epoch: Epoch[Any]) -> Epoch[Any]:
        """What this rank reads of an epoch: batches, None where it has no part of one."""

    @abstractmethod
    def agree(self, count: int, *, asked: bool) -> tuple[int, bool]:
        """The predictions of all ranks in this step, and whether one was asked to stop. The clock
        moves here, and in `from_first`, only: between, all ranks decide by the same time."""

    @abstractmethod
    def sum(self, model: nn.Module, total: Tensor) -> float:
        """Sums the gradients over all ranks, in place, and the loss `total`."""

    @abstractmethod
    def from_first(self, work: Callable[[], Said]) -> Said:
        """What `work` gives in the first rank, while the others wait."""

    @abstractmethod
    def gather(self, tensors: Mapping[str, Tensor]) -> list[Mapping[str, Tensor]]:
        """The tensors of every rank, in the first; nothing elsewhere."""


@final
class Alone(Ranks):
    """One process, which asks nobody."""

    def each(self, work: Callable[[], Said]) -> Said:
        return work()

    def check_alike(self, values: Mapping[str, Any]) -> None:
        pass

    def tell(self, value: Said | None) -> Said:
        assert value is not None
        return value

    def begin(self, job: Job) -> None:
        pass

    def share(self, epoch: Epoch[Any]) -> Epoch[Any]:
        return epoch

    def agree(self, count: int, *, asked: bool) -> tuple[int, bool]:
        return count, asked

    def sum(self, model: nn.Module, total: Tensor) -> float:
        return total.item()

    def from_first(self, work: Callable[[], Said]) -> Said:
        return work()

    def gather(self, tensors: Mapping[str, Tensor]) -> list[Mapping[str, Tensor]]:
        return [tensors]


ALONE = Alone()
