"""ABC notation 2.1 (abcnotation.com/wiki/abc:standard:v2.1): tunes as text, played out."""

from elman.data.symbolic.abc.reading import read_abc

__all__ = ["read_abc"]
