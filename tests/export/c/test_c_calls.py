"""How a written file is called: its functions agree, and any compiler will do."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from c_programs import INPUTS, OUTPUTS, Kind, drawn, inputs, written

from elman.errors import UserError
from elman.export.c import open_written, write
from elman.export.c.compiler import compiled
from elman.export.c.library import Called
from elman.export.c.source import Source
from elman.export.program import Array, Convolution, Export, How, Program

MAIN = r"""
#include "model.h"
#include <stdio.h>
#include <stdlib.h>

/* Steps of one sequence, a line each; those of another one come between them. */
int main(void)
{
    model_state one, other;
    float x[MODEL_X], none[MODEL_X] = {0}, y[MODEL_Y], ignored[MODEL_Y];
    model_reset(&one);
    model_reset(&other);
    for (;;) {
        for (int i = 0; i < MODEL_X; i++)
            if (scanf("%f", &x[i]) != 1)
                return i != 0;
        model_step(&other, none, ignored);
        model_step(&one, x, y);
        for (int i = 0; i < MODEL_Y; i++)
            printf("%a ", (double)y[i]);
        printf("\n");
    }
}
"""
CPP = r"""
#include "model.h"
int main()
{
    model_state state;
    float x[MODEL_X] = {0}, y[MODEL_Y];
    model_reset(&state);
    model_run(&state, 1, x, y);
    return y[0] != y[0];
}
"""
COMPILERS: dict[str, tuple[str, ...]] = {
    "gcc": ("-O3", "-fsanitize=address,undefined", "-fno-sanitize-recover"),
    "clang": ("-O3", "-ffp-contract=off"),
    "aarch64-linux-gnu-gcc": ("-O2", "-static", "-ffp-contract=off"),
}


def pointer(values: Array) -> Any:
    return values.ctypes.data_as(ctypes.c_void_p)


def vectors(kind: Kind, folder: Path) -> tuple[Program, Called]:
    """A program that reads vectors, with what is called of it."""
    options: dict[str, Any] = {"hidden_size": [9, 8], "cell": ["lstm", "gru"], "layer_norm": True}
    for seed in range(20):
        program = drawn(seed, kind, bidirectional=False, **options)
        plain = not any(isinstance(node, Convolution) for node in program.nodes)
        if program.values["x"].kind == "float32" and plain:
            return program, written({"model": program}, folder)["model"]
    raise AssertionError("no seed gives a network of vectors")


def test_a_run_is_its_steps_and_goes_on_from_where_it_stood(tmp_path: Path) -> None:
    program, called = vectors("stream", tmp_path)
    x = np.random.default_rng(0).standard_normal((10, INPUTS)).astype(np.float32)
    whole, after = called.one({"x": x})
    state, y = called.begun({}), np.zeros((10, OUTPUTS), np.float32)
    for t in range(4):
        called.call("step", pointer(state), pointer(x[t]), pointer(y[t]))
    called.call("run", pointer(state), ctypes.c_size_t(6), pointer(x[4:]), pointer(y[4:]))
    assert np.array_equal(y, whole["y"])
    assert np.array_equal(state, np.concatenate([after[s.name] for s in program.states]))
    called.call("reset", pointer(state))
    assert np.array_equal(state, called.begun({}))
    first, _ = called.one({"x": x}, {s.name: s.initial for s in program.states})
    assert np.array_equal(first["y"], whole["y"])


@pytest.mark.parametrize("kind", ["last", "mean", "max", "first"])
def test_an_answer_may_be_asked_for_at_any_step(kind: Kind, tmp_path: Path) -> None:
    _, called = vectors(kind, tmp_path)
    assert called.mode == "gather"
    x = np.random.default_rng(0).standard_normal((7, INPUTS)).astype(np.float32)
    state, y = called.begun({}), np.zeros(OUTPUTS, np.float32)
    for t in range(7):
        called.call("step", pointer(state), pointer(x[t]))
        called.call("finish", pointer(state), pointer(y))
        assert np.array_equal(y, called.one({"x": x[: t + 1]})[0]["y"])


def test_compilers_and_processors_agree_to_the_bit(tmp_path: Path) -> None:
    """A program of its own, two states in turn; under gcc with checks of addresses and of what C
    leaves undefined."""
    _, called = vectors("stream", tmp_path)
    (tmp_path / "main.c").write_text(MAIN)
    x = np.random.default_rng(3).standard_normal((8, INPUTS)).astype(np.float32)
    lines = "\n".join(" ".join(map(repr, row)) for row in x.tolist())
    found = {"ctypes": called.one({"x": x})[0]["y"]}
    for cc, options in COMPILERS.items():
        if shutil.which(cc) is None:
            continue
        sources = [tmp_path / "main.c", tmp_path / "model.c"]
        program = compiled(sources, tmp_path / cc, *options, cc=cc)
        command = [str(program)]
        if cc.startswith("aarch64"):
            if (qemu := shutil.which("qemu-aarch64-static")) is None:
                continue
            command.insert(0, qemu)
        done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
        numbers = [[float.fromhex(n) for n in line.split()] for line in done.stdout.splitlines()]
        found[cc] = np.array(numbers, np.float32)
    assert "gcc" in found
    for values in found.values():
        assert np.array_equal(values, found["ctypes"])


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here")
def test_cpp_reads_the_header(tmp_path: Path) -> None:
    vectors("stream", tmp_path)
    (tmp_path / "main.cpp").write_text(CPP)
    compiled([tmp_path / "model.c"], tmp_path / "model.o", "-c")
    command = ["g++", "-Wall", "-Wextra", "-Werror", "main.cpp", "model.o", "-o", "main", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    subprocess.run([tmp_path / "main"], check=True)


def test_functions_of_math_h_give_nearly_the_same(tmp_path: Path) -> None:
    _, called = vectors("stream", tmp_path)
    other = open_written(tmp_path, "-O1", "-DMODEL_MATH_H")["model"]
    x = np.random.default_rng(3).standard_normal((8, INPUTS)).astype(np.float32)
    assert np.abs(called.one({"x": x})[0]["y"] - other.one({"x": x})[0]["y"]).max() < 1e-5


def test_the_same_export_is_the_same_files_and_tells_its_size(tmp_path: Path) -> None:
    export = Export("test", {"model": drawn(1, "stream")}, {})
    texts = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        made = write(export, tmp_path / name, How(name="net"))
        assert {"net.c", "net.h"} <= set(made.files)
        texts.append([(tmp_path / name / file).read_text() for file in made.files])
    assert texts[0] == texts[1]
    assert "bytes of tables" in made.told[0] and "of stack" in made.told[0]
    assert made.told[0].partition(";")[0].split()[0] in texts[0][0]


def test_a_name_that_c_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--name static: is a word of C"):
        write(Export("test", {}, {}), tmp_path, How(name="static"))
    assert not list(tmp_path.iterdir())


def test_without_a_compiler_one_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="finds no cc, gcc or clang"):
        write(Export("test", {"model": drawn(1, "stream")}, {}), tmp_path, How())
    assert not list(tmp_path.iterdir())


def test_the_functions_are_as_near_as_they_say(tmp_path: Path) -> None:
    """Against NumPy in float64."""
    source = Source("m", "float32")
    names = ("exponential", "hyperbolic_tangent", "sigmoid")
    calls = "\n".join(
        f"float m_{source.use(name)}(float x);\nfloat m_{name}(float x) {{ return {name}(x); }}"
        for name in names
    )
    head = "#include <stddef.h>\n#include <stdint.h>\n#include <math.h>\n"
    (tmp_path / "m.c").write_text(f"{head}{source.text()}\n{calls}\n")
    library = ctypes.CDLL(
        str(compiled([tmp_path / "m.c"], tmp_path / "m.so", "-O2", "-fPIC", "-shared"))
    )
    draw = np.random.default_rng(0)
    near = np.concatenate([draw.uniform(-20, 20, 20_000), draw.uniform(-1e-3, 1e-3, 2_000)])
    far = np.array([0.0, -0.0, 87, -87, 88, 100, -100, np.inf, -np.inf], np.float64)
    x = np.concatenate([near, far]).astype(np.float32).astype(np.float64)
    with np.errstate(over="ignore"):
        true = {"exponential": np.exp(x), "hyperbolic_tangent": np.tanh(x),
                "sigmoid": 1 / (1 + np.exp(-x))}  # fmt: skip
    for name in names:
        function = getattr(library, f"m_{name}")
        function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float]
        found = np.array([function(float(one)) for one in x], np.float32)
        assert np.isnan(function(float("nan")))
        with np.errstate(over="ignore", invalid="ignore"):
            exact = true[name].astype(np.float32)
            close = np.abs(found - true[name]) <= 3 * np.spacing(np.abs(exact))
        tiny = np.abs(exact) < 2e-38  # 0, or nearly, whatever it is
        assert (close | (found == exact) | (tiny & (np.abs(found) < 2e-38))).all(), name


def test_inputs_of_a_batch_have_states_of_their_own(tmp_path: Path) -> None:
    program, called = vectors("stream", tmp_path)
    batch = inputs(program, np.random.default_rng(5), rows=3, steps=6)
    together, _ = called.run(batch)
    for row in range(3):
        alone, _ = called.one({"x": batch["x"][row]})
        assert np.array_equal(together["y"][row], alone["y"])
