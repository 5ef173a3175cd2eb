"""What is noted of the process before anything is loaded."""

from __future__ import annotations

import os
import time

ENVIRONMENT = dict(os.environ)  # as the user has it: what elman bench measures in
STARTED = time.perf_counter()  # what --minutes promises includes the start of Python
# PyTorch's threads wait for one another by spinning, milliseconds long by default, in which a busy
# neighbour has to share its core with a thread that does nothing. Read when PyTorch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
