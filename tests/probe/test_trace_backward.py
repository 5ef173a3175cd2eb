"""The way back through a cell: laws of the chain rule, read off the graph of any step."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import pytest
import torch
from calling import call
from torch import Tensor

from elman import cells
from elman.cells.cell import Cell, Note, Recurrence, ignore
from elman.errors import UserError
from elman.layers.scan import Direction, scan
from elman.probe import trace
from elman.probe.trace.checking import checked, parts
from elman.probe.trace.totals import by_parameter


def drawn(cell: Cell, seed: int, *, biases: int = 2, above: bool = False) -> trace.Setup:
    """A setup of sizes and numbers at random."""
    draw = torch.Generator().manual_seed(seed)
    T, I, H, O = (int(n) for n in torch.randint(1, 6, (4,), generator=draw))  # noqa: E741

    def numbers(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draw, dtype=torch.float64)

    rows = len(cell.gates) * H
    weights = trace.Weights(
        numbers(rows, I),
        numbers(rows, H) if cell.recurrent else None,
        numbers(rows) if biases else None,
        numbers(rows) if biases > 1 and cell.recurrent else None,
    )
    states = {name: numbers(H) for name in cell.states}
    setup = trace.Setup(cell, weights, numbers(T, I), states)
    if above:
        return replace(setup, above={name: numbers(T, H) for name in cell.states})
    return replace(setup, output=trace.Output(numbers(O, H), numbers(O)), targets=numbers(T, O))


@final
@dataclass(frozen=True)
class Odd(Cell):
    """A user's cell of operations for which there is no rule, and of one gate that it halves."""

    name = "odd"
    summary = "for tests"
    source = "none"
    states = ("h", "m")
    gates = ("p", "q")
    equations = "s = softmax(p)\nm = m + s\nh = norm(q) * m"

    def step(
        self, Wx: Tensor, state: tuple[Tensor, ...], R: Recurrence, note: Note = ignore
    ) -> Any:
        h, m = state
        H = h.shape[-1]
        both = Wx + R(h)
        p, q = both[:, :H], both[:, H:]
        s = p.softmax(-1)
        m = m * 0.5 + s * (q - q.mean(-1, keepdim=True)).cos()
        h = torch.nn.functional.layer_norm(q, (H,)) * m.clamp(-2, 0.7) + both.sum(-1, keepdim=True)
        note(s=s, m=m, h=h)
        return h, m


@final
@dataclass(frozen=True)
class InPlace(Cell):
    """A user's cell that writes into its own tensors, and asks R for gates one by one."""

    name = "in-place"
    summary = "for tests"
    source = "none"
    states = ("h",)
    gates = ("u", "v")
    equations = "u = silu(W_u x + b_u + R_u h)\nh = u + h"

    def step(
        self, Wx: Tensor, state: tuple[Tensor, ...], R: Recurrence, note: Note = ignore
    ) -> Any:
        (h,) = state
        u, v = Wx.chunk(2, -1)
        u = torch.nn.functional.silu(u + R(h, "u")).tanh()
        v = R(u * h, "v").add_(v)
        v.mul_(0.1)
        h = torch.where(v > 0, u**2 / (1 + v.abs()), -v.exp().reciprocal()) + h * 0.9
        note(u=u, h=h)
        return (h,)


OWN: tuple[Cell, ...] = (Odd(), InPlace())


@pytest.mark.parametrize("cell", [*cells.all(), *OWN], ids=lambda cell: cell.name)
def test_every_cell_goes_back_as_autograd_and_finite_differences_do(cell: Cell) -> None:
    for seed in range(4):
        setup = drawn(cell, seed, biases=seed % 3, above=seed % 2 == 1)
        found = trace.backward(setup)
        assert found.checked.holds, found.checked.text()
        assert found.checked.largest > 0


@pytest.mark.parametrize("cell", cells.all(), ids=lambda cell: cell.name)
def test_gradients_are_those_of_a_layer_trained_on_the_same_loss(cell: Cell) -> None:
    """Against the layers themselves, whose loop and backward pass are other code."""
    setup = drawn(cell, 11)
    w, given = setup.weights, setup.output
    assert given is not None and given.bias is not None and setup.targets is not None
    leaves = {name: part.clone().requires_grad_() for name, part in parts(setup).items()}
    own = {name: leaves.get(name) for name in vars(w)}
    first = tuple(leaves[f"state.{name}"].reshape(1, 1, -1) for name in cell.states)
    x = leaves["inputs"].unsqueeze(1)
    y, _ = scan(cell, x, None, first, [Direction(**own)])  # type: ignore[arg-type]
    out = y[:, 0] @ leaves["output.weight"].T + leaves["output.bias"]
    loss = ((out - setup.targets) ** 2).sum() / 2
    loss.backward()  # type: ignore[no-untyped-call]
    found = trace.backward(setup)
    assert found.loss == pytest.approx(float(loss.detach()), rel=1e-12)
    for name, gradient in by_parameter(found.totals, setup).items():
        expected = leaves[name].grad
        assert expected is not None
        torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-10)


