"""What every test of the kernels starts from: memory that tells on whoever reads it unwritten."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def poison() -> Iterator[None]:
    """Memory that was never written is NaN, and the number of threads is as before."""
    threads = torch.get_num_threads()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    assert filled  # PyTorch's default; it acts in deterministic mode
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)
