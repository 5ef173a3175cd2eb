"""The sessions of all models and all workers, in a database."""

from __future__ import annotations

import asyncio
import hashlib
import math
import secrets
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import time as now
from typing import Any, final

from elman.errors import unknown_name
from elman.run.trained import Run
from elman.serve.contract import Refused, Session
from elman.serve.sessions import blob, table
from elman.serve.sessions.journal import Journal
from elman.serve.sessions.key import key_of
from elman.serve.sessions.places import Places, digest, places_of
from elman.serve.sessions.table import Row
from elman.serve.sessions.workers import Worker

TIDY = table.LEASE / 3  # seconds between looks at leases and at what has expired


@final
class Turn:
    """A session while one request has it."""

    def __init__(self, sessions: SessionStore, row: Row, holder: str, place: Any) -> None:
        self._sessions, self._model, self._holder = sessions, row.model, holder
        self._session, self._place = row.session(), place

    @property
    def session(self) -> Session:
        return self._session

    @property
    def place(self) -> Any:
        return self._place

    async def keep(self, place: Any, key: str | None = None, answer: bytes = b"") -> Session:
        id, position = self._session.id, self._sessions.position(self._model, place)
        state = self._sessions.pack(self._model, place)

        def act(db: sqlite3.Connection) -> Session:
            found = table.keep(db, id, self._holder, position, state, now())
            if key is not None:
                table.answer(db, id, key, answer)
            return found

        self._session = await self._sessions.journal.ask(act, lasting=True)
        self._place = place
        return self._session

    async def answered(self, key: str) -> bytes | None:
        id = self._session.id
        return await self._sessions.journal.ask(lambda db: table.answered(db, id, key))


