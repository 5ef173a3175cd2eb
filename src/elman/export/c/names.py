"""Names in C: each once, none that C or this file's own functions have."""

from __future__ import annotations

import re

C = """auto break case char const continue default do double else enum extern float for goto if
inline int long main register restrict return short signed sizeof static struct switch typedef
union unsigned void volatile while NULL INFINITY NAN"""
MATH_H = """abs acos asin atan ceil cos exp fabs floor fmax fmin fmod frexp gamma index j0 j1 jn
ldexp lgamma log modf pow round sin sqrt tan trunc y0 y1 yn"""
CPP = """and bool catch class delete export false friend namespace new not operator or private
protected public template this throw true try typename using virtual xor"""
RESERVED = frozenset(f"{C} {MATH_H} {CPP}".split())


class Names:
    """A space of names."""

    def __init__(self, taken: Names | None = None) -> None:
        self._taken: set[str] = set(RESERVED) if taken is None else set(taken._taken)

    def fresh(self, wanted: str) -> str:
        """`wanted` as C may have it, with `_2`, `_3`, … where it is taken."""
        base = identifier(wanted)
        name, number = base, 2
        while name in self._taken:
            name, number = f"{base}_{number}", number + 1
        self._taken.add(name)
        return name


def identifier(text: str) -> str:
    """Letters, digits and underscores of `text`, the others as underscores."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", text)
    return name if re.match(r"[A-Za-z]", name) else f"n{name}"
