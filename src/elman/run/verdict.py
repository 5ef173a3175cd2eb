"""What the scores of a network say beside those of its rivals, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from elman import chance, metrics
from elman.chance import Tally
from elman.metrics import Scores
from elman.tasks.rivals import Rival
from elman.wording import counted, readable

SAME = 1e-9  # of a score: what rounding leaves between two ways to the same answers


@dataclass(frozen=True)
class Gain:
    """By how much the network's first score is better than the first rival's.

    Between `low` and `high`, with 95 %, by chance among so many units; above 0 it is better,
    whichever way the score counts. None where there are too few units.
    """

    low: float | None
    high: float | None
    unit: str
    units: int


@dataclass(frozen=True)
class Verdict:
    """Scores of a network and of its rivals, on the same data.

    Of the rivals, by name, the first was chosen by the training part; `guesses` know nothing of the
    data. `gain` is None where it was not counted.
    """

    scores: Scores
    rivals: Mapping[str, Scores]
    gain: Gain | None = None
    guesses: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the rival that the training part chose; empty without rivals."""
        return next(iter(self.rivals), "")

    @property
    def baseline(self) -> Scores:
        """The scores of the rival that the training part chose; empty without rivals."""
        return dict(self.rivals.get(self.name, {}))

    @property
    def first(self) -> str:
        """The name of the score that decides; empty without scores."""
        return next(iter(self.scores), "")

    @property
    def gained(self) -> bool | None:
        """Whether the network is better than every rival, and than the chosen one by more than
        chance could give, where that was counted; None where there is nothing to compare."""
        if self.first not in self.baseline:
            return None
        own, best = self.scores[self.first], self.rivals[self._best()][self.first]
        if not metrics.better(self.first, own, best) or math.isclose(own, best, rel_tol=SAME):
            return False
        return self.gain is None or (self.gain.low is not None and self.gain.low > 0)

    @property
    def diverged(self) -> bool:
        """Whether the network is worse than a guess that knows nothing."""
        return self._guess() != ""

    @property
    def told(self) -> str:
        """Whether anything is gained, in a sentence or two; empty with nothing to compare."""
        if self.gained is None:
            return ""
        if guess := self._guess():
            return (
                f"WARNING: the network is worse than {guess}, {self._against(guess)}: it has "
                "diverged, or hardly begun."
            )
        if self.gained:
            sure = f", by {self._span()}" if self.gain else ""
            return f"The network is better than {self.name}{sure}: {self._against(self.name)}."
        best = self._best()
        if best == self.name:
            return f"WARNING: nothing is gained over {best}: {self._short()}"
        if self.gain is not None and (self.gain.low or 0) > 0:
            return (
                f"WARNING: the network is better than {self.name}, which the training part chose, "
                f"by {self._span()}, but no better than {best}: {self._against(best)}."
            )
        also = f" The best of all: {best}, {self._of(best)}."
        return f"WARNING: nothing is gained over {self.name}: {self._short()}{also}"

    def _short(self) -> str:
        """In what way nothing is gained, and the scores."""
        own, other, gain = self.scores[self.first], self.baseline[self.first], self.gain
        told = self._against(self.name)
        if math.isclose(own, other, rel_tol=SAME):
            return f"the network is no better: {told}."
        if gain is not None and gain.high is not None and gain.high < 0:
            return f"the network is worse by {self._span()}: {told}."
        if gain is None or gain.low is None:
            if not metrics.better(self.first, own, other):
                return f"the network is worse: {told}."
            units = "" if gain is None else f" of {counted(gain.units, gain.unit)}"
            return f"{told}, but too little was scored{units} to tell that from chance."
        return f"the network is no better than chance could make it: {told}, {self._span()}."

    def _span(self) -> str:
        """Between which bounds the gain lies, and of how many units that is known."""
        gain = self.gain
        assert gain is not None
        if gain.low is None or gain.high is None:
            return ""
        units = f"({counted(gain.units, gain.unit)})"
        low, high = gain.low, gain.high
        if low > 0:
            return f"{readable(low)} to {readable(high)} {units}"
        if high < 0:
            return f"{readable(-high)} to {readable(-low)} {units}"
        return f"a difference of {readable(low)} to {readable(high)} {units}"

    def _against(self, rival: str) -> str:
        score = self.first.replace("_", " ")
        return f"{score} {readable(self.scores[self.first])} against {self._of(rival)}"

    def _of(self, rival: str) -> str:
        return readable(self.rivals[rival][self.first])

    def _best(self) -> str:
        """The rival with the best first score, the chosen one among equals."""
        sign = -1 if self.first in metrics.HIGHER else 1
        return min(
            (name for name, scores in self.rivals.items() if self.first in scores),
            key=lambda name: sign * self.rivals[name][self.first],
        )

    def _guess(self) -> str:
        """A guess that knows nothing and that the network is worse than, also in nats; or empty."""
        for name in self.guesses:
            deciding = [s for s in (self.first, "nats") if s in self.scores]
            other = self.rivals[name]
            if all(s in other and metrics.better(s, other[s], self.scores[s]) for s in deciding):
                return name
        return ""


