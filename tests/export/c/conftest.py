"""Small files to make runs of stand beside the tests of ONNX."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "onnx"))
