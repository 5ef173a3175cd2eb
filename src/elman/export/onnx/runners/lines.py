"""Questions on standard input, one a line, each answered before the next is read."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

JSON = "questions are JSON, one a line, and so are the answers"


def answer_lines(
    about: str, answer: Callable[[Any], Any], question: Callable[[str], Any],
    shown: Callable[[Any], str],
) -> None:  # fmt: skip
    """The command of a model: `question` makes one of a line, `shown` a text of an answer."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--json", action="store_true", help=JSON)
    as_json = parser.parse_args().json
    with ending():
        if as_json:
            answer_json(answer)
        else:
            answer_each(lambda line: shown(answer(question(line))))


def answer_json(answer: Callable[[Any], Any]) -> None:
    """A question of JSON a line, an answer of JSON a line."""
    answer_each(lambda line: written(answer(json.loads(line))))


def answer_each(answer: Callable[[str], str]) -> None:
    """SystemExit: what is wrong with a line, and which."""
    for number, line in enumerate(sys.stdin, 1):
        try:
            said = answer(line.rstrip("\n"))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise SystemExit(f"line {number}: {type(error).__name__}: {error}") from None
        print(said, flush=True)


@contextmanager
def ending() -> Iterator[None]:
    """Texts are UTF-8 wherever this runs; Ctrl-C, and a reader that goes, end it quietly."""
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    try:
        yield
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from None


def written(answer: Any) -> str:
    """As JSON, in one line."""
    return json.dumps(answer, ensure_ascii=False)
