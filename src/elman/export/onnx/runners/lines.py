"""Questions on standard input, one a line, each answered before the next is read."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any, TextIO

JSON = "questions are JSON, one a line, and so are the answers"


def answer_lines(
    about: str, answer: Callable[[Any], Any], question: Callable[[str], Any],
    shown: Callable[[Any], str],
) -> None:  # fmt: skip
    """The command of a model: `question` makes one of a line, `shown` a text of an answer.

    Ctrl-C ends it, as the end of input does.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--json", action="store_true", help=JSON)
    as_json = parser.parse_args().json
    try:
        for line in unicode(sys.stdin):
            if as_json:
                print(written(answer(json.loads(line))), flush=True)
            else:
                print(shown(answer(question(line.rstrip("\n")))), flush=True)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)


def unicode(stream: TextIO) -> TextIO:
    """Standard input, in UTF-8 wherever this runs; and so is standard output."""
    for one in (stream, sys.stdout):
        one.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
    return stream


def written(answer: Any) -> str:
    """As JSON, in one line."""
    return json.dumps(answer, ensure_ascii=False)
