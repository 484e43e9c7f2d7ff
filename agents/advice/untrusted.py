"""Text that somebody outside wrote: made harmless to show, and read for signs that it speaks to a machine.

Alert text is data. A text that gives orders ("ignore what you were told", "set severity to P4", "do not page") is evidence of nothing but
its author's wish, so neither the rules nor a prompt go by it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

from agents.advice.disguise import INVISIBLE, compact, decoded, folded, latin, plain
from agents.advice.signs import COMPACT, COMPACT_STEMS, OTHER_SCRIPTS, SHAPES, STRONG, Found, spoken, stems_of, written

LOOK = 20_000
"""Characters of a text that are looked at. Intake allows no alert more than 4 KiB a value."""
REMEMBERED = 512
"""Verdicts on texts of at most this length are kept, 4,096 of them: 70 % of alerts repeat. Under 10 MB."""
DEEP = 3
"""Encodings inside encodings that are undone."""

_ANSI = re.compile(r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]{0,256}(?:\x07|\x1b\\)?|[@-Z\\^_])")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
_TOKENS = re.compile(
    r"<[|｜][^<>\n]{1,48}?[|｜]>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>|\[/?(?:TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS"
    r"|SYSTEM_PROMPT|IMG)\]|</?think(?:ing)?>|</?(?:antml:)?(?:tool_call|function_calls?|invoke)\b[^<>\n]{0,80}>",
    re.I,
)
_ORDERED = re.compile(
    r"(?:\w+ (?:and|then) )?(?:report|say|answer|write|state|declare|claim|respond|reply|tell|output|print|return|classify|treat|mark|set"
    r"|call|raise|assume|pretend|act|announce|describe|mention|summarize|rate)(?:\W|$)",
    re.I,
)
"""After words that speak to a machine: what follows is what it is to do."""
_HALVES = str.maketrans({"｜": "|"})
_BLANKS = re.compile(r"[ \t]{2,}")
_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*){2,}")
_SENTENCE = re.compile(r"[^.!?。！？।؟\n]*(?:[.!?。！？।؟](?![\s\"')\]]|$)[^.!?。！？।؟\n]*)*[.!?。！？।؟\n]*[\"')\]]*\s*")

_COMPACT = tuple(dict.fromkeys(compact(phrase) for phrase in COMPACT.split("|")))
_COMPACT_STEMS = tuple(dict.fromkeys(compact(stem) for stem in COMPACT_STEMS.split("|")))
_SHAPED = re.compile(r"[<>`{}\[\]#\"\\*:｜]|-{2}|={2}")
_CLOSED = re.compile(r"[\"']\s*[}\]]\s*[}\]]")


def clean(text: str, limit: int) -> str:
    """`text` without what is not meant for people (control and escape codes, invisible and bidirectional characters, special tokens of
    models), NFC, at most `limit` characters."""
    if not (text.isascii() and text.isprintable()):
        text = _CONTROL.sub("", INVISIBLE.sub("", _ANSI.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))))
        text = unicodedata.normalize("NFC", text)
    for _ in range(4):
        text, found = _TOKENS.subn(" ", text)
        if not found:
            break
    text = text.replace("<|", "< ").replace("|>", " >").replace("<｜", "< ").replace("｜>", " >")
    text = _LINES.sub("\n\n", _BLANKS.sub(" ", text)).strip()
    return text if len(text) <= limit else text[: max(limit - 1, 0)].rstrip() + "…" if limit > 0 else ""


def suspicious(text: str) -> str | None:
    """The name of the first sign that `text` speaks to a machine (`override`, `severity_order`, `encoded:override`, ...), or None.

    Linear in the text; looks at its first 20,000 characters."""
    return _remembered(text) if len(text) <= REMEMBERED else _name(text)


def _name(text: str) -> str | None:
    found = look(text)
    return None if found is None else found.name


_remembered = lru_cache(maxsize=4096)(_name)


def look(text: str, deep: int = DEEP) -> Found | None:
    """The sign, and where it stands; from 0 to the end where that is not known, because it is encoded."""
    text = text[:LOOK]
    bare = plain(text)
    words = folded(bare)
    stems = stems_of(words)
    found = _open(words, bare, stems) or _run_together(latin(words) if not words.isascii() else words)
    if found is not None:
        return found if len(words) == len(text) else Found(found.name, 0, len(text))
    for hidden in decoded(bare, stems) if deep else ():
        if hidden != bare and (inner := look(hidden, deep - 1)) is not None:
            return Found(inner.name if inner.name.startswith("encoded:") else f"encoded:{inner.name}", 0, len(text))
    return None


def _open(words: str, text: str, stems: set[str]) -> Found | None:
    """A sign that stands there for all to read. `words` is `text`, folded."""
    found = (written(SHAPES, words) or _closing(words)) if _SHAPED.search(text) else None
    found = found or spoken(words, stems)
    if found is None and not words.isascii():
        found = written(OTHER_SCRIPTS, words)
        if found is None and (alike := latin(words)) != words:
            found = spoken(alike, stems_of(alike))
    return found


def _closing(text: str) -> Found | None:
    """A bracket closed that was never opened, right after the end of a string: `"}]}`."""
    for found in islice(_CLOSED.finditer(text), 20):
        before = text[: found.end()]
        if before.count("}") > before.count("{") and before.count("}") + before.count("]") > before.count("{") + before.count("["):
            return Found("fake_end", found.start(), found.end())
    return None


def _run_together(words: str) -> Found | None:
    """A phrase whose letters stand in this order, whatever stands between them."""
    letters = compact(words)
    for stem in _COMPACT_STEMS:
        if stem in letters:
            break
    else:
        return None
    phrase = next((phrase for phrase in _COMPACT if phrase in letters), None)
    if phrase is None:
        return None
    start = letters.index(phrase)
    places = [place for place, letter in enumerate(words) if compact(letter)]
    return Found("encoded:phrase", places[start], places[start + len(phrase) - 1] + 1)


def is_strong(name: str) -> bool:
    """Whether who writes this wants to steer a machine: then what follows is not believed either."""
    return name.removeprefix("encoded:") in STRONG


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text with what stands between them: joined they are the text again."""
    for found in _SENTENCE.finditer(text):
        if found[0]:
            yield found[0]


