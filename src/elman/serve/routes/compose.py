"""Pieces of music, made as `elman generate` makes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from elman.data.symbolic.midi.writing import write_midi
from elman.data.symbolic.piece import Piece as Notes
from elman.data.symbolic.record import to_record
from elman.decode import Sampling, seed_of
from elman.run.trained import Run
from elman.serve.desk import Wanted
from elman.serve.errors import Plain, responses
from elman.serve.limiting import check_most
from elman.serve.route import Route
from elman.serve.routes.sessions import Id, Key
from elman.serve.serving import Serving
from elman.serve.text.asked import Strict
from elman.serve.work.fields import options_of, with_options
from elman.tasks.music.composing.options import Composing
from elman.tasks.music.composing.place import Place

MIDI = "audio/midi"
AS_MIDI: dict[str, Any] = {"content": {MIDI: {"schema": {"type": "string", "format": "binary"}}}}


class Form(Strict):
    """How a piece goes on."""

    response_format: Literal["json", "midi"] = "json"


class Piece(Form):
    """A piece to be made."""

    model: str


# What concerns a file of given voices is for the command line.
VOICES = ("given_voices", "method", "sweeps")
Asked: Any = with_options(Piece, Composing, without=VOICES)
More: Any = with_options(Form, Composing, without=VOICES)


class Made(BaseModel):
    """A piece that was made: notes are start, length, pitch, velocity."""

    model: str
    seed: int
    told: list[str] = Field(description="What was decided on the way.")
    piece: dict[str, Any]


def router(serving: Serving) -> APIRouter:
    """The addresses of music."""
    routes = APIRouter(route_class=Route, tags=["Music"])

    @routes.post("/compose", response_model=Made, responses={200: AS_MIDI, **responses(404)})
    async def compose(asked: Asked) -> Response:
        """Make a piece, as `elman generate` does with the same seed."""
        served = serving.models.used(asked.model, "compose")
        how = checked(options_of(Composing, asked, Piece))
        piece, told, _ = await serving.desk.do(composing(served.run, how))
        return answer(served.name, how, piece, told, asked.response_format)

    @routes.post(
        "/v1/sessions/{id}/compose", response_model=Made,
        responses={200: AS_MIDI, **responses(404, 409)},
    )  # fmt: skip
    async def go_on(id: Id, asked: More, idempotency_key: Key = None) -> Response:
        """Go on with a session's piece, as if it had never stopped; all of it is given. What is
        answered has been kept."""
        how = checked(options_of(Composing, asked, Form))
        async with serving.kept().turn(id) as turn:
            served = serving.models.used(turn.session.model, "compose")
            before = None if idempotency_key is None else await turn.answered(idempotency_key)
            if before is not None:
                kind = MIDI if asked.response_format == "midi" else "application/json"
                return Response(before, media_type=kind)
            work = composing(served.run, how, turn.place)
            piece, told, place = await serving.desk.do(work)
            said = answer(served.name, how, piece, told, asked.response_format)
            await turn.keep(place, idempotency_key, bytes(said.body))
        return said

    def checked(how: Composing) -> Composing:
        limits = serving.limits
        check_most("bars", how.bars, limits.bars)
        check_most("seconds", how.seconds, limits.audio_seconds)
        check_most("steps", how.steps, limits.max_tokens)
        check_most("beam", how.beam, limits.beam)
        return replace(how, seed=seed_of(Sampling(seed=how.seed)))

    return routes


def answer(
    model: str, how: Composing, piece: Notes, told: list[str], response_format: str
) -> Response:
    """The piece as it was asked for."""
    if response_format == "midi":
        return Response(write_midi(piece), media_type=MIDI)
    made = Made(model=model, seed=how.seed or 0, told=told, piece=to_record(piece))
    return Plain(made.model_dump())


def composing(
    run: Run, how: Composing, after: Place | None = None
) -> Callable[[Wanted], tuple[Notes, list[str], Place]]:
    """The work of making a piece: the piece, what the user should know, and where it stands."""

    def work(wanted: Wanted) -> tuple[Notes, list[str], Place]:
        made = run.composition(after=after, **asdict(how))
        for _ in made:
            wanted.check()
        return made.piece, list(made.told), made.place

    return work
