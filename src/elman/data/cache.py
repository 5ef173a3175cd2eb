"""Where downloaded and encoded files are kept, and how they are written: beside, then renamed; and
how much of what can be made again is kept."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from elman.data.telling import Stage, tell
from elman.errors import RunError, UserError

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be removed
    fcntl = None  # type: ignore[assignment]

GIGABYTES = 5.0  # of encoded texts that are kept
RECENT = 600.0  # seconds for which a file stays, whoever is about to open it
FORGOTTEN = 86_400.0  # seconds after which nobody goes on with a half-written file
UNFINISHED = 7 * 86_400.0  # the same for a folder of parts that can be gone on with
WORK = ".work"  # the ending of such a folder
PATIENCE = 600.0  # seconds without a sign of life from another process that makes the same
LOOK = 0.2  # seconds between two looks at whether it has ended


def cache_folder() -> Path:
    """`ELMAN_CACHE`, else `elman` in `XDG_CACHE_HOME`, else `~/.cache/elman`."""
    if own := os.environ.get("ELMAN_CACHE"):
        return Path(own)
    if common := os.environ.get("XDG_CACHE_HOME"):
        return Path(common) / "elman"
    return Path.home() / ".cache" / "elman"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file beside `path` that takes its place at the end; if anything fails, it is gone.

    The folder is made where it is missing. Raises `OSError` where it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    os.close(descriptor)
    part = Path(name)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def kept_bytes() -> int:
    """How much is kept of what can be made again: `ELMAN_CACHE_SIZE` in gigabytes, else 5."""
    given = os.environ.get("ELMAN_CACHE_SIZE", "").strip()
    try:
        gigabytes = float(given) if given else GIGABYTES
    except ValueError:
        gigabytes = math.nan
    if not 0 <= gigabytes < math.inf:
        raise UserError(f'ELMAN_CACHE_SIZE is "{given}"; give gigabytes, such as 20')
    return int(gigabytes * 1e9)


def in_use(stream: IO[bytes]) -> None:
    """As long as this stream is open, `prune` lets its file be, in any process."""
    if fcntl is not None:
        with suppress(OSError):  # some file systems have no locks
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)


@contextmanager
def alone(path: Path, doing: str) -> Iterator[Callable[[str], None]]:
    """Within it one process at a time makes `path`; whoever else is `doing` the same waits.

    Gives what is to be called from time to time as a sign of life, with how far it is, which those
    who wait tell. What a process held that was killed is free. RunError: another one has given no
    such sign for ten minutes. Where there are no locks, nobody waits.
    """
    lock = path.with_suffix(".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    stream = _locked(lock, doing)

    def beat(told: str) -> None:
        with suppress(OSError):  # a full disk is noticed elsewhere
            stream.seek(0)
            stream.truncate()
            stream.write(told.encode())
            os.utime(lock)

    beat("")
    try:
        yield beat
    finally:
        lock.unlink(missing_ok=True)  # as long as it is held
        stream.close()


def _locked(lock: Path, doing: str) -> IO[bytes]:
    heard: tuple[int, float] | None = None  # the last sign of life, and when it was noticed
    while True:
        stream = lock.open("ab", buffering=0)
        try:
            if fcntl is not None:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_at(stream, lock):
                return stream
        except BlockingIOError:
            pass
        except OSError:  # some file systems have no locks
            return stream
        stream.close()
        with suppress(FileNotFoundError):  # it has just ended
            sign, told = lock.stat().st_mtime_ns, lock.read_text(errors="replace")
            if heard is None or sign != heard[0]:
                heard = sign, time.monotonic()
            elif time.monotonic() - heard[1] > PATIENCE:
                raise RunError(
                    f"another process is {doing}, and has not been heard of for "
                    f"{PATIENCE / 60:.0f} minutes; end it, or set ELMAN_CACHE to another folder"
                )
            tell(Stage(doing, None, told or "another process is at it"))
        time.sleep(LOOK)


def is_at(stream: IO[Any], path: Path) -> bool:
    """Whether an open file still lies there, and was not removed by who held it before."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except OSError:
        return False


def touch(path: Path) -> None:
    """Note that a file was used now; when it was written stays."""
    with suppress(OSError):
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def prune(folder: Path, limit: int) -> None:
    """Removes files of a folder, the least recently used first, until it holds `limit` bytes.

    What was left unfinished goes when nobody has gone on with it: a file after a day, a folder of
    parts after a week.

    Files that differ by their endings alone go together, judged by the largest. Those that are in
    use stay, and those of the last ten minutes.
    """
    now = time.time()
    sizes: dict[str, int] = {}
    used: dict[str, float] = {}
    for path in folder.iterdir():
        with suppress(OSError):  # another process may have removed it
            status = path.stat()
            if path.suffix in (".part", ".lock"):
                if now - status.st_mtime > FORGOTTEN:
                    path.unlink()
                continue
            if path.suffix == WORK:
                if now - status.st_mtime > UNFINISHED:
                    shutil.rmtree(path, ignore_errors=True)
                continue
            sizes[path.stem] = sizes.get(path.stem, 0) + status.st_size
            last = max(status.st_atime, status.st_mtime)
            used[path.stem] = max(used.get(path.stem, 0.0), last)
    total = sum(sizes.values())
    for stem in sorted(sizes, key=lambda stem: used[stem]):
        if total <= limit or now - used[stem] < RECENT:
            return
        files = (path for path in folder.glob(f"{stem}.*") if path.suffix != WORK)
        if _removed(sorted(files, key=_size, reverse=True)):
            total -= sizes[stem]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _removed(paths: list[Path]) -> bool:
    """Whether these files are gone; they stay if the first of them is in use."""
    try:
        with paths[0].open("rb") as stream:
            if fcntl is not None:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for path in paths:
                    path.unlink(missing_ok=True)
        for path in paths:
            path.unlink(missing_ok=True)
    except (OSError, IndexError):
        return False
    return True
