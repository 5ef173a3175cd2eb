"""What an import tells: the layers as they were read, what comes out, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass

from elman.importing.network import Network


@dataclass(frozen=True)
class Line:
    """A layer: its name, what the file calls it, the shape that it puts out, its weights."""

    name: str
    kind: str
    shape: tuple[str, ...]
    weights: int


def lines(network: Network) -> list[Line]:
    """One for each use of a layer, in order.

    In shapes B stands for the sequences, T for the steps, as many as the input has.
    """
    return [
        Line(node.name, node.kind, shape, node.weights)
        for node, shape in zip(network.plan.nodes, network.shapes(), strict=True)
    ]


def inputs(network: Network) -> list[tuple[str, ...]]:
    """The shapes that go in."""
    return [
        ("B", *("T" if n is None else str(n) for n in shape[1:])) for shape in network.plan.shapes
    ]


def remarks(network: Network) -> list[str]:
    """What was left out, and what had to be assumed, a sentence each."""
    account = network.account
    return [
        *(f"left out: {line}" for line in account.left_out),
        *(f"note: {line}" for line in account.assumed),
    ]
