"""What a completion asks for, checked; and its answer, whole or as a stream of events."""

from __future__ import annotations

import asyncio
import base64
import itertools
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

from elman.data.texts.vocabulary import Vocabulary
from elman.decode import Sampling, seeds
from elman.serve.contract import Engine, Refused
from elman.serve.limiting import check_most
from elman.serve.serving import Serving
from elman.serve.text.asked import Completion, Writes
from elman.serve.text.choice import Choice, Part, Prompt
from elman.serve.text.merging import merged
from elman.serve.text.scores import Scored, record
from elman.tasks.task import Cursor

Keep: TypeAlias = Callable[[Cursor, dict[str, Any]], Awaitable[object]]

LETTERS = 16  # of a token: more than any text has on average


@dataclass(frozen=True)
class Job:
    """Texts to be written: for each prompt `drawn` of them, of which `kept` are given."""

    serving: Serving
    model: str
    engine: Engine
    asked: Writes
    prompts: Sequence[Prompt]
    after: Cursor | None = None
    drawn: int = 1
    kept: int = 1
    echo: bool = False
    tells_state: bool = False
    keep: Keep | None = None  # called with place and answer before the end of a text is told

    @property
    def count(self) -> int:
        """Texts that are written."""
        return self.drawn * len(self.prompts)

    def begin(self) -> list[Choice]:
        """Begins to write all of them. The first of each prompt is drawn by the seed asked for."""
        sampling = self.asked.sampling()
        drawn = list(itertools.islice(seeds(sampling), self.drawn))
        self.serving.measures.read(self.model, self.prompt_tokens)
        return [
            self._choice(prompt, replace(sampling, seed=seed))
            for prompt in self.prompts
            for seed in drawn
        ]

    def _choice(self, prompt: Prompt, sampling: Sampling) -> Choice:
        top = self.asked.logprobs
        if top is None and self.drawn > self.kept:
            top = 0  # by which the best are known
        return Choice(
            self.engine, prompt, self.asked.length, sampling, self.asked.stops,
            after=self.after, top=top, echo=self.echo,
            remember=self.keep is not None or not self.asked.stream,
        )  # fmt: skip

    @cached_property
    def prompt_tokens(self) -> int:
        """Tokens of all prompts."""
        return sum(len(prompt.ids) for prompt in self.prompts)

    @cached_property
    def head(self) -> dict[str, Any]:
        """What every object of the answer begins with."""
        return {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": self.model,
        }

    def item(self, index: int, choice: Choice, part: Part) -> dict[str, Any]:
        """A part of a text as an item of `choices`."""
        item: dict[str, Any] = {
            "index": index,
            "text": part.text,
            "logprobs": self._scores(part.scored),
            "finish_reason": part.reason,
        }
        if self.tells_state and part.reason is not None:
            blob = self.serving.kept().pack(self.model, choice.writing.place)
            item["state"] = base64.b64encode(blob).decode()
        return item

    def answer(self, given: Sequence[Choice], choices: Sequence[Choice]) -> dict[str, Any]:
        """The whole answer: the texts that are given, out of all that were written."""
        items = [self.item(k, choice, choice.whole()) for k, choice in enumerate(given)]
        return self.head | {"choices": items, "usage": self.usage(choices)}

    async def kept_place(self, choices: Sequence[Choice]) -> None:
        """Keeps where the text ended, once it has, if that is asked for."""
        if self.keep is not None:
            await self.keep(choices[0].writing.place, self.answer(choices, choices))

    def _scores(self, scored: Sequence[Scored]) -> dict[str, Any] | None:
        return None if self.asked.logprobs is None else record(scored, self.engine.vocabulary)

    def usage(self, choices: Sequence[Choice]) -> dict[str, int]:
        """How many tokens there were."""
        made = sum(choice.made for choice in choices)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": made,
            "total_tokens": self.prompt_tokens + made,
        }


