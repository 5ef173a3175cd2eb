"""Makes the files of recorded/: models that Keras 2 saved, and what it puts out.

    pip install tf_keras tensorflow-cpu; python record_keras2.py

Tests read what it made, so that they need no TensorFlow. `cudnn.h5` holds the weights of layers
that run on a GPU alone; their outputs are those of LSTM and GRU into which Keras 2 loads them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras_models
import numpy as np
import tensorflow as tf
import tf_keras

RECORDED = Path(__file__).parent / "recorded"
L = tf_keras.layers


def shaken(model: Any, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    model.set_weights([keras_models.drawn(rng, w.name, w.shape) for w in model.weights])
    return model


def keep(name: str, model: Any, outputs_of: Any, *inputs: Any) -> None:
    model.save(RECORDED / f"{name}.h5", include_optimizer=False)
    y = outputs_of.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    np.savez(RECORDED / f"{name}.npz", **{f"x{n}": x for n, x in enumerate(inputs)}, y0=y)


def main() -> None:
    RECORDED.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    # hard_sigmoid was the usual activation of gates, and is another function in Keras 3.
    gates = {"recurrent_activation": "hard_sigmoid"}
    model = tf_keras.Sequential([
        L.Embedding(13, 5, mask_zero=True, input_length=9),
        L.LSTM(6, return_sequences=True, **gates),
        L.Bidirectional(L.GRU(4, reset_after=False, **gates), merge_mode="sum"),
        L.Dense(3, activation="softmax"),
    ])  # fmt: skip
    keep("hard_sigmoid", shaken(model, 1), model, keras_models.padded(rng, 13, 5, 9))

    model, inputs = keras_models.translator_by_state(tf_keras, rng)
    keep("translator", shaken(model, 2), model, *inputs)

    cudnn, usual = (
        tf_keras.Sequential([
            L.Input((None, 4)), lstm(5, return_sequences=True), gru(3), L.Dense(2)
        ])
        for lstm, gru in (
            (tf.compat.v1.keras.layers.CuDNNLSTM, tf.compat.v1.keras.layers.CuDNNGRU),
            (L.LSTM, L.GRU),
        )
    )  # fmt: skip
    shaken(cudnn, 3).save_weights(RECORDED / "weights.h5")
    usual.load_weights(RECORDED / "weights.h5")
    (RECORDED / "weights.h5").unlink()
    keep("cudnn", cudnn, usual, keras_models.numbers(rng, 4, 7, 4))


if __name__ == "__main__":
    main()
