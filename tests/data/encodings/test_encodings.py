"""Encodings: what a text is written in is found from its bytes, however they are cut, or the byte
that fits nothing is named."""

from __future__ import annotations

import gzip
import itertools
import random
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.encodings.encodings import Found, Unreadable, found, told

CASES = Path(__file__).parents[4] / "shared" / "cases"
DATA = Path(__file__).parents[4] / "shared" / "data"
# A few lines each, as people write them into tables.
LINES = {
    "simplified": "味道不错，送餐也快，下次还会点\n房间很大，服务员态度好\n价格有点贵，但是值得\n",
    "traditional": "這家餐廳的服務很好，我們會再來\n房間乾淨，價錢也合理\n國立臺灣大學圖書館\n",
    "Japanese": "部屋はとてもきれいで、朝食もおいしい\nスタッフの対応が良かった\n東京都新宿区\n",
    "Korean": "방이 깨끗하고 직원이 친절했어요\n음식은 맛있지만 조금 비쌉니다\n서울특별시 강남구\n",
    "Russian": "Хороший отель, рядом с метро\nЗавтрак был вкусный, но номер маленький\n",
    "Ukrainian": "Гарний готель, поруч із станцією\nСніданок був смачний, але кімната мала\n",
    "Greek": "Το ξενοδοχείο είναι πολύ καλό\nΤο πρωινό ήταν νόστιμο\n",
    "Hebrew": "המלון היה נקי והצוות אדיב\nארוחת הבוקר טעימה מאוד\n",
    "Arabic": "كان الفندق نظيفا والموظفون لطفاء\nالفطور لذيذ جدا\n",
    "Turkish": "Oda çok temizdi, kahvaltı güzeldi\nGörevliler ilgiliydi, şehre yakın\n",
    "Polish": "Pokój był czysty, obsługa miła\nŚniadanie smaczne, lecz zbyt późno\n",
    "Czech": "Pokoj byl čistý a snídaně výborná\nPříjemný personál, blízko nádraží\n",
    "Hungarian": "A szoba tiszta volt, a reggeli bőséges\nKedves személyzet, közel a főtérhez\n",
    "German": "Das Frühstück war gut, die Zimmer groß\nEtwas zu teuer für Köln\nPreis: 80 €\n",
    "French": "L’hôtel était très propre\nLe petit déjeuner était délicieux, mais cher\n",
    "Spanish": "El hotel está muy bien situado\n¿Volveré? Sí, el próximo año\n",
    "Portuguese": "O hotel é ótimo, café da manhã excelente\nA localização não é tão boa\n",
    "Swedish": "Frukosten var god och rummet stort\nPersonalen är trevlig, nära tåget\n",
    "Lithuanian": "Viešbutis švarus, pusryčiai skanūs\nLabai malonūs žmonės, arti stoties\n",
}
WRITTEN = {
    "simplified": ("gb18030", "gbk", "gb2312"),
    "traditional": ("big5", "cp950", "gb18030"),
    "Japanese": ("cp932", "shift_jis", "euc_jp"),
    "Korean": ("cp949", "euc_kr"),
    "Russian": ("cp1251", "koi8_r", "iso8859_5", "cp866"),
    "Ukrainian": ("cp1251", "koi8_u"),
    "Greek": ("cp1253", "iso8859_7"),
    "Hebrew": ("cp1255", "iso8859_8"),
    "Arabic": ("cp1256", "iso8859_6"),
    "Turkish": ("cp1254", "iso8859_9"),
    "Polish": ("cp1250", "iso8859_2", "cp852"),
    "Czech": ("cp1250", "iso8859_2", "cp852"),
    "Hungarian": ("cp1250", "iso8859_2"),
    "German": ("cp1252", "iso8859_15", "mac_roman"),
    "French": ("cp1252", "mac_roman"),
    "Spanish": ("cp1252", "iso8859_1", "cp850"),
    "Portuguese": ("cp1252", "iso8859_1", "mac_roman"),
    "Swedish": ("cp1252", "iso8859_1"),
    "Lithuanian": ("cp1257",),
}
UNICODE = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
PAIRS = [(language, one) for language, all_ in WRITTEN.items() for one in all_]
OFFSETS = st.lists(st.integers(0, 3000), max_size=6).map(sorted)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *(cut for cut in cuts if cut < len(data)), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(places)]


def table_of(lines: str, separator: str) -> str:
    rows = [f"{k}{separator}2010-01-0{k + 1}{separator}{k * 12.5}{separator}{text}"
            for k, text in enumerate(lines.splitlines())]  # fmt: skip
    return "\r\n".join([separator.join(("id", "date", "price", "text")), *rows, ""])


