"""The command line: it parses, calls and prints. PyTorch is loaded only for good arguments."""

from __future__ import annotations

import functools
import json
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

from cyclopts import (
    App,
    CycloptsError,
    Group,
    Parameter,
    Token,
    UnknownOptionError,
    UnusedCliTokensError,
)

from elman import __version__, cells, tasks
from elman.apps import writing
from elman.apps.console import Console, Passing, warn
from elman.apps.flags import flags, flags_of, given, number, whole
from elman.apps.output import print_scores, print_table, tell_left_out
from elman.bench.options import BenchOptions
from elman.data.built_in.named import NAMED
from elman.data.tables.content import BadRows
from elman.decode import Sampling, Weights
from elman.errors import ElmanError, UserError
from elman.options import make, read_toml, shown
from elman.run.options import TrainOptions, by_own_name, parse
from elman.tasks.adapting import Adapting

if TYPE_CHECKING:
    from elman.run.clock import Clock
    from elman.run.job import Job


ENVIRONMENT = dict(os.environ)  # as the user has it: what elman bench measures in
STARTED = time.perf_counter()  # what --minutes promises includes the start of Python
# PyTorch's threads wait for one another by spinning, milliseconds long by default, in which a busy
# neighbour has to share its core with a thread that does nothing. Read when PyTorch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

AsJson = Annotated[
    bool,
    Parameter(
        name="--json",
        negative="",
        show_default=False,
        help="Print one JSON object on standard output.",
    ),
]
SkipBadRows = Annotated[
    bool,
    Parameter(
        negative="", show_default=False, help="Leave out rows that are wrong, and count them."
    ),
]
RunPath = Annotated[Path, Parameter(help="A run folder, as train made it.")]
Device = Annotated[str, Parameter(help="auto, cpu, cuda or cuda:N.")]

app = App(
    name="elman",
    help="Recurrent networks, from a file to a trained model that writes.",
    version=__version__,
    help_format="plaintext",
    usage="Usage: elman COMMAND; elman COMMAND --help tells more",
    group_parameters=Group("Parameters", sort_key=3),
    suppress_keyboard_interrupt=False,
)
train_app = App(
    name="train", help="Train a model: elman train text hamlet.txt --minutes 5", sort_key=1
)
app.command(train_app)


@functools.cache
def _training_flags() -> Any:
    return flags(TrainOptions, Group("Training", sort_key=1))


def _train_command(name: str) -> Callable[..., None]:
    """`elman train NAME`: its flags are the fields of the task's options and of the training's."""

    def train(
        *data: str, own: Any = None, training: Any = None, config: Path | None = None,
        as_json: bool = False,
    ) -> None:  # fmt: skip
        _refuse_options(data, "train", name)
        stored, values = ([], {}) if config is None else _configured(config, name)
        if given(training).keys() & {"minutes", "epochs"}:
            # A flag replaces what the file says of the other.
            values = {k: v for k, v in values.items() if k not in ("minutes", "epochs")}
        options, how = parse(name, values | given(own) | given(training))
        from elman.run import prepare

        _complete(
            lambda clock, say: prepare.new(name, data or stored, options, how, clock, say), as_json
        )

    train.__annotations__ = {
        "data": Annotated[
            str,
            Parameter(
                help="Files, folders, globs, - for standard input, name:NAME; .gz and .zst too. "
                "Without any, the built-in data set.",
                allow_leading_hyphen=True,
            ),
        ],
        "own": flags(tasks.options(name), Group("Model and data", sort_key=2)) | None,
        "training": _training_flags() | None,
        "config": Annotated[
            Path | None,
            Parameter(
                help="Options from a TOML file, as a run's options.toml; flags go before it.",
            ),
        ],
        "as_json": AsJson,
        "return": None,
    }
    train.__doc__ = (
        f"{tasks.summary(name)}\n\nWhat is not given is chosen from the data and the time."
    )
    return train


