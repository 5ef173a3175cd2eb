"""Words of what was heard."""

import subprocess
import sys

from elman.search.ctc import Spoken, Word, words

TEXTS = {1: "a", 2: "b", 3: " ", 4: " the", 5: "two words"}


def heard(*symbols: int) -> Spoken:
    """Each said from frame 10 i to frame 10 i + 4, less sure the later."""
    n = len(symbols)
    return Spoken(
        symbols,
        tuple(10 * i for i in range(n)),
        tuple(10 * i + 4 for i in range(n)),
        tuple(1 - i / 16 for i in range(n)),
        0.0,
        0.0,
    )


def test_letters_and_separators() -> None:
    assert words(heard(1, 2, 3, 2), TEXTS.__getitem__, 0.5, begin=100.0) == [
        Word("ab", 100.0, 107.0, 15 / 16),
        Word("b", 115.0, 117.0, 13 / 16),
    ]
    assert words(heard(3, 3, 1, 3), TEXTS.__getitem__, 1.0) == [Word("a", 20.0, 24.0, 14 / 16)]
    assert words(heard(), TEXTS.__getitem__, 1.0) == []


def test_pieces_that_begin_words_and_pieces_that_hold_several() -> None:
    found = words(heard(4, 1, 4, 5, 2), TEXTS.__getitem__, 1.0)
    assert [(one.text, one.start, one.stop) for one in found] == [
        ("thea", 0, 14),
        ("thetwo", 20, 34),
        ("wordsb", 30, 44),
    ]


def test_it_needs_no_pytorch() -> None:
    code = "import sys, elman.search.ctc; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
