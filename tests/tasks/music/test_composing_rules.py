"""The small language of what music has to keep."""

from __future__ import annotations

from fractions import Fraction

import pytest

from elman.errors import UserError
from elman.tasks.music.composing.options import Composing
from elman.tasks.music.composing.rules import (
    FORMS,
    Range,
    Required,
    Rules,
    name_of,
    parse,
    voice_index,
)


def test_every_form_that_is_shown_is_understood() -> None:
    for example in FORMS.values():
        assert parse(example) != Rules()
        assert parse(example.upper().replace("AT BAR", "at bar").replace("BEAT", "beat"))
    assert parse("; ;") == parse("") == Rules()


def test_parts_in_any_order_and_spacing() -> None:
    parts = [
        "key D minor", "soprano 60-81", "alto C4 - C5", "voice 3 40-50",
        "metre 3/4", "at most 4 notes", "no repeat 2 bars", "forbidden C4, F#",
        "required G4 E5 at bar 8 beat 2.5",
    ]  # fmt: skip
    rules = parse("; ".join(parts))
    assert rules == parse(";".join(f"  {part.replace(' ', '   ')} " for part in parts))
    # D minor with the raised sixth and seventh.
    assert rules.classes == frozenset({2, 4, 5, 7, 9, 10, 0, 11, 1})
    assert rules.ranges == (
        Range("soprano", 60, 81), Range("alto", 60, 72), Range("3", 40, 50),
    )  # fmt: skip
    assert rules.metre == (3, 4) and rules.most == 4 and rules.no_repeat == 2
    assert rules.forbidden == {60} | set(range(6, 128, 12))
    beat = Fraction(5, 2)
    assert rules.required == (Required(67, 8, beat), Required(76, 8, beat))


@pytest.mark.parametrize("pitch", range(128))
def test_notes_are_named_and_read_alike(pitch: int) -> None:
    assert parse(f"forbidden {name_of(pitch)}").forbidden == {pitch}
    assert parse(f"forbidden {pitch}").forbidden == {pitch}
    rules = parse(f"range {name_of(pitch)}-{pitch}")
    assert [p for p in range(128) if rules.allows(p)] == [pitch]


def test_sharps_and_flats() -> None:
    for one, other in (("Db4", "C#4"), ("B♯3", "C4"), ("Cb5", "B4"), ("E##4", "F#4")):
        assert parse(f"forbidden {one}").forbidden == parse(f"forbidden {other}").forbidden


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("soprno 60-81", 'did you mean "soprano"?'),
        ("kye D", 'did you mean "key"?'),
        ("no parallel", 'did you mean "no parallels"?'),
        ("at mots 3 notes", 'did you mean "at most"?'),
        ("key", "key D minor"),
        ("key H", "unknown key"),
        ("soprano 81-60", "soprano 60-81"),
        ("soprano 60", "soprano 60-81"),
        ("range 0-128", "range 36-84"),
        ("voice 0 60-70", "voice 2 53-74"),
        ("metre 3/5", "metre 3/4"),
        ("metre 0/4", "metre 3/4"),
        ("at most many notes", "at most 4 notes"),
        ("no repeat 0 bars", "no repeat 4 bars"),
        ("forbidden", "forbidden F#, C4"),
        ("forbidden X", "no note such as C4"),
        ("forbidden C11", "0-127"),
        ("required G4", "at bar 8"),
        ("required G at bar 2", "no note such as C4"),
        ("required G4 at bar 0", "counted from 1"),
        ("required G4 at bar 1 beat 1/0", "at bar 8"),
        ("key C; key D", "said twice"),
        ("bass 40-50; B 30-40", "said twice"),
        ("key C; required F#4 at bar 1", "F#4 is required, and not allowed"),
        ("range 60-70; required C3 at bar 1", "C3 is required, and not allowed"),
    ],
)
def test_what_is_not_understood(text: str, told: str) -> None:
    with pytest.raises(UserError, match="--keep") as error:
        Composing(keep=f"at most 9 notes; {text}" if "at most" not in text else text)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_names_of_voices() -> None:
    for voices in range(2, 7):
        assert voice_index("soprano", voices) == voice_index("S", voices) == 0
        assert voice_index("b", voices) == voices - 1
        assert [voice_index(str(k + 1), voices) for k in range(voices)] == list(range(voices))
    assert [voice_index(name, 4) for name in "SATB"] == [0, 1, 2, 3]
    with pytest.raises(UserError, match="tenor"):
        voice_index("tenor", 2)
    with pytest.raises(UserError, match="voices 1 to 4"):
        voice_index("5", 4)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"bars": 4, "seconds": 2.0}, "give one length"),
        ({"bars": 4, "given": "x.mid"}, "--bars 4: needs no --given"),
        ({"ending": True, "given": "x.mid"}, "--ending"),
        ({"given_voices": "S"}, "--given-voices S: needs --given"),
        ({"bars": -1}, "--bars -1"),
        ({"top_p": 0.0}, "--top-p 0.0"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, object], told: str) -> None:
    from elman.options import make

    with pytest.raises(UserError) as error:
        make(Composing, options)
    assert told in str(error.value)
