"""What can go wrong, and how it is told: one line that says what came, what fits, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ElmanError(Exception):
    """Base of every error that Elman raises on purpose; its text is fit to be shown as it is."""

    exit_code = 1


class UserError(ElmanError):
    """The user's input is wrong: a file, an option, a name. Nothing was changed on disk."""

    exit_code = 2


class RunError(ElmanError):
    """The run itself failed, though its input was fine: a loss that is not finite, a full disk."""


def unknown_name(kind: str, name: str, choices: Iterable[str]) -> UserError:
    """An error for a misspelt name: the nearest match if one is near, else every choice.

    >>> str(unknown_name("cell", "gur", ["gru", "lstm"]))
    'unknown cell "gur"; did you mean "gru"?'
    """
    known = list(choices)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f'did you mean "{near[0]}"?' if near else "known: " + ", ".join(known)
    return UserError(f'unknown {kind} "{name}"; {hint}')
