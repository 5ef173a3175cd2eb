"""A layer of a run, traced, is the run itself: forward and backward."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from calling import call
from jobs import MakeJob

from elman import cells
from elman.errors import UserError
from elman.inspection.traced import Traced, trace_of
from elman.probe import trace
from elman.run import api


def holds(found: Traced, *, alone: bool = True) -> None:
    steps, back = trace.run(found.setup), trace.backward(found.setup)
    assert back.checked.holds, back.checked.text()
    output = trace.values(steps, found.setup.cell.states[0])
    gradient = trace.whole(back, "weight_ih")
    assert found.alone == alone
    assert not found.agrees(output, gradient).startswith("WARNING"), found.agrees(output, gradient)
    assert len(found.labels) in (0, len(steps))
    # It sees what is wrong, forward and backward.
    assert found.agrees(output + 0.1, gradient).startswith("WARNING")
    if alone:
        assert float(found.gradient.abs().max()) > 0
        assert found.agrees(output, 1.01 * gradient).startswith("WARNING")


@pytest.mark.parametrize("name", cells.names())
def test_every_cell_of_a_run_goes_back_as_the_run_does(make_job: MakeJob, name: str) -> None:
    job = make_job(cell=f"{name},lstm", hidden_size="5,4", sequence_length=8, epochs=1)
    api.complete(job, api.silent)
    run = api.load(job.folder.path)
    holds(trace_of(run, row=1, layer=0))
    holds(trace_of(run, text="the cat sat on a mat", layer=1))


def test_encoder_and_decoder_of_a_translator(translated: Path) -> None:
    run = api.load(translated / "run")
    names = set()
    for layer in range(3):  # the encoder both ways, and the decoder
        found = trace_of(run, row=2, layer=layer)
        names.add(found.name)
        holds(found, alone=found.alone)
    assert len(names) == 3
    with pytest.raises(UserError, match="--layer 9: there is 0 "):
        trace_of(run, layer=9)


def test_the_steps_are_the_characters_of_the_text(trained: Path) -> None:
    ended = call("trace", trained / "run", "--text", "the quick brown fox", "--backward", "--json")
    assert ended.code == 0, ended.err
    record = json.loads(ended.out)
    assert len(record["steps"]) == len("the quick brown fox") - 1
    assert record["checked"]["holds"] and record["loss"] > 0
    shown = call("trace", trained / "run", "--text", "the quick", "--units", "7", "--last", "2")
    assert 'step 7, "i"' in shown.out and 'step 8, "c"' in shown.out and "step 6" not in shown.out
    assert "WARNING" not in shown.out
    for flag in ("--latex", "--markdown"):
        made = call("trace", trained / "run", "--text", "the quick", "--backward", flag)
        assert made.code == 0 and "\\mathrm{d}" in made.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--text", "a"), "--text: "),
        (("--text", ""), "--text: needs some text"),
        (("--text", "abc", "--row", "1"), "neither DATA nor --row"),
        (("--layer", "5"), "--layer 5: there is 0 "),
        (("--units", "8"), "--units 8: the layer has 8 units"),
        (("--row", "-1"), "--row -1: needs a value from 0"),
        (("--file", "x.toml"), "--file: is for a cell"),
        (("absent.txt",), "absent.txt"),
    ],
)
def test_what_does_not_fit_a_run_is_told(
    trained: Path, arguments: tuple[str, ...], message: str
) -> None:
    ended = call("trace", trained / "run", *arguments)
    assert ended.code == 2 and message in ended.err and len(ended.err.splitlines()) == 1


def test_layer_norm_and_zoneout_are_refused(make_job: MakeJob) -> None:
    for option, what in (("layer_norm", "layer norm"), ("zoneout", "zoneout")):
        job = make_job(option, epochs=1, **{option: True if option == "layer_norm" else 0.1})
        api.complete(job, api.silent)
        with pytest.raises(UserError, match=f"has {what}, which is no part"):
            trace_of(api.load(job.folder.path))
    assert torch.get_num_threads() == 1
