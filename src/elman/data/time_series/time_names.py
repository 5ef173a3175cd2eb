"""What columns of times are called: date, Zeitpunkt, 日期, reading_ts, <DATE>."""

from __future__ import annotations

import re

# Names of what can hardly be anything but times, and of what may be others too.
STRONG = (
    "ds", "date", "datetime", "timestamp", "date_time", "datum", "fecha", "дата", "日期", "时间",
    "日付", "날짜", "日期时间", "日時", "年月日",
    "zeitstempel", "horodatage", "日期時間", "时间戳", "時間戳",
    "タイムスタンプ", "타임스탬프", "일시", "일자", "marca de tiempo", "fecha y hora",
    "data e hora",
    "data/hora", "carimbo de data/hora", "data e ora", "date et heure", "datum und zeit",
    "дата и время", "метка времени",
)  # fmt: skip
WEAK = (
    "time", "period", "month", "year", "quarter", "week", "day", "hour", "data", "zeit",
    "zeitpunkt", "monat", "jahr", "tag", "woche", "quartal", "mois", "année", "annee", "jour",
    "mes", "año", "ano", "dia", "día", "mese", "anno", "giorno", "mês", "месяц", "год", "день",
    "время", "月份", "年份", "年", "月", "日", "時間", "年月", "시간", "연도",
    "월", "季度", "周", "週", "小时", "小時", "時刻", "年度", "期間", "四半期", "주", "분기",
    "기간", "stunde", "uhrzeit", "zeitraum", "heure", "semaine", "trimestre", "période", "periode",
    "hora", "semana", "período", "periodo", "ora", "settimana", "неделя", "квартал", "час",
    "период", "t", "step", "tick", "cycle",
    "when", "time_idx", "time_index", "time_step", "timestep", "time_cycles", "epoch", "unix",
    "unixtime", "ts", "mtu",
)  # fmt: skip
TIMES = STRONG + WEAK
WITHIN = (
    "date",
    "time",
    "datum",
    "fecha",
    "period",
    "month",
    "year",
    "дата",
    "日期",
    "时间",
    "day",
)
WORDS = frozenset({"ts", "epoch", "unix", "unixtime", "timestamp"})  # one of several in a name
# The first or last word of a name: of "Reporting Week", not of "day_type".
SPOKEN = frozenset({*STRONG, *WEAK} - {"data", "day", "dia", "tag", "jour", "step", "tick", "cycle",
                    "when", "t", "mes", "ano", "ora", "hora", "час", "год"})  # fmt: skip


def bare(name: str) -> str:
    """A name in small letters, without marks around it."""
    return name.strip().lower().strip("<>[]#\"' ")


def said(name: str) -> int:
    """How much a name sounds like that of times: 3 of nothing else, 2 of little else."""
    name = bare(name)
    if name in STRONG:
        return 3
    if name in WEAK:
        return 2
    parted = re.split(r"[\W_]+", name)
    within = any(word in name for word in WITHIN) or name.endswith("tag")  # Buchungstag
    return int(within or not WORDS.isdisjoint(parted))


def speaks(name: str) -> bool:
    """Whether a column of this name holds times, if it holds words."""
    name = bare(name)
    parted = re.split(r"[\W_]+", name)
    return name in STRONG or name in WEAK or not SPOKEN.isdisjoint((parted[0], parted[-1]))
