"""A piece out of a file: to go on from, or voices to keep."""

from __future__ import annotations

import json
from pathlib import Path

from elman.data.symbolic import reading
from elman.data.symbolic.piece import Piece
from elman.data.symbolic.record import from_record, is_record
from elman.data.tables.content import BadRows
from elman.errors import UserError
from elman.wording import counted

LARGEST = 1 << 26  # bytes
ADVICE = "mend the file, or give another one"


def read_piece(path: str | Path) -> tuple[Piece, list[str]]:
    """The first piece of a file in any form that can be trained on, or in our own JSON; and what
    was mended in it or left aside, lines for the user. UserError: no such file, no piece in it."""
    name = str(path)
    own = _own(Path(name))
    if own is not None:
        return own, []
    found = reading.read([name], BadRows(skip=False, advice=ADVICE))
    told = [*found.account.lines()[1:], *found.warnings]
    if len(found.pieces) > 1:
        told.append(f"{name}: the first of {counted(len(found.pieces), 'piece')}")
    return found.pieces[0], [f"{name}: {line.removeprefix(f'{name}: ')}" for line in told]


def _own(path: Path) -> Piece | None:
    """The piece of a file that `elman generate -o piece.json` made, or None of any other."""
    if path.suffix.lower() != ".json" or not path.is_file() or path.stat().st_size > LARGEST:
        return None
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    return from_record(value, str(path)) if is_record(value) else None
