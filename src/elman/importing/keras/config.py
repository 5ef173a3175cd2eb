"""The JSON in which Keras writes what a model is made of, as layers and the calls that join them.

{"class_name": "Sequential", "config": {"layers": [
  {"class_name": "LSTM", "module": "keras.layers", "config": {"name": "lstm", "units": 4, …}}, …]}}
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from elman.errors import UserError
from elman.options import shown

T = TypeVar("T")

LONGEST = 64 << 20  # characters of JSON
MOST_LAYERS = 10_000
LARGEST = 1 << 30  # of any size
OF_MASKS = frozenset({"NotEqual", "Any", "ExpandDims", "ZerosLike", "LogicalOr", "Concatenate"})
OWN_MODULES = ("keras.", "tf_keras.", "tensorflow.keras.", "tensorflow.python.keras.")
CODE = "holds code of its author, which is never run; build the model from Keras' own layers"


class Origin(NamedTuple):
    """A value by the layer that makes it: its call number `call`, output `k`."""

    layer: str
    call: int
    k: int


@dataclass(frozen=True)
class Config:
    """One layer of the JSON. `where` begins every message about it."""

    where: str
    kind: str
    values: Mapping[str, Any]

    @property
    def name(self) -> str:
        name = self.values.get("name")
        return name if isinstance(name, str) else self.kind.lower()

    def error(self, what: str) -> UserError:
        return UserError(f"{self.where}: {what}")

    def whole(self, key: str, low: int = 1, high: int = LARGEST) -> int:
        """A whole number within [low, high]."""
        value = self.values.get(key)
        if type(value) is not int or not low <= value <= high:
            raise self.error(f"{key} = {shown(value)}: needs a whole number from {low} to {high:,}")
        return value

    def number(self, key: str, otherwise: float, low: float = -1e30, high: float = 1e30) -> float:
        value = self.values.get(key, otherwise)
        if type(value) not in (int, float) or not low <= value <= high:
            raise self.error(f"{key} = {shown(value)}: needs a number from {low:g} to {high:g}")
        return float(value)

    def flag(self, key: str, otherwise: bool) -> bool:
        value = self.values.get(key, otherwise)
        if not isinstance(value, bool):
            raise self.error(f"{key} = {shown(value)}: needs true or false")
        return value

    def text(self, key: str, otherwise: str) -> str:
        value = self.values.get(key, otherwise)
        if isinstance(value, dict):
            raise self.error(f"{key} {shown(value.get('class_name'))}: {CODE}")
        if not isinstance(value, str):
            raise self.error(f"{key} = {shown(value)}: needs a name")
        return value

    def refuse(self, key: str, usual: object, why: str) -> None:
        """UserError unless `key` has its usual value, or is not there."""
        if self.values.get(key, usual) != usual:
            raise self.error(f"{key} = {shown(self.values[key])}: {why}")

    def inner(self, key: str) -> Config:
        """The layer that a wrapper holds."""
        return layer_of(self.values.get(key), self.where)


@dataclass(frozen=True)
class Model:
    """A model: its layers by name, what goes into each call of each, its inputs and outputs.

    `calls` has no entry for an input. `shapes` are those of the inputs, the batch first; None where
    the file does not tell.
    """

    layers: Mapping[str, Config]
    calls: Mapping[str, tuple[tuple[Origin, ...], ...]]
    inputs: tuple[str, ...]
    outputs: tuple[Origin, ...]
    shapes: tuple[tuple[int | None, ...] | None, ...]


def parse(text: str, shown: str) -> Any:
    """JSON of bounded length. UserError where it is none, or too deep."""
    try:
        if len(text) > LONGEST:
            raise ValueError("too long")
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{shown}: the JSON of the model is damaged ({str(error)[:60]})") from None


def layer_of(value: object, where: str) -> Config:
    """A layer's JSON. UserError where it is damaged, or of a class that is not Keras' own."""
    if not isinstance(value, dict) or not isinstance(value.get("config"), dict):
        raise UserError(f"{where}: damaged ({shown(value)}, where a layer would stand)")
    kind, values = shown(value.get("class_name")), value["config"]
    label = f'{where}: layer "{shown(values.get("name"))}" ({kind})'
    module = value.get("module", "keras")
    if kind == "Lambda":
        raise UserError(f"{label}: {CODE}")
    if not (isinstance(module, str) and f"{module}.".startswith(OWN_MODULES)):
        raise UserError(f"{label}: is a class of its author, whose code is never run; only layers "
                        "of Keras itself are read")  # fmt: skip
    return Config(label, kind, values)


def model_of(value: object, where: str) -> Model:
    """The model that the JSON describes. UserError: a damaged one, or a class of one's own."""
    if not isinstance(value, dict):
        raise UserError(f"{where}: damaged ({shown(value)}, where a model would stand)")
    kind, config = value.get("class_name"), value.get("config")
    if kind not in ("Sequential", "Functional", "Model"):
        raise UserError(
            f"{where}: the model is of the class {shown(kind)}, whose code is never run; save one "
            "that is Sequential or functional, or its weights, and name their --layers"
        )
    listed = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_LAYERS:
        raise UserError(f"{where}: damaged (no list of layers)")
    if kind == "Sequential":
        whole = config if isinstance(config, dict) else {}
        return _sequential([layer_of(item, where) for item in listed], whole, where)
    assert isinstance(config, dict)
    return _functional(listed, config, where)


