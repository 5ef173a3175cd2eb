"""The word model: embedding 50 → SimpleRNN 100 → bidirectional GRU 50 → softmax over 1,000 words.

Lower case, digits left out, windows of 50 words, batch 64, Adam, as in the tutorial. As the GRU
reads both ways, the model reads a window and predicts the word after it. Without an argument it
trains on the text that comes with Python. Takes a minute or two.

    python examples/words.py [text.txt] [--epochs N]
"""

from __future__ import annotations

import argparse

import elman
from elman.run.train import Progress


def show(event: Progress) -> None:
    if event.split == "validation":
        print(f"epoch {event.epoch + 1}: {event.loss:.4f} nats after {event.seconds:.0f} s")


def main() -> None:
    arguments = argparse.ArgumentParser(description="A word model that reads both ways.")
    arguments.add_argument("text", nargs="?", default="name:topics")
    arguments.add_argument("--epochs", type=int, default=1)
    given = arguments.parse_args()
    run = elman.train(
        "text",
        given.text,
        level="words",
        vocabulary=1000,
        lowercase=True,
        strip_digits=True,
        embedding=50,
        cell=["rnn", "gru"],
        hidden_size=[100, 50],
        bidirectional=[False, True],
        sequence_length=50,
        batch_size=64,
        optimizer="adam",
        learning_rate=1e-3,
        epochs=given.epochs,
        listen=show,
    )
    print(run.verdict)
    print(run.scores, "baseline", run.baseline)
    print(run.generate("the", 60, temperature=0.7, seed=1))


if __name__ == "__main__":
    main()
