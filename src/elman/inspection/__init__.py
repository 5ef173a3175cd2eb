"""What a network keeps, forgets and looks at, on one page: of a run, or of any PyTorch model.

elman.load("runs/hamlet").inspect().findings
inspect_model(model, lambda model: loss(model(x), y), "folder").findings
"""

from elman.inspection.page import Inspection, inspect
from elman.inspection.subject import Subject
from elman.inspection.subjects import inspect_model, inspect_run, of_model, of_run, of_text

__all__ = [
    "Inspection", "Subject", "inspect", "inspect_model", "inspect_run", "of_model", "of_run",
    "of_text",
]  # fmt: skip
