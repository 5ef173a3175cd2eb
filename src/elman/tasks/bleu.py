"""sacrebleu: whether it is there, and how it cuts texts into words."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA = re.compile("[\u3040-\u30ff]")


def installed() -> bool:
    """Whether BLEU and chrF can be counted."""
    return importlib.util.find_spec("sacrebleu") is not None


def tokenizer(true: Sequence[str]) -> str:
    """How sacrebleu cuts such texts: Chinese by character (zh), Japanese too (char), else 13a."""
    text = "".join(true[:1000])
    letters = sum(c.isalpha() for c in text)
    if len(_KANA.findall(text)) > 0.1 * letters:
        return "char"
    return "zh" if len(_HAN.findall(text)) > 0.3 * letters else "13a"
