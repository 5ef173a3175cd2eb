"""A short Chinese sentence learnt by heart with plain gradient descent at 0.1 in 3,000 steps.

An LSTM with as many units as there are symbols, one-hot input, the whole sentence as one sequence,
as in the tutorial. Takes a few seconds.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import elman

SENTENCE = "这是一个基于tensorflow的RNN短句子练习"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "sentence.txt")
        text.write_text(SENTENCE, encoding="utf-8")
        run = elman.train(
            "text",
            text,
            run=Path(folder, "run"),
            cell="lstm",
            hidden_size=len(set(SENTENCE)),
            embedding=0,
            dropout=0.0,
            batch_size=1,
            sequence_length=len(SENTENCE) - 1,
            optimizer="sgd",
            learning_rate=0.1,
            schedule="constant",
            warmup=0.0,
            clip_norm=0.0,
            epochs=3000,
            validation=0.0,
            sample=0,
        )
        written = run.generate(SENTENCE[0], len(SENTENCE) - 1, temperature=0)
    print(written)
    print("without a mistake:", written == SENTENCE)


if __name__ == "__main__":
    main()
