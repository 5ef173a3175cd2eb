"""The engine: a thread that takes all texts of a model on together, and hands out what is made."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections import deque
from typing import final

import numpy as np

from elman.data.texts.vocabulary import Vocabulary
from elman.errors import ElmanError, RunError
from elman.kernels.together import Ids
from elman.serve.contract import Asked, Token
from elman.serve.engine.pace import Pace
from elman.serve.engine.steps import Steps
from elman.serve.engine.writing import Handed, Text, Written
from elman.tasks.task import Cursor

ON_THE_WAY = 2  # calls whose tokens the event loop has not taken: more are not made before it does
HEARD = 0.5  # seconds after which it is looked whether the event loop is still there


@final
class TextEngine:
    """The texts of one model. At most `places` are taken on at once; others wait in turn.

    All live texts go through each call, so that each gets its step at every one; one that joins
    waits for the call that runs, and one that is closed leaves before the next.
    """

    def __init__(
        self, steps: Steps, places: int, vocabulary: Vocabulary, beginning: Cursor
    ) -> None:
        self._steps, self._vocabulary, self._beginning = steps, vocabulary, beginning
        self._free = list(range(places))[::-1]
        self._waiting: deque[Text] = deque()
        self._texts: dict[int, Text] = {}  # by place; the thread's own
        self._live = 0
        self._on_the_way = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="elman-engine", daemon=True)
        self._thread.start()

    @property
    def vocabulary(self) -> Vocabulary:
        return self._vocabulary

    @property
    def live(self) -> int:
        return self._live

    def write(self, asked: Asked) -> Written:
        """Starts a text. RunError: the engine was closed."""
        if asked.after is None and not len(asked.prompt):
            asked = dataclasses.replace(asked, after=self._beginning)
        text = Text.begun(asked, Written())
        with self._changed:
            if self._closed:
                raise RunError("the server is closing")
            self._waiting.append(text)
            self._live += 1
            self._changed.notify()
        return text.writing

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    # ---- In the engine's thread

    def _run(self) -> None:
        pace = Pace(self._steps.most)
        try:
            while self._wait_for_work():
                handed = self._join()
                handed += self._leave_closed()
                began = time.perf_counter()
                handed += self._step(pace)
                pace.took(time.perf_counter() - began)
                self._hand_out(handed)
        except Exception as error:  # a bug: nobody must wait for ever
            self._end_all(RunError(f"the engine failed: {error!r}"))
            raise
        self._end_all(RunError("the server is closing"))

    def _wait_for_work(self) -> bool:
        """Until there is something to do and the event loop has kept up; False: to be closed."""
        with self._changed:
            while not self._closed:
                if self._on_the_way >= ON_THE_WAY:
                    if not self._changed.wait(HEARD) and self._nobody_hears():
                        self._on_the_way = 0
                elif self._texts or self._waiting:
                    return True
                else:
                    self._changed.wait()
        return False

    def _nobody_hears(self) -> bool:
        """Whether nobody is left to take what is on the way."""
        return all(text.writing.loop.is_closed() for text in self._texts.values())

    def _join(self) -> list[Handed]:
        """Texts that wait come in, as long as there are places."""
        refused: list[Handed] = []
        while self._free and self._waiting:
            text = self._waiting.popleft()
            place = self._free.pop()
            try:
                self._steps.enter(place, text.asked)
            except ElmanError as error:
                self._free.append(place)
                refused.append(Handed(text.writing, [], over=True, error=error))
                continue
            self._texts[place] = text
        return refused

    def _leave_closed(self) -> list[Handed]:
        closed = [place for place, text in self._texts.items() if text.writing.closed]
        return [self._left(place, []) for place in closed]

    def _left(self, place: int, tokens: list[Token], error: Exception | None = None) -> Handed:
        text = self._texts.pop(place)
        self._free.append(place)
        stands = self._steps.cursor(place, text.last) if text.read or text.asked.after else None
        return Handed(text.writing, tokens, over=True, place=stands, error=error)

    def _step(self, pace: Pace) -> list[Handed]:
        """One call for all texts."""
        if not self._texts:
            return []
        places: Ids = np.fromiter(self._texts, np.int64, len(self._texts))
        texts = list(self._texts.values())
        unread: Ids = np.array([len(t.asked.prompt) - t.read for t in texts], np.int64)
        left: Ids = np.array([t.left for t in texts], np.int64)
        singly = any(t.asked.ends is not None for t in texts)
        told = self._steps.advance(places, *pace.portions(unread, left, singly=singly))
        handed: list[Handed] = []
        for k, (place, text) in enumerate(zip(places.tolist(), texts, strict=True)):
            made, error = told.tokens[k], told.errors[k]
            read = int(unread[k]) - self._steps.unread(place) if unread[k] else 0
            tokens = text.took(read, made, told.logits[k])
            over = error is not None or (text.left == 0 and text.read == len(text.asked.prompt))
            if made and text.asked.ends is not None:
                try:
                    over |= text.asked.ends(made[0])
                except Exception as raised:
                    over, error = True, raised
            if over:
                handed.append(self._left(place, tokens, error))
            elif tokens:
                handed.append(Handed(text.writing, tokens, over=False))
        return handed

    def _end_all(self, error: RunError) -> None:
        with self._changed:
            self._closed = True
            texts = [*self._texts.values(), *self._waiting]
            self._texts.clear()
            self._waiting.clear()
        self._hand_out([Handed(t.writing, [], over=True, error=error) for t in texts])

    def _hand_out(self, handed: list[Handed]) -> None:
        """To the event loops of the texts' readers; those of a closed one are lost."""
        by_loop: dict[asyncio.AbstractEventLoop, list[Handed]] = {}
        for each in handed:
            by_loop.setdefault(each.writing.loop, []).append(each)
        for loop, some in by_loop.items():
            with self._changed:
                self._on_the_way += 1
            try:
                loop.call_soon_threadsafe(self._take, some)
            except RuntimeError:  # it is closed
                self._taken(some)
                for each in some:
                    each.writing.close()

    # ---- In the event loop's thread

    def _take(self, handed: list[Handed]) -> None:
        for each in handed:
            each.writing.take(each)
        self._taken(handed)

    def _taken(self, handed: list[Handed]) -> None:
        with self._changed:
            self._on_the_way = max(self._on_the_way - 1, 0)
            self._live -= sum(each.over for each in handed)
            self._changed.notify()
