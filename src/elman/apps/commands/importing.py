"""`elman import`: a model of Keras or PyTorch, read and told of, or made a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from elman.apps.commands.arguments import AsJson
from elman.apps.console import warn
from elman.apps.output import print_table
from elman.errors import UserError


def import_(
    file: Annotated[
        Path,
        Parameter(help="Of Keras: .keras, .h5, .weights.h5; of PyTorch: .safetensors, .pt, .pth."),
    ],
    /,
    *,
    task: Annotated[
        Literal["text", "classify", "tag"] | None,
        Parameter(help="Make a run of this task; without it the file is read and told of."),
    ] = None,
    run: Annotated[
        Path | None, Parameter(help="Folder of the run; runs/NAME of the file if not given.")
    ] = None,
    vocabulary: Annotated[
        str | None,
        Parameter(
            help="What ids mean: JSON, a list of symbols or an object with the id of each; or the "
            "text that was learnt from, whose different characters are then taken in order.",
        ),
    ] = None,
    lowercase: Annotated[
        bool, Parameter(negative="", show_default=False, help="Texts were read in lower case.")
    ] = False,
    classes: Annotated[
        str,
        Parameter(
            help="Names of classes or labels in the order of the outputs: neg,pos or a JSON file.",
            metavar="A,B,...",
            show_default=False,
        ),
    ] = "",
    layers: Annotated[
        str,
        Parameter(
            help="Of weights alone: the layers in order, and what stands between them: "
            "embedding,lstm,last,fc1,relu,fc2.",
            metavar="A,B,...",
            show_default=False,
        ),
    ] = "",
    config: Annotated[
        Path | None,
        Parameter(help="Of Keras, for weights alone: what model.to_json() gives, in a file."),
    ] = None,
    force: Annotated[
        bool, Parameter(negative="", show_default=False, help="Replace an existing run folder.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read a model that Keras or PyTorch saved, and make it a run: nothing in it is executed."""
    if task is None:
        for flag, value in (
            ("run", run), ("vocabulary", vocabulary), ("classes", classes or None),
            ("lowercase", lowercase or None), ("force", force or None),
        ):  # fmt: skip
            if value is not None:
                raise UserError(
                    f"--{flag}: of use with --task alone; give --task text, classify or tag"
                )
    from elman.importing import report
    from elman.importing.loading import load_foreign
    from elman.importing.tasks.importing import import_run

    network = load_foreign(file, layers=_listed(layers), config=config)
    lines, shapes, told = report.lines(network), report.inputs(network), report.remarks(network)
    record: dict[str, Any] = {
        "file": str(file),
        "inputs": shapes,
        "layers": [vars(line) for line in lines],
        "outputs": [lines[ref.node].shape for ref in network.plan.outputs if ref.node >= 0],
    }
    if task is not None:
        made = import_run(
            network, task, run, vocabulary=vocabulary, classes=_listed(classes),
            lowercase=lowercase, force=force,
        )  # fmt: skip
        told += [f"note: {remark}" for remark in made.remarks]
        record |= {"task": task, "run": str(made.run), "difference": made.difference}
    if as_json:
        print(json.dumps(record | {"remarks": told}, ensure_ascii=False))
        return
    rows = [(f"input {k}", "", " ".join(s), "") for k, s in enumerate(shapes, 1)]
    rows += [(n.name, n.kind, " ".join(n.shape), f"{n.weights:,}") for n in lines]
    print_table(("layer", "kind", "puts out", "weights"), rows)
    for line in told:
        warn(line)
    if task is not None:
        print(f"run folder {record['run']}")
        warn(f"it answers as the file does, but for {record['difference']:.1g} in probabilities")


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]
