"""Days and times of day, as people write them and as tools want them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..reading import Span

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTH = (
    r"(?P<{0}>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY = r"(?P<{0}>\d{{1,2}})(?:st|nd|rd|th)?"
_WEEKDAYS = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_FORMS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<!\d)(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?!\d)",
        r"(?<!\d)(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4})(?!\d)",
        r"(?<!\d)(?P<d>\d{1,2})[-.](?P<m>\d{1,2})[-.](?P<y>\d{4})(?!\d)",
        r"(?<!\d)(?P<y>\d{4})\s*年\s*(?P<m>\d{1,2})\s*月\s*(?P<d>\d{1,2})\s*[日号]",
        rf"\b{_MONTH.format('m')}\s*{_DAY.format('d')}(?:\s*,\s*|\s+)(?P<y>\d{{4}})\b",
        rf"\b{_DAY.format('d')}\s+(?:of\s+)?{_MONTH.format('m')}(?:\s*,\s*|\s+)(?P<y>\d{{4}})\b",
        rf"\b{_MONTH.format('m')}\s*{_DAY.format('d')}\b(?!\s*[,/]?\s*\d{{4}})",
        rf"\b{_DAY.format('d')}\s+(?:of\s+)?{_MONTH.format('m')}\b",
        r"(?<!\d)(?P<m>\d{1,2})\s*月\s*(?P<d>\d{1,2})\s*[日号]",
    )
)
_RELATIVE = re.compile(
    rf"\b(?:(?:next|this|last|coming)\s+(?:{_WEEKDAYS}|week|weekend|month|year)"
    rf"|day after tomorrow|today|tomorrow|tonight|yesterday|{_WEEKDAYS})\b"
    r"|今天|明天|后天|昨天|下周[一二三四五六日天]?|本周[一二三四五六日天]?|星期[一二三四五六日天]|周[一二三四五六日天]",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"(?<![\d:])(?P<h>[01]?\d|2[0-3])(?::(?P<n>[0-5]\d)(?::[0-5]\d)?\s*(?P<half>[ap]\.?m\.?)?|\s*(?P<half2>[ap]\.?m\b\.?)|\s*o'clock)(?![\d:])"
    r"|(?P<zhalf>上午|下午|晚上|早上|中午)?\s*(?P<zh>\d{1,2})\s*点(?:(?P<zn>\d{1,2})\s*分|(?P<zs>半))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Day:
    """A day as it is said, with what of it is known, and where."""

    said: str
    span: Span
    year: int | None = None
    month: int | None = None
    day: int | None = None

    def written(self, form: str) -> str:
        """The day in a form such as ``YYYY-MM-DD``; as it was said where not enough of it is known."""
        if not form or self.month is None or self.day is None or (self.year is None and "y" in form.lower()):
            return self.said
        low = form.lower()
        low = low.replace("yyyy", f"{self.year or 0:04d}").replace("yy", f"{(self.year or 0) % 100:02d}")
        return low.replace("mm", f"{self.month:02d}").replace("dd", f"{self.day:02d}")


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day as it is said, and where."""

    said: str
    span: Span
    hour: int
    minute: int

    def written(self, about: str) -> str:
        """The time as a description asks for it: 24 hours where it speaks of HH:MM, else as it was said."""
        return (
            f"{self.hour:02d}:{self.minute:02d}"
            if re.search(r"hh:mm|24.hour", about, re.IGNORECASE)
            else self.said
        )


def days(text: str) -> list[Day]:
    """The days that a text names, in order; each place of the text belongs to one."""
    found: list[Day] = []
    for form in _FORMS:
        for match in form.finditer(text):
            if any(_crosses(match.span(), f.span) for f in found):
                continue
            part = match.groupdict()
            month, day = _month(part["m"]), int(part["d"])
            if 1 <= month <= 12 and 1 <= day <= 31:
                year = part.get("y")
                found.append(Day(match[0], match.span(), int(year) if year else None, month, day))
    for match in _RELATIVE.finditer(text):
        if not any(_crosses(match.span(), f.span) for f in found):
            found.append(Day(match[0], match.span()))
    return sorted(found, key=lambda f: f.span)


def clocks(text: str) -> list[Clock]:
    """The times of day that a text names, in order."""
    found: list[Clock] = []
    for match in _TIME.finditer(text):
        part = match.groupdict()
        hour = int(part["h"] or part["zh"])
        minute = int(part["n"] or part["zn"] or (30 if part["zs"] else 0))
        half = (part["half"] or part["half2"] or "").lower().replace(".", "")
        if (half == "pm" or part["zhalf"] in ("下午", "晚上")) and hour < 12:
            hour += 12
        elif half == "am" and hour == 12:
            hour = 0
        if hour < 24:
            said = match[0].strip()
            start = match.end() - len(match[0].lstrip())
            found.append(Clock(said, (start, start + len(said)), hour, minute))
    return found


def _month(text: str) -> int:
    if text.isdigit():
        return int(text)
    return next(n for n, name in enumerate(_MONTHS, 1) if name.startswith(text.lower().rstrip(".")[:3]))


def _crosses(a: Span, b: Span) -> bool:
    return a[0] < b[1] and b[0] < a[1]
