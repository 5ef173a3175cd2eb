"""Kill servers under load, again and again, and look whether anything acknowledged is lost.

    python tests/serve/sessions/killing.py RUN --kills 100

Two processes at a time share a database. In each, clients go on with all sessions at once, through
the engine, and tell of what was acknowledged by a pipe: made, stands at a position, deleted. At
random moments one of them is killed by SIGKILL, and another takes its place. What was told is then
looked up in the database, by this process: no session may be missing that was made, none may be
there that was deleted, none may stand before the position that was told, and where it stands its
state must be, to the bit, that of a text that was never interrupted; and the answers kept for
retries must end there.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import torch

import elman
from elman.decode import Sampling
from elman.serve.contract import Asked, Refused
from elman.serve.engine import open_engine
from elman.serve.engine.engine import TextEngine
from elman.serve.sessions import open_sessions, table
from elman.serve.sessions.store import SessionStore
from elman.tasks.task import Cursor

PROMPT = "the"
LONGEST = 200  # tokens of a session, after which another is made
HOUR = 3600.0
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["elman.serve.engine", "elman.serve.sessions"])


@dataclass
class Told:
    """What was acknowledged."""

    positions: dict[str, int] = field(default_factory=dict)  # by session, of those that are there
    seeds: dict[str, int] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    going: set[str] = field(default_factory=set)  # about to be deleted
    turns: int = 0

    def read(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._line(*line.split())

    def _line(self, kind: str, id: str, number: str) -> None:
        if kind == "made":
            self.seeds[id] = int(number)
            self.positions.setdefault(id, 0)
        elif kind == "stands":
            self.positions[id] = max(int(number), self.positions.get(id, 0))
            self.turns += 1
        elif kind == "going":
            self.going.add(id)
        else:
            self.deleted.add(id)


def serve(run_path: Path, database: Path, pipe: Connection, clients: int, number: int) -> None:
    """A process that goes on with sessions until it is killed."""
    torch.set_num_threads(1)
    run = elman.load(run_path)

    def tell(kind: str, id: str, number: int = 0) -> None:
        pipe.send_bytes(f"{kind} {id} {number}".encode())  # one write: whole or not at all

    async def act() -> None:
        engine, sessions = open_engine(run), open_sessions(database, {"m": run}, 10_000, 1 << 20)
        await asyncio.gather(*(client(engine, sessions, k) for k in range(clients)))

    async def client(engine: TextEngine, sessions: SessionStore, seed: int) -> None:
        draw, life = random.Random(f"{number} {seed}"), 0
        while True:
            # The same session in every process, and in those that come after one that was killed.
            made = await sessions.create("m", run.read(PROMPT), HOUR, key=f"{seed} {life}")
            tell("made", made.id, seed)
            try:
                while await turn(engine, sessions, made.id, seed, draw.randint(1, 9)):
                    pass
            except Refused as error:
                assert error.code == "session_in_use"
                await asyncio.sleep(0.001)
                continue
            life += 1
            short = await sessions.create("m", run.read(PROMPT), HOUR)
            tell("made", short.id, seed)
            tell("going", short.id)
            await sessions.delete(short.id)
            tell("deleted", short.id)

    async def turn(
        engine: TextEngine, sessions: SessionStore, id: str, seed: int, length: int
    ) -> bool:
        """Whether it is to be gone on with."""
        async with sessions.turn(id) as turn:
            if turn.session.position >= LONGEST:
                return False
            writing = engine.write(Asked((), length, Sampling(seed=seed), turn.place))
            tokens = [token.id async for token in writing]
            key = str(writing.place.position)
            kept = await turn.keep(writing.place, key, repr(tokens).encode())
            tell("stands", id, kept.position)
            return True

    asyncio.run(act())


class Uninterrupted:
    """The places of each seed's text, written in one go."""

    def __init__(self, run: elman.Run) -> None:
        self._run, self._texts = run, dict[int, list[Cursor]]()

    def place(self, seed: int, position: int) -> Cursor:
        begun = self._run.read(PROMPT)
        if seed not in self._texts:
            pieces = self._run.stream(begun, LONGEST + 9, Sampling(seed=seed))
            self._texts[seed] = [begun, *(place for _, place in pieces)]
        return self._texts[seed][position - begun.position]


Found = dict[str, tuple[int, bytes, list[int]] | None]


