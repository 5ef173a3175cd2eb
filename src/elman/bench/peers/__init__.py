"""Who is measured. A peer is one line here and one adapter file.

An adapter is loaded in worker processes only. Its `prepare(work, threads)` → `Prepared`, or None
for work that the peer cannot do. Where a library fixes its threads when it is loaded, the adapter
sets them before that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elman.kernels.limits import Precision


@dataclass(frozen=True)
class Peer:
    """One library. `packages` are what it needs to be installed, the one that is timed first."""

    name: str
    title: str
    adapter: str  # a module of this package
    packages: tuple[str, ...]
    install: str = ""
    # Set before its process starts.
    environment: Mapping[str, str] = field(default_factory=dict)
    # Seconds for which its threads may spin on after a call, which the next in turn waits for: they
    # were seen to for up to 8 milliseconds, those of ONNX Runtime for 60.
    pause: float = 0.02
    precision: Precision = "float32"  # of its products

    def versions(self) -> dict[str, str] | None:
        """The version of each package; None if one is not installed."""
        import importlib.metadata  # not above: it takes a tenth of the time of elman --help

        found = {}
        for package in self.packages:
            # Some libraries come under several names.
            for name in package.split("|"):
                try:
                    found[name.removesuffix("-cpu")] = importlib.metadata.version(name)
                    break
                except importlib.metadata.PackageNotFoundError:
                    continue
            else:
                return None
        return found


ELMAN = Peer("elman", "Elman", "elman_layers", ("elman",))
ELMAN_BF16 = Peer(
    "elman-bf16", "Elman under autocast to bf16", "elman_autocast", ("elman",), precision="bf16"
)
LIMITS = Peer("limits", "the machine", "limits", ("torch",))
PEERS = (
    Peer("torch", "torch.nn", "torch_layers", ("torch",)),
    Peer("torch-bf16", "torch.nn under autocast to bf16", "torch_autocast", ("torch",),
         precision="bf16"),
    Peer(
        "torch-compile", "torch.compile", "torch_compiled", ("torch",),
        environment={"TORCHINDUCTOR_COMPILE_THREADS": "1"},  # no processes that outlive it
    ),
    Peer(
        "keras", "Keras on TensorFlow", "keras_layers", ("keras", "tensorflow|tensorflow-cpu"),
        "pip install keras tensorflow-cpu",
        {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
    ),
    Peer(
        "jax", "JAX lax.scan", "jax_scan", ("jax", "jaxlib"), "pip install jax",
        {"JAX_PLATFORMS": "cpu"},
    ),
    Peer("onnx", "ONNX Runtime", "onnx_nodes", ("onnxruntime", "onnx"),
         "pip install onnx onnxruntime", pause=0.1),
    Peer(
        "joey", "JoeyNMT", "joey_translation", ("joeynmt",), "pip install joeynmt",
        {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},  # of the TensorBoard it loads
    ),
)  # fmt: skip
BY_NAME = {peer.name: peer for peer in (ELMAN, ELMAN_BF16, LIMITS, *PEERS)}
