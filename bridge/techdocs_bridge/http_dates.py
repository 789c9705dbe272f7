"""Dates of HTTP (RFC 9110, section 5.6.7), which have whole seconds and no other zone than GMT."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_FORMS = (
    re.compile(rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?P<day>\d\d) {_MONTH} (?P<year>\d{{4}}) {_TIME} GMT", re.ASCII),
    # The two obsolete forms, which every recipient takes: RFC 850 and asctime.
    re.compile(
        rf"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?P<day>\d\d)-{_MONTH}-(?P<year>\d\d) {_TIME} GMT", re.ASCII
    ),
    re.compile(rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) {_MONTH} (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})", re.ASCII),
)


def parse_http_date(text: str | None, now: datetime) -> datetime | None:
    """Return the moment of a date, or None for what is none. A year of two digits is at most 50 years after ``now``."""
    for form in _FORMS if text else ():
        if (match := form.fullmatch(str(text).strip())) is not None:
            return _moment({name: str(value) for name, value in match.groupdict().items()}, now)
    return None


def http_date(moment: datetime) -> str:
    """Return a moment as a date of HTTP; parts of a second are cut off."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def _moment(found: dict[str, str], now: datetime) -> datetime | None:
    year = int(found["year"])
    if len(found["year"]) == 2:
        year += now.year // 100 * 100
        year -= 100 if year > now.year + 50 else 0
    hour, minute, second = (int(found[name]) for name in ("hour", "minute", "second"))
    try:
        # A leap second is taken for the one before it.
        month, day = _MONTHS.index(found["month"]) + 1, int(found["day"])
        return datetime(year, month, day, hour, minute, min(second, 59) if second == 60 else second, tzinfo=UTC)
    except ValueError:
        return None
