"""Names of months, weekdays and halves of a day in ten languages, full and short.

Januar 2010   janv. 2010   5 января 2010   mié 5 may 2010   2010年一月   下午 1:30

They are tables of our own, as the names that Python knows depend on the locale of the machine.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

# Of each language the ways to write all names, the usual one first.
MONTHS: Mapping[str, tuple[str, ...]] = {
    "English": (
        "january february march april may june july august september october november december",
        "jan feb mar apr may jun jul aug sep oct nov dec",
        "jan feb mar apr may june july aug sept oct nov dec",
    ),
    "German": (
        "januar februar märz april mai juni juli august september oktober november dezember",
        "jan feb mär apr mai jun jul aug sep okt nov dez",
        "jan feb mrz apr mai jun jul aug sep okt nov dez",
        "jan feb märz apr mai juni juli aug sept okt nov dez",
        "januar februar maerz april mai juni juli august september oktober november dezember",
        "jänner feber märz april mai juni juli august september oktober november dezember",
        "jän feb mär apr mai jun jul aug sep okt nov dez",
    ),
    "French": (
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "janv févr mars avr mai juin juil août sept oct nov déc",
        "jan fév mar avr mai jun jul aoû sep oct nov déc",
        "jan fév mars avr mai juin juil août sept oct nov déc",
    ),
    "Spanish": (
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "ene feb mar abr may jun jul ago sep oct nov dic",
        "ene feb mar abr may jun jul ago sept oct nov dic",
        "enero febrero marzo abril mayo junio julio agosto setiembre octubre noviembre diciembre",
    ),
    "Portuguese": (
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
        "jan fev mar abr mai jun jul ago set out nov dez",
    ),
    "Italian": (
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre "
        "dicembre",
        "gen feb mar apr mag giu lug ago set ott nov dic",
    ),
    "Russian": (
        "январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь",
        "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
        "янв фев мар апр май июн июл авг сен окт ноя дек",
        "янв февр март апр май июнь июль авг сент окт нояб дек",
        "янв февр мар апр мая июн июл авг сент окт нояб дек",
    ),
    "Chinese or Japanese": ("一月 二月 三月 四月 五月 六月 七月 八月 九月 十月 十一月 十二月",),
    "Korean": ("일월 이월 삼월 사월 오월 유월 칠월 팔월 구월 시월 십일월 십이월",),
}
WEEKDAYS: Mapping[str, tuple[str, ...]] = {
    "English": (
        "monday tuesday wednesday thursday friday saturday sunday",
        "mon tue wed thu fri sat sun",
        "mon tues wed thurs fri sat sun",
        "mon tues weds thur fri sat sun",
    ),
    "German": (
        "montag dienstag mittwoch donnerstag freitag samstag sonntag",
        "mo di mi do fr sa so",
        "mon die mit don fre sam son",
        "montag dienstag mittwoch donnerstag freitag sonnabend sonntag",
    ),
    "French": (
        "lundi mardi mercredi jeudi vendredi samedi dimanche",
        "lun mar mer jeu ven sam dim",
    ),
    "Spanish": (
        "lunes martes miércoles jueves viernes sábado domingo",
        "lun mar mié jue vie sáb dom",
    ),
    "Portuguese": (
        "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
        "segunda terça quarta quinta sexta sábado domingo",
        "seg ter qua qui sex sáb dom",
    ),
    "Italian": (
        "lunedì martedì mercoledì giovedì venerdì sabato domenica",
        "lun mar mer gio ven sab dom",
    ),
    "Russian": (
        "понедельник вторник среда четверг пятница суббота воскресенье",
        "пн вт ср чт пт сб вс",
    ),
    "Chinese": (
        "星期一 星期二 星期三 星期四 星期五 星期六 星期日",
        "星期一 星期二 星期三 星期四 星期五 星期六 星期天",
        "周一 周二 周三 周四 周五 周六 周日",
        "週一 週二 週三 週四 週五 週六 週日",
    ),
    "Japanese": (
        "月曜日 火曜日 水曜日 木曜日 金曜日 土曜日 日曜日",
        "月 火 水 木 金 土 日",
    ),
    "Korean": (
        "월요일 화요일 수요일 목요일 금요일 토요일 일요일",
        "월 화 수 목 금 토 일",
    ),
}
HALVES = ("am pm", "a.m. p.m.", "a. m. p. m.", "上午 下午", "午前 午後", "오전 오후")
A_HALF = r"[AaPp]\.?[Mm]\.?|[AaPp]\. [Mm]\.|上午|下午|午前|午後|오전|오후"


def folded(name: str) -> str:
    """A name in which case, accents and dots no longer count."""
    if name.isascii():
        return name.lower().replace(".", "").replace(" ", "")
    parted = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in parted if c not in ". " and not unicodedata.combining(c))


def _numbered(tables: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    return {
        folded(name): place
        for ways in tables.values()
        for way in ways
        for place, name in enumerate(way.split(), start=1)
    }


_MONTHS, _WEEKDAYS = _numbered(MONTHS), _numbered(WEEKDAYS)


def month_of(name: str) -> int | None:
    """1 to 12; None where it is no month's name."""
    return _MONTHS.get(folded(name))


def is_weekday(name: str) -> bool:
    """Whether it is a day's name. Which day is not asked: "mar" is one in March and on Tuesday."""
    return folded(name) in _WEEKDAYS


def afternoon(half: str) -> int:
    """0 for the half of a day before noon, 1 for that after it."""
    return int(folded(half) in ("pm", "下午", "午後", folded("오후")))


def months_as(seen: Iterable[str]) -> tuple[str, ...]:
    """The twelve months' names as data writes them, of which some have been seen."""
    return _as_seen(MONTHS, list(seen))


def weekdays_as(seen: Iterable[str]) -> tuple[str, ...]:
    """The seven weekdays' names, Monday first, as data writes them."""
    return _as_seen(WEEKDAYS, list(seen))


def halves_as(half: str) -> tuple[str, ...]:
    """Both halves of a day's names, of which one has been seen."""
    pairs = [pair for pair in HALVES if folded(half) in folded(pair)]
    spelt = [pair for pair in pairs if half.lower() in pair] or pairs
    middle = len(spelt[0]) // 2
    pair = spelt[0][:middle], spelt[0][middle + 1 :]
    return tuple(name.upper() if half[0].isupper() else name for name in pair)


def _as_seen(tables: Mapping[str, tuple[str, ...]], seen: Sequence[str]) -> tuple[str, ...]:
    """Names that were seen as they were, the others from the table that knows most of those."""
    ways = [way.split() for ways in tables.values() for way in ways]
    bare = [name.rstrip(".").lower() for name in seen]

    def known(way: list[str]) -> tuple[int, int]:
        folds = {folded(name) for name in way}
        return sum(folded(name) in folds for name in bare), sum(name in way for name in bare)

    way = max(ways, key=known)
    dotted = sum(name.endswith(".") for name in seen) * 2 > len(seen)
    upper = all(name.isupper() for name in seen)
    title = all(name[:1].isupper() for name in seen)
    names = {name: name.upper() if upper else name.title() if title else name for name in way}
    made = [names[name] + "." * dotted for name in way]
    for name in seen:
        place = next((k for k, one in enumerate(way) if folded(one) == folded(name)), None)
        if place is not None:
            made[place] = name
    return tuple(made)