@functools.cache
def _add_tasks() -> None:
    """Puts every task below `elman train`: only there, as making their flags takes time."""
    for name in tasks.names():
        usage = f"Usage: elman train {name} [DATA...] [OPTIONS]"
        train_app.command(_train_command(name), name=name, usage=usage)


@app.command(sort_key=2)
def resume(
    run: RunPath,
    /,
    *,
    epochs: Annotated[
        int | None, Parameter(help="Go on until so many epochs in all.", converter=whole)
    ] = None,
    minutes: Annotated[
        float | None, Parameter(help="Go on until so many minutes in all.", converter=number)
    ] = None,
    learning_rate: Annotated[
        float | None,
        Parameter(help="Another highest learning rate, for a run that failed.", converter=number),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a run that was interrupted, exactly where it stood."""
    from elman.run import prepare

    _complete(
        lambda clock, say: prepare.again(run, epochs, minutes, clock, say, learning_rate), as_json
    )


@app.command(sort_key=3, usage="Usage: elman evaluate RUN [DATA...] [OPTIONS]")
def evaluate(
    run: RunPath,
    /,
    *data: Annotated[
        str,
        Parameter(
            help="As for train; without any, the run's own validation part.",
            allow_leading_hyphen=True,
        ),
    ],
    skip_bad_rows: SkipBadRows = False,
    decoding: Any = None,
    adapting: Any = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Score a run beside simple rivals, on its own validation part or on DATA."""
    _refuse_options(data, "evaluate")
    from elman.run import api

    began = time.perf_counter()
    trained = api.load(run, device=device)
    how = given(decoding) | given(adapting)
    result = trained.evaluate(*data, skip_bad_rows=skip_bad_rows, **how)
    tell_left_out(result.left_out)
    if result.verdict.startswith("WARNING") or (result.verdict and not as_json):
        warn(result.verdict)
    if result.warning:
        warn(f"WARNING: {result.warning}")
    print_scores(
        trained.task, run, result.compared, time.perf_counter() - began, as_json, result.counted,
        result.left_out.count,
    )  # fmt: skip


@app.command(sort_key=4, usage="Usage: elman generate RUN [OPTIONS]")
def generate(
    run: RunPath,
    /,
    *,
    prompt: Annotated[str, Parameter(help="What to go on from.", allow_leading_hyphen=True)] = "",
    length: Annotated[int, Parameter(help="Tokens to write.", converter=whole)] = 500,
    sampling: Annotated[Any, Parameter()] = None,
    state: Annotated[
        Path | None, Parameter(help="Go on from a state that --save-state kept.")
    ] = None,
    save_state: Annotated[Path | None, Parameter(help="Keep the state at the end.")] = None,
    weights: Annotated[
        Weights,
        Parameter(help="How weights are stored meanwhile: float16 and int8 are faster if large."),
    ] = "float32",
    stop: Annotated[
        tuple[str, ...],
        Parameter(
            help="End where the model writes TEXT, which is left out; \\n is a line break. May be "
            "given several times.",
            metavar="TEXT",
            negative="",
            show_default=False,
            allow_leading_hyphen=True,
        ),
    ] = (),
    samples: Annotated[
        int, Parameter(help="Texts to write, one after another.", converter=whole)
    ] = 1,
    device: Device = "auto",
    as_json: Annotated[
        bool,
        Parameter(
            name="--json",
            negative="",
            show_default=False,
            help="Print an object a line: prompt, text, seed, tokens.",
        ),
    ] = False,
) -> None:
    """Let a trained model write, streamed as it is made."""
    chosen = make(Sampling, given(sampling))
    ends = tuple(map(writing.unescaped, stop))
    asked = writing.Writing(prompt, length, ends, samples, state, save_state, weights, as_json)
    from elman.run import api

    writing.write(api.load(run, device=device), asked, chosen, sys.stdout)


generate.__annotations__["sampling"] = flags(Sampling, Group("Sampling", sort_key=4)) | None


@app.command(sort_key=5, usage="Usage: elman predict RUN DATA... [OPTIONS]")
def predict(
    run: RunPath,
    /,
    *data: Annotated[
        str, Parameter(help="As for train; - is read row by row.", allow_leading_hyphen=True)
    ],
    skip_bad_rows: SkipBadRows = False,
    decoding: Any = None,
    device: Device = "auto",
) -> None:
    """Answer DATA row by row, in its own form, on standard output."""
    _refuse_options(data, "predict")
    if not data:
        raise UserError("predict: name DATA, or give - for standard input")
    from elman.run import api

    bad = BadRows(skip_bad_rows)
    api.load(run, device=device).predict(*data, out=sys.stdout, bad=bad, **given(decoding))
    tell_left_out(bad)


evaluate.__annotations__["adapting"] = (
    flags(Adapting, Group("For language models", sort_key=9)) | None
)


@functools.cache
def _add_decoding() -> None:
    """Puts the options by which answers are searched for below the commands that search."""
    kinds = {name: tasks.search_of(name) for name in tasks.names()}
    found = flags_of(
        [
            (kind, Group(f"For runs of {name}", sort_key=4))
            for name, kind in kinds.items()
            if kind is not None
        ]
    )
    for command in (evaluate, predict):
        command.__annotations__["decoding"] = found | None


@app.command(sort_key=5)
def trace(
    cell: Annotated[str | None, Parameter(help="A cell; see elman cells.")] = None,
    /,
    *,
    file: Annotated[
        Path | None, Parameter(help="Weights, inputs and states, as TOML; else an example.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run one cell step by step and show every intermediate."""
    if cell is not None:
        cells.get(cell)
    if cell is None and file is None:
        raise UserError("trace: name a cell (see elman cells), or give --file")
    from elman.probe import trace as tracing

    if file is not None:
        setup = tracing.read(file, cell)
    else:
        assert cell is not None
        setup = tracing.example(cell)
    steps = tracing.run(setup)
    print(json.dumps(tracing.as_json(steps)) if as_json else tracing.render(steps))


@app.command(sort_key=6)
def bench(
    *,
    asked: Any = None,
    where: Annotated[
        bool, Parameter(negative="", show_default=False, help="Tell what runs here, and end.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure the layers beside their peers and the machine's limits."""
    options = make(BenchOptions, given(asked))
    from elman.bench import report, run, table
    from elman.bench import where as place

    facts = place.where(ENVIRONMENT)
    passing = Passing(sys.stderr if as_json else sys.stdout)
    told = place.lines(facts, passing.width)
    if where:
        print(json.dumps(facts) if as_json else "\n".join(told))
        return
    _, missing = run.at_hand(options)
    path = report.free_folder(options.output)
    threads = options.threads or tuple(sorted({1, facts["torch_threads"]}))
    drawn, results, complete = table.Table(passing.width), [], False
    passing.say(*told)
    try:
        for result in run.results(options, threads, ENVIRONMENT, passing.pass_by):
            results.append(result)
            passing.say(*drawn.lines(result))
        complete = True
    except KeyboardInterrupt:
        kept = f"; what was measured is in {path}" if results else ""
        raise KeyboardInterrupt(f"interrupted{kept}") from None
    finally:
        passing.say()
        if results:
            seconds = time.perf_counter() - STARTED
            made = report.record(facts, options, missing, results, seconds, complete=complete)
            if not report.write(path, made, results):
                warn(report.NO_PICTURE)
    passing.say(*table.missed(results, passing.width), f"bench folder {path}")
    if as_json:
        print(json.dumps(made))


bench.__annotations__["asked"] = flags(BenchOptions, Group("Benchmark", sort_key=1)) | None


@app.command(name="cells", sort_key=7)
def list_cells() -> None:
    """The recurrent cells: name, states, gates, where they come from."""
    rows = [(c.name, " ".join(c.states), " ".join(c.gates), c.summary) for c in cells.all()]
    print_table(("cell", "states", "gates", "what"), rows)


@app.command(name="tasks", sort_key=8)
def list_tasks() -> None:
    """The tasks that a model can be trained for."""
    print_table(("task", "what"), [(name, tasks.summary(name)) for name in tasks.names()])


@app.command(name="data", sort_key=9)
def list_data() -> None:
    """The named data sets: size, where from, what, licence."""
    rows = [
        (f"name:{d.name}", f"{d.size / 1e6:.1f} MB", "downloaded" if d.url else "built in",
         d.summary, d.licence)
        for d in NAMED.values()
    ]  # fmt: skip
    print_table(("data", "size", "where", "what", "licence"), rows)


def main() -> None:
    """The entry point: every error ends in one clear line and its exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        if sys.argv[1:2] == ["train"]:
            _add_tasks()
        if sys.argv[1:2] in (["evaluate"], ["predict"]):
            _add_decoding()
        app(sys.argv[1:], exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()  # so that a pipe that broke is told here
    except CycloptsError as error:
        error.verbose = False
        told = str(error)
        if isinstance(error, UnusedCliTokensError):
            told = f"Too many arguments: {' '.join(error.unused_tokens or ())}."
        command = " ".join(["elman", *(error.command_chain or ())])
        _fail(f"{told} See {command} --help", UserError.exit_code)
    except ElmanError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt as stop:
        _fail(str(stop) or "interrupted", 130)
    except BrokenPipeError:
        # Whoever read our output has gone; what Python still holds would fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        _fail(str(error), 1)
    except (MemoryError, RuntimeError) as error:
        # PyTorch tells of missing memory only in words.
        if isinstance(error, RuntimeError) and not re.search("out of memory|allocate", str(error)):
            raise
        _fail("out of memory; try a smaller --hidden-size, --batch-size or --sequence-length", 1)


def _fail(line: str, exit_code: int) -> NoReturn:
    warn(line)
    sys.exit(exit_code)


def _refuse_options(data: Sequence[str], *command: str) -> None:
    """Cyclopts takes - for an option, so DATA lets everything pass, and options are told here."""
    for item in data:
        if item.startswith("-") and item != "-":
            _, apps, _ = app.parse_commands(command)
            known = apps[-1].assemble_argument_collection()
            raise UnknownOptionError(
                token=Token(value=item, source="cli"),
                argument_collection=known,
                command_chain=command,
            )


def _complete(make_job: Callable[[Clock, Callable[[str], None]], Job], as_json: bool) -> None:
    """Train to the end, showing it, and print the scores."""
    from elman.run import api
    from elman.run.clock import Clock

    with Console() as console:
        job = make_job(Clock(None, started=STARTED), console.say)
        path = job.folder.path
        console.say(f"run folder {path}")
        try:
            run = api.complete(job, console.listen, console.say)
        except KeyboardInterrupt:
            again = f"elman resume {shlex.quote(str(path))}"
            raise KeyboardInterrupt(f"interrupted; go on with: {again}") from None
    if not as_json:
        for line in run.advice:
            warn(line)
    print_scores(
        run.task, run.path, run.folder.verdict(), run.folder.scores().get("seconds", 0.0), as_json
    )


def _configured(path: Path, task: str) -> tuple[list[str], dict[str, Any]]:
    """The data and the options that a TOML file holds, flat or in tables as a run's options.toml.

    Its paths of data start from its own folder.
    """
    tables = read_toml(path)
    if tables.get("task", task) != task:
        raise UserError(f"{path}: is for the task {shown(tables['task'])}, not {task}")
    values: dict[str, Any] = {}
    for name, value in tables.items():
        if name not in ("task", "data"):
            values |= (
                value if name in ("train", task) and isinstance(value, dict) else {name: value}
            )
    data = tables.get("data", [])
    data = data if isinstance(data, list) else [data]
    if not all(isinstance(item, str) for item in data):
        raise UserError(f"{path}: data = {shown(data)}: needs names of files")
    names = [d if d in ("", "-") or d.startswith("name:") else str(path.parent / d) for d in data]
    try:
        values = by_own_name(task, values)
        parse(task, values)  # good by itself: what is wrong afterwards is told of a flag
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return names, values
