"""What is measured. A row is a module of this package, named in `NAMES`, with

    SUMMARY = "what its numbers mean, in one line"
    def run(bench: Bench) -> Iterator[Result]: ...

which is called once for each number of threads. This file is all that is loaded to check a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elman.kernels.limits import Precision

NAMES = (
    "limits", "train", "infer", "packed", "regularised", "tokens", "linear", "stream", "translate",
    "speech", "busy",
)  # fmt: skip
# Only where it is asked for: it takes the whole machine.
ASKED_FOR = frozenset({"busy"})
# These call kernels that nothing stands in for; the other rows measure PyTorch's operators instead.
NEED_KERNELS = frozenset({"linear", "stream"})

RECURRENT = ("lstm", "gru", "rnn")
LINEAR = ("mingru", "minlstm", "hgrn")
# What each row can measure; --quick takes the first.
CELLS = {
    **dict.fromkeys(("train", "infer", "packed", "regularised", "tokens", "busy"), RECURRENT),
    "linear": LINEAR,
    **dict.fromkeys(("stream", "translate", "speech"), ("lstm", "gru")),
}
PRECISIONS: tuple[Precision, ...] = ("float32", "bf16")
# The rows that have them all; the others have float32.
IN_BF16 = frozenset({"train", "infer", "packed"})
