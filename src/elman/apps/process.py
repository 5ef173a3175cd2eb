"""What is noted of the process before anything is loaded."""

from __future__ import annotations

import gc
import os
import sys
import time

from elman.errors import UserError

ENVIRONMENT = dict(os.environ)  # as the user has it: what elman bench measures in
STARTED = time.perf_counter()  # what --minutes promises includes the start of Python
# PyTorch's threads wait for one another by spinning, milliseconds long by default, in which a busy
# neighbour has to share its core with a thread that does nothing. Read when PyTorch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

gc.disable()  # until all is loaded: nothing of that is garbage, and looking for some takes 20 ms

SEVERAL = "TORCHELASTIC_RUN_ID" in ENVIRONMENT and ENVIRONMENT.get("WORLD_SIZE", "1") != "1"
QUIET = SEVERAL and ENVIRONMENT.get("LOCAL_RANK", "0") != "0"  # another one tells what is wrong
WAITING = 20.0  # seconds for the one that tells it: torchrun ends all as soon as one has ended


def check_command() -> None:
    """UserError where torchrun starts a command that is for one process."""
    if SEVERAL and sys.argv[1:2] not in (["train"], ["resume"]):
        name = " ".join(["elman", *sys.argv[1:2]])
        raise UserError(f"torchrun is for elman train and elman resume; start {name} without it")
