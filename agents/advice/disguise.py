"""Texts as a reader would take them: disguises off. Everything here is linear in the text and bounded.

`folded` is for patterns of words, `compact` for phrases whatever stands between their letters, `decoded` yields what a text hides in an
encoding.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
import unicodedata
from collections.abc import Collection, Iterator
from urllib.parse import unquote

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_MARKS = re.compile("[\u0300-\u036f\u0483-\u0489\u0640\u064b-\u065f\u0670]")
_BLANKS = re.compile(r"[ \t\r\f\v\u00a0\u2000-\u200a\u3000]+")
_TAGS = re.compile("[\U000e0020-\U000e007e]{4,}")
_LIKE = {
    **dict(zip("асеорхуіјѕһԁԛѡкмтвнгп", "aceopxyijshdqwkmtbnrn", strict=True)),
    **dict(zip("αβεηικνορτυχω", "abenikvoptuxw", strict=True)),
    **dict(zip("ɑɡɩɪʀɢɴʟᴀʙᴄᴅᴇᴊᴋᴍᴏᴘꜱᴛᴜᴠᴡʏᴢ", "agiirgnlabcdejkmopstuvwyz", strict=True)),
    **dict(zip("ıłøđħ", "ilodh", strict=True)),
    **{chr(0x1F1E6 + number): chr(97 + number) for number in range(26)},
    **{chr(0x1F130 + number): chr(97 + number) for number in range(26)},
    **{chr(0x1F150 + number): chr(97 + number) for number in range(26)},
    **{chr(0x1F170 + number): chr(97 + number) for number in range(26)},
}
_LATIN = str.maketrans(_LIKE)
_LEET = str.maketrans({"0": "o", "1": "i", "l": "i", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "@": "a", "$": "s", "€": "e"})
_NO_LETTER = re.compile(r"[\W_]+")
_PLAIN = str.maketrans(
    {"…": "...", "–": "-", "—": "-", "‐": "-", "‑": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "„": '"', "°": " ", "µ": "u", "•": "-"}
)

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_BASE32 = re.compile(r"[A-Z2-7]{24,}={0,6}")
_HEX = re.compile(r"(?<![0-9a-fA-F])(?:(?:\\x|0x|%)?[0-9a-fA-F]{2}[ :,]?){10,}")
_BITS = re.compile(r"(?:[01]{8} ?){8,}")
_CODES = re.compile(r"(?:\d{2,3}[ ,;]{1,4}){10,}\d{2,3}")
_RUN_OF_CODE = re.compile(r"[A-Za-z0-9+/_-]{16}|[0-9a-fA-Fx\\ :,;%]{20}")
_ROT13 = frozenset(("vtab", "vafg", "ceri", "frir", "qvfe", "flfg", "fhcc", "pynf", "vtabe"))
_REVERSED = frozenset(("eron", "snoi", "suoi", "ytir", "drag", "tpmo", "sser", "egap", "yfis"))
"""First letters of telling words, rotated by 13 and turned round."""
_ESCAPES = re.compile(r"\\u\{?([0-9a-fA-F]{4})\}?|\\x([0-9a-fA-F]{2})")
_ENTITY = re.compile(r"&(?:#x?[0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});?")
RUNS, RUN = 24, 8192
"""How many encoded runs of a text are looked into, and how much of each."""


def plain(text: str) -> str:
    """The same with typographic punctuation as ASCII."""
    return text if text.isascii() else text.translate(_PLAIN)


def unmarked(text: str) -> str:
    """Compatibility forms resolved, invisible characters and marks on letters taken off; scripts stay what they are."""
    if text.isascii():
        return text
    split = unicodedata.normalize("NFKD", INVISIBLE.sub("", text))
    return unicodedata.normalize("NFC", _MARKS.sub("", split))


def folded(text: str) -> str:
    return _BLANKS.sub(" ", unmarked(plain(text)).lower().replace("ı", "i").replace("ł", "l").replace("ø", "o"))


def latin(text: str) -> str:
    """Of a folded text: letters of other alphabets that look like Latin ones as those."""
    return text.translate(_LATIN)


def compact(text: str) -> str:
    """Of a folded text: letters only, digits read as the letters that they stand for."""
    return _NO_LETTER.sub("", text.translate(_LEET))


def decoded(text: str, stems: Collection[str]) -> Iterator[str]:
    """The text of everything in `text` that reads as text once decoded. Raw, not folded, text is wanted; `stems` are those of its words."""
    if not text.isascii():
        for found in _TAGS.finditer(text):
            yield "".join(chr(ord(letter) - 0xE0000) for letter in found[0])
    if "&" in text and _ENTITY.search(text):
        yield html.unescape(text)
    if "%" in text and text.count("%") > 2:
        yield unquote(text, errors="replace")
    if "\\" in text and _ESCAPES.search(text):
        yield _ESCAPES.sub(lambda found: chr(int(found[1] or found[2], 16)), text).replace("\\n", "\n")
    if _RUN_OF_CODE.search(text):
        yield from _runs(text)
    if not _ROT13.isdisjoint(stems):
        yield codecs.decode(text, "rot13")
    if not _REVERSED.isdisjoint(stems):
        yield text[::-1]


def _runs(text: str) -> Iterator[str]:
    looked = 0
    for pattern, read in (
        (_BASE64, _from_base64),
        (_BASE32, _from_base32),
        (_HEX, _from_hex),
        (_BITS, _from_bits),
        (_CODES, _from_codes),
    ):
        for found in pattern.finditer(text):
            looked += 1
            if looked > RUNS:
                return
            written = read(found[0][:RUN])
            if written is not None:
                yield written


def _text(data: bytes) -> str | None:
    """Bytes as text, if nearly all of them read as text."""
    if data.count(0) * 5 >= len(data) * 2:  # two bytes a letter
        data = data.replace(b"\x00", b"")
    written = data.decode("utf-8", "ignore").strip("\x00")
    if len(written) < 8:
        return None
    readable = sum(letter.isalnum() or letter in " .,:;!?'\"-_/\n{}[]<>|()=#" for letter in written)
    return written if readable >= 0.9 * len(written) and len(written) >= 0.6 * len(data.strip(b"\x00")) / 3 else None


def _from_base64(run: str) -> str | None:
    if run.isalpha() and (run.islower() or run.isupper()):
        return None  # a long word
    bare = run.rstrip("=").replace("-", "+").replace("_", "/")
    bare = bare[: len(bare) - (len(bare) % 4 == 1)]
    try:
        return _text(base64.b64decode(bare + "=" * (-len(bare) % 4)))
    except (binascii.Error, ValueError):
        return None


def _from_base32(run: str) -> str | None:
    bare = run.rstrip("=")
    bare = bare[: len(bare) // 8 * 8]
    try:
        return _text(base64.b32decode(bare))
    except (binascii.Error, ValueError):
        return None


def _from_hex(run: str) -> str | None:
    digits = re.sub(r"\\x|0x|[%:, ]", "", run)
    return _text(bytes.fromhex(digits[: len(digits) // 2 * 2]))


def _from_bits(run: str) -> str | None:
    digits = run.replace(" ", "")
    return _text(bytes(int(digits[start : start + 8], 2) for start in range(0, len(digits) // 8 * 8, 8)))


def _from_codes(run: str) -> str | None:
    numbers = [int(number) for number in re.split(r"[ ,;]+", run)]
    return _text(bytes(numbers)) if all(9 <= number < 127 for number in numbers) else None
