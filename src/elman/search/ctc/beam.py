"""The likeliest symbols, not the likeliest path: a beam over prefixes, frame by frame."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from elman.search.ctc.alignment import NEVER, align, enough
from elman.search.ctc.grammar import Grammar
from elman.search.ctc.language import LanguageModel
from elman.search.ctc.prefixes import Prefix, Rules, Way
from elman.search.ctc.spoken import BLANK, NOTHING, Floats, Spoken, checked, joined, plain, remade

FAINT = -1e5
"""Log probabilities below this, in frames that are kept to be aligned, are this."""

_New: TypeAlias = tuple[float, float, Prefix, int, Way]
"""A longer prefix: its score, log p of its paths, which it goes on from, by which symbol, how."""


@final
class PrefixBeam:
    """The likeliest symbols of a stream of frames (Graves & Jaitly 2014; Hannun et al. 2014).

    A prefix holds the sum over its paths in two parts, those that end in a blank and those that end
    in its last symbol, as a symbol said again is another one only after a blank. After each frame
    the best stay, by log p of the sound + language model + bonus: see `Rules`.

    beam
        Prefixes that stay; None for all. With all, and no threshold, every score is exact.
    threshold
        Symbols less likely than this in a frame, natural log, begin nothing there. The paths that
        they would continue or end are counted all the same. -inf: all may begin.
    most
        The likeliest symbols of a frame that may begin there; None for all.
    lag
        In a stream, frames after which the best prefix is believed: its symbols that began longer
        ago are settled, and prefixes that say otherwise are dropped. It looks every `lag` / 2
        frames, so that the delay is 1.5 `lag` at most, and memory does not grow with the stream.
        None: nothing is settled; all frames are kept, 8 V bytes each.

    Frames and confidences of an answer are those of its likeliest path: `align`. As it settles by
    the number of frames, how these are cut into pieces for `feed` changes nothing, to the last bit.
    """

    def __init__(
        self,
        *,
        beam: int | None = 16,
        threshold: float = -5.0,
        most: int | None = 40,
        model: LanguageModel[Any] | None = None,
        weight: float = 1.0,
        bonus: float = 0.0,
        separator: int | None = None,
        grammar: Grammar[Any] | None = None,
        lag: int | None = None,
    ) -> None:
        for name, value in ("beam", beam), ("most", most), ("lag", lag):
            if value is not None and value < 1:
                raise ValueError(f"{name} is at least 1, not {value}")
        if not weight >= 0:
            raise ValueError(f"weight is at least 0, not {weight}")
        self._rules = Rules(model if weight else None, weight, bonus, separator, grammar)
        self._beam, self._threshold, self._most, self._lag = beam, threshold, most, lag
        self._root = self._rules.start()
        self._root.blank = self._root.total = 0.0
        self._root.live = True
        self._live = [self._root]
        self._frame = 0  # heard so far
        self._kept: list[NDArray[np.float64]] = []  # the newest of them, which may be aligned
        self._settled = NOTHING

    def feed(self, log_p: Floats) -> None:
        """Hear the next frames [t, V], t >= 0; natural log probabilities, 0 is the blank."""
        rows = checked(log_p)
        for row, may in zip(rows, self._begin(rows), strict=True):
            self._hear(row, may)
            self._kept.append(np.maximum(row, FAINT))
            self._frame += 1
            if self._lag is not None and self._frame % math.ceil(self._lag / 2) == 0:
                self._settle(self._frame - self._lag)

    def best(self, n: int = 1, *, complete: bool = True) -> list[Spoken]:
        """At most n answers to what is not settled, best first, as if all ended here.

        Only what the grammar lets end here; with `complete` False what has been heard so far, be it
        the beginning of a phrase, without the score of the end. Empty where nothing is left.
        """
        scored = [
            (one.total + one.gain + (self._rules.end(one) if complete else 0.0), one)
            for one in self._live
        ]
        ranked = sorted((pair for pair in scored if pair[0] > NEVER), key=lambda pair: -pair[0])
        return [self._spoken(one, score) for score, one in ranked[:n]]

    def take(self) -> Spoken:
        """What has been settled since the last `take`; with `lag` None nothing ever is."""
        settled, self._settled = self._settled, NOTHING
        return settled

    def state(self) -> dict[str, Any]:
        """All of it, but not what it was made with: numbers, lists and arrays, to be saved.

        Its size: the frames kept, and the prefixes of the beam.
        """
        prefixes = _family(self._root)
        places = {id(one): at for at, one in enumerate(prefixes)}
        return {
            "frame": self._frame,
            "settled": plain(self._settled),
            "root": [self._root.symbol, self._root.gain],
            "language": self._root.language,
            "grammar": self._root.grammar,
            "parents": np.array([places.get(id(one.parent), -1) for one in prefixes], np.int64),
            "symbols": np.array([one.symbol for one in prefixes], np.int64),
            "live": np.array([places[id(one)] for one in self._live], np.int64),
            "totals": np.array([[one.blank, one.sound, one.total] for one in self._live]),
            "kept": np.array(self._kept) if self._kept else np.zeros((0, 0)),
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on where another's `state` was taken, which was made as this one was."""
        self._frame = int(state["frame"])
        self._settled = remade(state["settled"])
        symbol, gain = state["root"]
        language, grammar = _tuples(state["language"]), _tuples(state["grammar"])
        prefixes = [Prefix(None, int(symbol), float(gain), language, grammar)]
        pairs = zip(_listed(state["parents"]), _listed(state["symbols"]), strict=True)
        for parent, symbol in list(pairs)[1:]:
            way = self._rules.step(prefixes[parent], symbol)
            if way is None:
                raise ValueError("the state is of a beam with another language model or grammar")
            prefixes.append(_child(prefixes[parent], symbol, way))
        self._root = prefixes[0]
        self._live = [prefixes[at] for at in _listed(state["live"])]
        for one, totals in zip(self._live, _listed(state["totals"]), strict=True):
            one.blank, one.sound, one.total = totals
            one.live = True
        self._kept = list(np.asarray(state["kept"], np.float64))

    def _begin(self, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which symbols may begin in each frame [t, V]."""
        may = (rows >= self._threshold) & (rows > NEVER)
        may[:, BLANK] = False
        if self._most is not None and self._most < rows.shape[1] - 1:
            rest = np.argpartition(-rows[:, 1:], self._most, axis=1)[:, self._most :] + 1
            np.put_along_axis(may, rest, False, axis=1)
        return may

    def _hear(self, row: NDArray[np.float64], may: NDArray[np.bool_]) -> None:
        """One frame: which symbols `may` begin there; all that the beam holds may go on."""
        begin, log_p = np.flatnonzero(may), row.tolist()
        begun = set(begin.tolist())
        stays: list[tuple[float, float, float]] = []
        for one in self._live:
            sound = one.sound + log_p[one.symbol]
            parent = one.parent
            if parent is not None and parent.live and one.symbol in begun:
                sound = _log_add(sound, parent.before(one.symbol) + log_p[one.symbol])
            blank = one.total + log_p[BLANK]
            stays.append((blank, sound, _log_add(blank, sound)))
        scores = [total + one.gain for one, (*_, total) in zip(self._live, stays, strict=True)]
        new = self._longer(row, begin, scores) if len(begin) else []
        for one, totals in zip(self._live, stays, strict=True):
            one.blank, one.sound, one.total = totals
        self._choose(scores, new)

    def _longer(
        self, row: NDArray[np.float64], begin: NDArray[np.int64], stays: list[float]
    ) -> list[_New]:
        """The prefixes that are new, as far as they may stay beside those with scores `stays`.

        No score is above that of the sound and the bonus alone: in the order of these, all is seen
        that can be among the best.
        """
        live, width = self._live, self._beam
        best = list(stays)  # of all scores the `width` best
        heapq.heapify(best)
        full = width is not None and len(best) >= width
        bounds = np.array([one.total + one.gain for one in live])[:, None] + row[begin]
        bounds = (bounds + max(self._rules.bonus, 0)).ravel()
        order = np.flatnonzero(bounds > (best[0] if full else NEVER))
        order = order[np.argsort(-bounds[order], kind="stable")]
        symbols, log_p = begin.tolist(), row[begin].tolist()
        new: list[_New] = []
        for at, bound in zip(order.tolist(), bounds[order].tolist(), strict=True):
            if full and bound <= best[0]:
                break
            which, place = divmod(at, len(symbols))
            one, symbol = live[which], symbols[place]
            known = one.longer.get(symbol)
            if known is not None and known.live:
                continue  # counted where it stays
            if symbol not in one.ways:
                one.ways[symbol] = self._rules.step(one, symbol)
            way = one.ways[symbol]
            sound = one.before(symbol) + log_p[place]
            if way is None or sound == NEVER:
                continue
            new.append((sound + way.gain, sound, one, symbol, way))
            if full:
                heapq.heappushpop(best, sound + way.gain)
            else:
                heapq.heappush(best, sound + way.gain)
                full = len(best) == width
        return new

    def _choose(self, stays: list[float], new: list[_New]) -> None:
        """The best, of those that stay as they are, with their scores, and of the new ones."""
        old, self._live = self._live, []
        scores = stays + [score for score, *_ in new]
        for one in old:
            one.live = False
        ranks = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)  # stable
        for at in ranks[: self._beam]:
            if scores[at] == NEVER:
                break
            if at < len(old):
                one = old[at]
            else:
                _, sound, parent, symbol, way = new[at - len(old)]
                one = _child(parent, symbol, way)
                one.blank, one.sound, one.total = NEVER, sound, sound
            one.live = True
            self._live.append(one)
        for one in old:
            if not one.live:
                _leave(one)

    def _settle(self, until: int) -> None:
        """Believe the best prefix in all its symbols that are over at frame `until`."""
        start, lag = self._frame - len(self._kept), self._lag
        if lag is None or until <= start or not self._live:
            return
        best = self._live[0]
        heard = self._spoken(best, best.total + best.gain)
        n = sum(stop <= until for stop in heard.stops)
        begun = heard.frames[n] if n < len(heard.frames) else until
        # What is still heard stays; of what is heard longer than anything, the newest part.
        cut = max(start, min(until, max(begun, until - lag)))
        del self._kept[: cut - start]
        if n:
            self._settled = joined(self._settled, heard.first(n))
        root = best
        for _ in heard.symbols[n:]:
            assert root.parent is not None
            root = root.parent
        root.parent = None
        self._root = root
        self._agree(best)

    def _agree(self, best: Prefix) -> None:
        """Drop what does not begin as the root, or has no room in the frames that are kept."""
        under = {id(one) for one in _family(self._root)}
        old, self._live = self._live, []
        room = len(self._kept)
        for one in old:
            one.live = False
            if id(one) in under:
                symbols = one.symbols()
                if symbols and not enough(room - 1, symbols):  # no room for a blank at the end
                    one.blank, one.total = NEVER, one.sound
                one.live = one is best or (enough(room, symbols) and one.total > NEVER)
            if one.live:
                self._live.append(one)
        for one in old:
            if not one.live:
                _leave(one)

    def _spoken(self, one: Prefix, score: float) -> Spoken:
        """The symbols of a prefix that are not settled, where they are in the frames kept."""
        symbols = one.symbols()
        if not self._kept:
            return Spoken((), (), (), (), one.total, score)
        heard = align(np.array(self._kept), symbols, self._frame - len(self._kept))
        return replace(heard, log_p=one.total, score=score)


def _log_add(a: float, b: float) -> float:
    """log(e^a + e^b)"""
    if a < b:
        a, b = b, a
    return a if b == NEVER else a + math.log1p(math.exp(b - a))


def _child(parent: Prefix, symbol: int, way: Way) -> Prefix:
    """The prefix that is one symbol longer: the one that is there, as a beginning, or a new one."""
    if symbol not in parent.longer:
        parent.longer[symbol] = Prefix(parent, symbol, way.gain, way.language, way.grammar)
    return parent.longer[symbol]


def _leave(one: Prefix) -> None:
    """Forget a prefix that is out of the beam, and all before it that nothing needs any more."""
    one.ways.clear()
    while one.parent is not None and not one.live and not one.longer:
        one.parent.longer.pop(one.symbol, None)
        one = one.parent


def _family(root: Prefix) -> list[Prefix]:
    """A prefix and all that begin with it, parents before children."""
    made = [root]
    for one in made:  # grows while it is gone through
        made += one.longer.values()
    return made


def _listed(value: Any) -> list[Any]:
    """An array as lists, in which a file may have made it lists already."""
    return list(np.asarray(value).tolist())


def _tuples(value: Any) -> Any:
    """A state of a model, in which a file has made lists of tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
