"""A text to learn from: token ids, of which the end is kept to be scored."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data.batching import Tokens
from elman.data.texts.text import Corpus
from elman.data.texts.vocabulary import Vocabulary


@dataclass(frozen=True)
class TextData:
    """A text as token ids: training in front of `cut`, validation from there on."""

    corpus: Corpus
    cut: int

    @property
    def vocabulary(self) -> Vocabulary:
        return self.corpus.vocabulary

    @property
    def tokens(self) -> int:
        return len(self.corpus.ids)

    def preprocessing(self) -> dict[str, Any]:
        return {
            "vocabulary": self.vocabulary.to_json(),
            "reading": asdict(self.corpus.kept()),
            "sha256": self.corpus.sha256,
            "tokens": self.tokens,
            "cut": self.cut,
        }


@dataclass(frozen=True)
class Start:
    """The first `limit` tokens of a text."""

    ids: Tokens
    limit: int

    def __len__(self) -> int:
        return min(len(self.ids), self.limit)

    def read(self, start: int, count: int) -> NDArray[np.int64]:
        return self.ids.read(start, max(0, min(count, len(self) - start)))
