"""Whether plain values are equal, numbers up to rounding.

What is fitted to data differs in its last digits from one number of threads, and from one
processor, to another.
"""

from __future__ import annotations

import math
from typing import Any

ROUNDED = 1e-6  # share up to which two numbers count as equal


def alike(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == other or math.isclose(one, other, rel_tol=ROUNDED, abs_tol=ROUNDED)
    return bool(one == other)