def _sequential(layers: Sequence[Config], config: Mapping[str, Any], where: str) -> Model:
    first = next((layer for layer in layers if layer.kind != "InputLayer"), None)
    if first is None:
        raise UserError(f"{where}: has no layers")
    shape = next((s for s in map(_shape, layers[:2]) if s is not None), None)
    if shape is None:
        shape = _sizes(config.get("build_input_shape"))
    begin = "the input"
    before, calls, named = Origin(begin, 0, 0), {}, dict[str, Config]()
    for layer in layers:
        if layer.kind == "InputLayer":
            continue
        if layer.name in named:
            raise layer.error("another layer bears this name too")
        named[layer.name], calls[layer.name] = layer, ((before,),)
        before = Origin(layer.name, 0, 0)
    return Model(named, calls, (begin,), (before,), (shape,))


def _functional(listed: Sequence[Any], config: Mapping[str, Any], where: str) -> Model:
    layers, calls = dict[str, Config](), dict[str, tuple[tuple[Origin, ...], ...]]()
    operations, items = dict[str, Config](), dict[str, Any]()
    inputs, shapes = [], dict[str, tuple[int | None, ...] | None]()
    for item in listed:
        layer = layer_of(item, where)
        if layer.name in items:
            raise layer.error("another layer bears this name too")
        items[layer.name] = item
        if layer.kind == "InputLayer":
            shapes[layer.name] = _shape(layer)
        elif _is_operation(item):
            operations[layer.name] = layer
        else:
            layers[layer.name] = layer
    for name, layer in layers.items():
        nodes = _nodes(layer, items)
        calls[name] = tuple(tuple(_origins(layer, node, operations)) for node in nodes)
    for operation in operations.values():
        _check_mask(operation, _nodes(operation, items), layers, calls)
    for origin in _references(config.get("input_layers"), where):
        if origin.layer not in shapes:
            raise UserError(f"{where}: the input {shown(origin.layer)} is no InputLayer")
        inputs.append(origin.layer)
    outputs = tuple(_references(config.get("output_layers"), where))
    return Model(layers, calls, tuple(inputs), outputs, tuple(shapes[name] for name in inputs))


def _is_operation(item: Mapping[str, Any]) -> bool:
    """Whether it is an operation that Keras 3 lists among the layers; an .h5 has no modules."""
    if "module" in item:
        return str(item["module"]).startswith("keras.src.ops")
    return item["class_name"] in OF_MASKS and "trainable" not in item["config"]


def _nodes(layer: Config, items: Mapping[str, Any]) -> list[Any]:
    """The calls of a layer in the JSON."""
    nodes = items[layer.name].get("inbound_nodes")
    if not isinstance(nodes, list) or not nodes:
        raise layer.error("damaged (no inbound_nodes)")
    return nodes


