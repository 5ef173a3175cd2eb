"""One cell, one step at a time, forward and backward: every quantity by name, beside its equation.

trace.render(trace.trace("rnn"))                  # forward, on the tutorials' numbers
trace.render_backward(trace.backward(trace.example("lstm")))
"""

from elman.probe.trace.file import read
from elman.probe.trace.forward import Step, Value, run, trace
from elman.probe.trace.setup import Output, Setup, Weights, example
from elman.probe.trace.text import as_json, render

__all__ = [
    "Output", "Setup", "Step", "Value", "Weights", "as_json", "example", "read", "render", "run",
    "trace",
]  # fmt: skip
