"""Translate with the model beside this file; NumPy and ONNX Runtime are all that it needs.

    echo "twenty-one" | python model.py

A line is a text. From Python: `Translator(open_model()).translate("twenty-one")`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.export.onnx.runners.folder import Model, open_model
from elman.export.onnx.runners.lines import answer_lines
from elman.export.onnx.runners.network import Array
from elman.export.onnx.runners.vocabulary import Vocabulary

States = dict[str, Array]


@dataclass(frozen=True)
class Hypothesis:
    """A beginning: its tokens, the source's token at which attention looked most for each, and its
    log probability."""

    tokens: tuple[int, ...] = ()
    looked: tuple[int, ...] = ()
    total: float = 0.0


class Translator:
    """An encoder, a step of the decoder, and the beam search that `elman predict` makes.

    `beam` hypotheses go on side by side; the score of n tokens, the end counted, is their log
    probability over ((5 + n) / 6) ** length_penalty (arXiv:1609.08144).
    """

    def __init__(self, model: Model) -> None:
        self._encoder, self._step, told = model["encoder"], model["step"], model.surroundings
        self._told, sides = told, told["encoder"]
        self._source = Vocabulary(sides["source"])
        same = sides["target"] is None
        self._target = self._source if same else Vocabulary(sides["target"])
        self._longest, self._cut = sides["longest"], sides["cut"]
        self.beam, self.length_penalty = told["beam"], told["length_penalty"]

    def translate(self, text: str) -> str:
        """The best translation; "" of a text without tokens, or with too many."""
        ids = self._source.encode(text)
        if not ids or (len(ids) > self._longest and not self._cut):
            return ""
        tokens = [*ids[: self._longest], self._source.size]
        return self._written(self._search(np.array([tokens])), text)

    def _search(self, tokens: Array) -> Hypothesis:
        source, states = self._encoded(tokens)
        most, end = self._told["written"], self._target.size
        begun, found, best = [Hypothesis()], None, -np.inf
        for t in range(most + 1):
            log_p, looked, states = self._read(source, states, begun)
            if t == most:  # then nothing but the end may come
                log_p[:, np.arange(log_p.shape[1]) != end] = -np.inf
            parents, chosen, totals = self._likeliest(log_p, begun)
            live: list[tuple[int, Hypothesis]] = []
            for parent, token, total in zip(parents, chosen, totals, strict=True):
                before = begun[parent]
                if token != end:
                    said, seen = (*before.tokens, token), (*before.looked, looked[parent])
                    live.append((parent, Hypothesis(said, seen, total)))
                elif total / self._divisor(t + 1) > best:
                    found, best = before, total / self._divisor(t + 1)
            # Tokens to come cost nothing at best, and the longest has the largest divisor.
            if not live or live[0][1].total / self._divisor(most + 1) <= best:
                break
            states = {name: state[[parent for parent, _ in live]] for name, state in states.items()}
            begun = [hypothesis for _, hypothesis in live]
        return begun[0] if found is None else found

    def _encoded(self, tokens: Array) -> tuple[States, States]:
        """What a step reads of the source, and the first states."""
        lengths = np.array([tokens.shape[1]])
        outputs, _ = self._encoder.run({"tokens": tokens, "lengths": lengths})
        source = {name: outputs[name] for name in self._told["inputs"]}
        if any(name.endswith("memory") for name in source):
            source["lengths"] = lengths
        first = self._step.first_states(1)
        return source, {name: outputs.get(name, state) for name, state in first.items()}

    def _read(
        self, source: States, states: States, begun: list[Hypothesis]
    ) -> tuple[Array, list[int], States]:
        """Log probabilities of the next token of each hypothesis [N, V + 1], the source's token at
        which it looks most, its end left out, and the states after."""
        newest = [h.tokens[-1] if h.tokens else self._target.size for h in begun]
        given = {name: np.repeat(value, len(begun), 0) for name, value in source.items()}
        outputs, states = self._step.run({"token": np.array(newest)[:, None], **given}, states)
        log_p = outputs["log_p"].astype(np.float64)
        log_p[:, self._told["never"]] = -np.inf
        looked = [0] * len(begun)
        if "shares" in outputs:
            looked = outputs["shares"][:, :-1, 0].argmax(1).tolist()
        return log_p, looked, states

    def _likeliest(self, log_p: Array, begun: list[Hypothesis]) -> tuple[Any, Any, Any]:
        """The best continuations: which hypotheses, by what, and their log probabilities. Of equals
        that of the better hypothesis comes first, then the lower id."""
        totals = np.array([hypothesis.total for hypothesis in begun])
        sums = (totals[:, None] + log_p).ravel()
        order = np.argsort(-sums, kind="stable")[: self.beam]
        order = order[sums[order] > -np.inf]
        parents, tokens = np.divmod(order, log_p.shape[1])
        return parents.tolist(), tokens.tolist(), sums[order].tolist()

    def _divisor(self, n: int) -> float:
        return float(((5 + n) / 6) ** self.length_penalty)

    def _written(self, found: Hypothesis, text: str) -> str:
        """The text of tokens; of a word that the target lacks that at which attention looked."""
        unknown = self._target.unknown
        if not self._told["copies"] or unknown not in found.tokens:
            return self._target.decode(found.tokens).strip()
        symbols = self._source.cut(text)
        if self._source.level in ("bytes", "bpe"):
            symbols = [self._source.decode([token]) for token in self._source.encode(text)]
        return self._target.join(
            symbols[at] if token == unknown else self._target.symbols[token]
            for token, at in zip(found.tokens, found.looked, strict=True)
        )


def main() -> None:
    translator = Translator(open_model())
    answer_lines(
        "Translate texts, one a line.", translator.translate, str.strip,
        lambda said: " ".join(said.splitlines()),
    )  # fmt: skip


if __name__ == "__main__":
    main()
