"""BLEU, chrF and exact matches of translations, by sacrebleu where it is installed."""

from __future__ import annotations

import importlib.util
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from elman.data.texts.vocabulary import CJK
from elman.tasks.task import Scores

INSTALL = "BLEU and chrF need sacrebleu: pip install 'elman[metrics]'"
FEW = 4  # words of a target on average below which BLEU, made of runs of four, says little
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA = re.compile("[\u3040-\u30ff]")
_CJK = re.compile(f"[{CJK}]")


def scores_of(said: Sequence[str], true: Sequence[str], *, lowercase: bool) -> Scores:
    """BLEU and chrF in [0, 100], and the share of exact matches, of translations and references.

    BLEU stands first, but for targets of fewer than four words on average. Without sacrebleu there
    are exact matches alone. `lowercase` compares without regard to case.
    """
    if lowercase:
        said, true = [s.lower() for s in said], [t.lower() for t in true]
    pairs = zip(said, true, strict=True)
    exact = sum(_alike(s) == _alike(t) for s, t in pairs) / len(true)
    found = {"exact": exact}
    if counters := _counters(true, lowercase=lowercase):
        of = {name: c.corpus_score(said, [true]).score for name, c in counters.items()}
        found = found | of if short(true) else of | found
    return found


def signatures(true: Sequence[str], *, lowercase: bool) -> list[str]:
    """How sacrebleu counts for such references, a line a metric; empty where it is missing."""
    lines = []
    for name, counter in _counters(true, lowercase=lowercase).items():
        counter.corpus_score(true[:1], [true[:1]])  # without which it has no signature
        lines.append(f"{name} {counter.get_signature()}")
    return lines


def _counters(true: Sequence[str], *, lowercase: bool) -> dict[str, Any]:
    """sacrebleu's metrics for such references, by name; none where it is not installed."""
    if importlib.util.find_spec("sacrebleu") is None:
        return {}
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    return {
        "bleu": BLEU(lowercase=lowercase, tokenize=tokenizer(true), force=True),
        "chrf": CHRF(lowercase=lowercase),
    }


def tokenizer(true: Sequence[str]) -> str:
    """How sacrebleu cuts such texts: Chinese by character (zh), Japanese too (char), else 13a."""
    text = "".join(true[:1000])
    letters = sum(c.isalpha() for c in text)
    if len(_KANA.findall(text)) > 0.1 * letters:
        return "char"
    return "zh" if len(_HAN.findall(text)) > 0.3 * letters else "13a"


def short(true: Sequence[str]) -> bool:
    """Whether the references have fewer than four words on average, a Chinese character a word."""
    words = sum(len(text.split()) + len(_CJK.findall(text)) for text in true)
    return words < FEW * len(true)


def _alike(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
