"""ABC: what is written is what sounds, played out; what cannot be read is told with its line."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from elman.data.symbolic.abc import read_abc
from elman.data.symbolic.account import Account
from elman.data.symbolic.piece import ChordSymbol, Metre, Piece, Tempo
from elman.data.symbolic.theory.keys import LETTERS, NATURAL
from elman.data.tables.content import BadRows
from elman.errors import UserError

HEAD = "X:1\nM:4/4\nL:1/8\nK:C\n"
C, D, E, F, G, A, B = 60, 62, 64, 65, 67, 69, 71


def read(text: str) -> Piece:
    (piece,) = read_abc(text, "t.abc", Account())
    return piece


def body(music: str, head: str = HEAD) -> Piece:
    return read(head + music)


def heard(piece: Piece, track: int = 0) -> list[tuple[Fraction | int, Fraction | int, int]]:
    """Start and length in quarters, and pitch."""
    notes = piece.tracks[track].notes
    unit = piece.division
    return [(Fraction(n.start, unit), Fraction(n.length, unit), n.pitch) for n in notes]


def tune(music: str, head: str = HEAD) -> list[int]:
    return [pitch for _, _, pitch in heard(body(music, head))]


def lengths(music: str, head: str = HEAD) -> list[str]:
    """In eighths, as "3/2"; each note has to begin where the one before it ended."""
    found = heard(body(music, head))
    assert [start for start, _, _ in found] == [
        sum((length for _, length, _ in found[:k]), Fraction()) for k in range(len(found))
    ]
    return [str(2 * length) for _, length, _ in found]


def test_notes_octaves_and_rests() -> None:
    assert tune("C,, C, C c c' c'' B,c") == [36, 48, 60, 72, 84, 96, 59, 72]
    found = heard(body("C z D2 x/ E"))
    assert found == [(0, Fraction(1, 2), C), (1, 1, D), (Fraction(9, 4), Fraction(1, 2), E)]
    assert body("C z4").length == 5 * 240


def test_lengths() -> None:
    assert lengths("C C2 C3/2 C/ C/4 C// C3/ C///") == [
        "1", "2", "3/2", "1/2", "1/4", "1/4", "3/2", "1/8",
    ]  # fmt: skip
    assert lengths("CC", "X:1\nM:2/4\nK:C\n") == ["1/2", "1/2"], "sixteenths below 3/4"
    assert lengths("CC", "X:1\nM:3/4\nK:C\n") == ["1", "1"]
    assert lengths("C[L:1/4]C\nL:1/16\nC") == ["1", "2", "1/2"]
    assert lengths("CC", "X:1\nM:none\nK:C\n") == ["1", "1"]


def test_broken_rhythm_and_tuplets() -> None:
    assert lengths("C>D E<F") == ["3/2", "1/2", "1/2", "3/2"]
    assert lengths("C2>>D2 E<<<F") == ["7/2", "1/2", "1/8", "15/8"]
    assert lengths('C > D E<"G"F') == ["3/2", "1/2", "1/2", "3/2"]
    both = [str(2 * length) for _, length, _ in heard(body("[CE]<[DF]"))]
    assert both == ["1/2", "1/2", "3/2", "3/2"]
    assert lengths("(3CDE F") == ["2/3", "2/3", "2/3", "1"]
    assert lengths("(3:2:4CDEF G") == ["2/3"] * 4 + ["1"]
    assert lengths("(3::2CD E") == ["2/3", "2/3", "1"]
    assert lengths("(5:4CDEFG (2CD (4CDEF") == ["4/5"] * 5 + ["3/2"] * 2 + ["3/4"] * 4
    compound = "X:1\nM:6/8\nL:1/8\nK:C\n"
    assert lengths("(5CDEFG", compound) == ["3/5"] * 5 and lengths("(5CDEFG") == ["2/5"] * 5
    assert lengths("(3C>DE F") == ["1", "1/3", "2/3", "1"]


def test_chords_of_notes() -> None:
    assert heard(body("[CEG]2 [C/E/]2 D")) == [
        (0, 1, C), (0, 1, E), (0, 1, G),
        (1, Fraction(1, 2), C), (1, Fraction(1, 2), E), (Fraction(3, 2), Fraction(1, 2), D),
    ]  # fmt: skip
    assert tune("+CE+ D") == [C, E, D], "chords of the first ABC"
    assert heard(body("[C4E2] D"))[2] == (2, Fraction(1, 2), D), "a chord is as long as its first"


def test_accidentals_last_to_the_bar_line() -> None:
    assert tune("^F F f | F =F _B B | ^^C __D") == [66, 66, 78, 65, 65, 70, 70, 62, 60]
    assert tune("F =F F | F", "X:1\nL:1/8\nK:D\n") == [66, 65, 65, 66]
    octave = "X:1\nL:1/8\nI:propagate-accidentals octave\nK:C\n"
    assert tune("^F F f", octave) == [66, 66, 77]
    assert tune("^F- | F F") == [66, 65], "a tie carries a sign over the bar line, once"


def test_ties_make_one_note() -> None:
    assert lengths("C2-C D-|D E") == ["3", "2", "1"]
    assert lengths("C -C D") == ["2", "1"] and lengths("C-|\nC") == ["2"]
    assert heard(body("[CE]2-[CE]2"))[0] == (0, 2, C)
    assert heard(body("[C-E]2[CG]2")) == [(0, 2, C), (0, 1, E), (1, 1, G)]
    assert lengths("C->C D") == ["2", "1"]
    account = Account()
    read_abc(HEAD + "C-D E- z E-", "t", account)
    assert account.unused["ties without a second note"] == 3


@pytest.mark.parametrize(
    ("written", "played"),
    [
        ("C D :| E F :|", "CDCDEFEF"),
        ("C |: D E :| F", "CDEDEF"),
        ("C :: D :| E", "CCDDE"),
        ("|: C :||: D :|", "CCDD"),
        ("|: C :|: D :|", "CCDD"),
        ("C || D :|", "CDCD"),
        ("|: C |1 D :|2 E || F", "CDCEF"),
        ("|: C [1 D :| [2 E |] F", "CDCEF"),
        ("C |1 D :|2 E :| F", "CDCEF"),
        ("C |1,3 D :|2 E :|", "CDCECD"),
        ("C [1-3 D :|4 E |]", "CDCDCDCE"),
        ("C |1 D :|2 E || F :|", "CDCEFF"),
        ("|:: C ::| D", "CCCD"),
        ("|: C |: D :|", "CDD"),
        ("|: || |: C :| D :|", "CCDCCD"),
        ("|: || |: C [1 D :| [2 E || F [1 G :| [2 A |]", "CDCEFGCDCEFA"),
        ("C | D [| E |] F .| G [|] A", "CDEFGA"),
        ("C \\\n| D :|\nE", "CDCDE"),
    ],
)
def test_repeats_and_endings(written: str, played: str) -> None:
    assert tune(written) == [60 + NATURAL[letter] for letter in played]


def test_ties_go_on_over_repeats_as_they_are_played() -> None:
    assert lengths("C D- :|2 D E") == ["1", "1", "1", "2", "1"]
    assert lengths("C- |1 C :|2 D") == ["2", "1", "1"]


@pytest.mark.parametrize(
    ("order", "played"),
    [("AB", "CD"), ("ABA", "CDC"), ("A2B", "CCD"), ("(AB)2", "CDCD"), ("A(BA)2.B3", "CDCDCDDD")],
)
def test_parts_are_played_in_their_order(order: str, played: str) -> None:
    parts = "P:A\nC |\nP:B\nD |\n"
    assert tune(parts, HEAD.replace("K:", f"P:{order}\nK:")) == [60 + NATURAL[x] for x in played]
    assert tune(parts) == [C, D], "without an order as they are written"


def test_order_of_parts_in_the_field_of_the_nottingham_tunes() -> None:
    account = Account()
    text = HEAD.replace("K:", "Y:ABA\nK:") + "P:A\nC :|\nP:B\nD |"
    (piece,) = read_abc(text, "t", account)
    assert [pitch for _, _, pitch in heard(piece)] == [C, C, D, C, C]
    assert account.mended == {"orders of parts in Y:, read as P:": 1}


KEYS = {
    "G": "F#", "Am": "", "D dor": "", "Dmixolydian": "F#", "Bb": "Bb Eb", "F#m": "F# C# G#",
    "none": "", "": "", "Ebmin": "Bb Eb Ab Db Gb Cb", "HP": "F# C#", "D exp ^f _b": "F# Bb",
    "C ^f": "F#", "D Phr ^f": "Bb Eb F#", "G =f ^c": "C#", "Am clef=bass": "",
    "E Lydian": "F# C# G# D# A#",
}  # fmt: skip


@pytest.mark.parametrize(("key", "signs"), KEYS.items())
def test_keys(key: str, signs: str) -> None:
    altered = {sign[0]: 1 if sign[1] == "#" else -1 for sign in signs.split()}
    found = tune("CDEFGAB", f"X:1\nL:1/8\nK:{key}\n")
    assert found == [60 + NATURAL[letter] + altered.get(letter, 0) for letter in LETTERS]


def test_keys_change_on_the_way_and_voices_are_moved() -> None:
    assert tune("F [K:G] F\nK:F\nB F") == [65, 66, 70, 65]
    assert tune("C", "X:1\nL:1/8\nK:C transpose=-2\n") == [58]
    assert tune("C", "X:1\nL:1/8\nK:C clef=treble-8\n") == [48]
    assert tune("C", "X:1\nL:1/8\nK:C octave=-1 treble+8\n") == [60]
    assert body("C", "X:1\nK:Gm\n").key == "Gm"


def test_metres_and_tempos() -> None:
    piece = body("C4 C4 | [M:3/4] C6 |\nM:C|\nC8")
    assert piece.metres == (Metre(0, 4, 4), Metre(4 * 480, 3, 4), Metre(7 * 480, 2, 2))
    assert body("C", "X:1\nM:C\nK:C\n").metres == (Metre(0, 4, 4),)
    assert body("C", "X:1\nM:none\nL:1/8\nK:C\n").metres == ()
    assert body("C", "X:1\nM:(2+3)/8\nK:C\n").metres == (Metre(0, 5, 8),)
    again = body("C4 | [M:2/4] C4 :| C4")
    assert [metre[:2] for metre in again.metres] == [(0, 4), (960, 2), (1920, 4), (2880, 2)]


@pytest.mark.parametrize(
    ("told", "quarters"),
    [
        ("1/4=120", 120), ("3/8=40", 60), ("1/4 3/8 1/4 3/8=40", 200), ('"Allegro" 1/2=50', 100),
        ('1/8=90 "slow"', 45), ("120", 60), ("C3=40", 60), ("C=120", 60),
    ],
)  # fmt: skip
def test_forms_of_tempos(told: str, quarters: float) -> None:
    assert body("C", HEAD.replace("K:", f"Q:{told}\nK:")).tempos == (Tempo(0, quarters),)
    assert body(f"C2[Q:{told}]C").tempos == (Tempo(480, quarters),)
    assert body("C", HEAD.replace("K:", 'Q:"Andante"\nK:')).tempos == ()


def test_pickups_and_rests_of_bars() -> None:
    assert body("C2 | D8 | E8").pickup == 480 and body("C8 | D").pickup == 0
    assert body("|: C2 | D8 :|").pickup == 480
    assert heard(body("Z2 | C8 | Z | D"))[1][0] == 16
    assert body("C8 | Z4 |").length == 20 * 480
    assert body("X C").length == body("Z C").length


def test_what_does_not_sound_is_left_aside_and_counted() -> None:
    account = Account()
    music = (
        '!trill!C ~D .E uF (GA) {fg}G {/a}B y y3 "^above"C ` $ D !fermata! [!p!C2E2] (3(CDE)\n'
        "w: la la la\n% a comment\nC % one more\nW: words\nN:note\n!D.C.! C #\n\n100 words that\n"
    )
    (piece,) = read_abc(HEAD + music, "t", account)
    assert [pitch for _, _, pitch in heard(piece)] == [
        C, D, E, F, G, A, G, B, C, D, C, E, C, D, E, C, C,
    ]  # fmt: skip
    assert account.unused == {
        "grace notes": 3, "words above the notes": 1, "marks without a meaning": 1,
        "jumps (da capo, coda and the like), not played": 1, "lines of text outside of tunes": 1,
    }  # fmt: skip


def test_voices_are_tracks_the_highest_first() -> None:
    head = 'X:1\nM:4/4\nL:1/4\nV:b name="Bass" clef=bass octave=-1\nV:t name=Tenor\nK:C\n'
    piece = body("V:b\nC D | E\nV:t\nc d | e\n[V:b] F|\n[V:t] f|", head)
    assert piece.voices and [track.name for track in piece.tracks] == ["Tenor", "Bass"]
    assert [pitch for _, _, pitch in heard(piece, 0)] == [72, 74, 76, 77]
    assert [pitch for _, _, pitch in heard(piece, 1)] == [48, 50, 52, 53]
    account = Account()
    (short,) = read_abc(HEAD + "V:1\nC2 D2\nV:2\n[CE]2", "t", account)
    assert not short.voices and short.length == 960
    assert account.mended == {"voices shorter than their tune: silent at its end": 1}
    assert body("%%MIDI program 40\nC").tracks[0].program == 40


def test_chords_above_the_notes_are_played_to_the_next_one() -> None:
    piece = body('C2 "Am"C2 "G7/b"D4 | "Fine" z2 "^up"C2 | "N.C."C2 "C"z2')
    ticks = {480: "Am", 960: "G7/b", 6 * 480: "N.C.", 7 * 480: "C"}
    assert piece.chords == tuple(ChordSymbol(*told) for told in ticks.items())
    assert piece.tracks[1].name == "chords"
    assert heard(piece, 1) == [
        (1, 1, 45), (1, 1, 48), (1, 1, 52),
        (2, 4, 35), (2, 4, 43), (2, 4, 50), (2, 4, 53),
        (7, 1, 36), (7, 1, 40), (7, 1, 43),
    ]  # fmt: skip
    repeated = body('"C"C2 "G"D2 :|')
    assert [symbol for _, symbol in repeated.chords] == ["C", "G", "C", "G"]


def test_notes_of_one_pitch_never_overlap() -> None:
    account = Account()
    (piece,) = read_abc(HEAD + "[CC2] [C2E]4 | [C8E2] C2 z4", "t", account)
    notes = [note for note in piece.tracks[0].notes if note.pitch == C]
    assert all(a.end <= b.start for a, b in pairwise(notes))
    assert sum(account.mended.values()) >= 2


def test_files_of_several_tunes() -> None:
    text = (
        "%abc-2.1\nR:reel\nM:3/4\n\nfree text\n\nX:7\nT:one\nK:D\nF\n\n\n"
        "X: 9\nK:C\nM:4/4\nG\nX:10\nK:C\nA\n\nT:no number\nK:C\nB\n"
    )
    for end in ("\n", "\r\n", "\r"):
        account = Account()
        pieces = read_abc("\ufeff" + text.replace("\n", end), "f.abc", account)
        assert [p.name for p in pieces] == [
            "f.abc, X:7", "f.abc, X:9", "f.abc, X:10", "f.abc, tune 4",
        ]  # fmt: skip
        assert [p.tracks[0].notes[0].pitch for p in pieces] == [66, G, A, B]
        assert [p.metres[0].beats for p in pieces] == [3, 4, 3, 3]
        assert account.pieces == account.notes == account.tracks == 4
        assert account.unused == {"lines of text outside of tunes": 1}


def test_parts_of_a_data_set() -> None:
    text = "%%elman:part train\nX:1\nK:C\nC\n\nX:2\nK:C\nC\n\n%%elman:part test\nX:3\nK:C\nC\n"
    assert [p.part for p in read_abc(text, "f", Account())] == ["train", "train", "test"]


def test_lengths_that_need_other_ticks_have_them() -> None:
    piece = body("(7:4CDEFGAB (9:8CDEFGABcd")
    assert piece.division % 480 == 0 and piece.division % 7 == 0 and piece.division % 9 == 0
    assert heard(piece)[0][1] == Fraction(2, 7)
    assert body("C").division == 480


BAD = {
    "C D & E": "overlaid voices",
    'C "Am D': "quotation mark",
    "[CE D": "not closed",
    "C ] D": "not begun",
    "{ab C": "grace notes .* not closed",
    "C ^ D": "sign",
    "C>|D": "broken rhythm",
    "> C": "broken rhythm",
    "C//3": "no length",
    "C0": "length",
    "C99999": "length",
    "(1C": "tuplet",
    "|0 C": "ending",
    "C,,,,,,": "too low",
    "[M:4/5] C": "metre",
    "[L:0/8] C": "length",
    "[K:H] C": "key",
    "[Q:fast] C": "tempo",
    "[M:none] Z": "rest of bars",
    "Z9999999": "rest",
    "[CE|G]": "within a chord",
    "C é": "no music",
    "m:~n = o/n/m/n": "macros",
    "/2 C": "no note stands before",
    "[]": "no notes",
    "C" + ":" * 30 + "|": "repeats too often",
}


@pytest.mark.parametrize(("music", "told"), BAD.items())
def test_mistakes_are_told_with_their_line(music: str, told: str) -> None:
    text = HEAD + "C D E F |\n" + music + "\nC\n"
    with pytest.raises(UserError, match=rf"^t\.abc, line 6: .*{told}"):
        read(text)
    account, bad = Account(), BadRows(skip=True)
    pieces = read_abc(text + "\nX:2\nK:C\nC", "t.abc", account, bad)
    assert [piece.name for piece in pieces] == ["t.abc, X:2"]
    assert bad.count == 1 and account.pieces == 1
    ((name, why),) = account.left_out
    assert name == "t.abc, X:1" and why.startswith("line 6: ")


def test_other_mistakes() -> None:
    for text, told in {
        "X:1\nM:4/4\nK:C\n": "no notes",
        HEAD + "z4": "no notes",
        HEAD.replace("K:", "P:AC\nK:") + "P:A\nC\nP:B\nD": "no part C",
        HEAD.replace("K:", "P:(A\nK:") + "C": "line 4: .*closing",
        HEAD + "\n".join(f"V:{k}\nC" for k in range(70)): "voices",
    }.items():
        with pytest.raises(UserError, match=told):
            read(text)


def test_what_grows_without_bounds_is_refused_at_once() -> None:
    many = "P:A\n" + "CDEF" * 2000 + "\n"
    with pytest.raises(UserError, match="longer than"):
        body(many, HEAD.replace("K:", "P:(A9)9\nK:"))
    with pytest.raises(UserError, match="longer than"):
        body("C", HEAD.replace("K:", "P:" + "(" * 20 + "A" + ")99" * 20 + "\nK:"))
    with pytest.raises(UserError, match="lasts more than"):
        body("Z999|" * 20 + "C")
    with pytest.raises(UserError, match="no common unit"):
        body("C/997 D/991 E/983")


@pytest.mark.parametrize("seed", range(30))
def test_whatever_is_written_is_read_or_refused(seed: int) -> None:
    """Marks of music in any order: a piece whose notes are in order, or a message with a line."""
    draw = np.random.default_rng(seed)
    signs = [*"CDEfg^_=,'2/3|:[]()<>-{}\"zZy~!&+1 \n", "|:", ":|", "(3", "[1", "[2", "[K:D]"]
    for _ in range(60):
        music = "".join(draw.choice(signs, int(draw.integers(1, 40))))
        try:
            pieces = read_abc(HEAD + "C" + music, "t", Account())
        except UserError as error:
            assert "line " in str(error)
            continue
        for track in (track for piece in pieces for track in piece.tracks):
            places = [(note.start, note.pitch) for note in track.notes]
            assert places == sorted(set(places))
            assert all(n.length > 0 and n.end <= pieces[0].length for n in track.notes)
