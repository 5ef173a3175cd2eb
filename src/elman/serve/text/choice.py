"""One text that is being written: its tokens as parts of an answer."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from typing import Literal, NamedTuple, TypeAlias

from elman.decode import Sampling
from elman.serve.contract import Asked, Engine, Token
from elman.serve.measures import Measures
from elman.serve.text.scores import Scored
from elman.serve.text.unfolding import Unfolding
from elman.tasks.task import Cursor

Reason: TypeAlias = Literal["stop", "length"]


class Prompt(NamedTuple):
    """What a text goes on from: as it was written, and its tokens."""

    text: str
    ids: list[int]


class Part(NamedTuple):
    """Some of a text; the last has the reason why it ended."""

    text: str
    scored: list[Scored]
    reason: Reason | None = None


class Choice:
    """A text that `engine` begins to write at once, part by part.

    `top` is how many of the likeliest tokens are told beside each, None for no scores; `echo` gives
    the prompt first. `remember` keeps the parts, for `whole`.
    """

    def __init__(
        self, engine: Engine, prompt: Prompt, length: int, sampling: Sampling, stops: Sequence[str],
        *, after: Cursor | None = None, top: int | None = None, echo: bool = False,
        remember: bool = True,
    ) -> None:  # fmt: skip
        self.prompt, self.echo, self.top = prompt, echo, top
        self.made, self.log_p = 0, 0.0  # tokens, and the sum of their logarithms
        self._told: list[Part] | None = [] if remember else None
        self.first = self.seconds = 0.0  # until the first token, until the last
        before = (*(after.last if after is not None else ()), *prompt.ids)
        ending = Unfolding(engine.vocabulary, before, stops)
        self._unfolding = Unfolding(engine.vocabulary, before, stops)
        self._began = time.perf_counter()
        self._vocabulary = engine.vocabulary
        self.writing = engine.write(
            Asked(
                prompt.ids, length, sampling, after, top, echo and top is not None,
                ending.ends if stops else None,
            )
        )  # fmt: skip

    async def parts(self) -> AsyncGenerator[Part, None]:
        """The text, part by part, as it is made. What goes wrong in the engine is raised."""
        async for part in self._parts():
            if self._told is not None:
                self._told.append(part)
            yield part

    def whole(self) -> Part:
        """All parts as one, once the last has come."""
        assert self._told
        scored = [one for part in self._told for one in part.scored]
        return Part("".join(part.text for part in self._told), scored, self._told[-1].reason)

    async def _parts(self) -> AsyncGenerator[Part, None]:
        unfolding, tokens = self._unfolding, aiter(self.writing)
        if self.echo:
            read = [await anext(tokens) for _ in self.prompt.ids] if self.top is not None else []
            yield Part(self.prompt.text, self._placed(read))
        start = sure = len(self.prompt.text) if self.echo else 0  # characters of the answer so far
        held: list[Scored] = []  # tokens whose text is not certain yet
        async for token in tokens:
            text = ""
            for one in (token, *self.writing.ready()):
                self._count(one)
                if self.top is not None:
                    held.append(Scored(one, start + unfolding.said))
                text += unfolding.push(one.id)
            sure += len(text)
            # A token is told with the text that it begins; one within a character at once.
            certain = len(held) if sure == start + unfolding.said else _before(held, sure)
            if text or certain:
                yield Part(text, held[:certain])
                held = held[certain:]
        if unfolding.ended:
            yield Part("", held[: _before(held, sure)], "stop")
        else:
            yield Part(unfolding.rest(), held, "length")

    def _placed(self, tokens: Sequence[Token]) -> list[Scored]:
        """Tokens of the prompt, and where in it each begins."""
        decoder, offset, found = self._vocabulary.decoder(), 0, []
        for token in tokens:
            found.append(Scored(token, offset))
            offset += len(decoder.push(token.id))
        return found

    @property
    def log_p_a_token(self) -> float:
        """How likely the text is."""
        return self.log_p / max(self.made, 1)

    def _count(self, token: Token) -> None:
        self.seconds = time.perf_counter() - self._began
        self.first = self.first or self.seconds
        self.made += 1
        self.log_p += token.log_p or 0.0

    def tell(self, measures: Measures, model: str) -> None:
        """Counts what was written."""
        measures.written(model, self.made, self.first, self.seconds)


def _before(held: Sequence[Scored], sure: int) -> int:
    """How many of these begin before the end of what is certain."""
    return sum(one.offset < sure for one in held)