def test_the_tutorial_goes_back_by_hand() -> None:
    """Back-propagation through time on the tutorial's four numbers, in NumPy."""
    R, W = np.array([[0.1, 0.2], [0.3, 0.4]]), np.array([0.5, 0.6])
    V, h, hs = np.array([0.1, 0.2]), np.zeros(2), []
    for x in (1.0, 2.0):
        hs.append(h := np.tanh(h @ R + x * W + np.array([0.1, -0.1])))
    later, dR, dW, dV = np.zeros(2), np.zeros((2, 2)), np.zeros(2), np.zeros(2)
    loss = 0.0
    for t in (1, 0):
        dy = hs[t] @ V + 0.1 - (t + 2)
        loss += dy**2 / 2
        da = (dy * V + later) * (1 - hs[t] ** 2)
        dV += dy * hs[t]
        dW += da * (t + 1)
        dR += np.outer(da, hs[t - 1] if t else np.zeros(2))
        later = R @ da
    found = trace.backward(trace.example("rnn"))
    assert found.loss == pytest.approx(loss, abs=1e-14)
    totals = {total.name: total.value.numpy() for total in found.totals}
    np.testing.assert_allclose(totals["R"], dR, rtol=0, atol=1e-15)
    np.testing.assert_allclose(totals["W"][:, 0], dW, rtol=0, atol=1e-15)
    np.testing.assert_allclose(totals["V"][0], dV, rtol=0, atol=1e-15)


def test_the_equations_are_those_of_the_textbook() -> None:
    def lines(name: str) -> set[str]:
        last = trace.backward(trace.example(name)).steps[1]
        return {f"{one.line.symbol.text()} = {one.line.formula.text()}" for one in last.lines}

    assert lines("rnn") == {
        "dy = y - target", "dh = V^T dy + dh_next", "da = dh * (1 - h^2)", "dh_back = R^T da",
        "dx = W^T da",
    }  # fmt: skip
    assert lines("lstm") >= {
        "dc = dc_next + dh * o * (1 - tanh(c)^2)", "df = dc * c[t-1]", "do = dh * tanh(c)",
        "da_i = di * i * (1 - i)", "dc_back = dc * f", "da_g = dg * (1 - g^2)",
    }  # fmt: skip
    assert lines("gru") >= {"dRn = da_n * r", "dr = da_n * Rn", "dn = dh * (1 - z)"}


@pytest.mark.parametrize("cell", [*cells.all(), *OWN], ids=lambda cell: cell.name)
def test_every_line_is_reckoned_from_those_above_it(cell: Cell) -> None:
    """Every symbol of a formula has a line above, a forward value, or comes from the next step."""
    found = trace.backward(drawn(cell, 3))
    for step in found.steps:
        known = {"dy"}
        for one in step.lines:
            used = set(re.findall(r"\bd[A-Za-z]\w*", one.line.formula.text()))
            assert {u for u in used if not u.endswith("_next")} <= known, one.line
            known.add(one.line.symbol.text())


def test_equations_that_do_not_hold_are_told() -> None:
    """The check sees a wrong gradient, however it came about."""
    setup = trace.example("gru")
    found = trace.backward(setup)
    right = by_parameter(found.totals, setup)
    assert checked(setup, right).holds
    for name, value in right.items():
        wrong = value.clone()
        wrong.view(-1)[-1] += 1e-5
        told = checked(setup, {**right, name: wrong})
        assert not told.holds and told.text().startswith("WARNING")


def test_without_a_loss_there_is_no_way_back() -> None:
    setup = trace.example("rnn")
    for less, message in (
        (replace(setup, targets=None), "give targets"),
        (replace(setup, targets=None, output=None), "give an .output. and targets"),
        (replace(setup, targets=torch.ones(3, 1).double()), "targets has shape 3 x 1; 2 x 1 fits"),
        (replace(setup, output=None), "targets are for outputs"),
    ):
        with pytest.raises(UserError, match=message):
            trace.backward(less)


# ---- As text, Markdown and LaTeX


def shown(cell: Cell, seed: int = 5) -> trace.Shown:
    setup = drawn(cell, seed)
    return trace.Shown(cell, trace.run(setup), trace.backward(setup), units=(0,), last=2)