def without_instructions(text: str) -> str:
    """`text` less the sentences that are suspicious. Of such a sentence the words before the sign stay: facts often stand there."""
    if suspicious(text) is None:
        return text
    rest = "".join(sentence if suspicious(sentence) is None else _before(sentence) for sentence in sentences(text)).strip()
    for _ in range(4):  # a sign may be spread over sentences
        found = look(rest)
        if found is None:
            return rest
        rest = f"{rest[: found.start].rstrip()}\n{rest[found.end :].lstrip()}".strip() if found.start or found.end < len(rest) else ""
    return ""


def facts(text: str) -> str:
    """`text` less the words that speak to a machine: in each sentence from the first to the last of them.

    What stands before and after stays, for an attacker's words may stand inside an honest sentence and must not take its facts away."""
    if suspicious(text) is None:
        return text
    return "".join(_less(sentence) for sentence in sentences(text))


def _less(sentence: str) -> str:
    words = sentence.split()
    first, last = len(words), 0
    for _ in range(8):
        start, end = _window([word if not first <= at < last else "" for at, word in enumerate(words)])
        if start == end:
            break
        first, last = min(first, start), max(last, end)
    if _ORDERED.match(" ".join(words[last : last + 3])):
        last = len(words)  # what is ordered to be said is no fact
    return f"{' '.join([*words[:first], *words[last:]])} " if first < last else sentence


def _window(words: list[str]) -> tuple[int, int]:
    """A shortest run of words that is suspicious by itself, as (start, end); empty where none is."""
    if suspicious(" ".join(words)) is None:
        return 0, 0
    low, high = 1, len(words)
    while low < high:  # fewest words from the start
        middle = (low + high) // 2
        low, high = (low, middle) if suspicious(" ".join(words[:middle])) else (middle + 1, high)
    end = low
    low, high = 0, end - 1
    while low < high:  # the latest start
        middle = (low + high + 1) // 2
        low, high = (middle, high) if suspicious(" ".join(words[middle:end])) else (low, middle - 1)
    return low, end


def _before(sentence: str) -> str:
    """The words before the sign, with an end of line in place of the rest."""
    words = " ".join(sentence.split())
    found = look(words)
    before = words[: found.start].rstrip() if found is not None else ""
    return f"{before}\n" if before and suspicious(before) is None else ""
