"""Keras 3 on TensorFlow: its layers under `tf.function`, without XLA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from elman.bench.peers.prepared import Prepared
from elman.bench.work import Array, Work, numbers

LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}


def prepare(work: Work, threads: int) -> Prepared | None:
    if work.kind not in ("train", "infer"):
        return None
    # Allowed only before the first operation: a worker keeps to one number of threads.
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    given = numbers(work)
    layer = LAYERS[work.cell](work.H, return_sequences=True)
    layer.build((work.B, work.T, work.H))
    if work.cell == "gru":
        bias = np.stack([update_first(given.bias_ih), update_first(given.bias_hh)])
        weights = [update_first(given.weight_ih).T, update_first(given.weight_hh).T, bias]
    else:
        weights = [given.weight_ih.T, given.weight_hh.T, given.bias_ih + given.bias_hh]
    layer.set_weights(weights)
    x, dy = (tf.constant(np.ascontiguousarray(v.swapaxes(0, 1))) for v in (given.x, given.dy))

    def infer(x: Any) -> Any:
        return layer(x, training=False)

    def train(x: Any, dy: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        dx, *_ = gradients = tape.gradient(y, [x, *layer.trainable_variables], output_gradients=dy)
        return y, dx, gradients

    compiled = tf.function(train if work.kind == "train" else infer, jit_compile=False)

    def once() -> Sequence[Any]:
        return tuple(compiled(x, dy)[:2]) if work.kind == "train" else (compiled(x),)

    return Prepared(once, comparable=True, batch_first=True)


def update_first(weights: Array) -> Array:
    """PyTorch's order of a GRU's gates, reset, update, new → update, reset, new."""
    r, z, n = np.split(weights, 3)
    return np.concatenate([z, r, n])
