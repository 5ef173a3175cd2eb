from __future__ import annotations

import copy
import dataclasses
import subprocess
import sys

import pytest
import torch

from elman import cells
from elman.cells import Cell
from elman.errors import UserError
from elman.layers.scan import (
    KERNELS,
    OURS,
    Direction,
    RecurrentProduct,
    choose,
    no_recurrence,
)

every_cell = pytest.mark.parametrize("cell", cells.all(), ids=cells.names())


def test_names_are_those_promised() -> None:
    promised = {"rnn", "rnn-relu", "lstm", "gru", "gru-reset-before", "mingru", "minlstm", "hgrn"}
    assert set(cells.names()) == promised
    assert [cell.name for cell in cells.all()] == list(cells.names())


def test_a_cell_is_got_by_name_or_as_it_is() -> None:
    assert cells.get("lstm").name == "lstm"
    assert cells.get(cells.get("gru")) is cells.get("gru")


def test_a_misspelt_name_meets_its_neighbour() -> None:
    with pytest.raises(UserError, match='unknown cell "gur"; did you mean "gru"'):
        cells.get("gur")


def test_listing_the_cells_imports_no_torch() -> None:
    code = "import sys, elman.cells as c; c.all(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@every_cell
def test_a_cell_is_described_and_frozen(cell: Cell) -> None:
    assert cell.summary and "\n" not in cell.summary
    assert "arXiv:" in cell.source or "doi:" in cell.source
    with pytest.raises(dataclasses.FrozenInstanceError):
        cell.extra = 1  # type: ignore[attr-defined]


@every_cell
def test_equations_name_what_the_step_notes_in_its_order(cell: Cell) -> None:
    H, G = 3, len(cell.gates)
    d = Direction(torch.ones(G * H, 1), torch.ones(G * H, H))
    R = RecurrentProduct(cell, d) if cell.recurrent else no_recurrence
    noted: dict[str, torch.Tensor] = {}
    state = tuple(torch.ones(1, H) for _ in cell.states)
    after = cell.step(torch.ones(1, G * H), state, R, noted.update)
    assert list(noted) == [line.split(" = ")[0] for line in cell.equations.splitlines()]
    for name, tensor in zip(cell.states, after, strict=True):
        assert noted[name] is tensor


def test_minlstm_survives_gates_that_underflow() -> None:
    cell, h = cells.get("minlstm"), torch.full((1, 2), 3.0)
    Wx = torch.tensor([[-200.0, -300.0, -300.0, -200.0, 0.5, 0.5]])
    (after,) = cell.step(Wx, (h,), no_recurrence)
    torch.testing.assert_close(after, torch.tensor([[3.0, 1.0]]))


@every_cell
def test_a_cell_is_known_by_what_it_is_and_not_by_its_name(cell: Cell) -> None:
    """A copy has the kernels of the one that is registered, another cell of that name has not."""
    other = type("Other", (type(cell),), {"__module__": __name__})()
    assert cells.known(cell) == cells.known(copy.deepcopy(cell)) == cell.name
    assert other.name == cell.name and cells.known(other) is None
    H = 2
    d = Direction(torch.ones(len(cell.gates) * H, H), torch.ones(len(cell.gates) * H, H))
    assert choose(other, [d]).kernel is None
    assert (choose(cell, [d]).kernel is None) == (cell.name not in OURS | set(KERNELS))
