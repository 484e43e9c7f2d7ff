"""Take secrets, personal data and addresses out of a text before it leaves this network, and put addresses back into the answer.

What is found is replaced by a placeholder, `[ip:3f2a9c]`: the kind, and the first digits of HMAC(key, scope, kind, value). The same value
has the same placeholder wherever it occurs in an incident, another one in the next incident, and nobody without the key can try values.
What is taken out errs on the side of too much. Not found, and said so: names of persons, secrets in prose that nothing marks, and
hexadecimal keys without their name beside them (they look like hashes, which the on-call needs).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from agents.advice.config import RedactConfig
from agents.advice.personal import addresses, cards, cut_off, emails, hosts, ibans, numbers
from agents.advice.phones import phones
from agents.advice.random_words import random_words, wrapped
from agents.advice.secret_carriers import carried
from agents.advice.secret_names import named
from agents.advice.secret_places import places
from agents.advice.secret_shapes import shapes
from agents.advice.secret_words import words
from agents.advice.spans import HARMLESS, KINDS, SECRETS, Detector, Span, merged

LARGEST = 1 << 20
"""Characters of one text. A prompt has a few thousand."""
ROUNDS = 6
DIGEST = 6
SHORTEST_KEY = 16
PLACEHOLDER = re.compile(rf"\[({'|'.join(KINDS)}):[0-9a-f]{{{DIGEST},16}}\]")
COVER = "\ue000"
"""Stands for each letter of a placeholder while detectors look, so that none sees a name or a number in it."""
INVISIBLE = (0xAD, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF, ord(COVER))
LEVEL: dict[int, str | int | None] = dict.fromkeys(INVISIBLE) | {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | {0x3000: " "}
"""Letters that nobody sees go, and full-width ones become plain: both hide a secret from an expression."""
ESCAPE = re.compile(
    r"""(?ix) (?<!\\) \\++ (?: u(?P<unicode>[0-9a-f]{4}) | x(?P<hex>[2-7][0-9a-f]) | (?P<letter>[nrtbf"'/]) )
    | \[ (?P<defanged> [.:] ) \]
    | % (?:25)*+ (?P<percent>[2-7][0-9a-f]|0[9ad])
    | & (?: (?P<entity> quot | apos | amp | lt | gt | colon | commat | equals )
          | \#0{0,4} (?P<decimal>[0-9]{2,3}) | \#x0{0,4} (?P<hexadecimal>[2-7][0-9a-f]) ) ; """
)
ENTITIES = {"quot": '"', "apos": "'", "amp": "&", "lt": "<", "gt": ">", "colon": ":", "commat": "@", "equals": "="}
LETTERS = {"n": "\n", "r": "\n", "t": "\t", "b": " ", "f": " "}
SWEPT = 8
"""A secret that was found once is looked for everywhere else when it is at least so long, and no plain word."""
MOST_SWEPT = 200


class RedactionFailed(Exception):
    """The text could not be made safe: nothing may be sent. The message holds no part of it. A retry does not help."""


@dataclass(frozen=True, slots=True)
class Redacted:
    text: str
    counts: dict[str, int]
    """Kind to how many places."""
    originals: dict[str, str] = field(repr=False)
    """Placeholder to what it stands for."""


class Redactor:
    """Immutable; may be shared."""

    def __init__(self, config: RedactConfig, key: bytes) -> None:
        """`key`: at least 16 bytes, known to nobody who sees redacted text. Raises ValueError for a shorter one."""
        if len(key) < SHORTEST_KEY:
            raise ValueError(f"the key of the placeholders has {len(key)} bytes: give {SHORTEST_KEY} or more")
        self.key = key
        secrets: list[Detector] = [shapes, places, named, words, carried]
        self.secrets = (*secrets, wrapped(lambda told: any(True for _ in found_by(secrets, told))))
        personal: list[Detector] = [emails, cards, ibans, cut_off, numbers, phones]
        if config.addresses:
            personal.append(addresses)
        if config.hosts:
            personal.append(hosts(config.host_suffixes))
        if config.entropy:
            personal.append(random_words)
        self.detectors = (*self.secrets, *personal)

    def redact(self, text: str, scope: str) -> Redacted:
        """Raises RedactionFailed. What is redacted already stays as it is."""
        return Redaction(self, scope).redact(text)

    def shown(self, text: str) -> tuple[str, ...]:
        """The kinds of secret that show by their form in `text`, in any escaping: a second look at what is about to be sent.

        Names beside values are not looked at again: `token: string` in a schema is none. Raises RedactionFailed.
        """
        try:
            masked, _ = covered(text)
            return tuple(sorted({span.kind for span in looked_at((shapes, places), masked) if not is_cover(masked, span)}))
        except Exception as error:
            raise RedactionFailed(f"the second look failed ({type(error).__name__})") from None


class Redaction:
    """Of several texts that are sent together: one table of placeholders, and a secret of one is taken out of all that follow."""

    def __init__(self, redactor: Redactor, scope: str) -> None:
        self.redactor, self.scope = redactor, scope
        self.originals: dict[str, str] = {}
        self.known: dict[tuple[str, str], str] = {}
        self.sweep: dict[str, str] = {}

    def redact(self, text: str) -> Redacted:
        try:
            if len(text) > LARGEST:
                raise RedactionFailed(f"a text of {len(text)} characters is longer than the {LARGEST} that are looked at")
            return self.settled(text if text.isascii() else text.translate(LEVEL))
        except RedactionFailed:
            raise
        except Exception as error:  # whatever it is, the text is not safe; and its message may hold a part of the text
            raise RedactionFailed(f"looking for secrets failed ({type(error).__name__})") from None

    def settled(self, text: str) -> Redacted:
        """Looked at until nothing more is found: what was taken out may have hidden what stands beside it."""
        counts: Counter[str] = Counter()
        for _ in range(ROUNDS):
            masked, standing = covered(text)
            spans = [span for span in merged(looked_at(self.redactor.detectors, masked)) if not is_cover(masked, span)]
            self.remember(text, spans)
            spans = [span for span in merged([*spans, *self.repeated(masked)]) if not is_cover(masked, span)]
            if not spans:
                mine = {mark: self.originals[mark] for mark in standing if mark in self.originals}
                return Redacted(text, dict(counts), mine)
            counts.update(span.kind for span in spans)
            text = "".join(self.replaced(text, spans))
        raise RedactionFailed("the text does not settle: each look finds something new")

    def replaced(self, text: str, spans: Iterable[Span]) -> Iterator[str]:
        at = 0
        for start, end, kind in spans:
            yield text[at:start]
            yield self.placeholder(kind, text[start:end])
            at = end
        yield text[at:]

    def placeholder(self, kind: str, value: str) -> str:
        value = value.replace("[.]", ".").replace("[:]", ":")  # links made harmless: the same host either way
        if (known := self.known.get((kind, value))) is not None:
            return known
        message = b"".join(
            len(part).to_bytes(4, "big") + part for part in (p.encode("utf-8", "surrogatepass") for p in (self.scope, kind, value))
        )
        digest = hmac.new(self.redactor.key, message, hashlib.sha256).hexdigest()
        for size in range(DIGEST, 17, 2):
            mark = f"[{kind}:{digest[:size]}]"
            if mark not in self.originals:
                self.originals[mark] = value
                self.known[kind, value] = mark
                return mark
        raise RedactionFailed("two values have the same placeholder")

    def remember(self, text: str, spans: Iterable[Span]) -> None:
        for start, end, kind in spans:
            value = text[start:end]
            telling = any(map(str.isdigit, value)) or not (value.islower() or value.istitle())
            if kind in SECRETS and len(value) >= SWEPT and telling and PLACEHOLDER.search(value) is None and len(self.sweep) < MOST_SWEPT:
                self.sweep[value] = kind

    def repeated(self, text: str) -> Iterator[Span]:
        for value, kind in self.sweep.items():
            at = text.find(value)
            while at >= 0:
                yield Span(at, at + len(value), kind)
                at = text.find(value, at + len(value))


def restore(text: str, originals: Mapping[str, str]) -> str:
    """Placeholders that are known become what they stand for; others stay."""
    return PLACEHOLDER.sub(lambda found: originals.get(found[0], found[0]), text)


def harmless(originals: Mapping[str, str]) -> dict[str, str]:
    """Those that may be put back into an answer: addresses and hosts, never secrets and personal data."""
    return {mark: value for mark, value in originals.items() if mark[1:].partition(":")[0] in HARMLESS}


def without_marks(text: str) -> str:
    """Placeholders without their digits: `[password]`. For text that people read and in which nothing is put back."""
    return PLACEHOLDER.sub(lambda found: f"[{found[1]}]", text)


def covered(text: str) -> tuple[str, list[str]]:
    """`text` with its placeholders covered, of the same length, and those placeholders."""
    standing: list[str] = []

    def cover(found: re.Match[str]) -> str:
        standing.append(found[0])
        return COVER * len(found[0])

    return PLACEHOLDER.sub(cover, text), standing


def is_cover(masked: str, span: Span) -> bool:
    return not masked[span.start : span.end].strip(COVER)


def found_by(detectors: Iterable[Detector], text: str) -> Iterator[Span]:
    for detector in detectors:
        for span in detector(text):
            if span.start < span.end:
                yield span


def looked_at(detectors: Iterable[Detector], text: str) -> Iterator[Span]:
    """As it stands, and as it reads once JSON, URL and HTML escapes are undone, and links that were made harmless."""
    detectors = tuple(detectors)
    yield from found_by(detectors, text)
    if any(mark in text for mark in ("\\", "%", "&", "[.]", "[:]")):
        read = Unescaped(text)
        if read.text != text:
            for start, end, kind in found_by(detectors, read.text):
                yield Span(read.origin(start), read.origin(end), kind)


class Unescaped:
    """A text without its escapes, and where each letter of it came from."""

    def __init__(self, text: str) -> None:
        self.here, self.there = [0], [0]
        pieces: list[str] = []
        size = at = 0
        for match in ESCAPE.finditer(text):
            pieces.append(text[at : match.start()])
            size += match.start() - at
            self.here += (size, size + 1)
            self.there += match.span()
            pieces.append(meant(match))
            size, at = size + 1, match.end()
        pieces.append(text[at:])
        self.text = "".join(pieces)

    def origin(self, place: int) -> int:
        piece = bisect_right(self.here, place) - 1
        return self.there[piece] + place - self.here[piece]


def meant(escape: re.Match[str]) -> str:
    value = escape[str(escape.lastgroup)]
    match escape.lastgroup:
        case "letter":
            return LETTERS.get(value.lower(), value)
        case "defanged":
            return value
        case "entity":
            return ENTITIES[value.lower()]
        case "decimal":
            return chr(int(value)) if int(value) < 128 else " "
        case _:
            return chr(int(value, 16))