def job_of(serving: Serving, asked: Completion) -> Job:
    """The texts that a completion asks for. Refused: a model, state or size that does not fit."""
    served, engine = serving.models.writing(asked.model)
    kept = asked.n or 1
    drawn = asked.best_of or kept
    if drawn < kept:
        raise Refused(400, "invalid_value", "best_of: needs n or more", "best_of")
    if drawn > kept and asked.stream:
        told = "best_of: a stream cannot wait for the best; give n alone, or no stream"
        raise Refused(400, "invalid_value", told, "best_of")
    after = None
    if asked.state is not None:
        after = unpacked(serving, served.name, asked.state)
    check_letters(serving, asked.prompts)
    prompts = [prompt_of(one, engine.vocabulary) for one in asked.prompts]
    return checked(
        Job(
            serving, served.name, engine, asked, prompts, after, drawn, kept,
            echo=bool(asked.echo), tells_state=bool(asked.return_state),
        )
    )  # fmt: skip


def checked(job: Job) -> Job:
    """The same job. Refused: more than is allowed."""
    limits = job.serving.limits
    if job.prompt_tokens > limits.prompt_tokens:
        told = f"prompt: {job.prompt_tokens:,} tokens; at most {limits.prompt_tokens:,}"
        raise Refused(400, "context_length_exceeded", told, "prompt")
    check_most("max_tokens", job.asked.length, limits.max_tokens)
    return job


def check_letters(serving: Serving, prompts: Sequence[str | list[int]]) -> None:
    """Refused: texts so long that nobody should wait until they are cut into tokens."""
    letters = sum(len(one) for one in prompts if isinstance(one, str))
    most = LETTERS * serving.limits.prompt_tokens
    if letters > most:
        told = f"prompt: {letters:,} characters; at most {most:,}"
        raise Refused(400, "context_length_exceeded", told, "prompt")


def prompt_of(given: str | list[int], vocabulary: Vocabulary) -> Prompt:
    """A prompt as the model reads it. Refused: a token that it has not."""
    if isinstance(given, str):
        return Prompt(given, vocabulary.encode(given).tolist())
    if max(given, default=0) >= vocabulary.size:
        told = f"prompt: token {max(given)} is none of the model's, which go up to "
        raise Refused(422, "unfit", f"{told}{vocabulary.size - 1}", "prompt")
    return Prompt(vocabulary.decode(given), given)


def unpacked(serving: Serving, model: str, state: str) -> Cursor:
    """The place that a client holds. Refused: it is none of this model's."""
    try:
        blob = base64.b64decode(state, validate=True)
    except ValueError:
        told = "state: is no base64; send back what return_state gave"
        raise Refused(400, "invalid_state", told, "state") from None
    place: Cursor = serving.kept().unpack(model, blob)
    return place


async def whole(job: Job) -> dict[str, Any]:
    """The answer at once."""
    async with _written(job) as choices:
        await asyncio.gather(*map(_finish, choices))
        await job.kept_place(choices)
    return job.answer(_best(job, choices), choices)


async def chunks(job: Job) -> AsyncGenerator[dict[str, Any], None]:
    """The answer as objects, one for each part of a text, as it is made."""
    usage = {"usage": None} if job.asked.wants_usage else {}
    async with (
        _written(job) as choices,
        aclosing(merged([choice.parts() for choice in choices])) as parts,
    ):
        async for index, part in parts:
            if part.reason is not None:
                await job.kept_place(choices)
            yield job.head | {"choices": [job.item(index, choices[index], part)]} | usage
    if job.asked.wants_usage:
        yield job.head | {"choices": [], "usage": job.usage(choices)}


async def place_after(job: Job) -> Cursor:
    """Where a job of one text stands at its end, with nothing told."""
    async with _written(job) as choices:
        await _finish(choices[0])
    return choices[0].writing.place


@asynccontextmanager
async def _written(job: Job) -> AsyncGenerator[list[Choice], None]:
    """The texts of a job while they are written, in their turn; left early, they end."""
    async with job.serving.texts.hold(job.count):
        choices = job.begin()
        try:
            yield choices
        finally:
            for choice in choices:
                choice.writing.close()
                choice.tell(job.serving.measures, job.model)


async def _finish(choice: Choice) -> None:
    async for _ in choice.parts():
        pass


def _best(job: Job, choices: Sequence[Choice]) -> list[Choice]:
    """Of each prompt those texts that are given."""
    found: list[Choice] = []
    for k in range(0, len(choices), job.drawn):
        drawn = choices[k : k + job.drawn]
        if job.kept < job.drawn:
            drawn = sorted(drawn, key=lambda choice: choice.log_p_a_token, reverse=True)
        found += drawn[: job.kept]
    return found