@final
class SessionStore:
    """Where runs stand, kept between requests; `Sessions` of the contract."""

    def __init__(
        self, database: Path, models: Mapping[str, Run], most: int, most_bytes: int
    ) -> None:
        self._key, self._most, self._most_bytes = key_of(database), most, most_bytes
        self._places: dict[str, Places] = {}
        self._digests: dict[str, str] = {}
        for name, run in models.items():
            places = places_of(run)
            if places is not None:
                self._places[name], self._digests[name] = places, digest(run)
        self._held: set[str] = set()  # the leases of this process
        self.journal = Journal(database, self._tidy, TIDY)
        self._worker = Worker(database)

    async def create(
        self, model: str, place: Any, seconds: float, key: str | None = None
    ) -> Session:
        self._of(model)
        id = secrets.token_hex(16) if key is None else self._named(model, key)
        return await self._insert(id, model, self.position(model, place), seconds,
                                  self.pack(model, place), again=key is not None)  # fmt: skip

    async def get(self, id: str) -> Session:
        return (await self._row(id)).session()

    @asynccontextmanager
    async def turn(self, id: str) -> AsyncIterator[Turn]:
        holder = f"{self._worker.name}.{secrets.token_hex(8)}"
        holding = asyncio.ensure_future(
            self.journal.ask(lambda db: table.hold(db, id, holder, now(), self._worker.is_dead))
        )
        try:
            row = await asyncio.shield(holding)
            self._held.add(holder)
            yield Turn(self, row, holder, self.unpack(row.model, row.state))
        finally:
            self._held.discard(holder)
            await asyncio.shield(self._release(id, holder, holding))

    async def fork(self, id: str) -> Session:
        row = await self._row(id)
        return await self._insert(
            secrets.token_hex(16), row.model, row.position, row.seconds, row.state
        )

    async def blend(self, ids: Sequence[str], weights: Sequence[float]) -> Session:
        shares = _shares(ids, weights)
        rows = [await self._row(id) for id in ids]
        model = rows[0].model
        for row in rows:
            if row.model != model:
                told = f"sessions of {model} and {row.model} have no mean; give some of one model"
                raise Refused(400, "cannot_blend", told, "sessions")
        places = [self.unpack(model, row.state) for row in rows]
        place = self._of(model).mean(places, shares)
        return await self._insert(
            secrets.token_hex(16), model, self.position(model, place),
            max(row.seconds for row in rows), self.pack(model, place),
        )  # fmt: skip

    async def download(self, id: str) -> bytes:
        return (await self._row(id)).state

    async def upload(self, id: str, blob: bytes) -> Session:
        model = (await self._row(id)).model
        position = self.position(model, self.unpack(model, blob))
        return await self.journal.ask(
            lambda db: table.put(db, id, model, position, blob, now()), lasting=True
        )

    async def delete(self, id: str) -> None:
        await self.journal.ask(lambda db: table.delete(db, id, now()), lasting=True)

    async def count(self) -> int:
        return await self.journal.ask(lambda db: table.count(db, now()))

    def pack(self, model: str, place: Any) -> bytes:
        tensors, plain = self._of(model).kept(place)
        made = blob.seal(self._key, {"model": self._digests[model], **plain}, tensors)
        self._check_size(made)
        return made

    def unpack(self, model: str, state: bytes) -> Any:
        places = self._of(model)
        self._check_size(state)
        told, tensors = blob.unseal(self._key, state)
        if told.get("model") != self._digests[model]:
            raise blob.refused(f"is of another model, or {model} has been trained since")
        try:
            return places.restored(tensors, told)
        except ValueError:
            raise blob.refused("is damaged: it does not fit its model") from None

    def position(self, model: str, place: Any) -> int:
        """How much was read and made until there."""
        return self._of(model).position(place)

    async def close(self) -> None:
        await self.journal.close()
        self._worker.close()

    def _of(self, model: str) -> Places:
        if model not in self._places:
            told = unknown_name("model", model, self._places)
            raise Refused(404, "model_not_found", str(told), "model")
        return self._places[model]

    def _named(self, model: str, key: str) -> str:
        """The id of the session that a client's key makes."""
        named = hashlib.sha256(self._key + f"{model}\0{key}".encode())
        return named.hexdigest()[:32]

    async def _row(self, id: str) -> Row:
        return await self.journal.ask(lambda db: table.find(db, id, now()))

    async def _insert(
        self, id: str, model: str, position: int, seconds: float, state: bytes, again: bool = False
    ) -> Session:
        """A new session; or, `again`, that with this id, if it is alive."""

        def act(db: sqlite3.Connection) -> Session:
            at = now()
            before = table.alive(db, id, at) if again else None
            if before is not None:
                return before.session()
            row = Row(id, model, position, at, at + seconds, seconds, state)
            table.insert(db, row, self._most, at)
            return row.session()

        return await self.journal.ask(act, lasting=True)

    async def _release(self, id: str, holder: str, holding: asyncio.Future[Row]) -> None:
        """Also where whoever asked went away before the session was held."""
        if (await asyncio.gather(holding, return_exceptions=True))[0].__class__ is Row:
            await self.journal.ask(lambda db: table.release(db, id, holder, now()))

    def _check_size(self, state: bytes) -> None:
        if len(state) > self._most_bytes:
            raise Refused(413, "state_too_large", f"the state has {len(state):,} bytes; at most "
                          f"{self._most_bytes:,} are kept", "state")  # fmt: skip

    def _tidy(self, db: sqlite3.Connection) -> bool:
        table.renew(db, list(self._held), now())
        return table.sweep(db, now())


def _shares(ids: Sequence[str], weights: Sequence[float]) -> list[float]:
    if len(ids) != len(weights) or len(ids) < 2:
        told = f"{len(ids)} sessions and {len(weights)} weights; give a weight for each of several"
        raise Refused(400, "cannot_blend", told, "weights")
    total = sum(weights)
    if not (all(0 <= weight < math.inf for weight in weights) and 0 < total < math.inf):
        raise Refused(400, "cannot_blend", "weights must be numbers from 0, not all 0", "weights")
    return [weight / total for weight in weights]
