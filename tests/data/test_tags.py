"""Sentences with labels: every form is read alike, and written again with one answer a token."""

from __future__ import annotations

import csv
import io
import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elman.data.built_in.python_tags import labelled, python_tags
from elman.data.source import Source
from elman.data.tables.content import BadRows
from elman.data.tags import conll
from elman.data.tags import reading as tagged
from elman.data.tags.sentence import TOKENS, Sentence, TagRoles
from elman.errors import UserError

EU = [("EU", "B-ORG"), ("rejects", "O"), ("calls", "O")]
PETER = [("Peter", "B-PER"), ("Blackburn", "I-PER")]

FORMS = {
    "spaces": "EU NNP B-ORG\nrejects VBZ O\ncalls NNS O\n\nPeter NNP B-PER\nBlackburn NNP I-PER\n",
    "no end": "EU B-ORG\nrejects O\ncalls O\n\nPeter B-PER\nBlackburn I-PER",
    "tabs": "EU\tB-ORG\nrejects\tO\ncalls\tO\n\nPeter\tB-PER\nBlackburn\tI-PER\n\n\n",
    "windows": "EU B-ORG\r\nrejects O\r\ncalls O\r\n\r\nPeter B-PER\r\nBlackburn I-PER\r\n",
    "documents": "-DOCSTART- O\n\n\nEU B-ORG\nrejects O\ncalls O\n \t\n# a new one\n"
    "Peter B-PER\nBlackburn I-PER\n",
    "header": "Word\tPOS\tNER\nEU\tNNP\tB-ORG\nrejects\tVBZ\tO\ncalls\tNNS\tO\n\n"
    "Peter\tNNP\tB-PER\nBlackburn\tNNP\tI-PER\n",
    "conllu": "# text = EU rejects calls\n"
    "1\tEU\t_\tB-ORG\t_\t_\t_\t_\t_\t_\n"
    "2-3\trejectscalls\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "2\trejects\t_\tO\t_\t_\t_\t_\t_\t_\n"
    "3\tcalls\t_\tO\t_\t_\t_\t_\t_\t_\n\n"
    "1\tPeter\t_\tB-PER\t_\t_\t_\t_\t_\t_\n"
    "1.1\tsaid\t_\tO\t_\t_\t_\t_\t_\t_\n"
    "2\tBlackburn\t_\tI-PER\t_\t_\t_\t_\t_\t_\n",
    "json": '{"id": 1, "tokens": ["EU", "rejects", "calls"], "ner_tags": ["B-ORG", "O", "O"]}\n'
    '\n{"id": 2, "tokens": ["Peter", "Blackburn"], "ner_tags": ["B-PER", "I-PER"]}\n',
}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.write_bytes(FORMS[request.param].encode())
    return path


def pairs(sentences: list[Sentence]) -> list[list[tuple[str, str]]]:
    return [list(zip(s.tokens, s.labels, strict=True)) for s in sentences]


def test_every_form_gives_the_same_sentences(form: Path) -> None:
    found = tagged.read([str(form)], TagRoles(), BadRows(False))
    assert pairs(found.all) == [EU, PETER]
    assert len(found.facts) == 1 and found.facts[0].startswith("taken: tokens from column")
    # What was guessed, given in the next reading, gives the same and is no guess any more.
    again = tagged.read([str(form)], found.roles, BadRows(False))
    assert again.all == found.all and again.roles == found.roles and not again.facts


def test_what_is_written_is_what_was_read_with_an_answer_for_each_token(form: Path) -> None:
    whole = form.read_text(encoding="utf-8")
    opened = tagged.open_file(Source("data", form), TagRoles(), labelled=False)
    count, written = itertools.count(), ""
    for piece in opened.pieces(BadRows(False)):
        tokens = piece.sentence.tokens if piece.sentence else []
        written += piece.answered([f"a{next(count)}" for _ in tokens])
    assert next(count) == 5
    if whole.startswith("{"):
        records = [json.loads(line) for line in written.splitlines()]
        assert [r.pop("predicted") for r in records] == [["a0", "a1", "a2"], ["a3", "a4"]]
        assert records == [json.loads(line) for line in whole.splitlines() if line]
        return
    before = [line.rstrip("\r") for line in whole.removesuffix("\n").split("\n")]
    after = written.removesuffix("\n").split("\n")
    assert len(before) == len(after)
    added = []
    for old, new in zip(before, after, strict=True):
        assert new.startswith(old)
        added += new[len(old) :].split()
    assert [a for a in added if a[0] == "a"] == [f"a{k}" for k in range(5)]
    # Whatever reads the first column and the last now reads the tokens and their answers.
    form.write_text(written, encoding="utf-8")
    asked = TagRoles(label_column="predicted" if "predicted" in added else None)
    if "1\tEU" not in whole:
        (first, second) = tagged.read([str(form)], asked, BadRows(False)).all
        assert first.labels + second.labels == [f"a{k}" for k in range(5)]


