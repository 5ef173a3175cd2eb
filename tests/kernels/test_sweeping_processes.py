"""Sweeps in processes of their own: forked ones, and those whose environment chooses."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest
from problems import needs_kernels

from elman import kernels

pytestmark = needs_kernels

FORKING = """
import os, sys, torch
from elman.kernels import sweeps
torch.set_num_threads(2)
Wx, h, R = torch.randn(64 * 32, 64), torch.zeros(32, 64), torch.randn(64, 64)
sizes = torch.full((64,), 32)
# Not torch.equal: PyTorch's own parallel operators do not survive a fork.
run = lambda: sweeps.forward("rnn", sweeps.Input(Wx), sizes, (h,), R).y.numpy().tobytes()
big = torch.randn(500, 500)
before = run()
torch.set_num_threads(1)
alone = run()
torch.set_num_threads(2)
child = os.fork()
if child == 0:
    os._exit(0 if run() == (before or alone) else 3)
assert os.waitpid(child, 0)[1] == 0
assert run() == alone
"""


def python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    gc.collect()
    command = [sys.executable, "-c", program]
    whole = os.environ | environment
    return subprocess.run(command, env=whole, capture_output=True, text=True, timeout=120)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("first", ["before = run()", "before = None; big @ big"])
def test_a_forked_child_sweeps_too(first: str) -> None:
    done = python(FORKING.replace("before = run()", first))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("asked", ["off", *kernels.instruction_sets()])
def test_the_environment_chooses(asked: str) -> None:
    program = "from elman import kernels; print(kernels.available())"
    done = python(program, ELMAN_KERNELS=asked)
    name = None if asked == "off" else asked
    assert f"instruction_set={name!r}, why='ELMAN_KERNELS is {asked}'" in done.stdout


def test_an_unknown_choice_is_told() -> None:
    done = python("from elman import kernels; kernels.available()", ELMAN_KERNELS="mmx")
    assert 'UserError: ELMAN_KERNELS is "mmx"; give off, portable' in done.stderr