@pytest.mark.parametrize(("language", "encoding"), PAIRS)
@settings(max_examples=8)
@given(
    cuts=OFFSETS, separator=st.sampled_from(",;\t"), table=st.booleans(), times=st.integers(1, 5)
)
def test_texts_and_tables_are_read_as_they_were_written(
    language: str, encoding: str, cuts: list[int], separator: str, table: bool, times: int
) -> None:
    text = table_of(LINES[language], separator) if table else LINES[language]
    if encoding in ("iso8859_1", "iso8859_8"):
        text = text.replace("€", "EUR")
    data = (text * times).encode(encoding)
    one = found(pieces(data, cuts))
    assert data.decode(one.encoding) == text * times
    assert one.told == told(one.encoding) != ""


@settings(max_examples=100)
@given(
    language=st.sampled_from(list(LINES)),
    encoding=st.sampled_from(UNICODE),
    cuts=OFFSETS,
    separator=st.sampled_from(",;\t"),
)
def test_unicode_is_known_with_and_without_its_mark(
    language: str, encoding: str, cuts: list[int], separator: str
) -> None:
    text = table_of(LINES[language], separator)
    data = text.encode(encoding)
    one = found(pieces(data, cuts))
    assert data.decode(one.encoding) == text
    assert one.encoding == encoding
    assert (one.told == "") == (encoding == "utf-8")


@pytest.mark.parametrize("language", ["German", "simplified", "Japanese", "Russian"])
@pytest.mark.parametrize("rows", [1_000, 100_000])
def test_the_last_line_counts_as_much_as_the_first(language: str, rows: int) -> None:
    encoding = WRITTEN[language][0]
    data = b"12,2010-01-01,3.25\n" * rows + LINES[language].encode(encoding)
    blocks = [data[k : k + (1 << 16)] for k in range(0, len(data), 1 << 16)]
    assert found(blocks).encoding == encoding


@settings(max_examples=60)
@given(
    language=st.sampled_from([k for k in WRITTEN if k not in ("Hebrew", "Arabic", "Lithuanian")]),
    place=st.integers(0, 400_000),
    seed=st.integers(0, 99),
)
def test_a_byte_that_does_not_fit_is_named_wherever_it_stands(
    language: str, place: int, seed: int
) -> None:
    """0xff begins no letter in UTF-8, GB18030, Big5, Shift-JIS, EUC-JP and EUC-KR."""
    encoding = random.Random(seed).choice(["utf-8", *WRITTEN[language][:2]])
    if encoding not in ("utf-8", "gb18030", "gbk", "big5", "cp950", "cp949", "euc_kr", "euc_jp"):
        encoding = "utf-8"
    lines = LINES[language].encode(encoding).split(b"\n")
    data = (b"\n".join(lines) + b",12,2010-01-01\n") * 3000
    at = data.index(b"\n", place % (len(data) - 1000)) + 1
    broken = data[:at] + b"\xff\n" + data[at:]
    with pytest.raises(Unreadable) as caught:
        found([broken[k : k + 70_001] for k in range(0, len(broken), 70_001)])
    assert (caught.value.offset, caught.value.byte) == (at, 0xFF)
    good = found([data]).encoding
    assert caught.value.near[0] == good


@pytest.mark.parametrize("zero_at", [0, 3, 5_000, 200_000])
def test_a_zero_byte_is_of_no_text(zero_at: int) -> None:
    data = bytearray(b"abc\n" * 100_000)
    data[zero_at] = 0
    with pytest.raises(Unreadable) as caught:
        found([bytes(data)])
    assert (caught.value.offset, caught.value.byte) == (zero_at, 0)


@settings(max_examples=200)
@given(data=st.binary(max_size=400), cuts=OFFSETS)
def test_any_bytes_are_read_strictly_or_their_place_is_told(data: bytes, cuts: list[int]) -> None:
    try:
        one = found(pieces(data, cuts))
    except Unreadable as error:
        assert data[error.offset] == error.byte
    else:
        data.decode(one.encoding)
        assert found([data]) == one, "the same, however it is cut"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("20 °C", "cp1252"), ("naïve", "cp1252"), ("5 µm;±2", "cp1252"), ("Müller", "cp1252"),
        ("a – b", "cp1252"), ("£5", "cp1252"), ("MÜNCHEN", "cp1252"), ("“so” it’s", "cp1252"),
        ("评论", "gb18030"), ("标签,评论", "gb18030"), ("日期,销量\n2010年1月5日,3", "gb18030"),
        ("日付,売上", "cp932"), ("날짜,매출", "cp949"), ("日期,銷量", "cp950"), ("Цена", "cp1251"),
    ],
)  # fmt: skip
def test_a_word_or_two_are_enough(text: str, encoding: str) -> None:
    data = f"id,x,{text}\n1,2,3\n".encode(encoding)
    assert data.decode(found([data]).encoding) == f"id,x,{text}\n1,2,3\n"


