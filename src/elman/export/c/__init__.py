"""C99: one file and its header, which need nothing but <math.h> and allocate nothing."""

from elman.export.c.asking import answers
from elman.export.c.library import open_written
from elman.export.c.writing import write

__all__ = ["answers", "open_written", "write"]
