"""`elman predict`: one row out for one row in."""

from __future__ import annotations

import sys
from typing import Annotated, Any

from cyclopts import Parameter

from elman.apps.commands.arguments import Device, RunPath, SkipBadRows, refuse_options
from elman.apps.flags import given
from elman.apps.output import tell_left_out
from elman.data.tables.content import BadRows
from elman.errors import UserError


def predict(
    run: RunPath,
    /,
    *data: Annotated[
        str, Parameter(help="As for train; - is read row by row.", allow_leading_hyphen=True)
    ],
    skip_bad_rows: SkipBadRows = False,
    decoding: Any = None,
    device: Device = "auto",
) -> None:
    """Answer DATA row by row, in its own form, on standard output."""
    refuse_options(data, "predict")
    if not data:
        raise UserError("predict: name DATA, or give - for standard input")
    from elman.run import api

    bad = BadRows(skip_bad_rows)
    api.load(run, device=device).predict(*data, out=sys.stdout, bad=bad, **given(decoding))
    tell_left_out(bad)
