"""JAX: `lax.scan` over the steps under `jit`, the input's product made for all steps before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
from jax import numpy as jnp

from elman.bench.peers.prepared import Prepared
from elman.bench.work import Work, numbers


def prepare(work: Work, threads: int) -> Prepared | None:
    # XLA has as many threads as there are cores for it, and the worker is bound to `threads` cores.
    if work.kind not in ("train", "infer"):
        return None

    def lstm(state: Any, Wx: Any, R: Any, b: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(Wx + h @ R + b, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def gru(state: Any, Wx: Any, R: Any, b: Any) -> Any:
        (h,) = state
        r, z, n = jnp.split(Wx, 3, axis=-1)
        Rr, Rz, Rn = jnp.split(h @ R + b, 3, axis=-1)
        z = jax.nn.sigmoid(z + Rz)
        n = jnp.tanh(n + jax.nn.sigmoid(r + Rr) * Rn)
        h = (1 - z) * n + z * h
        return (h,), h

    def rnn(state: Any, Wx: Any, R: Any, b: Any) -> Any:
        h = jnp.tanh(Wx + state[0] @ R + b)
        return (h,), h

    step = {"lstm": lstm, "gru": gru, "rnn": rnn}[work.cell]
    states = 2 if work.cell == "lstm" else 1

    def forward(weights: Any, x: Any) -> Any:
        W, R, b, c = weights
        state = (jnp.zeros(x.shape[1:]),) * states
        _, y = jax.lax.scan(lambda state, Wx: step(state, Wx, R, c), state, x @ W + b)
        return y

    def loss(weights: Any, x: Any, dy: Any) -> Any:
        y = forward(weights, x)
        return jnp.vdot(y, dy), y

    given = numbers(work)
    weights = tuple(
        jnp.asarray(w) for w in (given.weight_ih.T, given.weight_hh.T, given.bias_ih, given.bias_hh)
    )
    x, dy = jnp.asarray(given.x), jnp.asarray(given.dy)
    infer = jax.jit(forward)
    train = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))

    def once() -> Sequence[Any]:
        if work.kind == "infer":
            return (infer(weights, x).block_until_ready(),)
        (_, y), (_, dx) = jax.block_until_ready(train(weights, x, dy))
        return y, dx

    return Prepared(once, comparable=True)
