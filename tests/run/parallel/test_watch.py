"""Who no longer answers is told from who has ended, over a real store."""

from __future__ import annotations

import os
import random
import threading
import time

import torch.distributed as dist

from elman.run.parallel.joining import threads
from elman.run.parallel.members import Members, Missing, Store
from elman.run.parallel.watch import ENDED, SILENT, Watch

EVERY = 0.01  # seconds


def new_store() -> Store:
    store: Store = dist.HashStore()  # type: ignore[attr-defined]
    return store


def beat(store: Store) -> int:
    return int(store.get("beat/0")) if store.check(["beat/0"]) else 0


def test_a_rank_that_falls_silent_is_lost_and_one_that_has_ended_is_not() -> None:
    store, heard = new_store(), threading.Event()
    lost: list[int] = []
    size = random.randint(3, 6)
    silent = random.randrange(1, size)

    def note(rank: int) -> None:
        lost.append(rank)
        heard.set()

    for rank in range(1, size):
        store.set(f"beat/{rank}", "1" if rank == silent else ENDED.decode())
    with Watch(store, 0, size, note, EVERY):
        assert heard.wait(60)
    assert lost == [silent]


def test_ranks_that_beat_are_not_lost() -> None:
    store = new_store()
    lost: list[int] = []
    with Watch(store, 0, 2, lost.append, EVERY), Watch(store, 1, 2, lost.append, EVERY / 2):
        while not lost and beat(store) < 3 * SILENT:
            time.sleep(EVERY)
    assert lost == [] and store.get("beat/0") == store.get("beat/1") == ENDED


def test_the_first_of_those_left_tells_who_is_missing_or_what_another_had_to_say() -> None:
    size = random.randint(3, 6)
    names = [f"rank {n} (host, pid {n + 50})" for n in range(size)]
    for gone, word in ((0, "no memory"), (0, None), (random.randrange(1, size), "no memory")):
        store = new_store()
        found: dict[int, Missing] = {}

        def ask(rank: int, store: Store = store, found: dict[int, Missing] = found) -> None:
            found[rank] = Members(rank, names, store, answered=0.5).missed("elman resume RUN")

        if word is not None:
            Members(gone, names, store).leave_word(word)
        asking = [threading.Thread(target=ask, args=(n,)) for n in range(size) if n != gone]
        for one in asking:
            one.start()
        for one in asking:
            one.join()
        tells = [rank for rank, missing in found.items() if missing.told]
        # The first rank tells its own troubles.
        assert tells == ([] if word and gone == 0 else [0 if gone else 1])
        wanted = f"{names[gone]} ended without" if word is None else f"{names[gone]}: {word}"
        assert all(str(missing).startswith(wanted) for missing in found.values())


def test_threads_are_shares_of_the_cores_unless_the_user_says_otherwise() -> None:
    said = random.randint(2, 9)
    cores = len(os.sched_getaffinity(0))
    unsaid: list[dict[str, str]] = [{}, {"OMP_NUM_THREADS": "1"}]  # as torchrun sets it
    for environment in unsaid:
        for processes in (1, 2, random.randint(3, 99)):
            assert threads(processes, environment) == max(1, cores // processes)
    assert threads(2, {"OMP_NUM_THREADS": str(said)}) == said
