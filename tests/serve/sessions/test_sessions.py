"""Sessions: what is kept, by whom, for how long, and what of it a client may hold."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from elman.decode import Sampling
from elman.errors import RunError
from elman.serve.contract import Asked, Refused
from elman.serve.engine import open_engine
from elman.serve.sessions import blob, open_sessions, store, table
from elman.serve.sessions.store import SessionStore
from elman.serve.sessions.workers import Worker
from elman.tasks.task import Cursor

HOUR = 3600.0


@pytest.fixture(scope="module")
def run(trained: Path) -> elman.Run:
    return elman.load(trained / "run")


@asynccontextmanager
async def opened(
    database: Path, *runs: elman.Run, most: int = 100, most_bytes: int = 1 << 20
) -> AsyncIterator[SessionStore]:
    models = {f"m{k}": run for k, run in enumerate(runs)}
    sessions = open_sessions(database, models, most, most_bytes)
    try:
        yield sessions
    finally:
        await sessions.close()


def same(a: Cursor, b: Cursor) -> bool:
    states = zip(a.state, b.state, strict=True)
    return (
        (a.position, a.seen, a.last) == (b.position, b.seen, b.last)
        and torch.equal(a.logits, b.logits)
        and all(torch.equal(s, t) for x, y in states for s, t in zip(x, y, strict=True))
    )


async def refusal(asked: Awaitable[Any]) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        await asked
    assert "\n" not in str(caught.value)
    return caught.value.status, caught.value.code


async def stands(sessions: SessionStore, id: str) -> Cursor:
    async with sessions.turn(id) as turn:
        place: Cursor = turn.place
        return place


def test_a_session_goes_on_where_it_was_kept(run: elman.Run, tmp_path: Path) -> None:
    """Through turns, forks and restarts the text is the one that is written in one go."""
    sampling = Sampling(seed=11)
    expected = "".join(piece for piece, _ in run.stream(run.read("the dog"), 40, sampling))

    async def act() -> None:
        written, id = "", ""
        for part in (7, 0, 13, 20):
            async with opened(tmp_path / "sessions.db", run) as sessions:  # a restart each time
                if not id:
                    id = (await sessions.create("m0", run.read("the dog"), HOUR)).id
                twin = await sessions.fork(id)
                async with sessions.turn(id) as turn:
                    place, before = turn.place, turn.session
                    for piece, reached in run.stream(turn.place, part, sampling):
                        written, place = written + piece, reached
                    kept = await turn.keep(place)
                assert kept.position == before.position + part == place.position
                assert (await sessions.get(id)).position == kept.position
                assert same(await stands(sessions, id), place)
                forked = await stands(sessions, twin.id)  # given the same it goes the same way
                places = [forked, *(at for _, at in run.stream(forked, part, sampling))]
                assert same(places[-1], await stands(sessions, id))
        assert written == expected

    asyncio.run(act())


def test_a_turn_that_keeps_nothing_changes_nothing(run: elman.Run, tmp_path: Path) -> None:
    async def act() -> None:
        async with opened(tmp_path / "sessions.db", run) as sessions:
            first = run.read("a")
            id = (await sessions.create("m0", first, HOUR)).id
            with pytest.raises(ZeroDivisionError):
                async with sessions.turn(id) as turn:
                    assert same(turn.place, first)
                    raise ZeroDivisionError
            assert same(await stands(sessions, id), first)

    asyncio.run(act())


def test_one_request_has_a_session_at_a_time(run: elman.Run, tmp_path: Path) -> None:
    """In whatever worker: each store stands for a process."""

    async def act() -> None:
        database = tmp_path / "sessions.db"
        async with opened(database, run) as one, opened(database, run) as other:
            id = (await one.create("m0", run.read("a"), HOUR)).id
            async with one.turn(id):
                for sessions in (one, other):
                    busy = (409, "session_in_use")
                    assert await refusal(stands(sessions, id)) == busy
                    assert await refusal(sessions.delete(id)) == busy
                    state = await sessions.download(id)
                    assert await refusal(sessions.upload(id, state)) == busy
                twin = await other.fork(id)
                await stands(other, twin.id)
            await stands(other, id)
            # Of many at once one has it, whoever that is; and all get their turn.
            turns = [asyncio.ensure_future(_step(s, id, run)) for s in (one, other) * 8]
            results = await asyncio.gather(*turns, return_exceptions=True)
            won = [r for r in results if not isinstance(r, BaseException)]
            assert won and all(
                r.code == "session_in_use" for r in results if isinstance(r, Refused)
            )
            assert len(won) + sum(isinstance(r, Refused) for r in results) == 16
            assert (await one.get(id)).position == run.read("a").position + len(won)

    asyncio.run(act())


async def _step(sessions: SessionStore, id: str, run: elman.Run) -> int:
    async with sessions.turn(id) as turn:
        kept = await turn.keep(run.read("b", turn.place))
    return kept.position


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the sessions take for the time; and they look often what it has ended."""
    time = [1e9]
    monkeypatch.setattr(store, "now", lambda: time[0])
    monkeypatch.setattr(store, "TIDY", 0.02)
    return time


