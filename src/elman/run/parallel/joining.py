"""How a process that `torchrun` started becomes one of the ranks of a run, and how it leaves.

`torchrun` ends all processes as soon as one fails, and its signals come twice: from the terminal to
all of them, and once more from `torchrun` itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import FrameType
from typing import TYPE_CHECKING

from elman.errors import ElmanError, RunError, UserError
from elman.run.parallel.ranks import ALONE, Ranks

if TYPE_CHECKING:
    from elman.run.parallel.several import Several

LONGEST_CALL = timedelta(
    days=7
)  # that others may take over a validation; who is lost, `Watch` tells
LAST = 20.0  # seconds in which whoever says nothing waits to be ended after the one who does
_joined = 0  # times; each time ranks meet by other names


def is_several(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this process was started as one of several."""
    return environment.get("WORLD_SIZE", "1") != "1" and "RANK" in environment


@contextlib.contextmanager
def joined() -> Iterator[Ranks]:
    """The ranks that train together, as `torchrun` started them; `Alone` in any other process.

    An error of the first rank goes on; where another one fails, the process ends here with the exit
    code of the error, after it has let the first know.
    """
    if not is_several():
        yield ALONE
        return
    _check_unmet()
    _only_once()
    with _group() as ranks:
        try:
            yield ranks
        except BaseException as error:
            _leave(ranks, error)
            raise


def _leave(ranks: Several, error: BaseException) -> None:
    from elman.run.parallel.members import Missing

    told = error.told if isinstance(error, Missing) else ranks.first
    if not isinstance(error, Missing):
        with contextlib.suppress(RuntimeError):
            ranks.members.leave_word(str(error) or type(error).__name__)
    ranks.close()
    if told:
        return
    if not isinstance(error, ElmanError | KeyboardInterrupt | OSError | MemoryError):
        traceback.print_exception(error)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    time.sleep(LAST)
    code = 130 if isinstance(error, KeyboardInterrupt) else getattr(error, "exit_code", 1)
    sys.stderr.flush()
    os._exit(code)


def _check_unmet() -> None:
    import torch.distributed as dist

    if dist.is_initialized():
        raise UserError(
            "these processes have met outside of Elman, as Ray Train lets them; call "
            "torch.distributed.destroy_process_group() before"
        )


@contextlib.contextmanager
def _group() -> Iterator[Several]:
    import torch.distributed as dist

    from elman.run.parallel.members import Members
    from elman.run.parallel.several import Several
    from elman.run.parallel.watch import Watch

    global _joined
    _joined += 1
    try:
        store, rank, size = next(dist.rendezvous("env://"))  # type: ignore[attr-defined]
        store = dist.PrefixStore(f"elman/{_joined}", store)  # type: ignore[attr-defined]
        backend = "cpu:gloo,cuda:nccl" if dist.is_nccl_available() else "gloo"
        dist.init_process_group(
            backend, store=store, rank=rank, world_size=size, timeout=LONGEST_CALL
        )
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"{os.environ['WORLD_SIZE']} processes were asked for, and could not meet ({error}); "
            "start them with torchrun --nproc-per-node N -m elman train …"
        ) from error
    local = int(os.environ.get("LOCAL_WORLD_SIZE", size))
    every: list[tuple[str, int]] = [("", 0)] * size
    name = f"rank {rank} ({socket.gethostname()}, pid {os.getpid()})"
    dist.all_gather_object(every, (name, threads(local)))
    names = [name for name, _ in every]
    nodes = max(1, size // local)
    command = f"torchrun --nproc-per-node {local} -m elman"
    if nodes > 1:
        command = command.replace("torchrun", f"torchrun --nnodes {nodes}")
    fewest = min(count for _, count in every)
    ranks = Several(
        Members(rank, names, store), local=int(os.environ.get("LOCAL_RANK", rank)), threads=fewest,
        command=command,
    )  # fmt: skip

    def lost(other: int) -> None:
        if ranks.first or other == 0:
            print(f"elman: {names[other]} has not been heard of for a while", file=sys.stderr)
        os._exit(RunError.exit_code)

    with Watch(store.clone() if hasattr(store, "clone") else store, rank, size, lost):
        yield ranks
    ranks.close()


def threads(local: int, environment: Mapping[str, str] = os.environ) -> int:
    """Threads of each of so many processes on this machine: those that OMP_NUM_THREADS says or,
    where it says 1, as `torchrun` sets it unasked, an equal share of the cores."""
    given = environment.get("OMP_NUM_THREADS", "1")
    if given.isdigit() and int(given) > 1:
        return int(given)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (cores or 1) // local)


def _only_once() -> None:
    """From now on SIGINT and SIGTERM interrupt once; those that come after are the same again."""

    def stop(number: int, frame: FrameType | None) -> None:
        for known in (signal.SIGINT, signal.SIGTERM):
            signal.signal(known, signal.SIG_IGN)
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        for known in (signal.SIGINT, signal.SIGTERM):
            signal.signal(known, stop)
