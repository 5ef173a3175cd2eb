"""Sessions: where a text stands is kept by the server, between requests."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import BaseModel, Field

from elman.run.trained import Run
from elman.serve import contract
from elman.serve.contract import Refused
from elman.serve.errors import Plain, dumped, responses
from elman.serve.route import Route
from elman.serve.routes.completions import STREAMED, Written
from elman.serve.serving import Serving
from elman.serve.sessions.places import composer_of
from elman.serve.text.asked import Ids, Strict, Writes
from elman.serve.text.completion import (
    Job,
    checked,
    chunks,
    place_after,
    prompt_of,
    unpacked,
    whole,
)
from elman.serve.text.events import stream
from elman.tasks.music.composing.place import Place
from elman.tasks.task import Cursor

BLOB = "application/octet-stream"
AS_BLOB: dict[str, Any] = {"content": {BLOB: {"schema": {"type": "string", "format": "binary"}}}}
TAKES_BLOB: dict[str, Any] = {"requestBody": {"required": True, **AS_BLOB}}
Id = Annotated[str, Path(max_length=200)]
Key = Annotated[
    str | None,
    Header(
        max_length=200,
        description="What is sent again with the same key is answered as before, not read again.",
    ),
]


class NewSession(Strict):
    """Where a session begins: after a prompt, at a state, or after a prompt read from there; of a
    model of music with nothing."""

    model: str
    prompt: str | Ids | None = None
    state: str | None = Field(default=None, description="A state that return_state gave.")
    minutes: Annotated[float, Field(ge=1)] | None = Field(
        default=None,
        description="How long it is kept after its last use; as long as it may be if absent.",
    )


class Input(Writes):
    """What a session reads, and how it writes on after that."""

    input: str | Ids | None = None


class Blend(Strict):
    """Other sessions of the same model, and how much each counts, this one's first."""

    others: Annotated[list[str], Field(min_length=1, max_length=64)]
    weights: Annotated[list[float], Field(min_length=2, max_length=65)] | None = Field(
        default=None, description="Equal if not given."
    )


class Session(BaseModel):
    """A session. Times are seconds since 1970."""

    id: str
    object: Literal["session"] = "session"
    model: str
    position: int
    created: float
    expires: float


class Deleted(BaseModel):
    """A session that is no more."""

    id: str
    object: Literal["session"] = "session"
    deleted: Literal[True] = True


def router(serving: Serving) -> APIRouter:
    """The addresses of sessions."""
    routes = APIRouter(route_class=Route, tags=["Sessions"], prefix="/v1/sessions")

    @routes.post("", status_code=201, responses=responses(404))
    async def create(asked: NewSession, idempotency_key: Key = None) -> Session:
        """Begin a session. Its id is a secret of whoever has it."""
        most = serving.limits.session_minutes
        seconds = 60 * min(asked.minutes or most, most)
        sessions, served = serving.kept(), serving.models.get(asked.model)
        if served.use == "compose":
            piece = begun(served.run, asked)
            return _told(await sessions.create(served.name, piece, seconds, idempotency_key))
        model, engine = serving.models.writing(asked.model)
        after = None if asked.state is None else unpacked(serving, model.name, asked.state)
        prompt = prompt_of(asked.prompt or "", engine.vocabulary)
        reading = Writes(max_tokens=0)
        job = checked(Job(serving, model.name, engine, reading, [prompt], after))
        place = await place_after(job)
        return _told(await sessions.create(model.name, place, seconds, idempotency_key))

    @routes.get("/{id}", responses=responses(404))
    async def look(id: Id) -> Session:
        """How a session is."""
        return _told(await serving.kept().get(id))

    @routes.post(
        "/{id}/input", response_model=Written, responses={200: STREAMED, **responses(404, 409)}
    )
    async def read(id: Id, asked: Input, idempotency_key: Key = None) -> Response:
        """Read on and write: what is answered has been kept, and outlives the server."""
        said = _said(serving, id, asked, idempotency_key)
        if asked.stream:
            return await stream(said)
        async with aclosing(said):
            return Plain(await anext(said))

    @routes.post("/{id}/fork", status_code=201, responses=responses(404, 409))
    async def fork(id: Id) -> Session:
        """Another session that stands where this one does."""
        return _told(await serving.kept().fork(id))

    @routes.post("/{id}/blend", status_code=201, responses=responses(404, 409))
    async def blend(id: Id, asked: Blend) -> Session:
        """Another session whose state is a mean of this one's and others'."""
        ids = [id, *asked.others]
        weights = asked.weights or [1 / len(ids)] * len(ids)
        if len(weights) != len(ids):
            told = f"weights: needs {len(ids)}, this session's first"
            raise Refused(400, "invalid_value", told, "weights")
        return _told(await serving.kept().blend(ids, weights))

    @routes.get("/{id}/state", response_class=Response, responses={200: AS_BLOB, **responses(404)})
    async def download(id: Id) -> Response:
        """Its state, signed, as safetensors."""
        return Response(await serving.kept().download(id), media_type=BLOB)

    @routes.put("/{id}/state", responses=responses(404, 409), openapi_extra=TAKES_BLOB)
    async def upload(id: Id, request: Request) -> Session:
        """Put it where a state stands that was downloaded before."""
        return _told(await serving.kept().upload(id, await request.body()))

    @routes.delete("/{id}", responses=responses(404, 409))
    async def delete(id: Id) -> Deleted:
        """Forget it."""
        await serving.kept().delete(id)
        return Deleted(id=id)

    return routes


def begun(run: Run, asked: NewSession) -> Place:
    """The beginning of a piece of music. Refused: it begins after something."""
    if asked.prompt or asked.state:
        told = "a piece begins with nothing; put the session where a state stands that it gave"
        raise Refused(400, "invalid_value", told, "prompt" if asked.prompt else "state")
    return composer_of(run).begin()


async def _said(
    serving: Serving, id: str, asked: Input, key: str | None
) -> AsyncGenerator[dict[str, Any], None]:
    """The answer in parts, as a stream has it, or as one; sent again, it is not read again."""
    async with serving.kept().turn(id) as turn:
        before = None if key is None else await turn.answered(key)
        if before is not None:
            yield json.loads(before)
            return

        async def keep(place: Cursor, answer: dict[str, Any]) -> None:
            await turn.keep(place, key, b"" if key is None else dumped(answer))

        model, engine = serving.models.writing(turn.session.model)
        prompt = prompt_of(asked.input or "", engine.vocabulary)
        job = checked(Job(serving, model.name, engine, asked, [prompt], turn.place, keep=keep))
        if not asked.stream:
            yield await whole(job)
            return
        async with aclosing(chunks(job)) as made:
            async for chunk in made:
                yield chunk


def _told(session: contract.Session) -> Session:
    return Session(
        id=session.id, model=session.model, position=session.position,
        created=session.created, expires=session.expires,
    )  # fmt: skip
