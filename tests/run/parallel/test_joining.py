"""How processes become ranks, where they cannot."""

from __future__ import annotations

import pytest
import torch.distributed as dist

from elman.errors import UserError
from elman.run.parallel.joining import joined


def test_processes_that_have_met_elsewhere_are_told_how_to_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As Ray Train's workers have, before the function that they are given."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    store = dist.HashStore()  # type: ignore[attr-defined]
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        with pytest.raises(UserError, match=r"destroy_process_group\(\)"), joined():
            pass
        assert dist.is_initialized()  # it is not ours to end
    finally:
        dist.destroy_process_group()
