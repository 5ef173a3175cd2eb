"""Flags made from an options class: one for each field, its text the help, lists with commas."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Group, Parameter, Token
from docstring_parser import parse


def flags(kind: type[Any], panel: Group) -> type[Any]:
    """A dataclass for cyclopts with the fields of `kind`, each None unless the user gives it.

    So whatever was given can be told from defaults, and laid over a configuration file. In the
    help the flags stand in `panel`. Switches are off by default and have no --no- form: what a
    file has turned on, --switch=false turns off.
    """
    hints = typing.get_type_hints(kind)
    documents = [parse(base.__doc__ or "") for base in reversed(kind.__mro__)]
    texts = {p.arg_name: p.description or "" for d in documents for p in d.params}
    fields: list[tuple[str, Any, Any]] = []
    for field in dataclasses.fields(kind):
        default = _shown(field.default)
        text = texts[field.name] + (f" [default: {default}]" if default else "")
        flag_type = _flag_type(hints[field.name])
        parameter = Parameter(
            help=" ".join(text.split()),
            group=panel,
            show_default=False,
            negative="",
            converter=whole if flag_type is int else None,
        )
        optional = flag_type | None
        fields.append((field.name, Annotated[optional, parameter], dataclasses.field(default=None)))
    made = dataclasses.make_dataclass(f"{kind.__name__}Flags", fields, frozen=True)
    made.__module__ = __name__  # else it counts as one of Python's own types, without fields
    return Parameter(name="*")(made)


def whole(hint: Any, tokens: Sequence[Token]) -> int:
    """A whole number from a flag; cyclopts by itself would round 1.5."""
    return int(tokens[0].value)


def given(made: object) -> dict[str, object]:
    """The fields that the user gave."""
    if made is None:
        return {}
    values = {f.name: getattr(made, f.name) for f in dataclasses.fields(made)}  # type: ignore[arg-type]
    return {name: value for name, value in values.items() if value is not None}


def _flag_type(hint: Any) -> Any:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        hint = next(a for a in typing.get_args(hint) if a is not types.NoneType)
    return str if typing.get_origin(hint) is tuple else hint


def _shown(default: object) -> str:
    if default is None or default is False or default is dataclasses.MISSING:
        return ""
    if isinstance(default, tuple):
        shown = ",".join(str(value) for value in default)
        return "" if shown == "False" else shown
    return f"{default:g}" if isinstance(default, float) else str(default)
