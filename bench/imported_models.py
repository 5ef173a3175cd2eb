"""Models that Keras makes, read by Elman: the largest difference of what they put out.

    python bench/imported_models.py [--keras PYTHON] [--backend tensorflow] [--seed 1]

PYTHON is an interpreter with Keras and its backend, in which the models of
tests/importing/keras_models.py are made, run and saved; this one if not given. Prints a table in
Markdown: each model, its layers, the largest output and the largest differences of its two forms.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

import elman
from elman.importing.network import Network

MODELS = Path(__file__).parent.parent / "tests" / "importing" / "keras_models.py"
VERSIONS = (
    "import importlib.metadata as m, sys; print(*(f'{p} {m.version(p)}' for p in sys.argv[1:]), "
    "sep=', ')"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keras", default=sys.executable)
    parser.add_argument("--backend", default="torch", choices=["torch", "tensorflow", "jax"])
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    environment = os.environ | {"KERAS_BACKEND": asked.backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        command = [asked.keras, str(MODELS), place, str(asked.seed), ".keras", ".h5"]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        print("| model | layers | largest output | .keras | .h5 |\n|---|---|---|---|---|")
        whole = (path for path in folder.glob("*.keras") if path.with_suffix(".h5").exists())
        for path in sorted(whole, key=lambda path: path.stat().st_mtime_ns):  # as they were made
            print(row(path.with_suffix(".h5")))
    package = asked.backend if asked.backend != "tensorflow" else "tensorflow-cpu"
    told = subprocess.run(
        [asked.keras, "-c", VERSIONS, "keras", package], check=True, capture_output=True, text=True
    )
    print(f"\n{told.stdout.strip()}; elman on torch {importlib.metadata.version('torch')}")


def row(path: Path) -> str:
    with np.load(path.with_suffix(".npz")) as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files}
    inputs = [arrays[name] for name in sorted(arrays) if name.startswith("x")]
    outputs = [arrays[name] for name in sorted(arrays) if name.startswith("y")]
    whole, old = elman.load_foreign(path.with_suffix(".keras")), elman.load_foreign(path)
    kinds = ", ".join(node.kind for node in whole.plan.nodes)
    largest = max(float(y.abs().max()) for y in outputs)
    differences = (f"{difference(network, inputs, outputs):.1e}" for network in (whole, old))
    return f"| {path.stem} | {kinds} | {largest:.2f} | {' | '.join(differences)} |"


@torch.no_grad()
def difference(network: Network, inputs: list[torch.Tensor], outputs: list[torch.Tensor]) -> float:
    y, _ = network(*inputs)
    made = y if isinstance(y, tuple) else (y,)
    return max(float((a - b).abs().max()) for a, b in zip(made, outputs, strict=True))


if __name__ == "__main__":
    main()
