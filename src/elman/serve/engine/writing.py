"""A text that is being written: what the engine's thread knows of it, and what its reader sees."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np

from elman.decode import LAST
from elman.errors import RunError
from elman.kernels.together import Floats
from elman.serve.contract import Asked, Token
from elman.serve.engine import likelihood
from elman.tasks.task import Cursor


@dataclass(slots=True)
class Handed:
    """What one call made of one text, on its way to the event loop."""

    writing: Written
    tokens: list[Token]
    over: bool
    place: Cursor | None = None
    error: Exception | None = None


@final
class Written:
    """A text as its reader sees it, in the event loop's thread."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.closed = False
        self._ready: deque[Token] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self._over = False
        self._place: Cursor | None = None
        self._error: Exception | None = None

    def __aiter__(self) -> Written:
        return self

    async def __anext__(self) -> Token:
        while not self._ready:
            if self._over:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._waiting = self.loop.create_future()
            await self._waiting
        return self._ready.popleft()

    def ready(self) -> list[Token]:
        tokens = list(self._ready)
        self._ready.clear()
        return tokens

    def close(self) -> None:
        self.closed = True

    @property
    def place(self) -> Cursor:
        if self._place is None:
            raise RunError("the text has not ended, or ended nowhere")
        return self._place

    def take(self, handed: Handed) -> None:
        """What the engine made, in the event loop's thread."""
        self._ready.extend(handed.tokens)
        if handed.over:
            self._over, self._place, self._error = True, handed.place, handed.error
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


@dataclass(slots=True)
class Text:
    """A text as the engine's thread knows it."""

    asked: Asked
    writing: Written
    left: int  # tokens that may still be made
    read: int = 0  # of the prompt
    last: deque[int] = field(default_factory=lambda: deque(maxlen=LAST))
    before: Floats | None = None  # the logits of its next token, where log probabilities are wanted

    @classmethod
    def begun(cls, asked: Asked, writing: Written) -> Text:
        after = asked.after
        text = cls(asked, writing, asked.length)
        if after is not None:
            text.last.extend(after.last)
            if asked.top is not None:
                text.before = after.logits.numpy()
        return text

    def took(self, read: int, made: list[int], rows: Floats | None) -> list[Token]:
        """The tokens that its reader is given of those that were read and made by a call, after
        each of which `rows` are the logits."""
        asked = self.asked
        self.left -= len(made)
        ids: Sequence[int] = ()
        if read:
            ids = asked.prompt[self.read : self.read + read]
            self.read += read
            self.last.extend(ids[-LAST:])
        self.last.extend(made)
        if asked.top is None or rows is None or not len(rows):
            echoed = [Token(k, of_prompt=True) for k in ids] if asked.echo else []
            return echoed + [Token(k) for k in made]
        tokens: list[Token] = []
        if asked.echo and ids:
            if self.before is None:  # nothing tells how likely the first token of a text is
                tokens.append(Token(ids[0], of_prompt=True))
                tokens += likelihood.told(ids[1:], rows[: read - 1], asked.top, of_prompt=True)
            else:
                before = np.concatenate([self.before[None], rows[: read - 1]])
                tokens += likelihood.told(ids, before, asked.top, of_prompt=True)
        if made:
            first = rows[read - 1] if read else self.before
            assert first is not None
            before = np.concatenate([first[None], rows[read : len(rows) - 1]])
            tokens += likelihood.told(made, before, asked.top, of_prompt=False)
        self.before = rows[-1].copy()
        return tokens
