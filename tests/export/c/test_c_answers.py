"""The example beside a file answers raw questions as Elman does, under checks of addresses and of
what C leaves undefined."""

from __future__ import annotations

import ctypes
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_data import Make, curves, driven, labelled, tagged, text, totals

from elman import decode
from elman.data.texts.vocabulary import from_json
from elman.export.c import answers, open_written
from elman.export.c.compiler import compiled
from elman.export.c.writing import Made
from elman.export.certificate import alike
from elman.export.program import Export, How
from elman.run import prepare
from elman.run.clock import Clock
from elman.run.options import parse
from elman.tasks.regress.linear.recursion import Sequences, recursion_from_json

CHECKED = ("-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover")
WINDOW = {"bidirectional": (True,), "sequence_length": 8}
CASES: dict[str, tuple[str, Make, dict[str, Any]]] = {
    "characters": ("text", text, {"level": "characters", "lowercase": True, "embedding": 4}),
    "bytes": ("text", text, {"level": "bytes", "cell": ("mingru",), **WINDOW}),
    "curves": ("classify", curves, {"convolutions": (4, 3), "convolution_stride": (2,),
                                    "scaling": "sequence"}),
    "channels": ("classify", curves, {"scaling": "channel", "bidirectional": False, "bag": "none",
                                      "convolutions": 0}),
    "tags": ("tag", tagged, {"characters": 3, "token_column": "1", "label_column": "2",
                             "lowercase": True, "embedding": 4}),
    "steps": ("regress", driven, {"target": ("y",), "sequence_column": "run", "linear": True}),
    "starts": ("regress", driven, {"target": ("y",), "sequence_column": "run",
                                   "state_columns": ("static_start",), "feedback": True}),
    "totals": ("regress", totals, {"members": 2, "bidirectional": (True,), "linear": True}),
}  # fmt: skip


def left(name: str, make: Make, options: dict[str, Any], folder: Path) -> Export:
    """What leaves of an untrained model."""
    small = {"epochs": 1, "sample": 0, "threads": 1, "hidden_size": 5, "run": folder / "run"}
    if name == "text":
        small |= {"counted": 500, "scored": 500}
    own, how = parse(name, small | options)
    job = prepare.new(name, [str(make(folder))], own, how, Clock(None), lambda line: None)
    assert job.task.export is not None
    found: Export = job.task.export(job.model.eval(), job.dataset.preprocessing(), job.options)
    return found


def written(export: Export, folder: Path) -> Path:
    folder.mkdir()
    for file, content in Made(export, How(name="net")).texts().items():
        (folder / file).write_text(content, encoding="utf-8")
    return folder


@pytest.mark.parametrize("case", CASES)
def test_raw_questions_are_answered_as_elman_answers_them(case: str, tmp_path: Path) -> None:
    export = left(*CASES[case], tmp_path)
    assert export.raw is not None
    questions = export.raw.drawn(np.random.default_rng(1), 5)
    theirs = answers(written(export, tmp_path / "c"), questions, CHECKED)
    assert theirs is not None
    for question, one, other in zip(questions, export.raw.answered(questions), theirs, strict=True):
        assert alike(one, other, near=1e-4), question


def test_tokens_are_chosen_as_elman_chooses_them(tmp_path: Path) -> None:
    """By chances in double, with every option; numbers for them are those of the seed."""
    export = left(*CASES["bytes"], tmp_path)
    called = open_written(written(export, tmp_path / "c"), "-O2")["model"]
    choose, uniform = called.library.net_choose, called.library.net_uniform
    uniform.restype, uniform.argtypes = ctypes.c_double, [ctypes.c_uint64] * 2
    choose.restype = ctypes.c_int32

    class Choosing(ctypes.Structure):
        _fields_ = (
            ("temperature", ctypes.c_double), ("top_k", ctypes.c_int32),
            ("top_p", ctypes.c_double), ("repetition_penalty", ctypes.c_double),
        )  # fmt: skip

    room = ctypes.create_string_buffer(256 * 20)
    draw = np.random.default_rng(0)
    for k in range(400):
        scores = (draw.standard_normal(256) * 3).astype(np.float32).round(1)  # some are alike
        seen = draw.random(256) < 0.2
        how = decode.Sampling(
            float(draw.choice([0, 0.3, 1, 4])), int(draw.choice([0, 1, 7, 300])),
            float(draw.choice([0.2, 0.9, 1])), float(draw.choice([1, 1.3])), seed=k,
        )  # fmt: skip
        number = decode.uniform(k, 2**40 + k)
        assert uniform(k, 2**40 + k) == number
        p = decode.distribution(torch.from_numpy(scores), np.flatnonzero(seen).tolist(), how)
        given = Choosing(how.temperature, how.top_k, how.top_p, how.repetition_penalty)
        found = choose(
            scores.ctypes.data_as(ctypes.c_void_p), ctypes.byref(given),
            seen.astype(np.uint8).ctypes.data_as(ctypes.c_void_p), ctypes.c_double(number), room,
        )  # fmt: skip
        assert found == decode.choose(p, number)
    scores[3] = np.nan
    assert choose(scores.ctypes.data_as(ctypes.c_void_p), ctypes.byref(given), None,
                  ctypes.c_double(0.5), room) == -1  # fmt: skip


