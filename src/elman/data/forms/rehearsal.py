"""A file read once in a process of its own, where its form is read by compiled code that may break
down on a damaged one: an abort or a complaint there becomes one line here.

python -m elman.data.forms.rehearsal xls book.xls
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from elman.data.forms.forms import NAMES, Form
from elman.errors import UserError

PATIENCE_S = 600.0
MEMORY = 3 << 30  # bytes, for an xls, which is small; some damage never ends and takes ever more
READY = "ready"  # the libraries are there; what goes wrong from now on is the file's


def rehearse(shown: str, form: Form, path: Path) -> None:
    """UserError where reading all of the file breaks down. Known files are not read again."""
    try:
        status = path.stat()
    except OSError as error:
        raise UserError(f"cannot read {shown}: {error.strerror}; check the path") from None
    if not _goes_well(form, path.resolve(), status.st_size, status.st_mtime_ns):
        raise damaged(shown, form)


def damaged(shown: str, form: Form) -> UserError:
    """The error for a file that is not what it seems to be."""
    return UserError(f"{shown}: not a readable {NAMES[form]}; write it again, or save it as CSV")


@lru_cache(maxsize=256)
def _goes_well(form: Form, path: Path, size: int, changed_ns: int) -> bool:
    if not sys.executable or getattr(sys, "frozen", False):
        return True
    command = [sys.executable, "-P", "-W", "ignore", "-m", __name__, form, str(path)]
    try:
        ended = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return False
    began = ended.stdout.decode(errors="replace").startswith(READY)
    return not began or (ended.returncode == 0 and not ended.stderr)


def read_xls(path: Path) -> None:
    """All sheets of an xls, in bounded memory where the system can bound it."""
    import python_calamine

    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))

    with python_calamine.load_workbook(str(path)) as book:
        for k in range(len(book.sheet_names)):
            book.get_sheet_by_index(k)


def read_columnar(path: Path) -> None:
    """All rows of a columnar file, none of them made into cells."""
    import polars

    from elman.data.forms.columnar import planned, scanned

    for _ in planned(str(path), scanned(polars, path)).batches():
        pass


def main(form: str, path: Path) -> None:
    """Reads all of a file, for what happens."""
    read: Callable[[Path], None] = read_columnar
    if form == "xls":
        import python_calamine  # noqa: F401

        read = read_xls
    else:
        import polars  # noqa: F401
    print(READY, flush=True)
    with suppress(UserError):
        read(path)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
