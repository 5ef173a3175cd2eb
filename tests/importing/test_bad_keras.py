"""Files that are damaged, hostile or of layers that are not read: one line that names them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from calling import call, snapshot
from keras_files import H, I, O, archive, config, hdf5, layer, weights

import elman
from elman.errors import UserError

Edit = Callable[[dict[str, Any]], Any]


def refused(path: Path, **how: Any) -> str:
    """The line with which a file is refused."""
    with pytest.raises(UserError) as error:
        elman.load_foreign(path, **how)
    told = str(error.value)
    assert "\n" not in told
    return told


def test_the_whole_model_is_read(tmp_path: Path) -> None:
    network = elman.load_foreign(archive(tmp_path / "m.keras", config(), hdf5(weights())))
    y, _ = network(torch.randn(5, 6, I))
    assert y.shape == (5, O)


def test_the_form_of_2017_is_read(tmp_path: Path) -> None:
    _, *layers = config()["config"]["layers"]
    for item in layers:
        del item["module"]
    layers[0]["config"]["batch_input_shape"] = [None, 6, I]
    older = {"class_name": "Sequential", "config": layers}
    path = tmp_path / "m.h5"
    path.write_bytes(hdf5(weights(), model_config=json.dumps(older), keras_version="2.0.8"))
    assert elman.load_foreign(path).shapes() == [("B", str(H)), ("B", str(O))]


def in_lstm(**values: Any) -> Edit:
    return lambda model: model["config"]["layers"][1]["config"].update(values)


def of_lstm(**values: Any) -> Edit:
    return lambda model: model["config"]["layers"][1].update(values)


CONFIGS: list[tuple[Edit, str]] = [
    (of_lstm(class_name="Lambda"), 'layer "read" (Lambda): holds code of its author'),
    (of_lstm(module="mine.layers"), 'layer "read" (LSTM): is a class of its author'),
    (of_lstm(module="kerasmine"), 'layer "read" (LSTM): is a class of its author'),
    (of_lstm(module=None), 'layer "read" (LSTM): is a class of its author'),
    (of_lstm(class_name="LSMT"), 'unknown layer "LSMT"; did you mean "LSTM"?'),
    (of_lstm(class_name="Conv1D"), 'layer "read" (Conv1D): unknown layer "Conv1D"'),
    (of_lstm(config=[]), "damaged"),
    (in_lstm(activation={"class_name": "function"}), "activation function: holds code"),
    (in_lstm(activation="tahn"), '(LSTM): unknown activation "tahn"; did you mean "tanh"?'),
    (in_lstm(units=5), '(LSTM): its kernel has the shape [3, 16]; [any, 20] would fit'),
    (in_lstm(units=-1), "units = -1: needs a whole number from 1"),
    (in_lstm(units=10**400), "units = 1000000000"),
    (in_lstm(units=True), "units = True: needs a whole number"),
    (in_lstm(time_major=True), "time_major = True: sequences are read batch first"),
    (in_lstm(return_sequences="yes"), "return_sequences = yes: needs true or false"),
    (in_lstm(return_sequences=True, name="say"), 'layer "say" (Dense): another layer bears'),
    (in_lstm(quantization_config={}), "its weights are quantised"),
    (lambda m: m["config"]["layers"].append(layer("LSTM", name="again", units=H)),
     'layer "again" (LSTM): needs 3 arrays of weights, the file has 0'),
    (lambda m: m.update(class_name="MyModel"), "the model is of the class MyModel"),
    (lambda m: m["config"].update(layers=[]), "damaged (no list of layers)"),
    (lambda m: m["config"]["layers"][2]["config"].update(units=3), "kernel has the shape [4, 2]"),
    (lambda m: m["config"]["layers"][0]["config"].update(batch_shape=[None, 10**9, 10**9]),
     "is larger than any that is read"),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "told"), CONFIGS)
def test_a_config_that_is_not_read_is_told_with_its_layer(
    tmp_path: Path, edit: Edit, told: str
) -> None:
    model = config()
    edit(model)
    assert told in refused(archive(tmp_path / "m.keras", model, hdf5(weights())))


@pytest.mark.parametrize(
    "text", ["", "[" * 100_000, '{"class_name": NaN', "null", "[1]", '{"class_name": 3}', "\udcff"]
)
def test_json_that_is_none_is_one_line(tmp_path: Path, text: str) -> None:
    told = text.encode("utf-8", "surrogateescape").decode("latin-1")
    refused(archive(tmp_path / "m.keras", told, hdf5(weights())))


def joined(name: str, call: int, k: int) -> dict[str, Any]:
    """A functional model whose dense layer takes that output."""
    model = config()
    layers = model["config"]["layers"]
    origins = [None, ["input", 0, 0], [name, call, k]]
    for item, origin in zip(layers, origins, strict=True):
        item["inbound_nodes"] = [[[*origin, {}]]] if origin else []
    ends = {"input_layers": [["input", 0, 0]], "output_layers": [["say", 0, 0]]}
    return {"class_name": "Functional", "config": {"layers": layers, **ends}}


@pytest.mark.parametrize(("origin", "told"), [
    (("read", 0, 0), ""), (("read", 0, 3), 'layer "read" has 1 output; number 4'),
    (("read", 1, 0), "nothing leads to the output say"), (("say", 0, 0), "nothing leads to"),
    (("input", 0, 0), 'layer "say" (Dense) cannot take'), (("none", 0, 0), "nothing leads to"),
    ((3, 0, 0), "where a layer's output would be named"), (("read", -1, 0), "would be named"),
])  # fmt: skip
def test_models_that_are_joined_wrongly_are_told(tmp_path: Path, origin: Any, told: str) -> None:
    path = archive(tmp_path / "m.keras", joined(*origin), hdf5(weights()))
    if told:
        assert told in refused(path)
    else:
        assert elman.load_foreign(path)(torch.ones(1, 5, I))[0].shape == (1, O)


def changed(**arrays: Any) -> dict[str, Any]:
    return weights() | {name.replace("__", "/"): a for name, a in arrays.items()}


KERNEL = "layers__lstm__cell__vars__0"
ARRAYS: list[tuple[dict[str, Any], str]] = [
    (changed(**{KERNEL: np.full((I, 4 * H), np.nan, np.float32)}),
     'layer "read" (LSTM): its weights are not all finite'),
    (changed(**{KERNEL: np.full((I, 4 * H), 1e300)}), "not all finite"),
    (changed(**{KERNEL: np.ones((I, 4 * H), np.int8)}), "are of the type int8"),
    (changed(**{KERNEL: np.ones((I, 4 * H), "V2")}), "are of the type |V2"),
    (changed(**{KERNEL: np.ones(I, np.float32)}), "its kernel has the shape [3]"),
    (changed(**{KERNEL: np.float32(1)}), "its kernel has the shape [1]"),
    (changed(layers__lstm__cell__vars__2=np.ones(7, np.float32)), "the shape [7]; [16] would fit"),
    ({k: v for k, v in weights().items() if "dense" not in k}, '"say" (Dense): needs 2 arrays'),
    ({k: v for k, v in weights().items() if "vars/2" not in k}, "needs 3 arrays of weights"),
    ({}, "holds no weights that Keras saved"),
]  # fmt: skip


@pytest.mark.parametrize(("arrays", "told"), ARRAYS)
def test_weights_that_do_not_fit_are_told_with_their_layer(
    tmp_path: Path, arrays: dict[str, Any], told: str
) -> None:
    assert told in refused(archive(tmp_path / "m.keras", config(), hdf5(arrays)))


def test_other_floats_are_read(tmp_path: Path) -> None:
    found = []
    for kind in (np.float32, np.float16, np.float64):
        arrays = {name: array.astype(kind) for name, array in weights().items()}
        network = elman.load_foreign(archive(tmp_path / "m.keras", config(), hdf5(arrays)))
        found.append(network(torch.ones(2, 5, I))[0])
    assert (found[1] - found[0]).abs().max() < 2e-3  # 11 bits of float16
    assert torch.equal(found[2], found[0])


def vast(file: Any) -> None:
    file.create_dataset("layers/lstm/cell/vars/0", (1 << 20, 1 << 20), np.float32)


def packed(file: Any) -> None:
    shape = (40_000, 40_000)
    file.create_dataset(
        "a", shape, np.float32, chunks=(1000, 1000), compression="gzip", fillvalue=1
    )


def outside(file: Any) -> None:
    file["layers/lstm"] = h5py.ExternalLink("/etc/passwd", "/")


def soft(file: Any) -> None:
    file["layers/lstm/cell"] = h5py.SoftLink("/layers")


def elsewhere(file: Any) -> None:
    external = [("/etc/hostname", 0, 16)]
    file.create_dataset("a", (4,), np.float32, external=external)


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((4,), np.float32)
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (4,))
    file.create_virtual_dataset("a", layout)


def deep(file: Any) -> None:
    file.create_group("/".join("a" * 100))


@pytest.mark.parametrize(("make", "told"), [
    (vast, "should hold 1,099,511,627,776 numbers, but they are not in the file"),
    (packed, "but they are not in the file"), (outside, "is a link"), (soft, "is a link"),
    (elsewhere, "lies in another file"), (virtual, "lies in another file"), (deep, "deeper groups"),
])  # fmt: skip
def test_files_that_reach_out_or_grow_are_refused(
    tmp_path: Path, make: Callable[[Any], None], told: str
) -> None:
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        make(file)
    assert told in refused(path)


def test_a_zip_that_grows_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", config(), b"\0" * (8 << 20))
    assert "would unpack to" in refused(path)


def test_members_are_never_unpacked_by_their_names(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", config(), hdf5(weights()))
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("../outside.txt", "no")
        file.writestr("/absolute.txt", "no")
    before = snapshot(tmp_path)
    elman.load_foreign(path)
    assert snapshot(tmp_path) == before


def test_damage_anywhere_is_one_line(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = hdf5(weights(), model_config=json.dumps(config()), keras_version="3.9.0")
    path = tmp_path / "m.h5"
    for k in range(6):
        data = bytearray(whole[: int(len(whole) * rng.random())] if k % 2 else whole)
        for place in rng.integers(0, max(len(data), 1), 20):
            data[place : place + 1] = rng.bytes(1)
        path.write_bytes(data)
        try:
            elman.load_foreign(path)
        except UserError as error:
            assert "\n" not in str(error)
    good = archive(tmp_path / "m.keras", config(), whole).read_bytes()
    for share in (0, 0.5, 0.99):
        (tmp_path / "m.keras").write_bytes(good[: int(len(good) * share)])
        refused(tmp_path / "m.keras")


def test_other_files_are_told_what_would_fit(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x08\x07")
    assert "is none of .keras, .h5" in refused(tmp_path / "m.onnx")
    (tmp_path / "saved").mkdir()
    assert "not a folder of TensorFlow" in refused(tmp_path / "saved")
    assert "cannot be read" in refused(tmp_path / "no.keras")
    (tmp_path / "w.h5").write_bytes(hdf5(weights()))
    assert "model.to_json()" in refused(tmp_path / "w.h5")
    assert 'unknown layer "gru"' in refused(tmp_path / "w.h5", layers=["gru"])
    whole = archive(tmp_path / "m.keras", config(), hdf5(weights()))
    assert "--layers is for weights alone" in refused(whole, layers=["lstm"])


def test_the_command_ends_in_one_line_and_writes_nothing(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", config(), b"no HDF5")
    before = snapshot(tmp_path)
    ended = call("import", path, "--task", "classify", "--run", tmp_path / "run")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "not a readable HDF5 file" in ended.err
    for flag in ("--run=x", "--vocabulary=x", "--classes=x", "--lowercase", "--force"):
        assert f"{flag.split('=')[0]}: of use with --task alone" in call("import", path, flag).err
    assert snapshot(tmp_path) == before
