"""A text far larger than the memory it may take trains in bounded memory; see bench/memory.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

MEMORY = Path(__file__).parents[2] / "bench/memory.py"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_long_text_trains_in_less_memory_than_its_tokens_would_take(tmp_path: Path) -> None:
    specification = importlib.util.spec_from_file_location("memory", MEMORY)
    assert specification is not None and specification.loader is not None
    memory = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(memory)

    text = tmp_path / "text.txt"
    memory.write_text(text, 60)
    again = tmp_path / "again.txt"
    memory.write_text(again, 1)
    with text.open("rb") as whole:
        assert whole.read(1_000_000) == again.read_bytes()  # it is the same text each time
    # As int64, as batches are made of, its tokens alone would take 480 MB.
    result = memory.measure(text, 0.2, tmp_path, ["--threads", "1"])
    assert 0 < result["peak_above_start_mb"] < memory.BOUND_MB