cells = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=" "), min_size=1, max_size=5
).filter(lambda cell: cell[0] not in "#{-")
sentences = st.lists(
    st.lists(st.tuples(cells, cells), min_size=1, max_size=4), min_size=1, max_size=4
).filter(lambda drawn: not {cell.lower() for cell in drawn[0][0]} & {*TOKENS})


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=sentences, between=st.sampled_from([" ", "\t", "  ", " \t"]), end=st.booleans())
def test_any_tokens_come_back(
    tmp_path: Path, drawn: list[list[tuple[str, str]]], between: str, end: bool
) -> None:
    text = "\n\n".join("\n".join(between.join(row) for row in s) for s in drawn)
    path = tmp_path / "drawn.txt"
    path.write_text(text + "\n" * end, encoding="utf-8")
    assert pairs(tagged.read([str(path)], TagRoles(), BadRows(False)).all) == drawn
    lines = [json.dumps({"words": [t for t, _ in s], "pos": [x for _, x in s]}) for s in drawn]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert pairs(tagged.read([str(path)], TagRoles(), BadRows(False)).all) == drawn


def test_a_line_is_a_comment_only_where_it_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "tweet"
    path.write_text("# a comment\nsee O\n# O\n#tag B-X\n# of more words\n", encoding="utf-8")
    (sentence,) = tagged.read([str(path)], TagRoles(), BadRows(False)).all
    assert sentence.tokens == ["see", "#", "#tag"] and sentence.where.endswith("line 2")


def test_columns_go_by_number_and_by_name(tmp_path: Path) -> None:
    path = tmp_path / "data.tsv"
    path.write_text("id\tform\tpos\tner\n1\tEU\tNNP\tB-ORG\n2\trejects\tVBZ\tO\n")
    for asked in (TagRoles("form", "pos"), TagRoles("2", "3"), TagRoles(None, "pos")):
        (sentence,) = tagged.read([str(path)], asked, BadRows(False)).all
        assert (sentence.tokens, sentence.labels) == (["EU", "rejects"], ["NNP", "VBZ"])
    for asked, told in (
        (TagRoles("from", None), 'unknown column "from"; did you mean "form"'),
        (TagRoles(None, "5"), "column 5, where there are 4"),
        (TagRoles("3", "pos"), "tokens and labels both from column pos"),
    ):
        with pytest.raises(UserError, match=told):
            tagged.read([str(path)], asked, BadRows(False))


def test_columns_of_one_form_say_nothing_of_the_other(tmp_path: Path) -> None:
    table, lines = tmp_path / "a.conll", tmp_path / "b.jsonl"
    table.write_text(FORMS["spaces"])
    lines.write_text(FORMS["json"])
    for one, other in ((table, lines), (lines, table)):
        found = tagged.read([str(one)], TagRoles(), BadRows(False))
        assert pairs(tagged.read([str(other)], found.roles, BadRows(False)).all) == [EU, PETER]