def test_texts_become_the_ids_that_elman_gives(tmp_path: Path) -> None:
    export = left(*CASES["characters"], tmp_path)
    called = open_written(written(export, tmp_path / "c"), "-O1")["model"]
    known = from_json(export.surroundings["vocabulary"])
    for said in ("The 3 FILMS, ÇÉ\n", "我喜欢 🍎 X", ""):
        data = said.encode()
        ids = np.full(len(data) + 1, -9, np.int32)
        encode = called.library.net_encode
        encode.restype, encode.argtypes = ctypes.c_size_t, [ctypes.c_char_p, *[ctypes.c_size_t] * 2]
        count = encode(data, len(data), ids.ctypes.data)
        assert ids[:count].tolist() == list(known.encode(said))


def test_a_linear_answer_of_any_order_is_that_of_elman(tmp_path: Path) -> None:
    export = left(*CASES["steps"], tmp_path)
    draw = np.random.default_rng(4)
    inputs, outputs = (len(export.surroundings["encoder"][name]["mean"]) for name in ("x", "y"))
    p, q, ahead = 3, 2, 1
    rows = p * outputs + (ahead + 1 + q) * inputs + 1
    record = {
        "order": [p, q, ahead, 0.0], "farthest": 5.0,
        "weights": (0.3 * draw.standard_normal((rows, outputs))).tolist(),
        "before": draw.standard_normal((p * outputs + q * inputs, 1)).tolist(),
    }  # fmt: skip
    around = {**export.surroundings, "linear": [record] * len(export.surroundings["linear"])}
    around["encoder"] = {**around["encoder"], "knows": ""}
    folder = written(Export("regress", export.programs, around), tmp_path / "c")
    called = open_written(folder, "-O1")["model"]
    x = draw.standard_normal((12, inputs)).astype(np.float32)
    y, none = np.zeros((12, outputs), np.float32), np.zeros(1)
    linear = called.library.net_linear_0
    linear.restype, linear.argtypes = None, [ctypes.c_size_t] + [ctypes.c_void_p] * 3
    linear(12, x.ctypes.data, none.ctypes.data, y.ctypes.data)
    data = Sequences([x.astype(np.float64)], [np.zeros((12, outputs))], np.zeros((1, 0)))
    (true,) = recursion_from_json(record).told(data)
    assert np.abs(y - true).max() < 1e-6


def test_lines_that_do_not_fit_are_told(tmp_path: Path) -> None:
    name, make, options = CASES["steps"]
    columns = {"input_columns": ("u", "v"), "initial_state": "zero", "linear": False}
    folder = written(left(name, make, options | columns, tmp_path), tmp_path / "c")
    program = compiled([folder / "net_main.c", folder / "net.c"], tmp_path / "net", *CHECKED)
    for given, said in {
        "1 2\n1\n": "line 2: has to be 2 numbers, not 1",
        "1 2\n1 x\n": "line 2: has to be 2 numbers",
        "1 2 3\n": "line 1: has to be 2 numbers",
    }.items():
        done = subprocess.run([program], input=given, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr.strip()) == (2, said)
    for given in ("", "\n\n", "nan 1\n"):
        done = subprocess.run([program], input=given, capture_output=True, text=True, check=True)
        # What is no number may have a sign.
        told = [number.removeprefix("-") for number in done.stdout.split()]
        assert told == (["nan"] if given.strip() else [])


@pytest.mark.parametrize(
    ("name", "make", "options", "said"),
    [
        ("text", text, {"level": "words"}, "texts of words are cut and joined outside of C"),
        ("classify", labelled, {"bag": "ngrams", "level": "characters"}, "ngrams .* stay behind"),
    ],
)  # fmt: skip
def test_what_is_not_in_c_is_told_and_has_no_example(
    name: str, make: Make, options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    export = left(name, make, options, tmp_path)
    made = Made(export, How())
    assert set(made.texts()) == {"model.c", "model.h"}
    assert isinstance(made.around, str)
    assert re.search(said, made.around)
    assert answers(written(export, tmp_path / "c"), ["?"]) is None
