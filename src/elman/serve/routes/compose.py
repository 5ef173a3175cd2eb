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
from elman.serve.serving import Serving
from elman.serve.text.asked import Strict
from elman.serve.work.fields import options_of, with_options
from elman.tasks.music.composing.options import Composing

MIDI = "audio/midi"
AS_MIDI: dict[str, Any] = {"content": {MIDI: {"schema": {"type": "string", "format": "binary"}}}}


class Piece(Strict):
    """A piece to be made."""

    model: str
    response_format: Literal["json", "midi"] = "json"


# What concerns a file of given voices is for the command line.
Asked: Any = with_options(Piece, Composing, without=("given_voices", "method", "sweeps"))


class Made(BaseModel):
    """A piece that was made: notes are start, length, pitch, velocity."""

    model: str
    seed: int
    told: list[str] = Field(description="What was decided on the way.")
    piece: dict[str, Any]


def router(serving: Serving) -> APIRouter:
    """The address of music."""
    routes = APIRouter(route_class=Route, tags=["Music"])

    @routes.post("/compose", response_model=Made, responses={200: AS_MIDI, **responses(404)})
    async def compose(asked: Asked) -> Response:
        """Make a piece, as `elman generate` does with the same seed."""
        served = serving.models.used(asked.model, "compose")
        how = options_of(Composing, asked, Piece)
        limits = serving.limits
        check_most("bars", how.bars, limits.bars)
        check_most("seconds", how.seconds, limits.audio_seconds)
        check_most("steps", how.steps, limits.max_tokens)
        check_most("beam", how.beam, limits.beam)
        how = replace(how, seed=seed_of(Sampling(seed=how.seed)))
        piece, told = await serving.desk.do(composing(served.run, how))
        if asked.response_format == "midi":
            return Response(write_midi(piece), media_type=MIDI)
        made = Made(model=served.name, seed=how.seed or 0, told=told, piece=to_record(piece))
        return Plain(made.model_dump())

    return routes


def composing(run: Run, how: Composing) -> Callable[[Wanted], tuple[Notes, list[str]]]:
    """The work of making a piece: the piece, and what the user should know."""

    def work(wanted: Wanted) -> tuple[Notes, list[str]]:
        made = run.composition(**asdict(how))
        for _ in made:
            wanted.check()
        return made.piece, list(made.told)

    return work
