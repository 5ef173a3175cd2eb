"""Texts written on, and the list of models, as OpenAI's clients ask for them."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from elman.serve.errors import Plain, responses
from elman.serve.models import ADDRESSES, Served
from elman.serve.route import Route
from elman.serve.serving import Serving
from elman.serve.text.asked import Completion
from elman.serve.text.completion import chunks, job_of, whole
from elman.serve.text.events import stream


class Model(BaseModel):
    """A model that is served."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "elman"
    task: str
    address: str


class ModelList(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[Model]


class Scores(BaseModel):
    """Log probabilities of tokens; the first token of all has none."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class Text(BaseModel):
    """A text that was written."""

    index: int
    text: str
    logprobs: Scores | None
    finish_reason: Literal["stop", "length"] | None
    state: str | None = None


class Usage(BaseModel):
    """How many tokens there were."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Written(BaseModel):
    """Texts that were written. A stream sends such objects as events, a part of a text in each."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[Text]
    usage: Usage | None = None


EVENT: dict[str, Any] = {
    "type": "object",
    "properties": {"data": {"type": "string"}},
    "required": ["data"],
}
STREAMED: dict[str, Any] = {
    "description": "The texts; with stream, as server-sent events, the last of which is [DONE]",
    "content": {"text/event-stream": {"schema": EVENT}},
}


def router(serving: Serving) -> APIRouter:
    """The addresses below /v1 that concern texts and models."""
    routes = APIRouter(route_class=Route, tags=["OpenAI"])

    @routes.post(
        "/v1/completions", response_model=Written, responses={200: STREAMED, **responses(404)}
    )
    async def complete(asked: Completion) -> Response:
        """Write on from a prompt, as `elman generate` does with the same seed."""
        job = job_of(serving, asked)
        if asked.stream:
            return await stream(chunks(job))
        return Plain(await whole(job))

    @routes.get("/v1/models", responses=responses())
    async def models() -> ModelList:
        """The models that are served."""
        return ModelList(data=[_told(one) for one in serving.models.by_name.values()])

    @routes.get("/v1/models/{model}", responses=responses(404))
    async def model(model: str) -> Model:
        """One model."""
        return _told(serving.models.get(model))

    return routes


def _told(served: Served) -> Model:
    return Model(
        id=served.name, created=served.created, task=served.run.task, address=ADDRESSES[served.use]
    )