def judged(scores: Scores, tally: Tally | None, rivals: Sequence[Rival]) -> Verdict:
    """The verdict on a network's scores, by its tally and those of its rivals, the chosen first."""
    gain = None
    if rivals and tally is not None and rivals[0].tally is not None:
        first, n = next(iter(scores)), len(tally.sums)
        found = chance.interval(tally, rivals[0].tally)
        if found is not None and first not in metrics.HIGHER:
            found = -found[1], -found[0]
        low, high = found if found is not None else (None, None)
        gain = Gain(low, high, tally.unit, n)
    guesses = tuple(rival.name for rival in rivals if rival.guess)
    return Verdict(scores, {r.name: r.scores for r in rivals}, gain, guesses)


def score_table(verdict: Verdict) -> list[str]:
    """A table of Markdown: a row for the network and for each rival, a column for each score."""
    names = list(verdict.scores)

    def row(name: str, scores: Mapping[str, float]) -> str:
        cells = (readable(scores[n]) if n in scores else "" for n in names)
        return f"| {name} | {' | '.join(cells)} |"

    heads = [f"| | {' | '.join(names)} |", "|---" * (1 + len(names)) + "|"]
    rivals = [row(name, scores) for name, scores in verdict.rivals.items()]
    return [*heads, row("**this network**", verdict.scores), *rivals]


def to_record(verdict: Verdict) -> dict[str, Any]:
    """The verdict as JSON's values: what scores.json and `--json` hold."""
    gain = verdict.gain
    return {
        "scores": verdict.scores,
        "baseline": verdict.baseline,
        "baseline_name": verdict.name,
        "rivals": dict(verdict.rivals),
        "guesses": list(verdict.guesses),
        "gain": None if gain is None else vars(gain) | {"score": verdict.first},
    }


def from_record(record: Mapping[str, Any]) -> Verdict:
    """The verdict that `to_record` wrote. ValueError where it is damaged."""
    old = {record["baseline_name"]: record["baseline"]} if record.get("baseline_name") else {}
    rivals = record.get("rivals", old)
    if not isinstance(rivals, dict):
        raise ValueError("rivals are no table")
    scores = {name: _numbers(table, f"rivals.{name}") for name, table in rivals.items()}
    guesses = record.get("guesses", [])
    if not isinstance(guesses, list) or not all(name in scores for name in guesses):
        raise ValueError("guesses are no rivals")
    return Verdict(
        _numbers(record.get("scores"), "scores"), scores, _gain(record.get("gain")), tuple(guesses)
    )


def _gain(found: Any) -> Gain | None:
    if found is None:
        return None
    if not isinstance(found, dict):
        raise ValueError("gain is no table")
    low, high, unit, units = (found.get(key) for key in ("low", "high", "unit", "units"))
    both = (low is None and high is None) or (_is_number(low) and _is_number(high))
    if not both or not isinstance(unit, str) or type(units) is not int or units < 0:
        raise ValueError("gain holds no bounds")
    return Gain(low, high, unit, units)


def _numbers(table: Any, name: str) -> Scores:
    if not isinstance(table, dict) or not all(map(_is_number, table.values())):
        raise ValueError(f"{name} holds no numbers by name")
    return table


def _is_number(value: Any) -> bool:
    """Whether it is a number, infinity included, that fits a float."""
    if type(value) is float:
        return not math.isnan(value)
    return type(value) is int and abs(value) < 2**63
