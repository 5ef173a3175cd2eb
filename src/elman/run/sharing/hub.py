"""Runs on a model hub: the repository holds the files of the run folder, and nothing else is asked
of it. Endpoint, token, cache and the offline switch are those of huggingface_hub.

hf:user/name             the run as it is there now
hf:user/name@revision    at a branch, a tag or a commit
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from logging import ERROR
from pathlib import Path
from typing import TYPE_CHECKING

from elman.errors import RunError, UserError
from elman.run.folder import CHECKPOINT, OPTIONS
from elman.run.sharing import card
from elman.run.sharing.parts import Part, may_be

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

SIGN = "hf:"
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
ENDINGS = ("toml", "json", "jsonl", "safetensors", "md", "txt", "png", "svg", "input")
LOGIN = "hf auth login, or set HF_TOKEN"
FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)  # of a model card


@dataclass(frozen=True)
class Place:
    """A repository on the hub, at a branch, tag or commit; at its main branch with none."""

    repository: str
    revision: str | None = None

    def __str__(self) -> str:
        return SIGN + self.repository + (f"@{self.revision}" if self.revision else "")

    @property
    def name(self) -> str:
        """Without its owner."""
        return self.repository.rpartition("/")[2]


def is_place(run: str | Path) -> bool:
    """Whether it names a run on a hub."""
    return _text(run).startswith(SIGN)


def place(run: str | Path, revision: str | None = None) -> Place:
    """What hf:user/name or hf:user/name@revision names. UserError: neither, or two revisions."""
    repository, at, own = _text(run).removeprefix(SIGN).partition("@")
    if not REPOSITORY.fullmatch(repository) or (at and not own):
        raise UserError(f"{_text(run)}: give hf:user/name, or hf:user/name@revision")
    if own and revision not in (None, own):
        raise UserError(f"{_text(run)}: names another revision than {revision}; give one")
    return Place(repository, own or revision)


def name_of(folder: Path) -> str | None:
    """The name of the repository that lies in this folder of the hub's cache; None elsewhere."""
    above = folder.resolve().parents
    if len(above) > 1 and above[0].name == "snapshots" and above[1].name.startswith("models--"):
        return above[1].name.rpartition("--")[2]
    return None


def fetch(at: Place, *, checkpoint: bool = False) -> Path:
    """The folder, in the cache of huggingface_hub, that holds the run as it is there.

    UserError: no such repository or revision, one that is not open to this token, no run in it;
    RunError: the hub cannot be reached, and the cache does not hold it.
    """
    from huggingface_hub import hf_hub_download, snapshot_download

    with _told(at), _in_one_line():
        # By it a run is known; only then is anything large downloaded.
        found = Path(snapshot_download(at.repository, revision=at.revision, allow_patterns=OPTIONS))
        if not (found / OPTIONS).is_file():
            raise UserError(f"{at}: holds no run of Elman ({OPTIONS} is missing)")
        if checkpoint:
            hf_hub_download(at.repository, CHECKPOINT, revision=found.name)
        snapshot_download(
            at.repository,
            revision=found.name,
            allow_patterns=[f"*.{ending}" for ending in ENDINGS],
            ignore_patterns=["*/*"],
        )
    return found


