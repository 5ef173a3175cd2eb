"""Log probabilities as OpenAI's completions tell them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from elman.data.texts.vocabulary import Vocabulary
from elman.serve.contract import Token


class Scored(NamedTuple):
    """A token, and where the text that it adds begins."""

    token: Token
    offset: int


def record(scored: Sequence[Scored], vocabulary: Vocabulary) -> dict[str, Any]:
    """The value of `logprobs`: tokens, their logarithms, the likeliest beside them, and where in
    the text each begins. The first token of all has none."""
    return {
        "tokens": [name(vocabulary, one.token.id) for one in scored],
        "token_logprobs": [one.token.log_p for one in scored],
        "top_logprobs": [_likeliest(vocabulary, one.token) for one in scored],
        "text_offset": [one.offset for one in scored],
    }


def _likeliest(vocabulary: Vocabulary, token: Token) -> dict[str, float] | None:
    if token.log_p is None:
        return None
    likeliest = {name(vocabulary, id): log_p for id, log_p in token.top}
    return likeliest | {name(vocabulary, token.id): token.log_p}


def name(vocabulary: Vocabulary, token: int) -> str:
    """A token alone: its text, or bytes:\\xe4 where it is a part of a character."""
    text = vocabulary.decode([token])
    return f"bytes:{vocabulary.symbol(token)}" if "\ufffd" in text else text
