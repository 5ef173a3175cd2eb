"""What a room is given: the words of its language, the chosen run, the one timer, and workers."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from nicegui import Client, run, ui

from elman.apps.lab.trainings import Trainings
from elman.apps.lab.words import Said, Say
from elman.apps.lab.workspace import Workspace
from elman.errors import ElmanError

T = TypeVar("T")
TICK = 0.5  # seconds


@dataclass
class Due:
    """Something that is done from time to time. `next` is on time.monotonic's clock."""

    seconds: float
    do: Callable[[], Awaitable[None] | None]
    next: float = 0.0


@dataclass
class Page:
    """One tab in one room.

    `run` is the folder of the chosen run, of which only the name was checked: a stranger may have
    made what is in it. Every text that comes from data is shown by `ui.label` or set as text, never
    as HTML or Markdown.
    """

    say: Say
    language: str
    workspace: Workspace
    trainings: Trainings
    client: Client
    asked: str = ""  # the name in the address, of a run that may have no folder yet
    run: Path | None = None
    _due: list[Due] = field(default_factory=list)

    @property
    def chosen(self) -> Path:
        """The chosen run, in a room that needs one."""
        assert self.run is not None
        return self.run

    def every(self, seconds: float, do: Callable[[], Awaitable[None] | None]) -> None:
        """Call `do` so often (at best twice a second) as long as the tab is there, also at once.

        There is one timer a page, which runs what is due one after the other: a slow `do` delays
        the others and is never called while it still runs.
        """
        if not self._due:
            ui.timer(TICK, self._tick)
        self._due.append(Due(seconds, do))

    async def _tick(self) -> None:
        for one in self._due:
            if time.monotonic() >= one.next:
                result = one.do()
                if result is not None:
                    await result
                one.next = time.monotonic() + one.seconds

    async def work(self, do: Callable[..., T], *arguments: Any, **named: Any) -> T | None:
        """What `do` returns, called in a worker thread, so that other tabs go on.

        Where it raises an ElmanError its line is shown to the visitor, and None is returned. Also
        None where the tab has gone meanwhile.
        """
        try:
            made = await run.io_bound(do, *arguments, **named)
        except ElmanError as error:
            self.tell(error)
            return None
        return None if self.client.is_deleted else made

    def tell(self, what: str | ElmanError, *, good: bool = False) -> None:
        """A line that comes up, and is read out; an error stays until it is closed."""
        if self.client.is_deleted:
            return
        line = self.refusal(what) if isinstance(what, ElmanError) else what
        with self.client:
            ui.notify(
                line[:2000], type="positive" if good else "negative", multi_line=True,
                timeout=4000 if good else 0, close_button=self.say("frame.close"),
            )  # fmt: skip

    def refusal(self, error: ElmanError) -> str:
        """An error as a line: what the command says is told to be that."""
        line = str(error)
        return line if isinstance(error, Said) else self.say("frame.refused", line=line)

    def address(self, room: str, run: Path | str | None = None) -> str:
        """The address of a room in this language, with the chosen run or with another."""
        chosen = run or self.run or self.asked
        query = f"?{urlencode({'run': Path(chosen).name})}" if chosen else ""
        return f"/{self.language}/{room}{query}"

    def go(self, room: str, run: Path | str | None = None) -> None:
        """Sends the visitor to a room."""
        self.client.open(self.address(room, run))
