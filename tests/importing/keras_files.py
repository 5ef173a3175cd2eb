"""Files as Keras 3 lays them out, written by hand: for what Keras itself would not write."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

I, H, O = 3, 4, 2  # noqa: E741


def layer(kind: str, **values: Any) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": kind, "config": values}


def config() -> dict[str, Any]:
    """The JSON of an LSTM and a dense layer, as Keras 3 writes it."""
    return {"class_name": "Sequential", "config": {"layers": [
        layer("InputLayer", name="input", batch_shape=[None, None, I]),
        layer("LSTM", name="read", units=H, activation="tanh", recurrent_activation="sigmoid",
              return_sequences=False),
        layer("Dense", name="say", units=O, activation="softmax"),
    ]}}  # fmt: skip


def weights() -> dict[str, Any]:
    draw = np.random.default_rng(0).normal
    shapes = {
        "lstm/cell/vars/0": (I, 4 * H), "lstm/cell/vars/1": (H, 4 * H),
        "lstm/cell/vars/2": (4 * H,), "dense/vars/0": (H, O), "dense/vars/1": (O,),
    }  # fmt: skip
    return {f"layers/{name}": draw(size=s).astype(np.float32) for name, s in shapes.items()}


def hdf5(arrays: dict[str, Any], **attributes: Any) -> bytes:
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        for name, array in arrays.items():
            file[name] = array
        file.attrs.update(attributes)
    return data.getvalue()


def archive(path: Path, told: Any, arrays: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("metadata.json", '{"keras_version": "3.9.0"}')
        file.writestr("config.json", told if isinstance(told, str) else json.dumps(told))
        file.writestr("model.weights.h5", arrays)
    return path