def look_up(sessions: SessionStore, ids: Iterable[str]) -> Found:
    """Where each session stands, its state, and the positions after the inputs that have an
    answer: all at one moment. None for one that is not there."""

    def look(db: sqlite3.Connection) -> Found:
        found: Found = {}
        for id in ids:
            row = table.alive(db, id, time.time())
            keys = db.execute("SELECT key FROM answers WHERE session = ?", (id,)).fetchall()
            numbers = [int(key) for (key,) in keys]
            found[id] = None if row is None else (row.position, row.state, numbers)
        return found

    return asyncio.run(sessions.journal.ask(look))


class Judge:
    """AssertionError: something is lost."""

    def __init__(self, run: elman.Run, database: Path) -> None:
        self.sessions = open_sessions(database, {"m": run}, 10_000, 1 << 20)
        self._texts, self._gone = Uninterrupted(run), set[str]()

    def look(self, told: Told, live: Server) -> None:
        """Whether all that was told is in the database; `live` may change it meanwhile."""
        acknowledged, deleted = dict(told.positions), set(told.deleted)
        found = look_up(self.sessions, acknowledged.keys() - self._gone)
        told.read(live.has_told())  # what it has deleted by now, it has announced
        for id, stands in found.items():
            if stands is None:
                assert id in told.going | told.deleted, f"{id} is not there"
                self._gone.add(id)
                continue
            assert id not in deleted, f"{id} is there again"
            at, state, answers = stands
            place = self.sessions.unpack("m", state)
            assert at >= acknowledged[id], f"{id} stands at {at}, told was {acknowledged[id]}"
            assert place.position == at, f"{id} stands at {at}, its state at {place.position}"
            whole = self._texts.place(told.seeds[id], at)
            assert same(place, whole), f"{id} is another text at {at}"
            assert not answers or max(answers) == at, f"{id} stands at {at}, answers: {answers}"


def same(a: Cursor, b: Cursor) -> bool:
    states = zip(a.state, b.state, strict=True)
    return (
        (a.position, a.seen, a.last) == (b.position, b.seen, b.last)
        and torch.equal(a.logits, b.logits)
        and all(torch.equal(s, t) for x, y in states for s, t in zip(x, y, strict=True))
    )


class Server:
    """A process that serves, and what it has told."""

    def __init__(self, run: Path, database: Path, clients: int, number: int) -> None:
        self._told, writes = PROCESSES.Pipe(duplex=False)
        self._process = PROCESSES.Process(
            target=serve, args=(run, database, writes, clients, number), daemon=True
        )
        self._process.start()
        writes.close()

    def tells(self, lines: int) -> Iterator[str]:
        """So many lines, once they come."""
        for _ in range(lines):
            yield self._told.recv_bytes().decode()

    def has_told(self) -> Iterator[str]:
        """What waits."""
        while self._told.poll():
            yield self._told.recv_bytes().decode()

    def killed(self) -> Iterator[str]:
        """End it now: what it had told before."""
        self._process.kill()  # SIGKILL
        self._process.join()
        with suppress(EOFError):
            while True:
                yield self._told.recv_bytes().decode()


def kill(run_path: Path, database: Path, kills: int, clients: int, lines: int) -> Told:
    """Kill so many servers, each after up to so many lines. AssertionError: something is lost."""
    told, draw, judge = Told(), random.Random(kills), Judge(elman.load(run_path), database)
    servers = [Server(run_path, database, clients, number) for number in range(2)]
    for number in range(kills):
        at = draw.randrange(2)
        told.read(servers[at].tells(draw.randint(0, lines)))
        told.read(servers[1 - at].has_told())
        told.read(servers[at].killed())
        judge.look(told, servers[1 - at])
        servers[at] = Server(run_path, database, clients, number + 2)
    for server in servers:
        told.read(server.killed())
    asyncio.run(judge.sessions.close())
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--lines", type=int, default=400, help="that a server tells at most")
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        told = kill(
            asked.run, Path(folder) / "sessions.db", asked.kills, asked.clients, asked.lines
        )
    print(
        f"{asked.kills} kills in {time.monotonic() - began:.0f} seconds: {told.turns:,} turns of "
        f"{len(told.seeds):,} sessions and {len(told.deleted):,} deletions were acknowledged; "
        "nothing of that was lost"
    )


if __name__ == "__main__":
    main()
