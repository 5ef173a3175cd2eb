"""One cell, one step at a time, forward and backward: every quantity by name, beside its equation.

setup = trace.example("lstm")
shown = trace.Shown(setup.cell, trace.run(setup), trace.backward(setup))
print(trace.render_shown(shown), trace.latex(shown), trace.markdown(shown))
"""

from elman.probe.trace.backward import Backward, BackwardStep, backward, whole
from elman.probe.trace.document import latex, markdown
from elman.probe.trace.file import read
from elman.probe.trace.forward import Step, Value, ending, run, trace, values
from elman.probe.trace.setup import Output, Setup, Weights, example
from elman.probe.trace.teaching import Shown
from elman.probe.trace.text import as_json, backward_json, render, render_shown

__all__ = [
    "Backward", "BackwardStep", "Output", "Setup", "Shown", "Step", "Value", "Weights", "as_json",
    "backward", "backward_json", "ending", "example", "latex", "markdown", "read", "render",
    "render_shown", "run", "trace", "values", "whole",
]  # fmt: skip