BAD = {
    "EU B-ORG\nrejects\n\nPeter B-PER\n": "line 2: 1 cell where there should be 2",
    "EU\tB-ORG\n\tO\n\nPeter\tB-PER\n": "line 2: the token is empty",
    "EU\tB-ORG\ncalls\t\n\nPeter\tB-PER\n": "line 2: the label is empty",
    '{"tokens": ["a"], "tags": ["O"]}\n{"tokens": ["a", "b"], "tags": ["O"]}\n': "line 2: 2 tokens",
    '{"tokens": ["a"], "tags": ["O"]}\n{"tokens": "a", "tags": ["O"]}\n': "is no list of strings",
    '{"tokens": ["a"], "tags": ["O"]}\n{"tokens": ["a"]}\n': '"tags" is no list',
    '{"tokens": ["a"], "tags": ["O"]}\n{"tokens": [], "tags": []}\n': "or empty",
    '{"tokens": ["a"], "tags": ["O"]}\n["a"]\n': "line 2: not a JSON object",
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_line_is_named_or_its_sentence_left_out(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_text(text)
    with pytest.raises(UserError, match=BAD[text]):
        tagged.read([str(path)], TagRoles(), BadRows(False))
    bad = BadRows(True)
    assert len(tagged.read([str(path)], TagRoles(), bad).all) == 1
    assert bad.count == 1 and BAD[text] in bad.first[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("EU\nrejects\n", "one column only"),
        ("# nothing\n\n", "holds no sentences"),
        ("-DOCSTART- O\n\n", "holds no sentences"),
        ('{"a": 1}\n', "no column of sentences"),
        ('{"tokens": ["a"], "text": "a"}\n', "no list of labels"),
    ],
)
def test_what_holds_no_labelled_sentences_is_told(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_text(text)
    with pytest.raises(UserError, match=told):
        tagged.read([str(path)], TagRoles(), BadRows(False))


class Endless(Iterator[str]):
    """Words without end, each `every`-th line blank, and how many were taken of them."""

    def __init__(self, every: int) -> None:
        self.taken, self._every = 0, every

    def __next__(self) -> str:
        self.taken += 1
        assert self.taken < 4 * conll.LONGEST
        return "\n" if self._every and self.taken % self._every == 0 else "word\n"


def test_of_a_stream_no_more_is_read_than_a_sentence() -> None:
    stream = Endless(4)
    opened = tagged.open_stream("stream", stream, TagRoles())
    assert stream.taken == 1
    for k, piece in enumerate(itertools.islice(opened.pieces(BadRows(False)), 5), start=1):
        assert piece.sentence is not None and len(piece.sentence.tokens) == 3
        assert stream.taken == 4 * k


def test_a_sentence_without_end_comes_in_parts() -> None:
    stream = Endless(0)
    opened = tagged.open_stream("stream", stream, TagRoles())
    for piece in itertools.islice(opened.pieces(BadRows(False)), 2):
        assert piece.sentence is not None and len(piece.sentence.tokens) == conll.LONGEST
    assert stream.taken == 2 * conll.LONGEST


CODE = '''\
import os.path as p
@wraps(f)
def é(self, width=len(LIMIT), *rest):
    """What it
    is."""
    return self.run(rest, key=width)[other]
rest = 1  # no parameter any more
'''


def test_python_is_tagged_by_its_syntax_tree() -> None:
    first, function, last = labelled(CODE)
    known = [label for _, label in first]
    assert known == ["keyword", "import", "O", "import", "keyword", "import", "O"]
    assert last == [("rest", "variable"), ("=", "O"), ("1", "O"), ("<newline>", "O")]
    assert [pair for pair in function if pair[1] != "O"] == [
        ("wraps", "call"), ("f", "variable"), ("def", "keyword"), ("é", "function"),
        ("self", "parameter"), ("width", "parameter"), ("len", "builtin"), ("LIMIT", "variable"),
        ("rest", "parameter"), ("return", "keyword"), ("self", "parameter"), ("run", "method"),
        ("rest", "parameter"), ("key", "argument"), ("width", "parameter"), ("other", "variable"),
    ]  # fmt: skip
    assert not any(set(token) & set(" \t\n") for token, _ in function)


def test_python_itself_is_a_table_of_a_dozen_labels(tmp_path: Path) -> None:
    path = tmp_path / "python"
    path.write_bytes(python_tags())
    found = tagged.read([str(path)], TagRoles(), BadRows(False))
    labels = {label for sentence in found.all for label in sentence.labels}
    assert len(labels) == 12 and 100_000 < sum(len(s.tokens) for s in found.all) < 400_000


@pytest.mark.parametrize("seed", range(8))
def test_a_token_a_row_beside_the_name_of_its_sentence_is_the_same(
    tmp_path: Path, seed: int
) -> None:
    """As in Kaggle's table, where the name stands in the first row only, or in every row."""
    draw = random.Random(seed)
    separator, named = draw.choice([",", ";", "\t"]), draw.choice(["first", "all"])
    drawn = [
        [
            (draw.choice(["I", '"', "a,b", "Büro", "NA"]), draw.choice(["O", "B-org"]))
            for _ in range(n)
        ]
        for n in (draw.randint(1, 6) for _ in range(5))
    ]
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator)
    writer.writerow(["Sentence #", "Word", "POS", "Tag"])
    for k, sentence in enumerate(drawn):
        for n, (token, label) in enumerate(sentence):
            writer.writerow(
                [f"Sentence: {k}" if named == "all" or not n else "", token, "X", label]
            )
    path = tmp_path / "ner.csv"
    path.write_bytes(out.getvalue().encode(draw.choice(["utf-8", "windows-1252"])))
    found = tagged.read([str(path)], TagRoles(label_column="Tag"), BadRows(False))
    assert pairs(found.all) == drawn
    opened = tagged.open_file(Source("ner", path), found.roles, labelled=False)
    written = [p.answered([f"a{k}" for k in range(9)][: len(p.sentence.tokens)])
               for p in opened.pieces(BadRows(False)) if p.sentence is not None]  # fmt: skip
    path.write_text("".join(written), encoding="utf-8", newline="")
    again = tagged.read([str(path)], TagRoles(label_column="predicted"), BadRows(False))
    assert [s.tokens for s in again.all] == [[t for t, _ in s] for s in drawn]
    assert again.all[0].labels[0] == "a0"


def test_a_numbered_first_column_holds_no_tokens_and_spans_within_spans_come_second(
    tmp_path: Path,
) -> None:
    """As GermEval 2014 has it."""
    path = tmp_path / "germeval.tsv"
    path.write_text(
        "#\thttp://de.wikipedia.org [2009-10-17]\n1\tSchartau\tB-PER\tO\n2\tsagte\tO\tO\n"
        "3\tTagesspiegel\tB-ORG\tB-PER\n\n1\tFirma\tB-ORG\tO\n"
    )
    found = tagged.read([str(path)], TagRoles(), BadRows(False))
    assert [s.tokens for s in found.all] == [["Schartau", "sagte", "Tagesspiegel"], ["Firma"]]
    assert found.all[0].labels == ["B-PER", "O", "B-ORG"]
    assert any("not used: 4" in fact for fact in found.facts)
    path.write_text("EU NNP B-NP B-ORG\nrejects VBZ B-VP O\nPeter NNP B-NP B-PER\n")
    (sentence,) = tagged.read([str(path)], TagRoles(), BadRows(False)).all
    assert sentence.labels == ["B-ORG", "O", "B-PER"]
