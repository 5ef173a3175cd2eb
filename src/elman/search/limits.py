"""What may come next: the log probability of all else is made -inf."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from elman.search.pick import NEVER
from elman.search.required import Phrase, missing

# Options are listed in milliseconds: what needs PyTorch loads it when it is called.
if TYPE_CHECKING:
    from torch import Tensor

    from elman.search.beams import Beams


@dataclass(frozen=True)
class Limits:
    """What sequences may be.

    least, most: tokens of each of the groups that begin, int64; required: its phrases.
    """

    end: int
    least: Tensor
    most: Tensor
    no_repeat: int
    tokens: Collection[int]
    phrases: Sequence[Phrase]
    required: Sequence[Sequence[Phrase]]

    def unmet(self, beams: Beams) -> dict[int, list[list[Phrase]]]:
        """Of each group that has phrases to write those that each of its hypotheses lacks."""
        W = beams.totals.shape[1]
        return {
            k: [
                missing(said, self.required[g])
                for said in beams.history[k * W : k * W + W].tolist()
            ]
            for k, g in enumerate(beams.group.tolist())
            if self.required[g]
        }

    def apply(self, log_p: Tensor, beams: Beams, unmet: Mapping[int, list[list[Phrase]]]) -> None:
        """Block in log_p [G W, V] whatever may not come next."""
        rows = beams.rows  # [G, W]
        block(log_p, rows, self.tokens)
        block_phrases(log_p, beams.history, self.phrases)
        block_repeats(log_p, beams.history, self.no_repeat)
        block(log_p, rows[beams.t < self.least[beams.group]], [self.end])
        for k, lacks in unmet.items():
            block(log_p, rows[k, [bool(phrases) for phrases in lacks]], [self.end])
        block_all_but(log_p, rows[beams.t == self.most[beams.group]], self.end)


def block(log_p: Tensor, rows: Tensor, tokens: Collection[int]) -> None:
    """None of `tokens` in these rows, int64 of any shape."""
    for token in tokens:
        log_p[rows.flatten().to(log_p.device), token] = NEVER


def block_all_but(log_p: Tensor, rows: Tensor, token: int) -> None:
    """Nothing but `token` in these rows, int64 of any shape."""
    rows = rows.flatten().to(log_p.device)
    kept = log_p[rows, token]
    log_p[rows] = NEVER
    log_p[rows, token] = kept


def block_repeats(log_p: Tensor, history: Tensor, n: int) -> None:
    """No n tokens twice: `history` int64 [N, t], on the CPU, is what the rows have said."""
    t = history.shape[1]
    if 0 < n <= t:
        runs = history.unfold(1, n, 1)  # [N, t - n + 1, n]
        newest = history[:, t - n + 1 :]  # the n - 1 that the next token would complete
        rows, places = (runs[:, :, :-1] == newest[:, None]).all(2).nonzero(as_tuple=True)
        tokens = runs[rows, places, -1]
        log_p[rows.to(log_p.device), tokens.to(log_p.device)] = NEVER


def block_phrases(log_p: Tensor, history: Tensor, phrases: Sequence[Sequence[int]]) -> None:
    """No phrase of at least one token occurs: its last is blocked where the others stand."""
    t = history.shape[1]
    for *begun, last in phrases:
        if len(begun) <= t:
            stand = history[:, t - len(begun) :] == history.new_tensor(begun)
            block(log_p, stand.all(1).nonzero().flatten(), [last])
