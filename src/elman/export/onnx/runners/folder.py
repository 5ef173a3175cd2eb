"""The networks beside this file, and what is known of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from elman.export.onnx.runners.network import Network


class Model:
    """The networks whose files bear the name of this one: by name, with their `surroundings`."""

    def __init__(self, folder: Path, name: str) -> None:
        files = sorted([*folder.glob(f"{name}.onnx"), *folder.glob(f"{name}_*.onnx")])
        found = [opened(path) for path in files]
        self.networks = {network.record["program"]: network for network in found}
        records = [network.record for network in found]
        whole = [record for record in records if "surroundings" in record]
        if len(whole) != 1:
            raise SystemExit(f"{folder}: {name}.onnx is missing; it belongs beside this file")
        self.surroundings: dict[str, Any] = whole[0]["surroundings"]

    def __getitem__(self, program: str) -> Network:
        return self.networks[program]


def opened(path: Path) -> Network:
    """SystemExit: it is no network that Elman wrote."""
    try:
        return Network(path)
    except Exception as error:  # ONNX Runtime's have nothing in common
        raise SystemExit(f"{path}: damaged ({error})") from None


def open_model() -> Model:
    """The model that lies beside this file."""
    return Model(Path(__file__).parent, Path(__file__).stem)