def push(
    parts: Sequence[Part], at: Place, *, private: bool | None = None, message: str = "",
    token: str | None = None,
) -> str:  # fmt: skip
    """Put parts of a run into a repository, in one commit; the address of that commit.

    The repository and, where `at` names one, the branch are made if they are not there. What an
    earlier run left goes; files that belong to no run stay, and so does a model card that somebody
    wrote there by hand. UserError: the token may not; RunError: the hub cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi(token=token)
    with _told(at, token), _in_one_line():
        api.create_repo(at.repository, private=private, exist_ok=True)
        if at.revision:
            api.create_branch(at.repository, branch=at.revision, exist_ok=True)
        there = set(api.list_repo_files(at.repository, revision=at.revision))
        if card.FILE in there and not _is_replaceable(api, at, parts):
            parts = [part for part in parts if part.name != card.FILE]
            there.discard(card.FILE)
        going = {part.name for part in parts}
        made = api.create_commit(
            at.repository,
            [
                *(CommitOperationAdd(part.name, part.content) for part in parts),
                *(CommitOperationDelete(name) for name in sorted(there - going) if may_be(name)),
            ],
            commit_message=message or "A run of Elman",
            revision=at.revision,
        )
    return str(made.commit_url)


def _is_replaceable(api: HfApi, at: Place, parts: Sequence[Part]) -> bool:
    """Whether the model card that is there may go: it was made, or ours was not, or it says
    nothing."""
    ours = next(part for part in parts if part.name == card.FILE)
    if not card.is_made(b"".join(ours.blocks()).decode()):
        return True
    path = Path(api.hf_hub_download(at.repository, card.FILE, revision=at.revision))
    theirs = path.read_text(encoding="utf-8", errors="replace")
    return card.is_made(theirs) or not FRONT.sub("", theirs, count=1).strip()


@contextmanager
def _told(at: Place, token: str | None = None) -> Iterator[None]:
    """Turns whatever can go wrong between here and a hub into one line."""
    from huggingface_hub import constants, errors, get_token

    client_error = errors.HTTPError  # type: ignore[attr-defined]  # of the HTTP client it uses
    hub = constants.ENDPOINT
    token = token or get_token()
    opened = "that this token opens" if token else f"open to all (no token is set: {LOGIN})"
    try:
        yield
    except errors.GatedRepoError:
        raise UserError(
            f"{at}: gated; ask for access at {hub}/{at.repository}, then set HF_TOKEN"
        ) from None
    except errors.RevisionNotFoundError:
        raise UserError(
            f"{at}: there is no such branch, tag or commit in {at.repository}"
        ) from None
    except errors.RepositoryNotFoundError:
        raise UserError(f"{at}: no such repository at {hub}, or none {opened}") from None
    except errors.OfflineModeIsEnabled:
        raise UserError(f"{at}: HF_HUB_OFFLINE is set; nothing is sent") from None
    except errors.LocalEntryNotFoundError as error:
        if constants.is_offline_mode():
            raise UserError(f"{at}: not in the cache, and HF_HUB_OFFLINE is set") from None
        if isinstance(error.__cause__, errors.HfHubHTTPError):
            raise _answered(at, hub, error.__cause__) from None
        raise RunError(f"{at}: {hub} cannot be reached, and the cache does not hold it") from None
    except errors.EntryNotFoundError:
        raise UserError(f"{at}: the state of the training ({CHECKPOINT}) is not there") from None
    except errors.HfHubHTTPError as error:
        code = error.response.status_code
        if code in (401, 403):
            what = "is not known or may not write there" if token else "is missing"
            raise UserError(f"{at}: the token {what} (HTTP {code}); {LOGIN}") from None
        raise _answered(at, hub, error) from None
    except client_error as error:
        raise RunError(f"{at}: {hub} cannot be reached ({_words(error)})") from None
    except (errors.LocalTokenNotFoundError, ValueError) as error:  # a name, front matter
        raise UserError(f"{at}: {_words(error)}") from None
    except RuntimeError as error:  # of the upload of a large file
        raise RunError(f"{at}: {_words(error.__cause__ or error)}") from error


def _answered(at: Place, hub: str, error: HfHubHTTPError) -> RunError:
    told = error.server_message or _words(error)
    return RunError(f"{at}: {hub} answered HTTP {error.response.status_code}: {told}")


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Progress is shown on a terminal alone, and what is tried again is not told of."""
    from huggingface_hub import constants
    from huggingface_hub.utils import logging
    from huggingface_hub.utils.tqdm import disable_progress_bars

    wanted = sys.stderr.isatty() or constants.HF_HUB_DISABLE_PROGRESS_BARS is False
    before = logging.get_verbosity()
    logging.set_verbosity(ERROR)
    try:
        with nullcontext() if wanted else disable_progress_bars():
            yield
    finally:
        logging.set_verbosity(before)


def _text(run: str | Path) -> str:
    return run.as_posix() if isinstance(run, Path) else run
