"""What runs here: the processor, the kernels and why, PyTorch, and which peers are installed."""

from __future__ import annotations

import os
import platform
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from elman import __version__, kernels
from elman.bench.options import usable_cores
from elman.bench.peers import PEERS

MISSING_CACHE = {2: 1 << 20, 3: 32 << 20}  # bytes, where the system does not tell


def where(environment: Mapping[str, str]) -> dict[str, Any]:
    """Facts of this machine and this installation; `environment` is what the workers get.

    UserError: `ELMAN_KERNELS` names nothing that runs.
    """
    available = kernels.available()
    return {
        "elman": __version__,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "cache_bytes": {"L2": cache_bytes(2), "L3": cache_bytes(3)},
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "kernels": available.instruction_set or "off",
        "why": available.why,
        "torch": torch.__version__,
        "torch_threads": torch.get_num_threads(),
        "thread_library": thread_library(environment),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "peers": {p.name: p.versions() for p in PEERS},
    }


def lines(facts: dict[str, Any], width: int) -> list[str]:
    """`where` for people, in so many columns."""
    caches = ", ".join(f"{k} {v / 2**20:g} MB" for k, v in facts["cache_bytes"].items())
    told = [
        f"elman    {facts['elman']}, Python {facts['python']}, {facts['system']}",
        f"CPU      {facts['cpu']}, {facts['cores']} cores, {facts['instruction_set']}, {caches}",
        f"kernels  {facts['kernels']}: {facts['why']}",
        f"threads  {facts['torch_threads']}, of {facts['thread_library']}",
    ]
    for peer in PEERS:
        versions = facts["peers"][peer.name]
        if versions is None:
            told.append(f"{'-':8} {peer.title} is not installed: {peer.install}")
        else:
            listed = ", ".join(f"{name} {version}" for name, version in versions.items())
            told.append(f"{peer.name:8} {peer.title}: {listed}")
    if facts["load"] is not None and facts["load"] > 0.5:
        told.append(f"load     {facts['load']:.1f}: other programs are at work; trust ratios only")
    return [part for t in told for part in textwrap.wrap(t, width, subsequent_indent=" " * 9)]


def cpu_name() -> str:
    """As the system calls it."""
    try:
        found = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def cache_bytes(level: int) -> int:
    """The size of a core's cache of that level."""
    for index in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        try:
            if (index / "level").read_text().strip() == str(level):
                size = re.fullmatch(r"(\d+)([KM])", (index / "size").read_text().strip())
                if size:
                    return int(size[1]) << {"K": 10, "M": 20}[size[2]]
        except OSError:
            continue
    return MISSING_CACHE[level]


def thread_library(environment: Mapping[str, str]) -> str:
    """What PyTorch's threads are of, and the settings of the environment that change them."""
    found = re.search(r"parallel backend: (.*)", torch.__config__.parallel_info())
    names = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
    settings = [f"{name}={environment[name]}" for name in names if name in environment]
    return ", ".join([found[1] if found else "an unknown library", *settings])
