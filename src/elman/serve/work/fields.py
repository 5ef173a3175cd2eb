"""Options as fields of a body: those of a dataclass, but for files of the server's own."""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path
from typing import Any, TypeVar

from docstring_parser import parse
from pydantic import Field, create_model

from elman.options import make
from elman.serve.text.asked import Int, Strict

T = TypeVar("T")
Body = TypeVar("Body", bound=Strict)


def with_options(base: type[Body], kind: type[Any], without: tuple[str, ...] = ()) -> type[Body]:
    """`base` with a field for each option of `kind`, null where the option keeps its default."""
    hints = typing.get_type_hints(kind)
    texts = {
        one.arg_name: " ".join((one.description or "").split())
        for cls in reversed(kind.__mro__)
        for one in parse(cls.__doc__ or "").params
    }
    fields: dict[str, Any] = {
        field.name: (_in_json(hints[field.name]), Field(None, description=texts[field.name]))
        for field in dataclasses.fields(kind)
        if field.name not in without and not _names_a_file(hints[field.name])
    }
    return create_model(base.__name__, __base__=base, __doc__=base.__doc__, **fields)


def options_of(kind: type[T], body: Strict, base: type[Strict]) -> T:
    """The options that a body made by `with_options` gives. UserError: one is out of range."""
    own = set(base.model_fields)
    given = {name: value for name, value in body if name not in own and value is not None}
    return make(kind, given)


def _in_json(hint: Any) -> Any:
    """A tuple is a list there."""
    if typing.get_origin(hint) is tuple:
        return list[typing.get_args(hint)[0]] | None  # type: ignore[misc]
    return (Int if int in (hint, *typing.get_args(hint)) else hint) | None


def _names_a_file(hint: Any) -> bool:
    return Path in (hint, *typing.get_args(hint))
