"""What a call frees stays with the process, unless its user decides otherwise."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from elman import kernels

REPEATED = """
import resource, torch
from elman.nn import Recurrent

torch.manual_seed(0)
torch.set_num_threads(1)
layer, x = Recurrent(64, 64, cell="mingru"), torch.randn(30_000, 1, 64)  # each result 7 to 15 MB
with torch.no_grad():
    for _ in range(10):
        layer(x)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        layer(x)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 5)
"""

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or kernels.available().instruction_set is None,
    reason="the extension asks this of GNU's C library",
)


def fresh_pages(**environment: str) -> int:
    """How many pages each repeated call has from the system."""
    unset = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", REPEATED],
        env=unset | environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout)


def test_freed_memory_stays_unless_the_user_of_the_c_library_decides_otherwise() -> None:
    given_back = fresh_pages(MALLOC_TRIM_THRESHOLD_="131072", MALLOC_MMAP_THRESHOLD_="131072")
    assert given_back > 1000
    assert fresh_pages() < given_back / 3
