"""What the parts of the server ask of one another: routes of `Engine` and `Sessions`, and these of
nobody above them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

from elman.data.texts.vocabulary import Vocabulary
from elman.decode import Sampling
from elman.errors import UserError
from elman.run.trained import Run
from elman.tasks.music.composing.place import Place
from elman.tasks.task import Cursor


class Refused(UserError):
    """A request that is answered with `status` and one line; `code` and `param` as OpenAI's
    clients read them, `retry_after` in seconds where it may be sent again."""

    def __init__(
        self, status: int, code: str, message: str, param: str | None = None, retry_after: int = 0
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param, self.retry_after = status, code, param, retry_after


# ---- The engine: one for each model that writes, in each process


@dataclass(frozen=True)
class Asked:
    """One text to be written on.

    First `prompt`, token ids, is read from `after` on; without both a text begins as
    `Writer.read("")` has it. Then up to `length` tokens are made, the same as `Run.stream` makes
    with this `sampling`, whose seed is set, whoever else is served meanwhile.

    `top` asks for log probabilities: of each token, and of so many of the likeliest beside it; None
    for none. With `echo` the prompt's tokens are given first, with theirs. `ends` is called with
    each token that was made, in order, once, in any thread; where it is true the text ends after
    that token.
    """

    prompt: Sequence[int]
    length: int
    sampling: Sampling
    after: Cursor | None = None
    top: int | None = None
    echo: bool = False
    ends: Callable[[int], bool] | None = None


class Token(NamedTuple):
    """A token, with natural logarithms of probabilities by the softmax of the model's logits as
    they are: before temperature, penalty and whatever else chooses."""

    id: int
    log_p: float | None = None  # None where it was not asked for, or for the first of a text
    top: tuple[tuple[int, float], ...] = ()  # the likeliest (id, log_p), the best first
    of_prompt: bool = False


class Writing(Protocol):
    """A text that is being written: `async for token in writing`. What goes wrong is raised there:
    UserError for the client's fault, RunError for ours."""

    def __aiter__(self) -> AsyncIterator[Token]: ...

    def ready(self) -> list[Token]:
        """Takes the tokens that can be had without waiting: one answer holds them all."""

    def close(self) -> None:
        """Make no more of it: it leaves the batch before the next step. May be called twice."""

    @property
    def place(self) -> Cursor:
        """The place after the last token that was made. Only once the iteration has ended."""


class Engine(Protocol):
    """The streams of one model, stepped together. All but `close` in the event loop's thread."""

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def live(self) -> int:
        """Texts that are being read or written."""

    def write(self, asked: Asked) -> Writing:
        """Starts at once; nothing waits for whoever reads the tokens."""

    def close(self) -> None:
        """Ends its threads; texts that are still written end with RunError."""


# `elman.serve.engine.open_engine(run: Run) -> Engine`; UserError where the run does not write.


# ---- Sessions: one store for all models and all workers, a database

Stands: TypeAlias = Cursor | Place
"""Where a session is: in a text, or in a piece of music."""


@dataclass(frozen=True)
class Session:
    """What a client may know of a session. Times are seconds since 1970."""

    id: str
    model: str
    position: int  # tokens read and written; of music, steps or tokens
    created: float
    expires: float


class Turn(Protocol):
    """A session while one request has it."""

    @property
    def session(self) -> Session: ...

    @property
    def place(self) -> Any:
        """As `Stands`."""

    async def keep(self, place: Stands, key: str | None = None, answer: bytes = b"") -> Session:
        """Goes on from `place`; once this returns it outlives `kill -9`, and so does `answer`,
        which is kept with it under a client's `key` for a retry."""

    async def answered(self, key: str) -> bytes | None:
        """What was answered when this session was given an input with this `key` before; then
        the input is not to be read again."""


class Sessions(Protocol):
    """Where texts stand, kept between requests.

    Refused: 404 `session_not_found` for one that is not there or has expired; 409
    `session_in_use` for one that another request has, in whatever worker; 429 `too_many_sessions`
    with `retry_after`; 400 `invalid_state` for a blob that is damaged, not signed by this server,
    of another model or another version; 400 `cannot_blend`; 413 `state_too_large`.
    """

    async def create(
        self, model: str, place: Stands, seconds: float, key: str | None = None
    ) -> Session:
        """A new session that lives for so long after its last use. With a client's `key` that
        was given before, the session that it made then, if it is alive."""

    async def get(self, id: str) -> Session: ...

    def turn(self, id: str) -> AbstractAsyncContextManager[Turn]:
        """The session for one request alone; left without `keep` it stands where it stood. It is
        free again within a minute if the worker dies."""

    async def fork(self, id: str) -> Session: ...

    async def blend(self, ids: Sequence[str], weights: Sequence[float]) -> Session:
        """A new session whose state is the mean of others of one model by these weights."""

    async def download(self, id: str) -> bytes:
        """Its state as a blob, as `pack` makes it."""

    async def upload(self, id: str, blob: bytes) -> Session:
        """Puts a session where a blob stands; it is kept when this returns."""

    async def delete(self, id: str) -> None: ...

    async def count(self) -> int:
        """How many are alive, of all workers."""

    def pack(self, model: str, place: Stands) -> bytes:
        """A place as a signed, versioned safetensors blob with the model's hash."""

    def unpack(self, model: str, blob: bytes) -> Any: ...

    async def close(self) -> None: ...


# `elman.serve.sessions.open_sessions(database: Path, models: Mapping[str, Run], most: int,
# most_bytes: int) -> Sessions`; RunError where the database cannot be opened.

OpenEngine = Callable[[Run], Engine]
Models = Mapping[str, Run]
