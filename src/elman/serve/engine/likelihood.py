"""Log probabilities of tokens, from the logits before each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elman.kernels.together import Floats
from elman.serve.contract import Token


def told(ids: Sequence[int], before: Floats, top: int, *, of_prompt: bool) -> list[Token]:
    """Each token with its log probability and the `top` likeliest in its place; of equally likely
    ones the lower id comes first. `before` [len(ids), V]: the logits of which each was one."""
    x = before.astype(np.float64)
    with np.errstate(invalid="ignore"):  # infinite logits: then the numbers tell it
        x -= x.max(1, keepdims=True)
        x -= np.log(np.exp(x).sum(1, keepdims=True))
    order = np.argsort(-x, 1, kind="stable")[:, :top] if top else np.zeros((len(ids), 0), int)
    best = np.take_along_axis(x, order, 1)
    tokens: list[Token] = []
    for token, row, ranked, p in zip(ids, x, order, best, strict=True):
        likeliest = tuple(zip(ranked.tolist(), p.tolist(), strict=True))
        tokens.append(Token(token, float(row[token]), likeliest, of_prompt))
    return tokens
