"""`elman package`: a run as one file, into a folder, or onto a model hub, from any of these."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from elman.apps.commands.arguments import AsJson, RunPath
from elman.apps.console import warn
from elman.apps.flags import flags, given
from elman.errors import UserError
from elman.run.sharing.options import CardOptions

if TYPE_CHECKING:
    from elman.run.sharing.parts import Part

Switch = {"negative": "", "show_default": False}


def package(
    run: RunPath,
    /,
    *,
    to: Annotated[
        Path | None,
        Parameter(
            help="FILE.zip, a folder, or hf:user/name@branch; NAME.zip here if not given.",
            metavar="PLACE",
        ),
    ] = None,
    force: Annotated[bool, Parameter(help="Replace what is there.", **Switch)] = False,
    with_checkpoint: Annotated[
        bool, Parameter(help="With the state of the training, for elman resume.", **Switch)
    ] = False,
    with_data: Annotated[
        bool, Parameter(help="With the run's copies of standard input.", **Switch)
    ] = False,
    private: Annotated[
        bool, Parameter(help="A repository that is made is not open to all.", **Switch)
    ] = False,
    dry_run: Annotated[bool, Parameter(help="Tell what would go, and end.", **Switch)] = False,
    about: Any = None,
    as_json: AsJson = False,
) -> None:
    """Put a run into one file, a folder or a model hub; told first is what of the data goes."""
    from elman.run import api
    from elman.run.folder import check_free
    from elman.run.sharing import hub, pack, places

    folder = places.folder_of(run, checkpoint=with_checkpoint)
    name = places.name_of(folder)
    if to is None and places.is_package(run):
        raise UserError(f"{run}: a package already; name a place, --to FOLDER")
    to = Path(f"{name}.zip") if to is None else to
    at = hub.place(to) if hub.is_place(to) else None
    if private and at is None:
        raise UserError("--private: is for --to hf:user/name")
    if at is None and places.is_package(to):
        pack.check_free(to, force=force)
    elif at is None:
        if to.resolve() == folder.resolve():
            raise UserError(f"{to}: is the run itself; choose another --to")
        check_free(to, force=force, flag="--to")
    trained = api.load(folder, device="cpu")  # what is damaged does not go out
    told: dict[str, Any] = given(about)
    name, place = (at.name, str(at)) if at else (name, "RUN")
    going = trained.parts(name, place, checkpoint=with_checkpoint, data=with_data, **told)
    _tell(going)
    made = str(to)
    if dry_run:
        made = ""
    elif at is not None:
        made = hub.push(going, at, private=private or None)
    elif places.is_package(to):
        pack.pack(going, to, force=force)
    else:
        pack.lay(going, to)
    if as_json:
        files = [{"name": p.name, "bytes": p.size, "tells": p.tells} for p in going]
        print(json.dumps({"made": made, "files": files}))
    elif made:
        print(made)


package.__annotations__["about"] = flags(CardOptions, Group("Model card", sort_key=4)) | None


def _tell(going: list[Part]) -> None:
    """Each file, its size, and what of the user's data is in it, on standard error."""
    widest = max(len(part.name) for part in going)
    for part in going:
        told = f"{part.name:{widest}}  {part.size:>11,}  {part.tells}"
        print(told.rstrip(), file=sys.stderr)
    if any(part.tells for part in going):
        warn("whoever has these files can read in them what is told beside them")
