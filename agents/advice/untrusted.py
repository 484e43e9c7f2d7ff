"""Text that somebody outside wrote: made harmless to show, and read for signs that it speaks to a machine.

Alert text is data. A text that gives orders ("ignore what you were told", "set severity to P4", "do not page") is evidence of nothing but
its author's wish, so neither the rules nor a prompt go by it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from agents.advice.disguise import INVISIBLE, compact, decoded, folded, latin, plain
from agents.advice.signs import COMPACT, ORDERS, SHAPES, WHOLE, Sign
from agents.advice.signs_of_languages import LATIN, OTHER_SCRIPTS

LOOK = 20_000
"""Characters of a text that are looked at. Intake allows no alert more than 4 KiB a value."""
DEEP = 3
"""Encodings inside encodings that are undone."""
STRONG = frozenset(
    ("override", "new_instruction", "persona", "speaks_to_model", "prompt_leak", "special_token", "role_tag", "fake_end", "answer_shape")
)
"""After such a sign nothing in the same field is believed; after an order about severity or pages the next sentence may be honest."""

_ANSI = re.compile(r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]{0,256}(?:\x07|\x1b\\)?|[@-Z\\^_])")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
_TOKENS = re.compile(
    r"<[|｜][^<>\n]{1,48}?[|｜]>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>|\[/?(?:TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS"
    r"|SYSTEM_PROMPT|IMG)\]|</?think(?:ing)?>|</?(?:antml:)?(?:tool_call|function_calls?|invoke)\b[^<>\n]{0,80}>",
    re.I,
)
_HALVES = str.maketrans({"｜": "|"})
_BLANKS = re.compile(r"[ \t]{2,}")
_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*){2,}")
_SENTENCE = re.compile(r"[^.!?。！？।؟\n]*(?:[.!?。！？।؟](?![\s\"')\]]|$)[^.!?。！？।؟\n]*)*[.!?。！？।؟\n]*[\"')\]]*\s*")

_COMPACT = tuple(dict.fromkeys(compact(phrase) for phrase in COMPACT))
_COMPACT_STEMS = tuple(
    compact(stem)
    for stem in (
        "ignore|disregard|forget|instruc|systemprompt|severity|priority|classify|mark|donot|dont|suppress|silence|youare|actas|mustbe"
        "|shouldbe|override|downgrade|escalate|treatthis|respondwith|answerp"
    ).split("|")
)
_SHAPED = re.compile(r"[<>`{}\[\]#\"\\*:｜]|-{2}|={2}")
_OPENED = re.compile(r"[\"']\s*[}\]]\s*[}\]]")


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


@lru_cache(maxsize=2048)
def suspicious(text: str) -> str | None:
    """The name of the first sign that `text` speaks to a machine (`override`, `severity_order`, `encoded:override`, ...), or None.

    Linear in the text; looks at its first 20,000 characters."""
    return _look(text[:LOOK], DEEP)


def _look(text: str, deep: int) -> str | None:
    bare = plain(text)
    words = folded(bare)
    found = _shape(words, bare) or _first(WHOLE, words) or _first(ORDERS, words) or _first(LATIN, words)
    if found is None and not words.isascii():
        alike = latin(words)
        found = _first(OTHER_SCRIPTS, words) or (_first(WHOLE, alike) or _first(ORDERS, alike) if alike != words else None)
        words = alike
    if found is None:
        found = _run_together(words)
    if found is not None or not deep:
        return found
    for _encoding, hidden in decoded(bare):
        if hidden != bare:
            inner = _look(hidden[:LOOK], deep - 1)
            if inner is not None:
                return inner if inner.startswith("encoded:") else f"encoded:{inner}"
    return None


def _first(signs: tuple[Sign, ...], words: str) -> str | None:
    for sign in signs:
        if any(hint in words for hint in sign.hints) and sign.pattern.search(words):
            return sign.name
    return None


def _shape(words: str, text: str) -> str | None:
    if not _SHAPED.search(text):
        return None
    found = _first(SHAPES, words)
    if found is None and _OPENED.search(words) and _closes_more_than_it_opens(words):
        return "fake_end"
    return found


def _closes_more_than_it_opens(text: str) -> bool:
    """Whether a bracket is closed that was never opened, right after the end of a string: `"}]}`."""
    for found in _OPENED.finditer(text):
        before = text[: found.end()]
        if before.count("}") > before.count("{") and before.count("}") + before.count("]") > before.count("{") + before.count("["):
            return True
    return False


def _run_together(words: str) -> str | None:
    letters = compact(words)
    if any(stem in letters for stem in _COMPACT_STEMS) and any(phrase in letters for phrase in _COMPACT):
        return "encoded:phrase"
    return None


def is_strong(name: str) -> bool:
    return name.removeprefix("encoded:") in STRONG or name == "encoded:phrase"


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text with what stands between them: joined they are the text again."""
    for found in _SENTENCE.finditer(text):
        if found[0]:
            yield found[0]


@lru_cache(maxsize=1024)
def without_instructions(text: str) -> str:
    """`text` less the sentences that are suspicious. Of such a sentence the words before the sign stay: facts often stand there. If only
    all together are suspicious, nothing stays."""
    if suspicious(text) is None:
        return text
    kept = "".join(sentence if suspicious(sentence) is None else _before_the_sign(sentence) for sentence in sentences(text)).strip()
    return kept if suspicious(kept) is None else ""


def _before_the_sign(sentence: str) -> str:
    """The words before those that are suspicious together, with an end of line in place of the rest."""
    words = sentence.split()
    low, high = 1, len(words)
    while low < high:  # fewest words from the start that are suspicious
        middle = (low + high) // 2
        low, high = (low, middle) if suspicious(" ".join(words[:middle])) else (middle + 1, high)
    end = low
    low, high = 0, end - 1
    while low < high:  # latest start that still is
        middle = (low + high + 1) // 2
        low, high = (middle, high) if suspicious(" ".join(words[middle:end])) else (low, middle - 1)
    before = " ".join(words[:low])
    return before + "\n" if before and suspicious(before) is None else ""
