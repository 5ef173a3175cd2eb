"""Hamlet, written by one LSTM of 512 units: 50 epochs, batch 50, dropout 0.5, Adam.

The tutorial's numbers but for the learning rate, which is 0.002 here and 0.01 there.
Without an argument the play is downloaded. On two cores it takes about eight minutes; a run that
was stopped goes on when the script is started again.

    python examples/hamlet.py [hamlet.txt] [--epochs N]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import elman
from elman.run.train import Progress


def show(event: Progress) -> None:
    if event.split == "validation":
        print(f"epoch {event.epoch + 1}: {event.loss:.4f} nats after {event.seconds:.0f} s")


def main() -> None:
    arguments = argparse.ArgumentParser(description="Hamlet, written by an LSTM.")
    arguments.add_argument("text", nargs="?", default="name:hamlet")
    arguments.add_argument("--epochs", type=int, default=50)
    given = arguments.parse_args()
    folder = Path("runs/hamlet-512")
    if folder.exists():
        run = elman.resume(folder, epochs=given.epochs, listen=show)
    else:
        run = elman.train(
            "text",
            given.text,
            run=folder,
            cell="lstm",
            hidden_size=512,
            dropout=0.5,
            batch_size=50,
            sequence_length=50,
            optimizer="adam",
            learning_rate=2e-3,
            epochs=given.epochs,
            listen=show,
        )
    print(run.verdict)
    print(run.scores, "baseline", run.baseline)
    print(run.generate("HAMLET\t", 500, temperature=0.8, seed=1))


if __name__ == "__main__":
    main()
