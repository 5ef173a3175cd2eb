"""A program in C gives what it means: what the interpreter reckons in float64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from c_programs import CELLS, INPUTS, KINDS, Kind, drawn, gap, inputs, written

from elman.export.building import Builder
from elman.export.c.tables import SMALLEST, as_stored
from elman.export.interpreter import Interpreter
from elman.export.program import Linear, Precision, Program, Value
from elman.export.rounding import rounded
from elman.layers.recurrent import Recurrent

# Sums of fewer than 100 terms in float32, three units of exp, and what three layers make of them.
NEAR = 2e-5
PRECISIONS: tuple[Precision, ...] = ("float32", "int8", "bf16")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_networks_of_all_kinds_give_what_their_stored_weights_mean(
    precision: Precision, tmp_path: Path
) -> None:
    """int8 and bf16 too: rounding happens once, when the weights are stored."""
    seed = PRECISIONS.index(precision) * 100
    programs = {f"p{k}_{kind}": drawn(seed + k, kind) for k, kind in enumerate(KINDS)}
    programs |= {f"b_{kind}": drawn(seed, kind, bands=True) for kind in ("steps", "attention")}
    draw = np.random.default_rng(seed)
    # Compilers warn of more the more they look.
    optimised = "-O2" if precision == "float32" else "-O1"
    for name, runner in written(programs, tmp_path, precision, optimised=optimised).items():
        batch = inputs(programs[name], draw, rows=3, steps=11)
        found, after = runner.run(batch)
        true, states = Interpreter(as_stored(programs[name], precision)).run(batch)
        assert gap(found | after, true | states, batch.get("lengths")) < NEAR, name


def test_every_cell_gives_what_it_means(tmp_path: Path) -> None:
    programs = {}
    for k, cell in enumerate(CELLS):
        fixed: dict[str, Any] = {"hidden_size": 5 + k, "cell": cell, "bidirectional": False}
        programs[f"c{k}"] = drawn(k, "stream", **fixed)
    for name, runner in written(programs, tmp_path).items():
        batch = inputs(programs[name], np.random.default_rng(7), rows=2, steps=9)
        (found, after), (true, states) = runner.run(batch), Interpreter(programs[name]).run(batch)
        assert gap(found | after, true | states) < NEAR, programs[name].nodes


def test_a_large_matrix_is_stored_small_and_a_small_one_as_it_is(tmp_path: Path) -> None:
    sizes = {}
    for precision in PRECISIONS:
        folder = tmp_path / precision
        folder.mkdir()
        program = drawn(5, "stream", hidden_size=[40, 3], cell=["lstm", "gru"], bidirectional=False)
        written({"model": program}, folder, precision)
        text = (folder / "model.c").read_text()
        sizes[precision] = text.count("static const float")
        large = [w.size for w in program.weights.values() if w.ndim == 2 and w.size >= SMALLEST]
        assert large and text.count("static const int8_t") == len(large) * (precision == "int8")
        assert text.count("static const uint16_t") == len(large) * (precision == "bf16")
    assert sizes["bf16"] < sizes["float32"]


def test_weights_are_stored_as_the_nearest_that_there_is() -> None:
    draw = np.random.default_rng(0)
    weight = (draw.standard_normal((40, 50)) * draw.uniform(0.01, 9, (40, 1))).astype(np.float32)
    weight[3] = 0
    whole, scale = rounded(weight)
    assert np.abs(whole).max() == 127 and (whole[3] == 0).all()
    assert (np.abs(whole * scale - weight) <= 0.5001 * scale).all()
    assert scale.ravel()[:3].tolist() == (np.abs(weight[:3]).max(1) / np.float32(127)).tolist()
    program = Program(
        (), (), (Linear("y", "x", "w"),), {"y": Value("float32", ("B", 40))}, {"w": weight}
    )
    stored = as_stored(program, "bf16").weights["w"]
    assert np.array_equal(stored, torch.from_numpy(weight).bfloat16().float().numpy())


def test_tied_weights_stand_there_once(tmp_path: Path) -> None:
    """The table of an embedding that is the output's matrix too."""
    torch.manual_seed(0)
    table, stack = torch.nn.Embedding(50, 8), Recurrent(8, 8)
    build = Builder(torch.nn.ModuleList([table, stack]))
    ids = build.ids("x", ("B", "T"), 50)
    y, _ = build.stack(stack, build.lookup(ids, table.weight), carried=True)
    program = build.done(build.product(y, table.weight))
    runner = written({"model": program}, tmp_path)["model"]
    batch = {"x": np.arange(50)[None]}
    assert gap(runner.run(batch)[0], Interpreter(program).run(batch)[0]) < NEAR
    assert (tmp_path / "model.c").read_text().count("[400] = {") == 1


@pytest.mark.parametrize(
    ("kind", "ids"), [("stream", False), ("last", True), ("stream", True), ("attention", False)]
)
def test_numbers_that_are_none_come_out(kind: Kind, ids: bool, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "cell": "rnn-relu",
        "bidirectional": kind == "attention",
        "zoneout": 0.0,
    }
    program = drawn(3, kind, ids, **options)
    runner = written({"model": program}, tmp_path)["model"]
    batch = inputs(program, np.random.default_rng(1), rows=1, steps=6)
    batch["lengths"] = np.array([6])
    good, _ = runner.run(batch)
    assert np.isfinite(good["y"]).all()
    for wrong in (INPUTS, -1) if ids else (np.nan,):  # INPUTS is one beyond the last id
        batch["x"][0, 2] = wrong
        bad, _ = runner.run(batch)
        before = 2 if kind == "stream" else 0
        assert np.isfinite(bad["y"][0, :before]).all() and np.isnan(bad["y"][0, before:]).all()


def test_the_comment_of_a_cell_is_its_own_and_nothing_else(tmp_path: Path) -> None:
    class Other(type(CELLS[-1])):  # type: ignore[misc]
        name = "lstm"

    class Hostile(type(CELLS[-1])):  # type: ignore[misc]
        name = "ends */ int begins /* \n #error"

    for cell in (Other(), Hostile()):
        written({"model": drawn(0, "stream", cell=cell, hidden_size=4)}, tmp_path)
        assert "f * c + i * g" not in (tmp_path / "model.c").read_text()
