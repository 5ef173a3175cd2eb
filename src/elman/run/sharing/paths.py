"""Paths of the machine that a run was made on, as short as others need them."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import typing
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elman.run.folder import OPTIONS

if TYPE_CHECKING:
    from elman.run.prepare import Trained

COMMAND = re.compile(r"`(elman [^`\n]+)`")


@dataclasses.dataclass(frozen=True)
class Shortened:
    """What each path is called elsewhere."""

    names: Mapping[str, str]

    @classmethod
    def of(cls, run: Trained) -> Shortened:
        """Of a run: its own folder, its data, and whatever else its options name."""
        folder = run.folder.path.absolute()
        stored = run.folder.options()["data"]
        inside = {item for item in stored if not _is_path(item)}
        names = below([item for item in stored if item not in inside])
        for options in (run.options, run.how):
            for field in _paths(type(options)):
                value = getattr(options, field)
                if value is not None:
                    names[str(value)] = value.name
        return cls(names | {str(folder): folder.name})

    def tables(self, tables: Mapping[str, Any]) -> dict[str, Any]:
        """The tables of options.toml, every value that is such a path shortened."""
        return {key: self._value(value) for key, value in tables.items()}

    def text(self, text: str) -> str:
        """A page, every such path in it shortened, and the home folder; and those in the commands
        that it shows, for a run may have been moved since."""
        names = {**_in_commands(text), **self.names}
        if Path.home() != Path("/"):
            names[str(Path.home())] = "~"
        for path in sorted((p for p in names if _is_path(p)), key=len, reverse=True):
            text = text.replace(path, names[path])
        return text

    def _value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return self.tables(value)
        if isinstance(value, list):
            return [self._value(item) for item in value]
        return self.names.get(value, value) if isinstance(value, str) else value


def below(paths: Sequence[str]) -> dict[str, str]:
    """Each path as it is called from the folder that holds them all.

    >>> below(["/home/ann/a.csv"]), below(["/x/one/a.csv", "/x/two/a.csv"])
    ({'/home/ann/a.csv': 'a.csv'}, {'/x/one/a.csv': 'one/a.csv', '/x/two/a.csv': 'two/a.csv'})
    """
    if not paths:
        return {}
    common = os.path.commonpath([Path(path).parent for path in paths])
    return {path: Path(path).relative_to(common).as_posix() or "data" for path in paths}


def _in_commands(text: str) -> dict[str, str]:
    """The paths in the commands that a page shows, and what they are called elsewhere."""
    words = list[str]()
    for command in COMMAND.findall(text):
        with suppress(ValueError):  # quotation marks that do not end
            words += shlex.split(command)
    paths = [Path(word) for word in words if _is_path(word)]
    return {
        str(path): f"{path.parent.name}/{OPTIONS}" if path.name == OPTIONS else path.name
        for path in paths
    }


def _is_path(item: str) -> bool:
    return Path(item).is_absolute()


def _paths(kind: type[Any]) -> list[str]:
    """The fields of a class of options that are paths."""
    return [
        name
        for name, hint in typing.get_type_hints(kind).items()
        if Path in (hint, *typing.get_args(hint))
    ]
