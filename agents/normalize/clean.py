"""Limits and text: what an alert may carry (SPEC 1.3), and texts made harmless.

Texts are NFC. Control characters (line ends and tabs in long texts aside), lone surrogates and bidirectional overrides are replaced:
white space controls by a blank, the others by nothing.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import msgspec

from agents.normalize.dig import text
from agents.normalize.items import Bad, RejectReason

EVENT_BYTES = 256 * 1024
PAYLOAD_BYTES = 1024 * 1024
"""A payload may hold many events; this is the most a record of `alerts.raw` can be."""
DEPTH = 32
LABELS = 200
KEY_CHARS = 128
VALUE_BYTES = 4096
NAME_CHARS = 512
LARGEST = 2**63 - 1
LARGEST_UNSIGNED = 2**64 - 1

_HARMFUL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufeff]")
_BLANKS = re.compile(r"[\t\r\n\v\f\x85\u2028\u2029]+")
_SECRET = re.compile(
    r"authori[sz]ation|cookie|passw(or)?d|secret|api[_-]?key|access[_-]?token|private[_-]?key|^token$|auth[_-]?token|credential",
    re.IGNORECASE,
)

_encode = msgspec.json.Encoder().encode


def line(value: Any, longest: int = NAME_CHARS) -> str:
    """A scalar as one line of clean text, at most `longest` characters."""
    written = value if isinstance(value, str) else text(value)
    if written.isascii() and written.isprintable():
        written = written.strip()
    elif written:
        written = unicodedata.normalize("NFC", _HARMFUL.sub("", _BLANKS.sub(" ", written))).strip()
    return written if len(written) <= longest else written[: longest - 1] + "…"


def prose(value: Any, longest: int = VALUE_BYTES) -> str:
    """A scalar (or JSON for an object or list) as clean text that may have several lines, at most `longest` characters."""
    written = value if isinstance(value, str) else written_out(value)
    if not (written.isascii() and written.isprintable()):
        written = unicodedata.normalize("NFC", _HARMFUL.sub("", written.replace("\r\n", "\n")))
    return written if len(written) <= longest else written[: longest - 1] + "…"


def written_out(value: Any) -> str:
    """A scalar as text, an object or list as compact JSON."""
    if isinstance(value, dict | list):
        try:
            return _encode(value).decode()
        except (ValueError, OverflowError, UnicodeEncodeError, RecursionError):
            return repr(value)
    return text(value)


def labels_of(labels: Mapping[str, Any]) -> dict[str, str] | Bad:
    """Labels as texts. Empty ones are left out, as Alertmanager does. Over a limit: why."""
    if len(labels) > LABELS:
        return Bad(RejectReason.TOO_MANY_LABELS, f"{len(labels)} labels, the limit is {LABELS}")
    clean: dict[str, str] = {}
    for key, value in labels.items():
        written = value if isinstance(value, str) else written_out(value)
        if len(key) > KEY_CHARS:
            return Bad(RejectReason.LABEL_KEY_TOO_LONG, f"label key of {len(key)} characters, the limit is {KEY_CHARS}: {line(key, 40)}")
        if len(written) * 4 > VALUE_BYTES and len(written.encode(errors="replace")) > VALUE_BYTES:
            return Bad(RejectReason.LABEL_VALUE_TOO_LONG, f"value of label {line(key, 40)} is over {VALUE_BYTES} bytes")
        if not (written.isascii() and written.isprintable()):
            written = line(written, VALUE_BYTES)
        if not (key.isascii() and key.isprintable()):
            key = line(key, KEY_CHARS)
        if written and key:
            clean[key] = written
    return clean


def annotations_of(annotations: Mapping[str, Any]) -> tuple[dict[str, str], bool]:
    """Annotations as texts and whether something was cut: they inform people, so too much is cut and not refused. Secrets are left out."""
    clean: dict[str, str] = {}
    cut = len(annotations) > LABELS
    for key, value in annotations.items():
        if len(clean) == LABELS:
            break
        if _SECRET.search(key):
            continue
        written = prose(value, PAYLOAD_BYTES)
        if len(written) > VALUE_BYTES:
            written, cut = prose(written), True
        if written:
            clean[line(key, KEY_CHARS)] = written
    return clean, cut


def is_secret(key: str) -> bool:
    return _SECRET.search(key) is not None


def fault(value: Any, depth: int = DEPTH) -> Bad | None:
    """First limit that a decoded JSON value breaks: depth, finite numbers, 64-bit integers. Recursion is bounded by `depth`."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return None
    if kind is float:
        return None if math.isfinite(value) else Bad(RejectReason.NOT_FINITE, f"{value!r} is not a finite number")
    if kind is int:
        # Unsigned 64-bit hashes and ids occur in real payloads, so both kinds of 64-bit integer pass.
        return None if -LARGEST <= value <= LARGEST_UNSIGNED else Bad(RejectReason.INTEGER_TOO_LARGE, "an integer needs more than 64 bits")
    if depth <= 0:
        return Bad(RejectReason.TOO_DEEP, f"nested deeper than {DEPTH}")
    for item in value.values() if isinstance(value, dict) else value:
        if type(item) is not str:
            found = fault(item, depth - 1)
            if found is not None:
                return found
    return None


def size(value: Any) -> int:
    """Bytes of a decoded JSON value when written out again."""
    try:
        return len(_encode(value))
    except (ValueError, OverflowError, UnicodeEncodeError, RecursionError):
        return len(repr(value))
