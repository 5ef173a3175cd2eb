"""Three ways for the source to reach the translation, side by side, with equally many weights.

The encoder's last state as the decoder's first (Sutskever et al. 2014, arXiv:1409.3215), the same
at every step as well (Cho et al. 2014, arXiv:1406.1078), attention to every step of the encoder
(Bahdanau et al. 2015, arXiv:1409.0473; Luong et al. 2015, arXiv:1508.04025). The forms without
attention get wider layers, so that all three have as many weights. Without data they learn the
numbers and dates that come with Elman. Prints one table; started again, it goes on.

    python examples/translation.py [SOURCES TARGETS] [--epochs N] [--seeds N] [--units N]

The same on the command line:

    elman compare translate --over context=attention,each,first --epochs 5 --hidden-size 128
"""

from __future__ import annotations

import argparse

from elman.comparison.api import compare
from elman.comparison.result import notes, table


def main() -> None:
    arguments = argparse.ArgumentParser(description="Three encoder-decoders side by side.")
    arguments.add_argument("data", nargs="*", default=[])
    arguments.add_argument("--epochs", type=int, default=5)
    arguments.add_argument("--seeds", type=int, default=2)
    arguments.add_argument("--units", type=int, default=128)
    arguments.add_argument("--run", default="comparisons/contexts")
    given = arguments.parse_args()

    result = compare(
        "translate", *given.data, over=("context", ["attention", "each", "first"]),
        seeds=given.seeds, epochs=given.epochs, hidden_size=given.units, embedding=256,
        run=given.run, say=print,
    )  # fmt: skip
    heads, rows = table(result)
    print("\n| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    print("\n".join("| " + " | ".join(row) + " |" for row in rows))
    print("\n".join(notes(result)))


if __name__ == "__main__":
    main()
