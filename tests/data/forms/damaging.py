"""Damages a file in many ways and reads what is left.

python damaging.py FILE COUNT    prints how many ended how; anything but a table or one line is told
"""

from __future__ import annotations

import os
import random
import select
import sys
import time
from collections import Counter
from pathlib import Path

from elman.data.forms import rehearsal
from elman.data.forms.forms import Form
from elman.data.forms.other_forms import open_other_form
from elman.data.source import Source
from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.errors import UserError

PATIENCE_S = 30.0


def damaged(whole: bytes, draw: random.Random) -> bytes:
    """Cut off, bytes changed, a piece of zeros or ones, a piece lost."""
    held = bytearray(whole)
    place = draw.randrange(len(held))
    match draw.randrange(5):
        case 0:
            return bytes(held[:place])
        case 1:
            held[place : place + 4] = draw.choice([b"\xff" * 4, b"\xff\xff\xff\x7f", bytes(4)])
        case 2:
            length = min(draw.randrange(1, 200), len(held) - place)
            held[place : place + length] = bytes([draw.choice([0, 255])]) * length
        case 3:
            del held[place : place + draw.randrange(1, 100)]
        case _:
            for _ in range(draw.choice([1, 1, 2, 5, 20])):
                held[draw.randrange(len(held))] = draw.randrange(256)
    return bytes(held)


def apart(work: str, path: Path) -> str:
    """How it ended, in a process of its own: `table`, `line`, or what went wrong."""
    ear, mouth = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(mouth, 2)
        ended = _rehearsed(path) if work == "rehearse" else _read(path)
        os.write(mouth, b"##" + ended.encode())
        os._exit(0)
    os.close(mouth)
    heard, end = b"", time.monotonic() + PATIENCE_S
    while select.select([ear], [], [], max(0.0, end - time.monotonic()))[0]:
        if not (piece := os.read(ear, 1 << 16)):
            break
        heard += piece
    else:
        os.kill(child, 9)
        heard = b"too slow ##"
    os.close(ear)
    status = os.waitpid(child, 0)[1]
    said, _, ended = heard.decode(errors="replace").rpartition("##")
    return ended if not status and not said.strip() else f"status {status}: {said[:2000]}"


def _read(path: Path) -> str:
    try:
        content = open_other_form(Source("F", path), TableOptions())
        if content is not None:
            for block in content.blocks(BadRows(skip=False)):
                assert all(len(row) == len(content.columns) for row in block.cells)
        return "table"
    except UserError as error:
        return "line" if "\n" not in str(error) else f"several lines: {error}"
    except BaseException as error:
        return repr(error)


def _rehearsed(path: Path) -> str:
    form = FORMS[path]
    try:
        (rehearsal.read_xls if form == "xls" else rehearsal.read_columnar)(path)
    except UserError:
        return "table"
    except BaseException as error:
        return repr(error)
    return "table"


COLUMNAR = (".parquet", ".arrow", ".arrows")  # read by threads, which do not outlive a fork
FORMS: dict[Path, Form] = {}


def _goes_well(form: Form, path: Path, size: int, changed_ns: int) -> bool:
    """The rehearsal, in a process that has the libraries already."""
    FORMS[path] = form
    return apart("rehearse", path) == "table"


def main(whole: Path, count: int) -> None:
    """Reads so many damaged files."""
    import duckdb  # noqa: F401
    import polars  # noqa: F401
    import python_calamine  # noqa: F401

    rehearsal._goes_well = _goes_well  # type: ignore[assignment]
    ended: Counter[str] = Counter()
    path = whole.with_name(f"damaged{whole.suffix}")
    for seed in range(count):
        path.write_bytes(damaged(whole.read_bytes(), random.Random(seed)))
        ended[apart("read", path) if whole.suffix in COLUMNAR else _read(path)] += 1
    for how, times in ended.most_common():
        print(times, how)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