@pytest.mark.pictures
@pytest.mark.parametrize("cell", [*cells.all(), *OWN[1:]], ids=lambda cell: cell.name)
def test_latex_is_balanced_and_its_mathematics_parses(cell: Cell) -> None:
    mathtext = pytest.importorskip("matplotlib.mathtext", reason="matplotlib parses it")
    parser = mathtext.MathTextParser("path")
    document = trace.latex(shown(cell))
    open_ = re.findall(r"\\begin\{(\w+\*?)\}", document)
    assert open_ == [*open_] and sorted(open_) == sorted(re.findall(r"\\end\{(\w+\*?)\}", document))
    assert (
        document.rstrip().endswith(r"\end{document}") and document.count(r"\begin{document}") == 1
    )
    bare = re.sub(r"\\[{}\\]", "", document)
    depth = np.cumsum([(c == "{") - (c == "}") for c in bare])
    assert depth[-1] == 0 and depth.min() == 0
    assert document.count(r"\left(") == document.count(r"\right)")
    aligned = re.findall(r"\\begin\{align\*\}\n(.*?)\n\\end\{align\*\}", document, re.DOTALL)
    equations = [row for block in aligned for row in block.split(" \\\\\n")]
    assert len(equations) > 10
    for row in {re.sub(r" = \\left\([-\d., ]*\\right\)$", "", row) for row in equations}:
        # What mathtext does not know: alignment, and \top as an ordinary letter is fine.
        plain = row.replace("&", "").replace(r"\phantom{=}", "").replace(r"\tfrac", r"\frac")
        plain = plain.replace(r"\text{", r"\mathrm{").replace(r"\quad", "")
        parser.parse(f"${plain}$")


@pytest.mark.parametrize("name", cells.names())
def test_markdown_has_a_row_for_each_line(name: str) -> None:
    setup = trace.example(name)
    back = trace.backward(setup)
    page = trace.markdown(trace.Shown(setup.cell, trace.run(setup), back))
    rows = [line for line in page.splitlines() if line.startswith("| $")]
    assert all(line.count("$") == 2 and line.count("|") == 3 for line in rows)
    forward = 2 * (len(setup.cell.equations.splitlines()) + 2)
    on_the_way = sum(len(step.lines) + 2 for step in back.steps)
    assert len(rows) == forward + on_the_way + len(back.totals)


def test_units_and_steps_are_those_asked_for() -> None:
    setup = drawn(cells.get("lstm"), 8)
    H, T = len(setup.states["h"]), len(setup.inputs)
    assert H > 1 and T > 1
    whole, back = trace.run(setup), trace.backward(setup)
    one = trace.Shown(setup.cell, whole, back, units=(H - 1,), last=1)
    assert [step.number for step in one.forward] == [T] == [step.number for step in one.back]
    text = trace.render_shown(one)
    h = next(v for v in whole[-1].values if v.name == "h").numbers
    assert f"{h[-1]:.6f}" in text and f"{h[0]:.6f}" not in text
    with pytest.raises(UserError, match=f"--units {H}: the layer has {H} units"):
        trace.Shown(setup.cell, whole, units=(H,))


# ---- The command


def test_the_command_goes_back_and_says_that_it_checked() -> None:
    ended = call("trace", "rnn", "--backward")
    assert ended.code == 0, ended.err
    assert "da = dh * (1 - h^2)" in ended.out and "\nchecked: equal to autograd" in ended.out
    record = json.loads(call("trace", "gru", "--backward", "--json").out)
    assert record["checked"]["holds"] and [s["step"] for s in record["backward"]] == [2, 1]
    assert call("trace", "gru", "--backward", "--latex").out.startswith(r"\documentclass")
    assert call("trace", "gru", "--backward", "--markdown").out.startswith("# gru")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rnm",), 'unknown cell "rnm"'),
        (("rnn", "--units", "7"), "--units 7: the layer has 2 units"),
        (("rnn", "--units", "a"), "needs whole numbers"),
        (("rnn", "--last", "0"), "--last 0: needs a value from 1"),
        (("rnn", "--row", "1"), "--row: is for a run folder"),
        (("rnn", "--text", "a"), "--text: is for a run folder"),
        (("rnn", "--latex", "--json"), "exclude each other"),
        ((".",), "not a run folder"),
    ],
)
def test_what_does_not_fit_is_told(arguments: tuple[str, ...], message: str) -> None:
    ended = call("trace", *arguments)
    assert ended.code == 2 and message in ended.err and len(ended.err.splitlines()) == 1