def _check_mask(
    operation: Config, nodes: Sequence[Any], layers: Mapping[str, Config],
    calls: Mapping[str, tuple[tuple[Origin, ...], ...]],
) -> None:  # fmt: skip
    """UserError unless an operation is part of what Keras 3 writes down of masks.

    It spells out where each mask comes from: whether ids are not 0, or numbers not the mask_value.
    Masks pass through the layers here, so all that matters is that they begin in such layers.
    """
    if operation.kind not in OF_MASKS:
        raise operation.error("is an operation outside of layers, which is not read")
    if operation.kind != "NotEqual":
        return
    begun = set[tuple[Origin, float]]()
    for name, layer in layers.items():
        if layer.kind == "Masking" or (layer.kind == "Embedding" and layer.values.get("mask_zero")):
            number = layer.number("mask_value", 0.0)
            begun |= {(origin, number) for call in calls[name] for origin in call}
    for node in nodes:
        given = node.get("args") if isinstance(node, dict) else None
        other = given[1] if isinstance(given, list) and len(given) == 2 else None
        for origin in _tensors(operation, given[:1] if isinstance(given, list) else None):
            if type(other) not in (int, float) or (origin, other) not in begun:
                raise operation.error("a mask that no layer of the model makes is not read")


def _references(value: object, where: str) -> Iterator[Origin]:
    """["dense", 0, 0], or a list of such."""
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        value = [value]
    if not isinstance(value, list) or not value:
        raise UserError(f"{where}: damaged (no list of inputs and outputs)")
    for item in value:
        yield _origin(item, where)


def _origin(item: object, where: str) -> Origin:
    if isinstance(item, list) and len(item) >= 3:
        layer, *numbers = item[:3]
        counts = all(type(n) is int and 0 <= n < MOST_LAYERS for n in numbers)
        if isinstance(layer, str) and counts:
            return Origin(layer, *numbers)
    raise UserError(f"{where}: damaged ({shown(item)}, where a layer's output would be named)")


def _origins(layer: Config, node: object, operations: Mapping[str, Config]) -> Iterator[Origin]:
    """What goes into one call: of Keras 3 {"args": […], "kwargs": {…}}, of Keras 2 a list."""
    if isinstance(node, dict):
        given = list(_tensors(layer, node.get("args")))
        for key, value in _named(node.get("kwargs")):
            found = list(_tensors(layer, value))
            if key == "initial_state":
                given += found
            elif found and not (key == "mask" and all(o.layer in operations for o in found)):
                raise layer.error(f"is called with {key}, which is not read")
        for origin in given:
            if origin.layer in operations:
                raise operations[origin.layer].error(
                    "is an operation outside of layers, which is not read"
                )
        yield from given
        return
    if not isinstance(node, list):
        raise layer.error("damaged (inbound_nodes)")
    items = [node] if len(node) > 1 and isinstance(node[0], str) else node
    more = list[Origin]()
    for item in items:
        yield _origin(item, layer.where)
        for key, value in _named(item[3] if len(item) > 3 else None):
            if isinstance(value, list) and value and key == "initial_state":
                more += [_origin(part, layer.where) for part in value]
            elif value not in (None, False):
                raise layer.error(f"is called with {key}, which is not read")
    yield from more


def _named(value: object) -> Iterator[tuple[str, Any]]:
    yield from value.items() if isinstance(value, dict) else ()


def _tensors(layer: Config, value: object, depth: int = 0) -> Iterator[Origin]:
    """The tensors among the arguments of a call of Keras 3."""
    if depth > 8:
        raise layer.error("damaged (inbound_nodes too deep)")
    if isinstance(value, list):
        for item in value:
            yield from _tensors(layer, item, depth + 1)
    elif isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        inside = value.get("config")
        history = inside.get("keras_history") if isinstance(inside, dict) else None
        yield _origin(history, layer.where)
    elif isinstance(value, dict):
        raise layer.error(f"is called with {shown(value.get('class_name'))}, which is not read")


def _shape(layer: Config) -> tuple[int | None, ...] | None:
    for key in ("batch_shape", "batch_input_shape"):
        if key in layer.values:
            return _sizes(layer.values[key])
    return None


def _sizes(value: object) -> tuple[int | None, ...] | None:
    """[null, 100, 32] → sizes; None where it is no shape of a sequence."""
    if not isinstance(value, list) or not 2 <= len(value) <= 6:
        return None
    if all(n is None or (type(n) is int and 0 < n <= LARGEST) for n in value):
        return tuple(value)
    return None
