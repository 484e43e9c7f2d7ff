"""Times in the spellings of sources, as aware UTC datetimes. Years outside 1971-2200 are no times (zero values, broken clocks)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

_FORMATS = (
    "%Y.%m.%d %H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M %p",
    "%d-%m-%Y %H:%M:%S",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%m-%d-%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%H:%M:%S %Y.%m.%d",
    "%H:%M:%S %d.%m.%Y",
    "%a %b %d %H:%M:%S %Y",
    "%a, %d %b %Y %H:%M:%S",
    "%A %d %B, %H:%M:%S %Y",
    "%d %b %Y %H:%M:%S",
    "%b %d, %Y %H:%M:%S",
    "%b %d %Y %H:%M:%S",
    "%b %d, %Y %I:%M:%S %p",
    "%B %d, %Y %I:%M %p",
    "%B %d, %Y %I:%M:%S %p",
    "%b %d, %Y, %I:%M %p",
    "%b %d, %Y %I:%M %p",
    "%A, %d %B, %Y %H:%M:%S",
    "%d %B %Y %H:%M:%S",
    "%Y-%m-%d %I:%M:%S %p",
    "%d-%b-%Y %H:%M:%S",
    "%d-%b-%Y %I:%M:%S %p",
    "%A, %B %d, %Y %I:%M:%S %p",
    "%Y%m%d%H%M%S",
)
_ZONE_WORD = re.compile(r"\s*\(?\b(?:UTC|GMT|Z|Etc/UTC|Coordinated Universal Time)\)?(?=\s|$)", re.IGNORECASE)
_OFFSET = re.compile(r"\s*([+-]\d\d):?(\d\d)(?::?\d\d)?$")
_FRACTION = re.compile(r"(:\d\d)[.,]\d+")
_MONOTONIC = re.compile(r"\s+m=[+-][\d.]+$")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+]?\d+)?")
_NAMED = {
    "EST": "-0500",
    "EDT": "-0400",
    "CST": "-0600",
    "CDT": "-0500",
    "MST": "-0700",
    "MDT": "-0600",
    "PST": "-0800",
    "PDT": "-0700",
    "CET": "+0100",
    "CEST": "+0200",
    "BST": "+0100",
    "IST": "+0530",
    "JST": "+0900",
    "AEST": "+1000",
}
_NAMED_ZONE = re.compile(r"\s(" + "|".join(_NAMED) + r")(?=\s|$)")
_EARLIEST, _LATEST = 31_536_000, 7_258_118_400


class BadTime(ValueError):
    """The value is there and is no time; a retry does not help."""


def moment(value: Any) -> datetime | None:
    """Aware UTC time of an epoch number (s, ms, us or ns, told apart by size) or a text; a text without a zone is UTC.

    None for nothing, zero, and Go's zero time. Raises BadTime for what is there and is no time.
    """
    if value is None or value == "" or value == 0 or value is False:
        return None
    if isinstance(value, str):
        if value[4:5] == "-":  # bare digits are epoch numbers, which fromisoformat would read as dates
            try:
                return _sane(datetime.fromisoformat(value))
            except ValueError as error:
                if isinstance(error, BadTime):
                    raise
        return _read(value.strip())
    if isinstance(value, int | float) and value is not True:
        return _epoch(value)
    raise BadTime(f"not a time: {str(value)[:60]!r}")


def _sane(parsed: datetime) -> datetime | None:
    if parsed.year < 1971:
        return None
    if parsed.year > 2200:
        raise BadTime(f"year {parsed.year}")
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _epoch(number: float) -> datetime | None:
    if not abs(number) < 1e20:
        raise BadTime(f"not a time: {number!r}")
    if abs(number) < _EARLIEST:
        return None
    unit = 1 if abs(number) < 1e11 else 1_000 if abs(number) < 1e14 else 1_000_000 if abs(number) < 1e17 else 1_000_000_000
    if isinstance(number, int):
        whole, rest = divmod(number, unit)
        micros = rest * 1_000_000 // unit
    else:
        whole, micros = divmod(round(number / unit * 1_000_000), 1_000_000)
    if not 0 <= whole < _LATEST:
        raise BadTime(f"not a time: {number!r}")
    return datetime.fromtimestamp(whole, UTC).replace(microsecond=micros)


@lru_cache(maxsize=256)
def _read(value: str) -> datetime | None:
    if not value or value in ("-", "null", "None", "N/A", "n/a", "never"):
        return None
    if len(value) <= 64:
        if _NUMBER.fullmatch(value):
            whole = value.isdigit()
            if not (whole and len(value) == 14 and value.startswith(("19", "20"))):
                return _epoch(int(value) if whole else float(value))
        spelled = _NAMED_ZONE.sub(lambda found: " " + _NAMED[found[1]], _MONOTONIC.sub("", value))
        spelled = " ".join(_ZONE_WORD.sub("", spelled).replace(" at ", " ").split())
        offset = _OFFSET.search(spelled)
        zone = offset[1] + offset[2] if offset and ":" in spelled[: offset.start()] else ""
        bare = _FRACTION.sub(r"\1", spelled[: offset.start()] if offset and zone else spelled)
        for attempt in _attempts(bare, zone):
            return _sane(attempt)
        try:
            return _sane(parsedate_to_datetime(value))
        except (ValueError, TypeError, IndexError, OverflowError):
            pass
    raise BadTime(f"not a time: {value[:60]!r}")


def _attempts(bare: str, zone: str) -> list[datetime]:
    """The first reading that fits, if any; %z also places the zones that stand in the middle of a text."""
    candidates = [(bare + zone, "iso")]
    candidates += [(f"{bare} {zone}".strip(), f"{form} %z" if zone else form) for form in _FORMATS]
    middle = re.sub(r"([+-]\d{4})\s(\d{4})$", r"\2 \1", bare)
    if middle != bare:
        candidates += [(middle, f"{form} %z") for form in _FORMATS]
    for spelled, form in candidates:
        try:
            return [datetime.fromisoformat(spelled) if form == "iso" else datetime.strptime(spelled, form)]  # noqa: DTZ007 - _sane adds UTC
        except ValueError:
            continue
    return []
