"""A vocabulary as plain values, enough to cut texts into ids and join ids to texts without Elman.

    {"level": "words", "lowercase": true, "strip_digits": false, "unknown": 0,
     "symbols": ["<unk>", "the", …], "rule": "\\n|\\S+", "spaced": true,
     "opening": "([{…", "closing": ".,;…", "full_width": "[…]"}

A text is put in lower case (`lowercase`: Unicode's; for bytes ASCII's alone) and loses its digits
(`strip_digits`: the regular expression \\d+; for bytes 0-9), then it is cut:

- `characters`: each code point is looked up in `symbols`; one that is not there is `unknown`.
- `bytes`: the bytes of UTF-8, 0 to 255.
- `words`: each match of `rule`, looked up. When words are joined, a space stands between two unless
  one is a line break or, where they are not `spaced`, the first is in `opening`, the second in
  `closing`, or both begin with a match of `full_width`.
- `bpe`: byte-level byte pair encoding. The text is parted by GPT-2's rule (`'s`, `'t`, …, letters,
  digits, others, each with a space before it, spaces), each part's bytes are written as `letters`
  (256 of them, by byte), and the pair that comes first in `merges` is joined until none is left;
  what is then there is looked up in `symbols`.
"""

from __future__ import annotations

import json
from typing import Any

from elman.data.texts.segmentation import SPACED
from elman.data.texts.vocabulary import (
    BPE,
    CLOSING,
    FULL_WIDTH,
    OPENING,
    WORD,
    Characters,
    Vocabulary,
    Words,
    byte_letters,
)


def told(vocabulary: Vocabulary) -> dict[str, Any]:
    """What is needed to cut and join as this vocabulary does."""
    found: dict[str, Any] = {
        "level": vocabulary.level,
        "lowercase": vocabulary.lowercase,
        "strip_digits": vocabulary.strip_digits,
        "unknown": vocabulary.unknown,
    }
    match vocabulary:
        case Characters():
            found["symbols"] = list(vocabulary.symbols)
        case Words():
            found |= {
                "symbols": list(vocabulary.symbols),
                "rule": (SPACED if vocabulary.spaced else WORD).pattern,
                "spaced": vocabulary.spaced,
                "closing": "".join(sorted(CLOSING)),
                "opening": "".join(sorted(OPENING)),
                "full_width": FULL_WIDTH.pattern,
            }
        case BPE():
            model = json.loads(vocabulary.tokenizer.to_str())["model"]
            symbols = sorted(model["vocab"], key=model["vocab"].__getitem__)
            merges = [
                pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]
            ]
            letters = {byte: letter for letter, byte in byte_letters().items()}
            found |= {
                "symbols": symbols,
                "merges": merges,
                "letters": "".join(letters[byte] for byte in range(256)),
            }
    return found
