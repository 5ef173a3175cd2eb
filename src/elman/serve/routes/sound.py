"""Recordings in, what was said in them out, as OpenAI's clients ask for it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from pydantic import BaseModel
from starlette.responses import PlainTextResponse

from elman.data.sound import audio
from elman.data.sound.clips import Recording
from elman.errors import ElmanError
from elman.run.trained import Run
from elman.serve.contract import Refused
from elman.serve.desk import Wanted
from elman.serve.errors import Plain, responses
from elman.serve.limiting import check_most
from elman.serve.route import Route
from elman.serve.serving import Serving
from elman.tasks.speech.data import Floats
from elman.tasks.speech.decoding import SpeechDecoding
from elman.tasks.speech.transcription import BLOCK, transcribed
from elman.tasks.speech.writing import Transcript

NAME = "file"  # what messages call the recording


class Word(BaseModel):
    """A word and its times in seconds."""

    word: str
    start: float
    end: float
    confidence: float


class Segment(BaseModel):
    """A stretch of the recording: the whole of it."""

    id: int
    start: float
    end: float
    text: str


class Said(BaseModel):
    """What was said; with verbose_json, also when, and how sure that is."""

    text: str
    task: Literal["transcribe"] | None = None
    language: str | None = None
    duration: float | None = None
    confidence: float | None = None
    words: list[Word] | None = None
    segments: list[Segment] | None = None


FIELDS = ("file", "model", "language", "prompt", "response_format", "temperature", "beam",
          "stream", "timestamp_granularities[]")  # fmt: skip
AS_TEXT: dict[str, Any] = {"content": {"text/plain": {"schema": {"type": "string"}}}}


def router(serving: Serving) -> APIRouter:
    """The address of recordings."""
    routes = APIRouter(route_class=Route, tags=["OpenAI"])

    @routes.post(
        "/v1/audio/transcriptions", response_model=Said,
        responses={200: AS_TEXT, **responses(404)},
    )  # fmt: skip
    async def transcribe(
        request: Request,
        file: Annotated[UploadFile, File(description="WAV, FLAC, OGG or MP3.")],
        model: Annotated[str, Form(min_length=1)],
        response_format: Annotated[Literal["json", "text", "verbose_json"], Form()] = "json",
        beam: Annotated[
            int, Form(ge=0, description="Not OpenAI's: hypotheses of the search; 0 for none.")
        ] = 0,
        language: Annotated[str, Form(description="Repeated in the answer.")] = "",
        prompt: Annotated[str, Form(description="Without effect.")] = "",
        temperature: Annotated[float, Form(ge=0, le=1, description="Without effect.")] = 0.0,
        stream: Annotated[Literal["false"], Form(description="Only false.")] = "false",
    ) -> Response:
        """Write what is said in a recording, or name its class, as `elman predict` does."""
        for name in await request.form():
            if name not in FIELDS:
                raise Refused(400, "unknown_parameter", f"unknown parameter: {name[:60]}", name)
        served = serving.models.used(model, "audio")
        check_most("beam", beam, serving.limits.beam)
        how = SpeechDecoding(beam=beam or None)
        work = hearing(served.run, await file.read(), serving.limits.audio_seconds, how)
        seconds, heard = await serving.desk.do(work)
        if response_format == "text":
            return PlainTextResponse(heard.text + "\n")
        if response_format == "json":
            return Plain({"text": heard.text})
        return Plain(_verbose(heard, seconds, language).model_dump())

    return routes


def hearing(
    run: Run, sound: bytes, most_seconds: float, how: SpeechDecoding
) -> Callable[[Wanted], tuple[float, Transcript]]:
    """The work of hearing: how many seconds it lasts, and what is said. Refused: it is longer than
    `most_seconds`; UserError: it is no sound."""

    def work(wanted: Wanted) -> tuple[float, Transcript]:
        with tempfile.TemporaryDirectory(prefix="elman-") as place:
            path = Path(place) / NAME
            path.write_bytes(sound)
            recording = Recording(path)

            def waves(rate: int) -> Iterator[Floats]:
                for wave in audio.blocks(recording, BLOCK, rate):
                    wanted.check()
                    yield wave

            try:
                seconds = audio.about(recording).seconds
                if seconds > most_seconds:
                    told = f"{NAME}: lasts {seconds:,.0f} s; at most {most_seconds:,.0f}"
                    raise Refused(413, "audio_too_long", told, NAME)
                kept = run.trained.preprocessing
                return seconds, transcribed(how, run.model, kept, waves)
            except Refused:
                raise
            except ElmanError as error:
                raise type(error)(str(error).replace(str(path), NAME)) from None

    return work


def _verbose(heard: Transcript, seconds: float, language: str) -> Said:
    words = [
        Word(
            word=word.text, start=round(word.start, 3), end=round(word.stop, 3),
            confidence=round(word.confidence, 4),
        )
        for word in heard.words
    ]  # fmt: skip
    whole = Segment(id=0, start=0.0, end=seconds, text=heard.text)
    return Said(
        text=heard.text, task="transcribe", language=language, duration=seconds,
        confidence=round(heard.confidence, 4), words=words, segments=[whole],
    )  # fmt: skip
