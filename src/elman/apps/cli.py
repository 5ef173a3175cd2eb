"""The command line: it parses, calls and prints. PyTorch is loaded only for good arguments."""

from __future__ import annotations

import gc
import os
import re
import sys
import time
from typing import NoReturn

from cyclopts import CycloptsError, UnusedCliTokensError

from elman.apps import process  # first: it notes when the process began
from elman.apps.app import app
from elman.apps.commands import compare, probe, searching, train, tune
from elman.apps.commands.bench import bench
from elman.apps.commands.doctor import doctor
from elman.apps.commands.evaluate import evaluate
from elman.apps.commands.export import export
from elman.apps.commands.generate import add_options, generate
from elman.apps.commands.importing import import_
from elman.apps.commands.inspect import inspect
from elman.apps.commands.lab import lab
from elman.apps.commands.lists import list_cells, list_data, list_tasks
from elman.apps.commands.package import package
from elman.apps.commands.predict import predict
from elman.apps.commands.serve import add_options as add_serving
from elman.apps.commands.serve import serve
from elman.apps.commands.trace import trace
from elman.apps.console import warn
from elman.errors import ElmanError, UserError

app.command(train.app)
app.command(doctor, sort_key=1, usage="Usage: elman doctor DATA... [OPTIONS]")
app.command(train.resume, sort_key=2)
app.command(evaluate, sort_key=3, usage="Usage: elman evaluate RUN [DATA...] [OPTIONS]")
app.command(generate, sort_key=4, usage="Usage: elman generate RUN [OPTIONS]")
app.command(predict, sort_key=5, usage="Usage: elman predict RUN DATA... [OPTIONS]")
app.command(serve, sort_key=5, usage="Usage: elman serve RUN... [OPTIONS]")
app.command(lab, sort_key=5)
app.command(inspect, sort_key=5, usage="Usage: elman inspect RUN [DATA...] [OPTIONS]")
app.command(trace, sort_key=5)
app.command(export, sort_key=5, usage="Usage: elman export RUN --to FORMAT [OPTIONS]")
app.command(import_, name="import", sort_key=5, usage="Usage: elman import FILE [OPTIONS]")
app.command(package, sort_key=5, usage="Usage: elman package RUN [--to PLACE] [OPTIONS]")
app.command(probe.app)
app.command(compare.app)
app.command(tune.app)
app.command(bench, sort_key=6)
app.command(list_cells, name="cells", sort_key=7)
app.command(list_tasks, name="tasks", sort_key=8)
app.command(list_data, name="data", sort_key=9)

gc.freeze()
gc.enable()


def main() -> None:
    """The entry point: every error ends in one clear line and its exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        process.check_command()
        if sys.argv[1:2] == ["train"]:
            train.add_tasks()
        if sys.argv[1:2] == ["compare"]:
            compare.add_tasks()
        if sys.argv[1:2] == ["tune"]:
            tune.add_tasks()
        if sys.argv[1:2] in (["evaluate"], ["predict"]):
            searching.add_decoding()
        if sys.argv[1:2] == ["generate"]:
            add_options()
        if sys.argv[1:2] == ["serve"]:
            add_serving()
        app(sys.argv[1:], exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()  # so that a pipe that broke is told here
    except CycloptsError as error:
        error.verbose = False
        told = str(error)
        if isinstance(error, UnusedCliTokensError):
            told = f"Too many arguments: {' '.join(error.unused_tokens or ())}."
        command = " ".join(["elman", *(error.command_chain or ())])
        _fail(f"{told} See {command} --help", UserError.exit_code, quiet=process.QUIET)
    except ElmanError as error:
        quiet = process.QUIET and isinstance(error, UserError)
        _fail(str(error), error.exit_code, quiet=quiet)
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


def _fail(line: str, exit_code: int, *, quiet: bool = False) -> NoReturn:
    if quiet:
        time.sleep(process.WAITING)
    else:
        warn(line)
    sys.exit(exit_code)
