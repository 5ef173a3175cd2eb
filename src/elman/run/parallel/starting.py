"""How ranks begin a run together: asked for the same, with the same data before them."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from elman.errors import UserError
from elman.options import plain
from elman.run.alike import alike
from elman.run.options import TrainOptions
from elman.run.parallel.ranks import Ranks
from elman.wording import counted

if TYPE_CHECKING:
    from elman.run.job import Job

LOOKED_AT = 5  # batches by which data sets are compared


@dataclasses.dataclass(frozen=True)
class Said:
    """What the first rank has settled, by which the others make the same job."""

    task: str
    data: tuple[str, ...]
    options: Any
    how: TrainOptions
    path: Path
    preprocessing: Mapping[str, Any]
    read_anew: bool = False  # whether the settled options read the data otherwise


def check_asked(
    ranks: Ranks, task: str, data: Sequence[str], options: Any, how: TrainOptions
) -> None:
    """UserError where ranks were asked for different things, or run different versions."""
    if ranks.size > 1 and "-" in data:
        raise UserError("standard input cannot be read by several processes; give a file")
    flags = {
        f"--{name.replace('_', '-')}": value
        for name, value in (plain(options) | plain(how)).items()
    }
    versions = {"Python": platform.python_version(), "PyTorch": torch.__version__}
    ranks.check_alike(
        {"the task": task, "Elman": importlib.metadata.version("elman")} | versions | flags
    )


def check_data(job: Job) -> None:
    """UserError where ranks have read different data: by a few batches of the first epoch."""
    ranks = job.ranks
    if ranks.size == 1:
        return
    epoch = job.task.epoch(job.dataset, job.options, job.how.batch_size or 1, job.how.seed, 0)
    chosen = {k * (len(epoch) - 1) // (LOOKED_AT - 1) for k in range(LOOKED_AT)}
    own = [float(len(epoch)), *(n for k in sorted(chosen) for n in fingerprint(epoch[k]))]
    firsts = ranks.tell(own if ranks.first else None)

    def compare() -> None:
        if not alike(own, firsts):
            raise other_data(job.data)

    ranks.each(compare)


def other_data(data: Sequence[str]) -> UserError:
    return UserError(f"reads other data than the first process: {', '.join(data)}")


def fingerprint(batch: Any) -> list[float]:
    """A few numbers of each tensor of a batch, which differ where one of its values does."""
    found = []
    for part in batch:
        if isinstance(part, Tensor):
            flat = part.detach().double().flatten()
            found += [
                *map(float, part.shape),
                float(flat @ torch.linspace(1, 2, len(flat)).double()),
            ]
        elif isinstance(part, tuple):
            found += fingerprint(part)
    return found


def told(ranks: Ranks, batch_size: int) -> str:
    """What the user is told of the processes."""
    each = f"{counted(torch.get_num_threads(), 'thread')} each"
    line = (
        f"{counted(ranks.size, 'process', 'processes')} of {each} share each batch of {batch_size}"
    )
    if batch_size < ranks.size:
        line += (
            f", which leaves {ranks.size - batch_size} of them nothing to do: --batch-size is small"
        )
    return line
