"""What a completion asks for, checked; and its answer, whole or as a stream of events."""

from __future__ import annotations

import asyncio
import base64
import itertools
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

from elman.data.texts.vocabulary import Vocabulary
from elman.decode import Sampling, seeds
from elman.serve.contract import Engine, Refused
from elman.serve.serving import Serving
from elman.serve.text.asked import Completion, Writes
from elman.serve.text.choice import Choice, Part, Prompt
from elman.serve.text.merging import merged
from elman.serve.text.scores import Scored, record
from elman.tasks.task import Cursor

Keep: TypeAlias = Callable[[Cursor], Awaitable[object]]


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
    keep: Keep | None = None  # called with the place after the text before its end is told

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

    async def told(self, index: int, choice: Choice, part: Part) -> dict[str, Any]:
        """A part of a text as an item of `choices`; with the last its place is kept."""
        if self.keep is not None and part.reason is not None:
            await self.keep(choice.writing.place)
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
    if job.asked.length > limits.max_tokens:
        told = f"max_tokens: at most {limits.max_tokens:,} here"
        raise Refused(400, "invalid_value", told, "max_tokens")
    return job


def prompt_of(given: str | list[int], vocabulary: Vocabulary) -> Prompt:
    """A prompt as the model reads it. Refused: a token that it has not."""
    if isinstance(given, str):
        return Prompt(given, vocabulary.encode(given).tolist())
    if max(given, default=0) >= vocabulary.size:
        told = f"prompt: token {max(given)} is none of the model's, which go up to "
        raise Refused(400, "invalid_value", f"{told}{vocabulary.size - 1}", "prompt")
    return Prompt(vocabulary.decode(given), given)


def unpacked(serving: Serving, model: str, state: str) -> Cursor:
    """The place that a client holds. Refused: it is none of this model's."""
    try:
        blob = base64.b64decode(state, validate=True)
    except ValueError:
        told = "state: is no base64; send back what return_state gave"
        raise Refused(400, "invalid_state", told, "state") from None
    return serving.kept().unpack(model, blob)


async def place_after(job: Job) -> Cursor:
    """Where a job of one text stands at its end, with nothing told."""
    async with job.serving.texts.hold(job.count):
        (choice,) = job.begin()
        try:
            await _all(choice)
        finally:
            choice.writing.close()
        return choice.writing.place


async def whole(job: Job) -> dict[str, Any]:
    """The answer at once."""
    async with job.serving.texts.hold(job.count):
        choices = job.begin()
        try:
            found = list(zip(choices, await asyncio.gather(*map(_all, choices)), strict=True))
        finally:
            for choice in choices:
                choice.writing.close()
                choice.tell(job.serving.measures, job.model)
    best = [
        one
        for k in range(0, len(found), job.drawn)
        for one in sorted(found[k : k + job.drawn], key=_likelihood, reverse=True)[: job.kept]
    ] if job.drawn > job.kept else found  # fmt: skip
    told = [await job.told(k, choice, part) for k, (choice, part) in enumerate(best)]
    return job.head | {"choices": told, "usage": job.usage(choices)}


async def _all(choice: Choice) -> Part:
    """A whole text as one part."""
    parts = [part async for part in choice.parts()]
    scored = [one for part in parts for one in part.scored]
    return Part("".join(part.text for part in parts), scored, parts[-1].reason)


def _likelihood(one: tuple[Choice, Part]) -> float:
    choice = one[0]
    return choice.log_p / max(choice.made, 1)


async def chunks(job: Job) -> AsyncGenerator[dict[str, Any]]:
    """The answer as objects, one for each part of a text, as it is made."""
    usage = {"usage": None} if job.asked.wants_usage else {}
    async with job.serving.texts.hold(job.count):
        choices = job.begin()
        try:
            async with aclosing(merged([choice.parts() for choice in choices])) as parts:
                async for index, part in parts:
                    told = await job.told(index, choices[index], part)
                    yield job.head | {"choices": [told]} | usage
        finally:
            for choice in choices:
                choice.writing.close()
                choice.tell(job.serving.measures, job.model)
    if job.asked.wants_usage:
        yield job.head | {"choices": [], "usage": job.usage(choices)}
