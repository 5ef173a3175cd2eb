"""C99: one file and its header, which need nothing but <math.h> and allocate nothing."""

from elman.export.c.library import open_written
from elman.export.c.writing import write

__all__ = ["open_written", "write"]