def test_a_worker_that_stands_still_holds_nothing_for_long(
    run: elman.Run, tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that stands still, that is; and it cannot write over what came after it."""

    async def act() -> None:
        database = tmp_path / "sessions.db"
        async with opened(database, run) as alive:
            monkeypatch.setattr(store, "TIDY", HOUR)  # it puts nothing off, as if it stood still
            async with opened(database, run) as dead:
                id = (await dead.create("m0", run.read("a"), HOUR)).id
                async with dead.turn(id) as turn:
                    clock[0] += table.LEASE - 1
                    assert await refusal(_step(alive, id, run)) == (409, "session_in_use")
                    clock[0] += 2
                    position = await _step(alive, id, run)
                    kept = turn.keep(run.read("c", turn.place))
                    assert await refusal(kept) == (409, "session_in_use")
                assert (await alive.get(id)).position == position
                async with alive.turn(id):  # it lives, so it has it for as long as it wants
                    for _ in range(4):
                        clock[0] += 0.9 * table.LEASE
                        while await _held_until(alive, id) < clock[0] + table.LEASE:
                            await asyncio.sleep(0.01)
                        assert await refusal(_step(dead, id, run)) == (409, "session_in_use")
                await _step(dead, id, run)

    asyncio.run(act())


def test_a_worker_that_died_holds_nothing(run: elman.Run, tmp_path: Path) -> None:
    database, (reads, writes) = tmp_path / "sessions.db", os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writes, Worker(database).name.encode())
        signal.pause()
    name = os.read(reads, 99).decode()

    async def act() -> None:
        async with opened(database, run) as sessions:
            id = (await sessions.create("m0", run.read("a"), HOUR)).id
            await sessions.journal.ask(
                lambda db: table.hold(db, id, f"{name}.1", time.time(), lambda name: False)
            )
            assert await refusal(_step(sessions, id, run)) == (409, "session_in_use")
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            await _step(sessions, id, run)
        assert not list(tmp_path.glob("*worker*"))

    try:
        asyncio.run(act())
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


async def _held_until(sessions: SessionStore, id: str) -> float:
    statement = "SELECT held_until FROM sessions WHERE id = ?"
    found: tuple[float] = await sessions.journal.ask(
        lambda db: db.execute(statement, (id,)).fetchone()
    )
    return found[0]


def test_a_request_that_goes_away_leaves_its_session(run: elman.Run, tmp_path: Path) -> None:
    async def act() -> None:
        async with opened(tmp_path / "sessions.db", run) as sessions:
            id = (await sessions.create("m0", run.read("a"), HOUR)).id
            for wait in (0.0, 0.0, 0.001, 0.01):
                task = asyncio.ensure_future(_hold(sessions, id))
                await asyncio.sleep(wait)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await stands(sessions, id)

    asyncio.run(act())


async def _hold(sessions: SessionStore, id: str) -> None:
    async with sessions.turn(id):
        await asyncio.sleep(60)


def test_an_input_that_is_sent_again_is_not_read_again(run: elman.Run, tmp_path: Path) -> None:
    async def act() -> None:
        async with opened(tmp_path / "sessions.db", run) as sessions:
            first = await sessions.create("m0", run.read("a"), HOUR, key="new")
            assert await sessions.create("m0", run.read("b"), HOUR, key="new") == first
            assert (await sessions.create("m0", run.read("b"), HOUR, key="other")).id != first.id
            async with sessions.turn(first.id) as turn:
                assert await turn.answered("k") is None
                await turn.keep(run.read("b", turn.place), "k", b"said")
            twin = await sessions.fork(first.id)
        async with opened(tmp_path / "sessions.db", run) as sessions:
            async with sessions.turn(first.id) as turn:
                assert await turn.answered("k") == b"said"
                for n in range(table.ANSWERS):
                    await turn.keep(turn.place, str(n), bytes([n]))
                assert await turn.answered("k") is None  # the oldest is forgotten
                assert await turn.answered("0") == b"\0"
            async with sessions.turn(twin.id) as turn:
                assert await turn.answered("k") is None  # what another was asked
            await sessions.delete(first.id)
            assert await refusal(sessions.get(first.id)) == (404, "session_not_found")
            again = await sessions.create("m0", run.read("b"), HOUR, key="new")
            assert again.position == run.read("b").position

    asyncio.run(act())


def test_sessions_end(
    run: elman.Run, tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "SWEPT", 3)

    async def act() -> None:
        async with opened(tmp_path / "sessions.db", run, most=12) as sessions:
            long = await sessions.create("m0", run.read("a"), HOUR)
            used = await sessions.create("m0", run.read("a"), 20)
            short = [await sessions.create("m0", run.read("a"), 20) for _ in range(10)]
            assert await sessions.count() == 12
            assert await refusal(sessions.fork(long.id)) == (429, "too_many_sessions")
            async with sessions.turn(used.id):  # it lives while it is used, and after that anew
                clock[0] += 21
                assert await refusal(stands(sessions, short[0].id)) == (404, "session_not_found")
            clock[0] += 19
            await stands(sessions, used.id)
            assert await sessions.count() == 2
            await sessions.fork(long.id)
            while await sessions.journal.ask(_rows) > 3:  # others leave the disk as well
                await asyncio.sleep(0.01)
            clock[0] += 21
            while await sessions.journal.ask(_rows) > 2:
                await asyncio.sleep(0.01)
            await sessions.delete(long.id)
            assert await refusal(sessions.delete(long.id)) == (404, "session_not_found")

    asyncio.run(act())


def _rows(db: sqlite3.Connection) -> int:
    found: tuple[int] = db.execute("SELECT count(*) FROM sessions").fetchone()
    return found[0]


# ---- Blends


@settings(max_examples=15)
@given(st.lists(st.floats(0.01, 10), min_size=2, max_size=5), st.integers(0, 99))
def test_a_blend_of_a_state_with_itself_is_itself(
    run: elman.Run, tmp_path_factory: pytest.TempPathFactory, weights: list[float], seed: int
) -> None:
    async def act() -> None:
        database = tmp_path_factory.mktemp("blend") / "sessions.db"
        async with opened(database, run) as sessions:
            torch.manual_seed(seed)
            at = run.read("the dog")
            drawn = [tuple(torch.randn_like(s) for s in layer) for layer in at.state]
            at = dataclasses.replace(at, state=drawn, logits=torch.randn_like(at.logits))
            id = (await sessions.create("m0", at, HOUR)).id
            made = await sessions.blend([id] * len(weights), weights)
            assert made.id != id
            assert same(await stands(sessions, made.id), at)

    asyncio.run(act())


def test_a_blend_lies_between(run: elman.Run, tmp_path: Path) -> None:
    async def act() -> None:
        async with opened(tmp_path / "sessions.db", run, run) as sessions:
            a, b = run.read("the quick brown"), run.read("狐狸")
            ids = [(await sessions.create("m0", at, HOUR)).id for at in (a, b)]
            made = await stands(sessions, (await sessions.blend(ids, [1, 3])).id)
            for x, y, z in zip(a.state[0], b.state[0], made.state[0], strict=True):
                assert torch.allclose(z, 0.25 * x + 0.75 * y, atol=1e-7)
            # The output is linear: these are the logits of that state.
            weight, bias = (run.model.state_dict()[f"output.{name}"] for name in ("weight", "bias"))
            assert torch.allclose(made.logits, weight @ made.state[-1][0][0, 0] + bias, atol=1e-5)
            assert made.position == a.position and made.last == b.last
            assert made.seen == a.seen | b.seen
            alone = await sessions.blend(ids, [0, 2])
            assert torch.equal((await stands(sessions, alone.id)).logits, b.logits)
            other = (await sessions.create("m1", a, HOUR)).id
            for which, weights in (
                (ids, [1]), (ids[:1], [1]), (ids, [0, 0]), (ids, [1, -1]), (ids, [1, float("nan")]),
                (ids, [1, float("inf")]), ([ids[0], other], [1, 1]),
            ):  # fmt: skip
                assert await refusal(sessions.blend(which, weights)) == (400, "cannot_blend")

    asyncio.run(act())


def test_windows_have_no_mean(text: Path, tmp_path: Path) -> None:
    both = elman.train(
        "text", text, run=tmp_path / "run", epochs=1, hidden_size=4, bidirectional=True, sample=0
    )

    async def act() -> None:
        async with opened(tmp_path / "sessions.db", both) as sessions:
            id = (await sessions.create("m0", both.read("the cat"), HOUR)).id
            assert same(await stands(sessions, id), both.read("the cat"))
            assert await refusal(sessions.blend([id, id], [1, 1])) == (400, "cannot_blend")

    asyncio.run(act())


# ---- Blobs


def test_what_is_downloaded_is_what_is_uploaded(run: elman.Run, tmp_path: Path) -> None:
    async def act() -> None:
        async with opened(tmp_path / "sessions.db", run) as sessions:
            one = await sessions.create("m0", run.read("the dog"), HOUR)
            other = await sessions.create("m0", run.read("a"), HOUR)
            state = await sessions.download(one.id)
            put = await sessions.upload(other.id, state)
            assert put.position == one.position
            assert await sessions.download(other.id) == state
            assert same(sessions.unpack("m0", state), run.read("the dog"))
            assert sessions.pack("m0", sessions.unpack("m0", state)) == state
        async with opened(tmp_path / "sessions.db", run) as later:  # the key is kept
            assert same(later.unpack("m0", state), run.read("the dog"))

    asyncio.run(act())


def test_no_other_bytes_are_taken(
    run: elman.Run, trained: Path, text: Path, tmp_path: Path
) -> None:
    other = elman.train("text", text, run=tmp_path / "other", epochs=1, hidden_size=8, sample=0)
    twin, random = elman.load(run.path), np.random.default_rng(0)
    with torch.no_grad():  # a model of the same form, trained on
        next(twin.model.parameters()).add_(1e-3)

    async def act() -> None:
        async with (
            opened(tmp_path / "sessions.db", run, other, twin) as sessions,
            opened(tmp_path / "elsewhere.db", run) as elsewhere,
        ):
            session = await sessions.create("m0", run.read("the dog"), HOUR)
            good = await sessions.download(session.id)
            bad = [
                b"", b"{}", bytes(8), b"\xff" * 8, good[:-1], good + b"\0", good[8:],
                (1 << 62).to_bytes(8, "little") + good[8:],
                (trained / "state").read_bytes(),  # a place that --save-state kept
                elsewhere.pack("m0", run.read("the dog")),  # another server's
                sessions.pack("m1", other.read("the")),  # another model's
                sessions.pack("m2", twin.read("the")),
                random.bytes(len(good)),
                good.replace(b'signature', b'signatura'),
            ]  # fmt: skip
            for at in random.integers(0, len(good), 60):
                flipped = bytearray(good)
                flipped[at] ^= 1 << int(random.integers(8))
                bad.append(bytes(flipped))
            bad += [good[:n] for n in random.integers(0, len(good), 20)]
            for state in bad:
                assert await refusal(sessions.upload(session.id, state)) == (400, "invalid_state")
            large = await refusal(sessions.upload(session.id, bytes((1 << 20) + 1)))
            assert large == (413, "state_too_large")
            assert await sessions.download(session.id) == good

            key = sessions._key
            told = {"model": sessions._digests["m0"], "seen": [], "position": 1, "last": []}
            later = blob.seal(key, told, {"logits": torch.zeros(3)})
            for state in (later, later.replace(b'version\\":1', b'version\\":2')):
                assert await refusal(sessions.upload(session.id, state)) == (400, "invalid_state")
            unknown = sessions.create("m7", run.read("a"), HOUR)
            assert await refusal(unknown) == (404, "model_not_found")
        async with opened(tmp_path / "sessions.db", other) as sessions:  # m0 is another model now
            assert await refusal(stands(sessions, session.id)) == (400, "invalid_state")

    asyncio.run(act())


def test_states_are_no_larger_than_allowed(run: elman.Run, tmp_path: Path) -> None:
    async def act() -> None:
        async with opened(tmp_path / "sessions.db", run, most_bytes=100) as sessions:
            asked = sessions.create("m0", run.read("a"), HOUR)
            assert await refusal(asked) == (413, "state_too_large")

    asyncio.run(act())


# ---- The database


def test_what_is_no_database_of_ours_is_refused(run: elman.Run, tmp_path: Path) -> None:
    def fails(database: Path, why: str) -> None:
        with pytest.raises(RunError, match=why):
            open_sessions(database, {}, 1, 1)

    (tmp_path / "text.db").write_text("the quick brown fox " * 100)
    fails(tmp_path / "text.db", "not a database")
    with sqlite3.connect(tmp_path / "foreign.db") as db:
        db.execute("CREATE TABLE t (a)")
    fails(tmp_path / "foreign.db", "another program's")
    with sqlite3.connect(tmp_path / "later.db") as db:
        db.execute("PRAGMA user_version=2")
    fails(tmp_path / "later.db", "version 2")
    (tmp_path / "folder.db").mkdir()
    fails(tmp_path / "folder.db", "cannot be opened")
    (tmp_path / "short.db.key").write_bytes(b"short")
    fails(tmp_path / "short.db", "damaged")


def test_the_engine_and_the_sessions_together(run: elman.Run, tmp_path: Path) -> None:
    """Turns of many sessions at once, through the engine and the database: each text is the one
    that its session writes alone in one go."""

    async def act() -> None:
        engine = open_engine(run)
        async with opened(tmp_path / "sessions.db", run) as sessions:

            async def write(at: Cursor, seed: int, length: int) -> tuple[list[int], Cursor]:
                writing = engine.write(Asked((), length, Sampling(seed=seed), at))
                return [token.id async for token in writing], writing.place

            async def live(seed: int) -> None:
                expected, _ = await write(run.read("the"), seed, 30)
                id, tokens = (await sessions.create("m0", run.read("the"), HOUR)).id, list[int]()
                for _ in range(5):
                    async with sessions.turn(id) as turn:
                        made, place = await write(turn.place, seed, 6)
                        await turn.keep(place)
                    tokens += made
                assert tokens == expected

            await asyncio.gather(*(live(seed) for seed in range(20)))
        engine.close()

    asyncio.run(act())
