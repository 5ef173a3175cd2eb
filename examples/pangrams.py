"""Four pangrams learnt by three stacked simple recurrent networks of 128 units.

The tutorial's data, width and depth. There every window of 100 characters predicts the one after
it; here the text is read as one sequence, and every character is predicted from all before it.
Takes about half a minute.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import elman

TEXT = """The quick brown fox jumps over the lazy dog.
Jackdaws love my big sphinx of quartz.
Pack my box with five dozen liquor jugs.
How quickly daft jumping zebras vex."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "pangrams.txt")
        text.write_text(TEXT, encoding="utf-8")
        run = elman.train(
            "text",
            text,
            run=Path(folder, "run"),
            cell="rnn",
            hidden_size=128,
            num_layers=3,
            sequence_length=len(TEXT) - 1,
            batch_size=1,
            optimizer="adam",
            learning_rate=1e-3,
            dropout=0.0,
            epochs=300,
            validation=0.0,
            sample=0,
        )
        written = run.generate(TEXT[:10], len(TEXT) - 10, temperature=0)
    print(written)
    print("learnt by heart:", written == TEXT)


if __name__ == "__main__":
    main()
