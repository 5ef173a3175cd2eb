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
from elman.bench.processes import KEPT_MEMORY
from elman.kernels import limits

MISSING_CACHE = {1: 32 << 10, 2: 1 << 20, 3: 32 << 20}  # bytes, where the system does not tell


def where(environment: Mapping[str, str]) -> dict[str, Any]:
    """Facts of this machine and this installation; `environment` is what the workers get.

    UserError: `ELMAN_KERNELS` names nothing that runs.
    """
    available, half = kernels.available(), kernels.available_half()
    return {
        "elman": __version__,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "cache_bytes": {f"L{level}": cache_bytes(level) for level in (1, 2, 3)},
        "bf16": limits.multiplies("bf16"),
        "mhz": cpu_line("cpu MHz"),
        "hypervisor": "hypervisor" in cpu_line("flags").split(),
        "huge_pages": huge_pages(),
        "freed": freed_memory(environment),
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "kernels": available.instruction_set or "off",
        "why": available.why,
        "kernels_bf16": half.instruction_set or "off",
        "why_bf16": half.why,
        "torch": torch.__version__,
        "libraries": libraries(),
        "torch_threads": torch.get_num_threads(),
        "thread_library": thread_library(environment),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "peers": {p.name: p.versions() for p in PEERS},
    }


def lines(facts: dict[str, Any], width: int) -> list[str]:
    """`where` for people, in so many columns."""
    told = [
        f"elman    {facts['elman']}, Python {facts['python']}, {facts['system']}",
        f"CPU      {facts['cpu']}, {', '.join(_properties(facts))}",
        f"memory   huge pages: {facts['huge_pages'] or 'unknown'}; freed memory: {facts['freed']}",
        f"kernels  {facts['kernels']}: {facts['why']}",
        f"bf16     {facts['kernels_bf16']}: {facts['why_bf16']}",
        f"threads  {facts['torch_threads']}, of {facts['thread_library']}",
        f"products {_listed(facts['libraries'])}",
    ]
    for peer in PEERS:
        versions = facts["peers"][peer.name]
        if versions is None:
            told.append(f"{peer.name:8} {peer.title} is not installed: {peer.install}")
        else:
            told.append(f"{peer.name:8} {peer.title}: {_listed(versions)}")
    if facts["load"] is not None and facts["load"] > 0.5:
        told.append(f"load     {facts['load']:.1f}: other programs are at work; trust ratios only")
    return [part for t in told for part in textwrap.wrap(t, width, subsequent_indent=" " * 9)]


def machine(facts: Mapping[str, Any]) -> str:
    """In one line, to stand with each table."""
    versions = {"torch": facts["torch"].split("+")[0], **facts["libraries"]}
    half = facts.get("kernels_bf16", "off")  # benches of earlier versions do not tell
    sets = facts["kernels"] + ("" if half == "off" else f" and {half}")
    return f"{facts['cpu']}, {sets}; {_listed(versions)}"


def cpu_name() -> str:
    """As the system calls it, with the numbers that tell generations of one name apart."""
    family, model = cpu_line("cpu family"), cpu_line(r"model\t")
    if family and model:
        return f"{cpu_line('model name')} (family {family}, model {model})"
    return cpu_line("model name") or platform.processor() or platform.machine()


def cpu_line(name: str) -> str:
    """What the system says of its first processor, "" where it does not."""
    try:
        found = re.search(rf"^{name}\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else ""


def huge_pages() -> str:
    """Whether memory comes in pages of 2 MB: always, madvise (where asked for) or never."""
    try:
        told = Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text()
    except OSError:
        told = ""
    found = re.search(r"\[(\w+)\]", told)
    return found[1] if found else ""


def freed_memory(environment: Mapping[str, str]) -> str:
    """What workers do with memory that they freed."""
    set_by_user = [name for name in KEPT_MEMORY if name in environment]
    return f"as {', '.join(set_by_user)} has it" if set_by_user else "kept"


def libraries() -> dict[str, str]:
    """The versions of what PyTorch multiplies by, as far as it is built with them."""
    built = torch.__config__.show()
    patterns = {"oneDNN": r"MKL-DNN v([\d.]+)", "MKL": r"Math Kernel Library Version ([\d.]+)"}
    found = {name: re.search(pattern, built) for name, pattern in patterns.items()}
    return {name: match[1] for name, match in found.items() if match}


def _properties(facts: Mapping[str, Any]) -> list[str]:
    """What bears on its speed."""
    told = [f"{facts['cores']} cores", facts["instruction_set"]]
    told += ["multiplies bf16"] * facts["bf16"]
    told += [f"{float(facts['mhz']):.0f} MHz as the system has it"] if facts["mhz"] else []
    told += ["virtual"] * facts["hypervisor"]
    return told + [f"{name} {_size(size)}" for name, size in facts["cache_bytes"].items()]


def _size(size: int) -> str:
    return f"{size >> 10} KB" if size < 1 << 20 else f"{size / 2**20:g} MB"


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def cache_bytes(level: int) -> int:
    """The size of a core's cache of data of that level."""
    for index in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        try:
            kind = (index / "type").read_text().strip()
            if (index / "level").read_text().strip() == str(level) and kind != "Instruction":
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
