"""Tokens that may not come next: their log probability is made -inf."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from elman.search.pick import NEVER

if TYPE_CHECKING:
    from torch import Tensor


def block_repeats(log_p: Tensor, history: Tensor, n: int) -> None:
    """No n tokens twice: `history` int64 [N, T], on the CPU, is what the rows have said."""
    T = history.shape[1]
    if n == 0 or n > T:
        return
    runs = history.unfold(1, n, 1)  # [N, T - n + 1, n]
    newest = history[:, T - n + 1 :]  # the n - 1 that the next token would complete
    rows, places = (runs[:, :, :-1] == newest[:, None]).all(2).nonzero(as_tuple=True)
    _never(log_p, rows, runs[rows, places, -1])


def block_phrases(log_p: Tensor, history: Tensor, phrases: Sequence[Sequence[int]]) -> None:
    """No phrase of at least one token occurs: its last is blocked where the others stand."""
    import torch

    T = history.shape[1]
    for phrase in phrases:
        *begun, last = phrase
        if len(begun) <= T:
            stand = history[:, T - len(begun) :] == torch.tensor(begun, dtype=torch.int64)
            rows = stand.all(1).nonzero().flatten()
            _never(log_p, rows, torch.full_like(rows, last))


def block(log_p: Tensor, rows: Tensor, tokens: Collection[int]) -> None:
    """None of `tokens` in these rows, int64 of any shape."""
    for token in tokens:
        log_p[rows.flatten().to(log_p.device), token] = NEVER


def only(log_p: Tensor, rows: Tensor, token: int) -> None:
    """Nothing but `token` in these rows, int64 of any shape."""
    rows = rows.flatten().to(log_p.device)
    kept = log_p[rows, token]
    log_p[rows] = NEVER
    log_p[rows, token] = kept


def _never(log_p: Tensor, rows: Tensor, tokens: Tensor) -> None:
    log_p[rows.to(log_p.device), tokens.to(log_p.device)] = NEVER
