"""Translations: the sentences that a search finds, with what became of unknown words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, nn

from elman.data.batching import padded
from elman.data.texts.vocabulary import BPE, CJK, Characters, Vocabulary, Words
from elman.errors import UserError
from elman.options import given
from elman.search import Hypothesis
from elman.tasks.translate.data import Encoder, Ints, Paired
from elman.tasks.translate.decoding import Decoding
from elman.tasks.translate.finding import One, write
from elman.tasks.translate.model import Translator
from elman.tasks.translate.packed import Packed, packed

HYPOTHESES = 320  # side by side
STEPS = 1 << 15  # of hypotheses times source tokens side by side, at most
_SPACED = re.compile(rf"[^\W{CJK}]")  # begins a word that stands after a space


class Translation(NamedTuple):
    """One sentence found. `score` is by which it was chosen; `tokens` without the end."""

    text: str
    score: float
    tokens: tuple[int, ...]
    attention: Tensor | None  # [tokens, S], the share of each source token, the end among them


@dataclass(frozen=True)
class Translating:
    """A trained model and what it needs to translate."""

    model: Translator
    encoder: Encoder
    longest: int  # tokens of a translation, unless asked for others
    decoding: Decoding
    device: str

    def __post_init__(self) -> None:
        """What is asked for in vain is told before anything is read. UserError."""
        if self._copies and self.model.attention is None:
            raise UserError("--unknown copy: needs a model with --context attention")
        self._phrases("require")
        self._phrases("forbid")

    @cached_property
    def _decoders(self) -> list[One]:
        each = [(network, packed(network)) for network in self.model.networks]
        return [made if isinstance(made, Packed) else network for network, made in each]

    @property
    def _copies(self) -> bool:
        unknown = self.decoding.unknown
        return unknown == "copy" or (unknown is None and self.model.attention is not None)

    def __call__(
        self, texts: Sequence[str], sources: Sequence[Ints], *, keep_attention: bool = False
    ) -> list[list[Translation]]:
        """Of each text, given with its ids, the best translations, best first."""
        how, copies, target = self.decoding, self._copies, self.encoder.target
        avoided = not copies and how.unknown != "keep"
        never = [target.unknown] if avoided and target.unknown is not None else []
        required, forbidden = self._phrases("require"), self._phrases("forbid")
        found: dict[int, list[Translation]] = {}
        with torch.no_grad():
            for chosen in self._together(sources):
                x, lengths = padded([sources[k] for k in chosen])
                x = x.to(self.device)
                encoded = [network.encode(x, lengths) for network in self.model.networks]
                hypotheses = write(
                    self._decoders, encoded, target.size, how,
                    max_lengths=[given(how.max_length, self.longest)] * len(chosen),
                    forbidden_tokens=never, required=required, forbidden=forbidden,
                    keep_attention=copies or keep_attention, streams=chosen, device=self.device,
                )  # fmt: skip
                for k, best in zip(chosen, hypotheses, strict=True):
                    found[k] = [self._told(h, texts[k], len(sources[k]), copies) for h in best]
        return [found[k] for k in range(len(texts))]

    def _together(self, sources: Sequence[Ints]) -> Iterator[list[int]]:
        """The numbers of sentences of about one length, as many as memory surely holds."""
        wide = self.decoding.beam if self.decoding.temperature == 0 else self.decoding.n_best
        order, start = sorted(range(len(sources)), key=lambda k: -len(sources[k])), 0
        while start < len(order):
            most = min(HYPOTHESES, STEPS // len(sources[order[start]])) // wide
            yield order[start : start + max(1, most)]
            start += max(1, most)

    def _told(self, found: Hypothesis, text: str, S: int, copies: bool) -> Translation:
        """What was found for a text of S tokens, the end among them."""
        target, tokens = self.encoder.target, found.tokens
        shares = None if found.attention is None else found.attention[:, :S]
        written = target.decode(tokens).strip()
        if copies and isinstance(target, Words | Characters) and target.unknown in tokens:
            assert shares is not None
            symbols = _symbols(self.encoder.source, text)
            at = shares[:, :-1].argmax(1).tolist()  # the end is no word
            written = target.join(
                symbols[at[t]] if token == target.unknown else target.symbols[token]
                for t, token in enumerate(tokens)
            )
        return Translation(written, found.score, tokens, shares)

    def _phrases(self, which: str) -> list[tuple[int, ...]]:
        """The phrases to be required or forbidden, as ids. UserError: a word that is unknown."""
        target, phrases = self.encoder.target, []
        for text in getattr(self.decoding, which):
            if unknown := target.covers(text):
                raise UserError(f'--{which} "{text}": the model has never seen "{unknown[0]}"')
            ways = [text]
            if isinstance(target, BPE) and _SPACED.match(text):
                # Within a sentence the space before a word is part of its first token.
                ways = [f" {text}"] if which == "require" else [text, f" {text}"]
            phrases += [tuple(target.encode(way).tolist()) for way in ways]
        return [phrase for phrase in phrases if phrase]


def translated(
    decoding: Decoding, model: nn.Module, dataset: Paired, chosen: Sequence[int], device: str, *,
    attention: bool = False,
) -> list[list[Translation]]:  # fmt: skip
    """Of each of these pairs the best translations of its source, best first."""
    assert isinstance(model, Translator)
    translate = Translating(model, dataset.encoder, dataset.written, decoding, device)
    texts = [dataset.source(k) for k in chosen]
    return translate(texts, [dataset.sources[k] for k in chosen], keep_attention=attention)


def _symbols(source: Vocabulary, text: str) -> list[str]:
    """What stands at each id of a text."""
    if isinstance(source, Words | Characters):
        return source.cut(text)
    return [source.decode([token]) for token in source.encode(text)]
