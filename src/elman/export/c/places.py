"""Where the numbers of a program stand in C: arrays of the caller, of the state, or of a function.

Most nodes have an array of their own. Those that only show numbers of another one (a slice, a mask,
which is nothing for one sequence, the last state of a layer) have none: the value that they show
is their root.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from elman.export.c.names import Names
from elman.export.c.plan import WHOLE, Plan, read
from elman.export.c.source import Source
from elman.export.program import (
    Dim,
    Expand,
    Mask,
    Node,
    Pool,
    Program,
    Recurrent,
    Shorter,
    Slice,
    Spread,
    Steps,
)

Mode: TypeAlias = Literal["stream", "gather", "whole"]
"""How a program is offered. `stream`: it has states, and gives its outputs at each step. `gather`:
it reads steps as they come, and answers in the end. `whole`: it needs all steps at once."""


def mode_of(program: Program, plan: Plan) -> Mode:
    one_pass = len(plan.loops) == 1 and not plan.loops[0].reverse
    if program.states:
        shown = [n.out for n in program.nodes if isinstance(n, Mask | Slice | Shorter)]
        between = [k for out, k in plan.nodes.items() if k % 2 == 0 and out not in shown]
        plain = one_pass and not between and all(map(plan.temporal, program.inputs))
        return "stream" if plain or all(loop.length == 1 for loop in plan.loops) else "whole"
    at_once = any(isinstance(n, (*WHOLE, Steps)) for n in program.nodes)
    return "gather" if one_pass and not at_once and plan.loops[0].length == "T" else "whole"


class Places:
    """`parameters`: the names in C of inputs and outputs. `fields`: arrays of the state, with
    their sizes. `held`: other arrays that outlive a loop, with the phase after which they may go.
    `stored`: arrays of [steps, width]. `given`: outputs that no statement needs to copy.
    """

    def __init__(self, source: Source, program: Program, plan: Plan) -> None:
        self.program, self.plan, self.mode = program, plan, mode_of(program, plan)
        self.names = Names(source.names)
        fresh = self.names.fresh
        self.t, self.i, self.steps, self.state = map(fresh, ("t", "i", "steps", "state"))
        self.workspace, self.count = fresh("workspace"), fresh("count")
        public = [name for name in (*program.inputs, *program.outputs) if name != "lengths"]
        self.parameters = {name: fresh(name) for name in public}
        self.fields: dict[str, int] = {}
        self.held: dict[str, tuple[int, int]] = {}
        self.stored: dict[str, tuple[Dim, int]] = {}
        self.given: set[str] = set()
        self.carried: dict[str, str] = {}  # states of the program: before → place
        self.layers: dict[str, list[str]] = {}  # recurrent node → places of its states
        self.gathered: dict[str, str] = {}  # pool → where it gathers
        self._givers = {node.out: node for node in program.nodes}
        self._near: dict[str, str] = {}  # root → where it is in the step that makes it
        self._far: dict[str, str] = {}  # root → where it is later, of all steps
        self._inputs()
        self._nodes()
        self._outputs()
        self._crossings()

    # ---- Reading -------------------------------------------------------------------------------

    def at(self, name: str, phase: int) -> str:
        """A pointer to the numbers of a value; in a loop, to those of its step."""
        root, offset = self.root(name)
        near = phase == self._made(root) and root in self._near
        pointer = self._near[root] if near else self.far(root, phase)
        return f"{pointer}{f' + {offset}' if offset else ''}"

    def far(self, root: str, phase: int) -> str:
        """The same, where a value stands for good."""
        return self._far[root] + (self.step(self._width(root), phase) if self._timed(root) else "")

    def step(self, width: int, phase: int) -> str:
        """How far into an array the numbers of a step begin: ` + t * 64`."""
        if phase % 2 == 0 or self.mode != "whole" or self.plan.loop(phase).length == 1:
            return ""
        return f" + {self.t}" + (f" * {width}" if width > 1 else "")

    def copied(self, root: str) -> bool:
        """Whether a value has a second place, where later readers find it."""
        return root in self._far and root in self._near

    def number(self, name: str, phase: int) -> str:
        """A whole number of an input."""
        if self.mode != "whole" or not self.plan.temporal(name):
            return self.parameters[name]
        return f"{self.parameters[name]}[{self.step(1, phase).removeprefix(' + ') or 0}]"

    def root(self, name: str) -> tuple[str, int]:
        """The value that has the numbers, and from which of them on."""
        match self._givers.get(name):
            case Mask(x=x) | Spread(x=x):
                return self.root(x)
            case Slice(x=x, start=start):
                root, offset = self.root(x)
                return root, offset + start
            case Pool() as pool if (layer := self.ending(pool)) is not None:
                return f"{layer.out} 0", 0
        for node in self.program.nodes:
            if isinstance(node, Recurrent) and name in node.last:
                return f"{node.out} {node.last.index(name)}", 0
        return name, 0

    def ending(self, pool: Pool) -> Recurrent | None:
        """The layer whose last state is what a pool gives."""
        root, offset = self.root(pool.x)
        layer = self._givers.get(root)
        if not isinstance(layer, Recurrent) or offset:
            return None
        whole = self.plan.width(pool.x) == self.plan.width(root)
        return layer if whole and pool.how == ("first" if layer.reverse else "last") else None

    def in_place(self, node: Recurrent) -> bool:
        """Whether a layer may change states of the program where they are."""
        reads = [name for other in self.program.nodes for name in read(other)]
        pairs = {(s.before, s.after) for s in self.program.states}
        own = list(zip(node.first, node.last, strict=False))
        alone = all(pair in pairs and reads.count(pair[0]) == 1 for pair in own)
        return alone and len(own) == len(node.step.states)

    # ---- Making --------------------------------------------------------------------------------

    def into(self, node: Node, phase: int, body: list[str]) -> str:
        """Where a node puts its numbers: an array that `body` declares, if it has none yet."""
        if node.out not in self._far:
            width = self.plan.width(node.out)
            if phase % 2:
                self._near[node.out] = name = self.names.fresh(node.out)
                body.append(f"float {name}[{width}];")
            else:
                later = self._last_read(node.out) > phase
                self._far[node.out] = self._hold(node.out, width, None if later else phase)
        return self.at(node.out, phase)

    def show(self, name: str, pointer: str) -> None:
        """From here on a value stands there."""
        self._far[name] = pointer

    def _made(self, root: str) -> int:
        layer, _, state = root.partition(" ")
        return self.plan.nodes[layer] + 1 if state else self.plan.nodes.get(root, 0)

    def _width(self, root: str) -> int:
        return self.plan.width(root.partition(" ")[0])

    def _timed(self, root: str) -> bool:
        return " " not in root and self.plan.temporal(root)

    def _last_read(self, root: str) -> int:
        """The last phase in which a value is read; what leaves is read in the end."""
        phases = [self.plan.nodes[node.out] for node, one in self._reads() if one == root]
        if any(self.root(name)[0] == root for name in self.program.outputs):
            phases.append(self.plan.last)
        return max(phases, default=0)

    def _reads(self) -> list[tuple[Node, str]]:
        """Every node with each root that it reads."""
        nodes = [node for node in self.program.nodes if node.out in self.plan.nodes]
        return [(node, self.root(name)[0]) for node in nodes for name in read(node)]

    def _hold(self, name: str, size: int, phase: int | None = None) -> str:
        """An array that outlives a loop; one of a `phase` is not needed after it."""
        name = self.names.fresh(name)
        if self.mode == "gather" and phase is None:
            self.fields[name] = size
            return f"{self.state}->{name}"
        self.held[name] = (size, phase or 0)
        return name

    def _inputs(self) -> None:
        for state in self.program.states:
            field = self.names.fresh(state.name)
            self.fields[field] = len(state.initial)
            self.carried[state.before] = self._far[state.before] = f"{self.state}->{field}"
        for name in self.program.inputs:
            value = self.plan.value(name)
            if name == "lengths" or value.kind != "float32":
                continue
            self._far[name] = self.parameters[name]
            kept = self.mode == "gather" and not self.plan.temporal(name)
            if kept and self._last_read(name) > 0:
                self._near[name] = self.parameters[name]
                self._far[name] = self._hold(name, self.plan.width(name))

    def _nodes(self) -> None:
        for node in self.program.nodes:
            width = self.plan.width(node.out) if node.out in self.plan.nodes else 0
            if isinstance(node, Recurrent):
                shared = self.in_place(node)
                self.layers[node.out] = [
                    self.carried[node.first[k]] if shared else self._hold(f"{node.out}_{s}", width)
                    for k, s in enumerate(node.step.states)
                ]
                self._near[node.out] = self.layers[node.out][0]
                for k, place in enumerate(self.layers[node.out]):
                    self._far[f"{node.out} {k}"] = place
            elif isinstance(node, Pool) and self.ending(node) is None:
                self.gathered[node.out] = self._hold(f"{node.out}_{node.how}", width)
                if node.how != "mean":
                    self._far[node.out] = self.gathered[node.out]

    def _outputs(self) -> None:
        for name in self.program.outputs:
            root, offset = self.root(name)
            own = root in self._givers and not isinstance(self._givers[root], Steps | Expand)
            same = own and not offset and self.plan.width(name) == self._width(root)
            # What `reset` of a gathering program reckons cannot be put before the caller yet.
            early = self.mode == "gather" and self._made(root) < self.plan.last - 1
            if same and not early and root not in self._far:
                self._far[root] = self.parameters[name]
                self.given.add(name)

    def _crossings(self) -> None:
        """Room for what is made at each step and read in a later loop."""
        for node, root in self._reads():
            if self._timed(root) and self._made(root) != self.plan.nodes[node.out]:
                self._store(root)
        for node in self.program.nodes:
            if isinstance(node, WHOLE):
                self._store(node.out)

    def _store(self, root: str) -> None:
        if root in self._far or isinstance(self._givers.get(root), Steps | None):
            return
        if self.mode == "stream":  # there is one step
            self._far[root] = self._hold(root, self._width(root))
            return
        name = self.names.fresh(root)
        self.stored[name] = (self.plan.value(root).shape[1], self._width(root))
        self._far[root] = name
