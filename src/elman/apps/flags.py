"""Flags made from an options class: one for each field, its text the help, lists with commas."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Container, Sequence
from typing import Annotated, Any, TypeVar

from cyclopts import Group, Parameter, Token
from docstring_parser import parse

from elman.errors import UserError
from elman.options import by_name, shown

T = TypeVar("T", int, float)

LIST = "A,B,..."  # how the value of a list is shown


def flags(kind: type[Any], panel: Group, without: Container[str] = ()) -> type[Any]:
    """A dataclass for cyclopts with the fields of `kind`, each None unless the user gives it.

    So whatever was given can be told from defaults, and laid over a configuration file. In the
    help the flags stand in `panel`; fields named in `without` have none. Switches are off by
    default and have no --no- form: what a file has turned on, --switch=false turns off.
    """
    hints = typing.get_type_hints(kind)
    texts = {n: text for base in reversed(kind.__mro__) for n, text in _texts(base).items()}
    fields: list[tuple[str, Any, Any]] = []
    for field in dataclasses.fields(kind):
        if field.name in without:
            continue
        default = _shown(field.default)
        text = texts[field.name] + (f" [default: {default}]" if default else "")
        flag_type = _flag_type(hints[field.name])
        parameter = Parameter(
            help=" ".join(text.split()),
            group=panel,
            show_default=False,
            negative="",
            converter=CONVERTERS.get(flag_type),
            metavar=LIST if _is_list(hints[field.name]) else None,
        )
        optional = flag_type | None
        fields.append((field.name, Annotated[optional, parameter], dataclasses.field(default=None)))
        for name in field.metadata.get("aliases", ()):
            hidden = Parameter.combine(parameter, Parameter(show=False))
            fields.append((name, Annotated[optional, hidden], dataclasses.field(default=None)))
    named = {"made_from": kind}
    made = dataclasses.make_dataclass(f"{kind.__name__}Flags", fields, frozen=True, namespace=named)
    made.__module__ = __name__  # else it counts as one of Python's own types, without fields
    return Parameter(name="*")(made)


def flags_of(kinds: Sequence[tuple[type[Any], Group]]) -> type[Any]:
    """One such dataclass for several classes, each in its panel; a field that several have stands
    with the first."""
    made: list[type[Any]] = []
    known = set[str]()
    for kind, panel in kinds:
        made.append(flags(kind, panel, known))
        known |= {field.name for field in dataclasses.fields(kind)}
    named = {"made_from": kinds[0][0]}
    found = dataclasses.make_dataclass(
        "Flags", [], bases=tuple(reversed(made)), frozen=True, namespace=named
    )
    found.__module__ = __name__
    return Parameter(name="*")(found)


@functools.cache
def _texts(kind: type[Any]) -> dict[str, str]:
    """What the docstring of a class says of its fields."""
    return {p.arg_name: p.description or "" for p in parse(kind.__doc__ or "").params}


def whole(hint: Any, tokens: Sequence[Token]) -> int:
    """A whole number from a flag; cyclopts by itself would round 1.5. UserError: it is none."""
    return _number(int, tokens[0], "whole number")


def number(hint: Any, tokens: Sequence[Token]) -> float:
    """A number from a flag. UserError: it is none."""
    return _number(float, tokens[0], "number")


CONVERTERS = {int: whole, float: number}


def _number(kind: type[T], token: Token, fits: str) -> T:
    try:
        return kind(token.value)
    except ValueError:
        flag = (token.keyword or "").replace("_", "-")
        raise UserError(f"{flag} {shown(token.value)}: needs a {fits}") from None


def given(made: Any) -> dict[str, object]:
    """The fields that the user gave. UserError where one is given by two names."""
    if made is None:
        return {}
    values = {f.name: getattr(made, f.name) for f in dataclasses.fields(made)}
    there = {name: value for name, value in values.items() if value is not None}
    return by_name(made.made_from, there)


def _flag_type(hint: Any) -> Any:
    return str if _is_list(hint) else _one(hint)


def _is_list(hint: Any) -> bool:
    return typing.get_origin(_one(hint)) is tuple


def _one(hint: Any) -> Any:
    """A hint without the None of a value that may be left open."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return next(a for a in typing.get_args(hint) if a is not types.NoneType)
    return hint


def _shown(default: object) -> str:
    if default is None or default is False or default is dataclasses.MISSING:
        return ""
    if isinstance(default, tuple):
        shown = ",".join(str(value) for value in default)
        return "" if shown == "False" else shown
    return f"{default:g}" if isinstance(default, float) else str(default)
