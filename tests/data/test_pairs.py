"""Pairs of texts: read the same from whatever files, refused plainly, split so that none leaks."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data import doctor, source
from elman.data.labelled.tables import reader
from elman.data.pairs.pairs import Pairs
from elman.data.pairs.reading import open_sources, read
from elman.data.pairs.roles import PairRoles
from elman.data.pairs.split import split
from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.data.tables.table import NOTHING
from elman.errors import UserError

PAIRS = (
    ("Hi.", "嗨。"),
    ("I'm fine.", "我很好。"),
    ('"No," he said.', "“不,”他说。"),
    ("Hi.", "你好。"),
)
draws = settings(max_examples=60)


def of(*data: Path | str, skip: bool = False, asked: TableOptions = NOTHING, **roles: Any) -> Pairs:
    return read([str(item) for item in data], PairRoles(**roles), BadRows(skip), asked)


def refusal(*data: Path | str, **reading: Any) -> str:
    with pytest.raises(UserError) as caught:
        of(*data, **reading)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def both(found: Pairs) -> tuple[tuple[str, str], ...]:
    return tuple(zip(found.sources, found.targets, strict=True))


def write(path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    data = content if isinstance(content, bytes) else content.encode(encoding)
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".zst":
        data = zstandard.compress(data)
    path.write_bytes(data)
    return path


def aligned(folder: Path, ours: str, theirs: str) -> tuple[Path, Path]:
    return write(folder / "train.de", ours), write(folder / "train.en", theirs)


# ---- One content, many files ---------------------------------------------------------------


def quoted(cells: Sequence[str]) -> str:
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\n"


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
def test_pairs_read_the_same_from_every_kind_of_file(
    tmp_path: Path, encoding: str, packed: str
) -> None:
    ours = write(tmp_path / f"a.en{packed}", "".join(f"{s}\n" for s, _ in PAIRS), encoding)
    theirs = write(tmp_path / f"a.zh{packed}", "\r\n".join(t for _, t in PAIRS), encoding)
    tatoeba = "".join(f"{s}\t{t}\tCC-BY 2.0 #{k}\n" for k, (s, t) in enumerate(PAIRS))
    detailed = "".join(f"{k}\t{s}\t{k + 9}\t{t}\n" for k, (s, t) in enumerate(PAIRS))
    objects = "".join(
        json.dumps({"id": k, "zh": t, "en": s}, ensure_ascii=False) + "\n"
        for k, (s, t) in enumerate(PAIRS)
    )
    tables: dict[str, tuple[str, dict[str, Any]]] = {
        "cmn.txt": (tatoeba, {}),
        "detailed.tsv": (detailed, {}),
        "named.tsv": ("tgt\tid\tsrc\n" + "".join(f"{t}\t1\t{s}\n" for s, t in PAIRS), {}),
        "codes.csv": ("note,en-GB,zh\n" + "".join(quoted(("x", *pair)) for pair in PAIRS), {}),
        "bare.csv": ("".join(map(quoted, PAIRS)), {}),
        "turned.csv": (
            "zh,en\n" + "".join(quoted((t, s)) for s, t in PAIRS), {"source_column": "en"},
        ),
        "asked.csv": (
            "so,wie\n" + "".join(quoted((t, s)) for s, t in PAIRS),
            {"source_column": "wie", "target_column": "1"},
        ),
        "objects": (objects, {"source_column": "en"}),
    }  # fmt: skip
    asked = TableOptions(encoding=None if encoding == "utf-8" else encoding)
    assert both(of(ours, theirs, asked=asked)) == PAIRS
    for name, (content, reading) in tables.items():
        file = write(tmp_path / f"{name}{packed}", content, encoding)
        found = of(file, asked=asked, **reading)
        assert both(found) == PAIRS, name
        again = read([str(file)], found.roles, BadRows(False), asked)
        assert (both(again), again.facts) == (PAIRS, ()), "what was settled is not guessed again"
    assert both(of(tmp_path / f"cmn.txt{packed}", *[tmp_path / f"bare.csv{packed}"] * 2,
                   asked=asked)) == PAIRS * 3  # fmt: skip


def test_a_byte_order_mark_and_an_attribution_are_no_text(tmp_path: Path) -> None:
    lines = "\ufeffHi.\t嗨。\tCC-BY 2.0 (France)\nHi.\t你好。\tCC-BY 2.0 (France)\n"
    found = of(write(tmp_path / "cmn.txt", lines))
    assert both(found) == (("Hi.", "嗨。"), ("Hi.", "你好。"))
    assert found.facts == (
        'taken: sources from column "1", targets from column "2", without a header, not used: "3"',
    )
    assert found.where[1].endswith("cmn.txt, line 2")


def test_a_first_pair_that_never_comes_again_is_no_header(tmp_path: Path) -> None:
    assert both(of(write(tmp_path / "a.tsv", "one\tun\ntwo\tdeux\n"))) == (
        ("one", "un"), ("two", "deux"),
    )  # fmt: skip
    headed = write(tmp_path / "b.tsv", "this\tthat\none\tun\n")
    assert both(of(headed, asked=TableOptions(header=True))) == (("one", "un"),)


def test_columns_turn_the_direction(tmp_path: Path) -> None:
    files = aligned(tmp_path, "eins\nzwei\n", "one\ntwo\n")
    for turned in (of(*files, source_column="2"), of(*files, target_column="1")):
        assert both(turned) == (("one", "eins"), ("two", "zwei"))
        assert turned.where[0].endswith("train.en, line 1")
        assert (turned.roles.source_column, turned.roles.target_column) == ("2", "1")
    table = write(tmp_path / "a.tsv", "en\tde\none\teins\n")
    assert both(of(table, source_column="de")) == (("eins", "one"),)
    assert both(of(table, target_column="1")) == (("eins", "one"),)


def test_all_tables_have_the_direction_of_the_first(tmp_path: Path) -> None:
    one = write(tmp_path / "a.tsv", "en\tde\none\teins\n")
    other = write(tmp_path / "b.jsonl", '{"de": "zwei", "en": "two"}\n')
    assert both(of(one, other)) == (("one", "eins"), ("two", "zwei"))


def test_columns_of_one_form_say_nothing_of_the_other(tmp_path: Path) -> None:
    files = aligned(tmp_path, "eins\n", "one\n")
    kept = of(write(tmp_path / "a.tsv", "n\ten\tde\n1\ttwo\tzwei\n"), source_column="de").roles
    assert both(read([str(f) for f in files], kept, BadRows(False))) == (("eins", "one"),)
    kept = of(*files, source_column="2").roles
    assert both(read([str(tmp_path / "a.tsv")], kept, BadRows(False))) == (("two", "zwei"),)


def test_a_name_with_two_files_is_read_as_aligned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(name: str) -> Path:
        return write(tmp_path / f"{name}.txt.gz", {"de": "eins\n", "en": "one\n"}[name[-2:]])

    monkeypatch.setattr(source, "fetch", fetch)
    found = of("name:multi30k-val")
    assert (both(found), found.where) == ((("eins", "one"),), ["name:multi30k-val.de, line 1"])


# ---- What is refused -----------------------------------------------------------------------


def test_files_of_different_length_are_told_before_all_else(tmp_path: Path) -> None:
    files = aligned(tmp_path, "eins\n\ndrei\n", "one\ntwo\n")
    told = refusal(*files)
    assert "train.de has 3 lines" in told
    assert "train.en 2;" in told
    with pytest.raises(UserError, match="belong together"):
        of(*files, skip=True)


def test_a_pair_with_an_empty_side_is_told_or_left_out_of_both(tmp_path: Path) -> None:
    files = aligned(tmp_path, "eins\n \ndrei\nvier\n", "one\ntwo\n\nfour\n")
    assert "train.de, line 2: is empty; give --skip-bad-rows" in refusal(*files)
    bad = BadRows(skip=True)
    found = read([str(file) for file in files], PairRoles(), bad)
    assert both(found) == (("eins", "one"), ("vier", "four"))
    assert [text.rpartition("/")[2] for text in bad.first] == [
        "train.de, line 2: is empty", "train.en, line 3: is empty",
    ]  # fmt: skip
    assert found.where[1].endswith("train.de, line 4")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("three\t\t3", 'line 3: "target" is empty'),
        ("three", "line 3: 1 cell where there should be 3"),
        ("a\tb\tc\td", "line 3: 4 cells where there should be 3"),
    ],
)
def test_a_broken_row_is_told_or_left_out(tmp_path: Path, line: str, told: str) -> None:
    rows = ["source\ttarget\tid", "one\tun\t1", line, "four\tquatre\t4"]
    file = write(tmp_path / "a.tsv", "\n".join(rows))
    assert told in refusal(file)
    assert both(of(file, skip=True)) == (("one", "un"), ("four", "quatre"))


def test_what_is_no_pairs_is_told(tmp_path: Path) -> None:
    text = write(tmp_path / "text.de", "eins\n")
    column = write(tmp_path / "one.csv", "eins\nzwei\n")
    nested = write(tmp_path / "a.jsonl", '{"source": {"de": "eins"}, "target": "one"}\n')
    latin = write(tmp_path / "latin.de", "grün\n", "latin-1")
    table = write(tmp_path / "a.tsv", "one\tun\n")
    assert "text.de: lines of one text; give two files" in refusal(text)
    assert "text.de: lines of one text; give two files" in refusal(table, text, table)
    assert "one column only; give a source and a target" in refusal(column)
    assert both(of(nested)) == (("eins", "one"),)
    assert both(of(text, latin)) == (("eins", "grün"),)
    assert of(text, latin).facts[-1].endswith("latin.de: read as Windows-1252")
    assert "there is no column de" in refusal(text, text, source_column="de")
    assert "both from column 2" in refusal(text, text, source_column="2", target_column="2")
    assert 'both from column "1"' in refusal(table, source_column="1", target_column="1")
    assert "column 3, where there are 2" in refusal(table, source_column="3")
    assert 'unknown column "fr"' in refusal(table, source_column="fr")
    assert "holds no rows but its header" in refusal(write(tmp_path / "h.tsv", "source\ttarget\n"))
    assert "holds no text" in refusal(text, write(tmp_path / "empty.en", ""))


# ---- For prediction ------------------------------------------------------------------------


def test_sources_to_be_answered_need_no_targets(tmp_path: Path) -> None:
    kept = of(write(tmp_path / "a.tsv", "tgt\tsrc\nun\tone\n")).roles
    files = {
        "b.tsv": ("src\tn\none\t1\ntwo\t2\n", "src"),
        "c.tsv": ("n\ttgt\tsrc\n1\tun\tone\n2\tdeux\ttwo\n", "src"),
        "d.txt": ("one\ntwo\n", "text"),
    }
    for name, (content, column) in files.items():
        [one] = source.resolve([str(write(tmp_path / name, content))])
        opened, roles = open_sources(one, kept)
        assert roles.text_columns == (column,)
        take = reader(opened, roles)
        assert [take(row) for row in opened.rows(BadRows(False))] == ["one", "two"]


# ---- The split -----------------------------------------------------------------------------

sides = st.text("abcd", min_size=1, max_size=3)


@draws
@given(st.lists(st.tuples(sides, sides), min_size=1, max_size=120), st.floats(0.05, 0.5))
def test_no_side_is_shared_and_the_order_does_not_matter(
    drawn: list[tuple[str, str]], share: float
) -> None:
    def at(rows: list[tuple[str, str]]) -> tuple[Pairs, list[int], list[int]]:
        pairs = Pairs([s for s, _ in rows], [t for _, t in rows], ["" for _ in rows])
        return pairs, *split(pairs, share)

    pairs, kept, held = at(drawn)
    assert sorted(kept + held) == list(range(len(drawn)))
    one, other = pairs.pick(kept), pairs.pick(held)
    assert not set(one.sources) & set(other.sources)
    assert not set(one.targets) & set(other.targets)
    mixed = random.Random(1).sample(drawn, len(drawn))
    again, kept, _ = at(mixed)
    assert sorted(both(again.pick(kept))) == sorted(both(one))


def test_the_share_is_kept_where_groups_are_small() -> None:
    pairs = Pairs([f"s{k // 2}" for k in range(1000)], [f"t{k}" for k in range(1000)], [""] * 1000)
    for share in (0.0, 0.03, 0.1, 0.5):
        kept, held = split(pairs, share)
        assert abs(len(held) - 1000 * share) <= 2
        assert kept == sorted(kept)
    chain = Pairs(["a", "b", "b", "c"], ["1", "1", "2", "2"], [""] * 4)
    assert split(chain, 0.2) == ([0, 1, 2, 3], []), "joined through others"


# ---- The doctor's page ---------------------------------------------------------------------


def page(train: Sequence[tuple[str, str]], check: Sequence[tuple[str, str]] = ()) -> doctor.Page:
    one, other = (
        Pairs(
            [s for s, _ in rows], [t for _, t in rows], [f"line {k + 1}" for k in range(len(rows))]
        )
        for rows in (train, check)
    )
    whole = [*train, *check]
    return doctor.paired(
        "it", one, other, [len(s) for s, _ in whole], [len(t) for _, t in whole], "characters"
    )


GOOD = [(f"the source {k:03}", f"第{k:03}个目标文字") for k in range(60)]


def test_of_good_pairs_the_doctor_tells_and_does_not_warn() -> None:
    found = page(GOOD[:50], GOOD[50:])
    assert found.warnings == ()
    assert found.headline == "it: 50 pairs for training, 10 for validation"
    assert found.facts == (
        "sources: half of up to 14 characters, 95 % up to 14, the longest 14; Latin 100%",
        "targets: half of up to 9 characters, 95 % up to 9, the longest 9; CJK 100%",
    )


def test_what_spoils_a_score_is_a_warning() -> None:
    def warned(*train: tuple[str, str], check: Sequence[tuple[str, str]] = ()) -> str:
        found = page([*GOOD, *train], check)
        assert len(found.warnings) == 1, found.warnings
        return found.warnings[0]

    assert "1 of 2 pairs for validation stand in the" in warned(check=[("a", "b"), GOOD[0]])
    assert "6 of 66 pairs for training are repeats" in warned(*GOOD[:6])
    assert "in 6 of 66 pairs the target is the source" in warned(*((x, x) for x in "abcdef"))
    long = warned(("one sentence of the usual length", "哈哈"))
    assert "in 1 pair one side is 4 times as long" in long
    assert long.endswith("line 61")
    assert "2 pairs source and target have changed places" in warned(*((t, s) for s, t in GOOD[:2]))
    assert "1 replacement character in the targets" in warned(("word", "\ufffd"))
    assert "1 garbled letter in the sources" in warned(("grÃ¼n", "绿"))


def test_lengths_are_measured_by_what_is_usual_here() -> None:
    usual = [(f"{k:03} is a word in many words of another script", f"第{k:03}") for k in range(30)]
    assert page(usual).warnings == ()
    [told] = page(
        [*usual, ("as long as the other one", "一个和另一个一样长的句子一个和另一个一样长的")]
    ).warnings
    assert told.endswith("belong together: line 31")


def test_what_is_worth_knowing_is_a_fact() -> None:
    facts = page(
        [*GOOD, GOOD[0], ("abcdefgh", "abcdefgh"), (GOOD[1][0], "另一个目标文字啊")],
        [(GOOD[2][0], "不同")],
    )
    assert facts.warnings == ()
    assert "1 of 63 pairs for training are repeats of others" in facts.facts
    assert "in 1 of 64 pairs the target is the source" in facts.facts
    assert "1 pair gives another target for a source that came before" in facts.facts
    assert "1 of 1 sources for validation are sources in training" in facts.facts
    assert any(fact.endswith("CJK 98%, Latin 2%") for fact in facts.facts)
    odd = [(f"one long sentence with the number {k:03}", f"{k:03}") for k in range(30)]
    assert page([*GOOD, *odd]).warnings == ()
    mixed = [(t, s) for s, t in GOOD]
    assert page([*GOOD, *mixed]).warnings == (), "what is common is no mistake"


@pytest.mark.parametrize(
    ("content", "columns", "read"),
    [
        ("id,en\n1,Hi.\n2,No.\n", ("id", "en"), "en"),
        ("nr,phrase\n1,Hi.\n2,No.\n", ("nr", "phrase"), "phrase"),
        ("question\nHi.\nNo.\n", ("question",), "question"),
        ("1,Hi.\n2,No.\n", ("1", "2"), "2"),
        ("Hi.,Yes.\nNo.,Never.\n", ("1", "2"), "1"),
    ],
)
def test_the_header_of_a_table_without_targets(
    content: str, columns: tuple[str, ...], read: str, tmp_path: Path
) -> None:
    (one,) = source.resolve([str(write(tmp_path / "s.csv", content))])
    opened, settled = open_sources(one, PairRoles("1", "2", form="lines"))
    assert opened.columns == columns and settled.text_columns == (read,)


@pytest.mark.parametrize("separator", [",", ";", "|"])
def test_a_header_makes_a_table_of_a_text(tmp_path: Path, separator: str) -> None:
    text = f"source{separator}target\none{separator}un\ntwo{separator}deux\n"
    assert both(of(write(tmp_path / "pairs.txt", text))) == (("one", "un"), ("two", "deux"))
