"""Files and folders written beside their place and renamed, so that none is ever half there; and
what goes wrong meanwhile, as one clear line."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from elman.errors import RunError, UserError


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError while writing below `path` into one clear line."""
    try:
        yield
    except OSError as error:
        what = f"{path}: cannot be written ({error.strerror or error})"
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise RunError(what) from error
        raise UserError(what) from error


def replace(path: Path, text: str) -> None:
    """Write a small file beside its place and rename it."""
    fresh = path.with_name(f".{path.name}.new")
    with writing(path):
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)


@contextlib.contextmanager
def filling(path: Path) -> Iterator[Path]:
    """A new folder beside `path` that takes its place at the end; if anything fails, it is gone,
    and what was there stays."""
    fresh = path.with_name(f".{path.name}.new-{os.getpid()}")
    old = path.with_name(f".{path.name}.old-{os.getpid()}")
    with writing(path):
        try:
            fresh.mkdir(parents=True)
            yield fresh
            if path.exists():
                path.rename(old)
            fresh.rename(path)
        except BaseException:  # Ctrl-C between the two names too
            if old.exists() and not path.exists():
                old.rename(path)
            raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            if path.exists():
                shutil.rmtree(old, ignore_errors=True)