def test_what_is_expected_is_taken_where_it_fits() -> None:
    data = "poročila".encode("cp1250")
    assert found([data]).encoding == "cp1252", "poroèila looks as good"
    assert found([data], "cp1250") == Found("cp1250", "Windows-1250")
    assert found([data], "gb2312").encoding != "gb2312"
    assert found(["poročila".encode()], "cp1250") == Found("utf-8")
    assert found([b"plain"], "gb18030") == Found("utf-8")
    assert found([b"Stra\xdfen"], "utf-16").encoding == "cp1252"


def test_nothing_is_utf_8() -> None:
    assert found([]) == found([b""]) == found([b"abc"]) == Found("utf-8", "")


@pytest.mark.skipif(not CASES.exists(), reason="the small cases are not here")
def test_the_case_is_read() -> None:
    data = (CASES / "gbk.csv").read_bytes()
    assert found([data]) == Found("gb18030", "GB18030")
    assert data.decode("gb18030").startswith("标签,评论")


@pytest.mark.skipif(not DATA.exists(), reason="the data sets are not here")
@pytest.mark.parametrize("count", [3, 20, 200])
def test_slices_of_real_data(count: int) -> None:
    """Of 20 lines and more nearly all are read as they were written, of 3 lines most."""
    draw = random.Random(count)
    texts = {
        "sentiment/waimai_10k.csv.gz": ("gb18030",),
        "sentiment/ChnSentiCorp_htl_all.csv.gz": ("gb18030",),
        "translation/cmn.txt.gz": ("gb18030", "cp950"),
        "multi30k/val.de.gz": ("cp1252", "mac_roman"),
        "sentiment/rt-polarity.pos.gz": ("cp1252",),
    }
    right = total = 0
    for name, encodings in texts.items():
        lines = gzip.decompress((DATA / name).read_bytes()).decode().split("\n")
        for encoding in encodings:
            for _ in range(20):
                start = draw.randrange(len(lines) - count)
                text = "\n".join(lines[start : start + count])
                data = text.encode(encoding, "ignore")
                right += data.decode(found([data]).encoding) == data.decode(encoding)
                total += 1
    assert right >= (0.9 if count == 3 else 0.99) * total
    with zipfile.ZipFile(DATA / "chinese/chinese_poetry_subset.zip") as archive:
        poem = archive.read(archive.namelist()[0]).decode()[:2000]
    assert found([poem.encode("cp950", "ignore")]).encoding == "cp950"


@pytest.mark.parametrize("rows", [1, 4, 200])
@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("Datum;Umsatz", "01.01.2020;{:.2f} €"), ("Datum;Umsatz (€)", "01.01.2020;{:.2f}"),
        ("Preis in €;n", "{:.2f};5"), ("x,y", "€ 5,{:.2f}€"), ("x,y", "[€],{:.2f}"),
        ("Date;Valeur", "janv.-15;12\xa0345,{:.2f}\xa0€"), ("Date;Valeur", "août-15;{:.2f} €"),
        ("Date;Valeur", "août-15;{:.2f}"), ("Date;Valeur", "déc.-15;{:.2f} €"),
        ("x;y", "a – b;{:.2f}"), ("x;y", "• one;{:.2f}"), ("x;y", "{:.2f} ‰"),
        ("x;y", "§ 5;{:.2f}"), ("x;y", "{:.2f} — 6"), ("x;y", "wait…;{:.2f}"),
        ("x;y", "‘a’ and “b”;{:.2f}"), ("x;y", "a ™;{:.2f}"),
    ],
)  # fmt: skip
def test_signs_of_windows_are_no_letters_of_old_systems(head: str, row: str, rows: int) -> None:
    draw = random.Random(rows)
    text = "\n".join([head, *(row.format(draw.uniform(1, 99)) for _ in range(rows))]) + "\n"
    assert found([text.encode("cp1252")]).encoding == "cp1252"


@pytest.mark.parametrize("encoding", ["mac_roman", "cp850"])
@pytest.mark.parametrize(
    "text", ["Überraschung;Ärger\nschön;größer\n", "août;déjà vu, très bien\n"]
)
def test_words_of_old_systems_are_read(text: str, encoding: str) -> None:
    assert found([text.encode(encoding) * 50]).encoding == encoding
