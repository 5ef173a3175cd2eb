"""A program as functions that others call: `reset`, `step`, `finish`, `run`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from elman.export.c.network import Network
from elman.export.c.plan import Loop
from elman.export.c.source import Source, indented
from elman.export.program import Dim, Program


@dataclass(frozen=True)
class Parameter:
    """What a function takes, or gives if it is an output.

    `steps` of the program, 0 where there is one for a whole sequence. `many`: there is one for each
    step of `run`.
    """

    name: str
    width: int
    steps: Dim
    whole_number: bool
    output: bool
    many: bool

    def declared(self, *, run: bool) -> str:
        """As `run` or `step` takes it."""
        if self.whole_number and not (run and self.many):
            return f"int32_t {self.name}"
        const = "" if self.output else "const "
        return f"{const}{'int32_t' if self.whole_number else 'float'} *{self.name}"

    def told(self, *, run: bool) -> str:
        shape = [] if self.whole_number else [str(self.width)]
        if run and self.many:
            steps = "steps" if self.steps in (0, 1) else str(self.steps).replace("T", "steps")
            shape = [steps, *shape]
        return f"{self.name} [{', '.join(shape)}]" if shape else self.name


@dataclass(frozen=True)
class Functions:
    """A program in C: lines of the header, and what tools have to know to call it."""

    name: str
    mode: str
    header: str
    parameters: dict[str, Parameter]  # by their names in the program
    fields: dict[str, int]  # arrays of the state struct, in order; then, if `counts`, one uint32_t
    counts: bool
    carried: dict[str, str]  # the program's states: the first fields, in order
    room: tuple[tuple[Dim, int], ...]  # arrays of the workspace: steps, numbers of each

    @property
    def state_bytes(self) -> int:
        return 4 * (sum(self.fields.values()) + self.counts)


def write_functions(source: Source, name: str, program: Program) -> Functions:
    """The functions of a program, added to the source, with `name` before theirs."""
    return _Writer(source, name, program).written()


class _Writer:
    def __init__(self, source: Source, name: str, program: Program) -> None:
        self.source, self.name, self.program = source, name, program
        self.network = Network(source, program)
        self.places = self.network.places
        self.header: list[str] = []
        self.parameters = tuple(self._parameter(name) for name in self.places.parameters)
        self.inputs = [p for p in self.parameters if not p.output]
        self.outputs = [p for p in self.parameters if p.output]

    def _parameter(self, name: str) -> Parameter:
        value = self.program.values[name]
        whole = value.kind == "int64"
        width = 1 if whole else value.shape[-1]
        timed = self.network.plan.temporal(name)
        assert isinstance(width, int)
        return Parameter(
            self.places.parameters[name], width, value.shape[1] if timed else 0, whole,
            name in self.program.outputs, timed or self.places.mode == "stream",
        )  # fmt: skip

    def written(self) -> Functions:
        for p in self.parameters:
            if not p.whole_number:
                per = " a step" if p.many else ""
                self._define(f"{p.name}", p.width, f"numbers of {p.name}{per}")
        if self.places.fields:
            self.header += self._struct()
        {"stream": self._stream, "gather": self._gather, "whole": self._whole}[self.places.mode]()
        return Functions(
            self.name, self.places.mode, "\n".join(self.header),
            dict(zip(self.places.parameters, self.parameters, strict=True)),
            dict(self.places.fields), self.network.counts,
            {s.name: self.places.carried[s.before].partition("->")[2] for s in self.program.states},
            tuple(self.places.stored.values()),
        )  # fmt: skip

    # ---- The header ----------------------------------------------------------------------------

    def _define(self, what: str, value: object, told: str) -> None:
        self.header.append(f"#define {self.name.upper()}_{what.upper()} {value} /* {told} */")

    def _struct(self) -> list[str]:
        fields = [f"    float {name}[{size}];" for name, size in self.places.fields.items()]
        if self.network.counts:
            fields.append(f"    uint32_t {self.places.count}; /* steps since the reset */")
        size = 4 * (sum(self.places.fields.values()) + self.network.counts)
        end = f"}} {self.name}_state; /* {size:,} bytes */"
        return ["", "typedef struct {", *fields, end]

    def _state(self, *, const: bool = False) -> str:
        return f"{'const ' if const else ''}{self.name}_state *{self.places.state}"

    def _function(
        self, verb: str, told: str, parameters: Sequence[str], body: Sequence[str]
    ) -> None:
        listed = _wrapped(f"void {self.name}_{verb}(", parameters)
        self.header += ["", *_comment(told), f"{listed};"]
        self.source.functions.append("\n".join([listed, "{", *indented(list(body)), "}", ""]))

    # ---- Modes ---------------------------------------------------------------------------------

    def _stream(self) -> None:
        phases = [body for body in self.network.phases if body]
        body = phases[0] if len(phases) == 1 else _blocks(self.network.phases)
        self._function("reset", "A sequence begins.", [self._state()], self.network.first)
        one = [p.declared(run=False) for p in self.parameters]
        told = f"One step: {_given(self.inputs, self.outputs, run=False)}."
        self._function("step", told, [self._state(), *one], [*self._held(), *body])
        self._run(self._state(), [])

    def _gather(self) -> None:
        state, places = self.places.state, self.places
        known = [p for p in self.inputs if not p.many]
        read = [p for p in self.parameters if p.many]
        answer = [p for p in self.outputs if not p.many]
        before, loop, after = self.network.phases
        counted = [f"{state}->{places.count}"] if self.network.counts else []
        begin = [f"{one} = 0;" for one in counted]
        given = f" {_given(known, [], run=False)} is known of it." if known else ""
        self._function(
            "reset", f"A sequence begins.{given}",
            [self._state(), *(p.declared(run=False) for p in known)],
            [*self._held(0), *begin, *before],
        )  # fmt: skip
        inputs, outputs = ([p for p in read if p.output is out] for out in (False, True))
        self._function(
            "step", f"One step: {_given(inputs, outputs, run=False)}.",
            [self._state(), *(p.declared(run=False) for p in read)],
            [*loop, *(f"{one}++;" for one in counted)],
        )  # fmt: skip
        if answer:
            self._function(
                "finish", f"The answer for the steps so far: {_given([], answer, run=False)}. "
                "More steps may follow.",
                [self._state(const=True), *(p.declared(run=False) for p in answer)],
                [*self._held(2), *after],
            )  # fmt: skip
        self._run(self._state(), answer)

    def _run(self, state: str, answer: Sequence[Parameter]) -> None:
        """Many steps, one after the other, and what there is to tell in the end."""
        places = self.places
        timed = [p for p in self.parameters if p.many]
        arguments = [_step_of(p, places.t) for p in timed]
        body = [
            f"for (size_t {places.t} = 0; {places.t} < {places.steps}; {places.t}++)",
            f"    {self.name}_step({', '.join([places.state, *arguments])});",
        ]
        if answer:
            told = ", ".join([places.state, *(p.name for p in answer)])
            body.append(f"{self.name}_finish({told});")
        inputs = [p for p in timed if not p.output]
        outputs = [p for p in timed if p.output]
        given = _given(inputs, [*outputs, *answer], run=True)
        parameters = [*timed, *answer]
        declared = [p.declared(run=p.many) for p in parameters]
        self._function(
            "run", f"Many steps, from where the state stands: {given}.",
            [state, f"size_t {places.steps}", *declared], body,
        )  # fmt: skip

    def _whole(self) -> None:
        places, network = self.places, self.network
        state = [self._state()] if places.fields else []
        declared = [p.declared(run=True) for p in self.parameters]
        room: list[str] = []
        told = (
            f"A whole sequence, one step at least: {_given(self.inputs, self.outputs, run=True)}."
        )
        workspace = []
        if places.stored:
            total = " + ".join(
                self._steps(length, "(steps)") + (f" * {width}" if width > 1 else "")
                for length, width in places.stored.values()
            )
            macro = f"{self.name.upper()}_WORKSPACE(steps)"
            self.header += ["", f"#define {macro} ({total}) /* numbers of the workspace */"]
            workspace = [f"float *{places.workspace}"]
            at = places.workspace
            for name, (length, width) in places.stored.items():
                room.append(f"float *const {name} = {at};")
                at = f"{name} + {self._steps(length, places.steps)}"
                at += f" * {width}" if width > 1 else ""
            told += f" The workspace has room for {self.name.upper()}_WORKSPACE(steps) numbers."
        if state:
            self._function("reset", "A sequence begins.", state, network.first)
        body = [*self._held(), *room]
        for phase, lines in enumerate(network.phases):
            if phase % 2 == 0 or not lines:
                body += lines
                continue
            body += [self._loop(network.plan.loop(phase)), *indented(lines), "}"]
        needs = any("T" in str(p.steps) for p in self.parameters)
        steps = [f"size_t {places.steps}"] if needs else []
        self._function("run", told, [*state, *steps, *declared, *workspace], body)

    def _loop(self, loop: Loop) -> str:
        """How the body of a loop begins."""
        t, count = self.places.t, self.network.steps(loop.length)
        if loop.length == 1:
            return "{"
        if loop.reverse:
            return f"for (size_t {t} = {count}; {t}-- > 0;) {{"
        return f"for (size_t {t} = 0; {t} < {count}; {t}++) {{"

    def _steps(self, length: Dim, steps: str) -> str:
        return self.network.steps(length).replace(self.places.steps, steps)

    def _held(self, phase: int | None = None) -> list[str]:
        """Arrays of a function, or of one phase."""
        return [
            f"float {name}[{size}];"
            for name, (size, own) in self.places.held.items()
            if phase is None or own == phase
        ]


def _step_of(p: Parameter, t: str) -> str:
    if p.whole_number:
        return f"{p.name}[{t}]"
    return f"{p.name} + {t} * {p.width}" if p.width > 1 else f"{p.name} + {t}"


def _given(inputs: Sequence[Parameter], outputs: Sequence[Parameter], *, run: bool) -> str:
    """`x [3] -> y [2]`"""
    sides = [", ".join(p.told(run=run) for p in side) for side in (inputs, outputs)]
    return " -> ".join(side for side in sides if side)


def _blocks(phases: Sequence[Sequence[str]]) -> list[str]:
    """Statements of phases; those of a loop, which is run once, in braces."""
    body: list[str] = []
    for phase, lines in enumerate(phases):
        body += ["{", *indented(list(lines)), "}"] if phase % 2 and lines else lines
    return body


def _wrapped(head: str, parameters: Sequence[str], width: int = 96) -> str:
    lines, indent = [head], " " * len(head)
    for k, one in enumerate(parameters):
        text = one + ("," if k + 1 < len(parameters) else ")")
        if len(lines[-1]) + len(text) + 1 > width and lines[-1].strip():
            lines.append(indent)
        lines[-1] += text if lines[-1] in (head, indent) else f" {text}"
    return "\n".join(lines)


def _comment(text: str, width: int = 96) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > width - 4:
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else ''}{word}"
    shown = [f"{' *' if k else '/*'} {line}" for k, line in enumerate(lines)]
    return [*shown[:-1], f"{shown[-1]} */"]
