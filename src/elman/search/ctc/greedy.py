"""The likeliest path: the best symbol of every frame, runs made one, blanks taken out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np

from elman.search.ctc.spoken import BLANK, NOTHING, Floats, Spoken, checked, joined, plain, remade


def greedy(log_p: Floats) -> Spoken:
    """The symbols of the likeliest path through log_p [T, V], natural logarithms.

    "Best path decoding" (Graves et al. 2006, doi:10.1145/1143844.1143891, 3.2). It need not be the
    likeliest sequence of symbols, many paths of which may be likelier together: `PrefixBeam`.
    """
    return greedy_batch(checked(log_p)[None], [len(log_p)])[0]


def greedy_batch(log_p: Floats, lengths: Sequence[int]) -> list[Spoken]:
    """`greedy` of each of a batch: log_p [B, T, V], of which each has its first `lengths` frames.

    Frames beyond them may hold anything.
    """
    B, T, _ = log_p.shape
    if len(lengths) != B or not all(0 <= n <= T for n in lengths):
        raise ValueError(f"lengths {list(lengths)} do not fit {B} sequences of {T} frames")
    if not B * T:
        return [NOTHING] * B
    heard = np.arange(T) < np.asarray(lengths)[:, None]  # [B, T]
    # A blank before and after keeps the runs of neighbours apart.
    path = np.full((B, T + 2), BLANK)
    path[:, 1:-1] = np.where(heard, log_p.argmax(2), BLANK)
    peaks = np.zeros((B, T + 2))
    peaks[:, 1:-1] = np.where(heard, log_p.max(2), 0)
    if np.isnan(peaks).any():
        raise ValueError("log probabilities are at most 0; there is NaN among them")
    totals = peaks.cumsum(1)[:, -1].tolist()  # in the order in which a stream adds them
    changes = np.flatnonzero(np.diff(path.ravel(), prepend=BLANK))
    if not len(changes):
        return [Spoken((), (), (), (), total, total) for total in totals]
    highest = np.exp(np.maximum.reduceat(peaks.ravel(), changes))
    after = path.ravel()[changes]
    (said,) = np.nonzero(after != BLANK)  # each is followed by a change: to another, or a blank
    symbols = after[said]
    owners, places = np.divmod(changes, T + 2)
    cuts = np.searchsorted(owners[said], np.arange(B + 1)).tolist()
    begun, over = places[said] - 1, places[said + 1] - 1
    confidences = highest[said]
    return [
        Spoken(
            tuple(symbols[low:high].tolist()),
            tuple(begun[low:high].tolist()),
            tuple(over[low:high].tolist()),
            tuple(confidences[low:high].tolist()),
            total,
            total,
        )
        for low, high, total in zip(cuts, cuts[1:], totals, strict=False)
    ]


@final
class Greedy:
    """`greedy` of a stream. A symbol is settled when another or a blank follows it."""

    def __init__(self) -> None:
        self._frame, self._log_p = 0, 0.0
        self._settled = NOTHING
        self._open: Spoken | None = None  # the symbol that the last frame said

    def state(self) -> dict[str, Any]:
        """All of it as numbers, None and lists, to be saved."""
        return {
            "frame": self._frame,
            "log_p": self._log_p,
            "settled": plain(self._settled),
            "open": None if self._open is None else plain(self._open),
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on where another's `state` was taken."""
        self._frame, self._log_p = int(state["frame"]), float(state["log_p"])
        self._settled = remade(state["settled"])
        self._open = None if state["open"] is None else remade(state["open"])

    def feed(self, log_p: Floats) -> None:
        """Hear the next frames [t, V], t >= 0."""
        rows = checked(log_p)
        best = rows.argmax(1)
        for symbol, peak in zip(best.tolist(), rows.max(1).tolist(), strict=True):
            self._hear(symbol, peak)

    def take(self) -> Spoken:
        """What has been settled since the last `take`."""
        settled, self._settled = self._settled, NOTHING
        return joined(settled, Spoken((), (), (), (), self._log_p, self._log_p))

    def best(self, n: int = 1) -> list[Spoken]:
        """The one answer to what is not yet settled."""
        tail = self._open or NOTHING
        return [joined(tail, Spoken((), (), (), (), self._log_p, self._log_p))][:n]

    def _hear(self, symbol: int, peak: float) -> None:
        now, self._frame = self._frame, self._frame + 1
        self._log_p += peak
        p = float(np.exp(peak))
        was = self._open
        if was is not None and was.symbols[0] == symbol:
            highest = max(was.confidences[0], p)
            self._open = Spoken(was.symbols, was.frames, (now + 1,), (highest,), 0.0, 0.0)
            return
        if was is not None:
            self._settled = joined(self._settled, was)
        said = Spoken((symbol,), (now,), (now + 1,), (p,), 0.0, 0.0)
        self._open = said if symbol != BLANK else None
