"""Options are frozen dataclasses: from flags, TOML or Python, all checked the same way."""

from __future__ import annotations

import dataclasses
import math
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, TypeVar

from elman.errors import UserError, unknown_name

T = TypeVar("T")


def require(options: object, name: str, holds: bool, fits: str) -> None:
    """Refuse the field `name` of `options` unless `holds`; `fits` says what would be accepted."""
    if not holds:
        flag = "--" + name.replace("_", "-")
        raise UserError(f"{flag} {shown(getattr(options, name))}: needs {fits}")


def require_range(
    options: object, names: Iterable[str], low: float, high: float, *, open_end: bool = False
) -> None:
    """Refuse each named field that is set and not a number in [low, high], or [low, high)."""
    for name in names:
        if (stated := _stated.get()) is not None:
            stated[name] = Range(low, high, open_end)
        value = getattr(options, name)
        for number in value if isinstance(value, tuple) else (value,):
            if number is not None:
                inside = Range(low, high, open_end).holds(number)
                most = f"{high:,}" if isinstance(high, int) else f"{high:,.0f}"
                end = f"below {most}" if open_end else most
                require(options, name, inside, f"a value from {low:g} to {end}")


@dataclasses.dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high`, which is itself left out where the end is open."""

    low: float
    high: float
    open_end: bool

    def holds(self, value: float) -> bool:
        return self.low <= value < self.high if self.open_end else self.low <= value <= self.high


_stated: ContextVar[dict[str, Range] | None] = ContextVar("stated", default=None)


def ranges(kind: type[Any]) -> dict[str, Range]:
    """The ranges of the numeric options of `kind`, as its own checks state them."""
    found = dict[str, Range]()
    token = _stated.set(found)
    try:
        kind()
        return found
    finally:
        _stated.reset(token)


def require_files(options: object, names: Iterable[str]) -> None:
    """Refuse standard input in each named field, a path or several: it is read once, as DATA."""
    for name in names:
        value = getattr(options, name)
        paths = value if isinstance(value, tuple) else (value,)
        require(options, name, "-" not in map(str, paths), "a file; - can be DATA alone")


def require_encoding(options: object, name: str) -> None:
    """Refuse the field `name` unless it is an encoding of texts."""
    try:
        b"text".decode(getattr(options, name))
    except UnicodeError:
        pass  # an encoding, if not of these bytes
    except (LookupError, ValueError):
        require(options, name, False, "an encoding: utf-8, gb18030, latin-1")


def make(kind: type[T], values: Mapping[str, object], *, where: str = "") -> T:
    """An options object from plain values: names matched, types checked, a scalar made a tuple.

    `where` names the origin of the values ("run.toml") for messages.
    Raises UserError for an unknown name, a value that is missing, does not fit its field or is out
    of range.
    """
    hints = typing.get_type_hints(kind)
    try:
        if not isinstance(values, Mapping):  # of a stranger's file
            raise UserError(f"damaged ({shown(values)}, where names and values would stand)")
        values = by_name(kind, values)
        for name in values:
            if name not in hints:
                raise unknown_name("option", name, hints)
        for field in dataclasses.fields(kind):  # type: ignore[arg-type]
            if field.name not in values and _required(field):
                raise UserError(f"damaged (no {field.name} in it)")
        return kind(**{name: _fit(hints[name], value, name) for name, value in values.items()})
    except UserError as error:
        raise (UserError(f"{where}: {error}") if where else error) from None


def aliases(kind: type[Any]) -> dict[str, str]:
    """The other names of the fields of `kind`, and the fields that they stand for.

    `field(default=None, metadata={"aliases": ("target_columns",)})` gives a field another name
    that is accepted wherever its own is, but not shown.
    """
    return {
        other: field.name
        for field in dataclasses.fields(kind)
        for other in field.metadata.get("aliases", ())
    }


def by_name(kind: type[Any], values: Mapping[str, object]) -> dict[str, object]:
    """The same values by the fields' own names. UserError where one is given by two names."""
    known, named = aliases(kind), dict[str, object]()
    for name, value in values.items():
        own = known.get(name, name)
        if own in named:
            other = next(n for n in values if n != name and known.get(n, n) == own)
            raise UserError(f"{other} and {name} are two names of one option; give one")
        named[own] = value
    return named


def _required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.init and field.default is missing and field.default_factory is missing


def part(kind: type[T], options: Any) -> T:
    """Those of `options` that `kind` names: for options that go on from it."""
    names = (field.name for field in dataclasses.fields(kind))  # type: ignore[arg-type]
    return kind(**{name: getattr(options, name) for name in names})


def shown(value: object) -> str:
    """A value for a message: shortened where it is long."""
    try:
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."


def _fit(hint: Any, value: object, what: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _fit(arguments[0], value, what)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        return _fit(next(a for a in arguments if a is not types.NoneType), value, what)
    if origin is Literal:
        if isinstance(value, str) and value in arguments:
            return value
        raise UserError(str(unknown_name(what, shown(value), arguments)))
    if origin is tuple:
        # On a command line, lists are written with commas.
        items = value.split(",") if isinstance(value, str) else value
        items = items if isinstance(items, list | tuple) else [items]
        return tuple(_fit(arguments[0], item, what) for item in items)
    if isinstance(value, str) and hint in (int, float, bool):
        value = _from_text(hint, value.strip(), what)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise UserError(f"{what} = {shown(value)}: needs a smaller number") from None
    if hint is Path and isinstance(value, str) and "\0" not in value:
        return Path(value)
    if isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise UserError(f"{what} = {shown(value)}: needs a value of type {hint.__name__.lower()}")


def _from_text(hint: type, text: str, what: str) -> object:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if hint is bool:
        if text.lower() in words:
            return words[text.lower()]
        raise UserError(f"{what} = {shown(text)}: needs true or false")
    try:
        return hint(text)
    except ValueError as error:
        kind = "whole number" if hint is int else "number"
        raise UserError(f"{what} = {shown(text)}: needs a {kind}") from error


def plain(options: Any) -> dict[str, object]:
    """The fields that are set, as values that TOML can hold."""
    fields = ((f.name, getattr(options, f.name)) for f in dataclasses.fields(options))
    return {name: _plain(value) for name, value in fields if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def given(value: T | None, otherwise: T) -> T:
    """An option's value, or what takes its place where it was left open."""
    return otherwise if value is None else value


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises UserError when it is absent, not UTF-8 or not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # also an integer of thousands of digits
        raise UserError(f"{path}: not valid TOML ({error})") from error


def finite(*numbers: float) -> bool:
    """Whether every number is finite."""
    return all(math.isfinite(n) for n in numbers)
